/** The OpenAPI document of the gateway, made from its table of reads. */
import { z } from "zod";
import { version } from "../version.ts";
import type { Read } from "./reads.ts";

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
  for (const [path, summary, type] of streams)
    paths[path] = {
      get: {
        summary,
        parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
          name,
          in: "path",
          required: true,
          schema: { type: "string" },
        })),
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

const streams = [
  [
    "/api/v1/stream",
    "What happens, as it happens: server-sent events, resumed by Last-Event-ID",
    "text/event-stream",
  ],
  ["/api/v1/builds/{build}/log", "What its actions printed; ?action=, ?follow=true", "text/plain"],
  ["/ipfs/{cid}", "The bytes of an artifact, by CID or sha2-256", "application/vnd.ipld.raw"],
  ["/metrics", "OpenMetrics", "application/openmetrics-text"],
  [
    "/api/v1/metrics",
    "Vitals of each node, every five seconds of the last hour, while somebody asks",
    "application/json",
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
