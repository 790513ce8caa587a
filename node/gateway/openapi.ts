/** The OpenAPI document of the gateway, made from its table of reads. */
import { z } from "zod";
import { version } from "../version.ts";
import type { Read } from "./read.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required: boolean;
  readonly schema: unknown;
  readonly description?: string;
}

/** OpenAPI 3.1. */
export function openApiOf(reads: readonly Read[]) {
  const paths: Record<string, unknown> = {};
  for (const read of reads) paths[`/api/v1${templateOf(read.path)}`] = { get: operationOf(read) };
  for (const [path, summary, type, taken] of streams)
    paths[path] = {
      get: {
        summary,
        parameters: [
          ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => textParameter(name!, "path")),
          ...taken.map((name) => textParameter(name, "query")),
        ],
        responses: { 200: { description: summary, content: { [type]: {} } } },
      },
    };
  return {
    openapi: "3.1.0",
    info: {
      title: "swarmd",
      version,
      description: "Reads of one node of a swarm. Nothing can be changed here.",
    },
    paths,
    components: { schemas: { Error: errorSchema } },
  };
}

const textParameter = (name: string, where: Parameter["in"]): Parameter => ({
  name,
  in: where,
  required: where === "path",
  schema: { type: "string" },
});

/** Path, what it is, its type, and what its query may hold. */
const streams = [
  [
    "/api/v1/stream",
    "What happens, as it happens: server-sent events, resumed by Last-Event-ID",
    "text/event-stream",
    [],
  ],
  [
    "/api/v1/wire/stream",
    "Messages that this node sends and gets, as it happens, of one kind or with one member: server-sent events",
    "text/event-stream",
    ["kind", "peer"],
  ],
  [
    "/api/v1/builds/{build}/trace",
    "The build for tools of others: format chrome or otlp",
    "application/json",
    ["format"],
  ],
  [
    "/api/v1/builds/{build}/log",
    "What its actions printed, of one or of all; on and on with follow=true, or a part by Range",
    "text/plain",
    ["action", "follow"],
  ],
  ["/ipfs/{cid}", "The bytes of an artifact, by CID or sha2-256", "application/vnd.ipld.raw", ["format"]],
  ["/metrics", "OpenMetrics", "application/openmetrics-text", []],
  [
    "/api/v1/metrics",
    "Vitals of each node, every five seconds of the last hour, while somebody asks",
    "application/json",
    [],
  ],
] as const;

const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: { code: { type: "string" }, message: { type: "string" }, remedy: { type: "string" } },
    },
  },
};

const templateOf = (path: string): string => path.replaceAll(/:(\w+)/g, "{$1}");

function operationOf({ path, summary, input }: Read) {
  const schema = z.toJSONSchema(input, { io: "input", unrepresentable: "any" });
  const parameters = Object.entries(schema.properties ?? {}).map(([name, property]): Parameter => {
    const { description, ...rest } = property as { description?: string };
    const inPath = path.split("/").includes(`:${name}`);
    return {
      name,
      in: inPath ? "path" : "query",
      required: inPath || (schema.required ?? []).includes(name),
      schema: Object.keys(rest).length === 0 ? { type: "string" } : rest,
      ...(description === undefined ? {} : { description }),
    };
  });
  const refused = {
    description: "Refused",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
  return {
    operationId: path
      .replaceAll(/[/:]+(\w)/g, (_, letter: string) => letter.toUpperCase())
      .replaceAll(/\W/g, ""),
    summary,
    parameters,
    responses: {
      200: { description: summary, content: { "application/json": {} } },
      400: refused,
      404: refused,
    },
  };
}
