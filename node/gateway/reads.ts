/** What the gateway answers in JSON: one table, from which the routes and their OpenAPI document come. */
import { z } from "zod";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, isBuildId } from "../../protocol/kernel/ids.ts";
import { channelPattern } from "../../protocol/timeline/events.ts";
import type { BuildView } from "../control/api.ts";
import { healthOf } from "./health.ts";
import type { Views } from "./views.ts";

export interface Read {
  /** Below /api/v1, as hono writes it: `/builds/:build`. */
  readonly path: string;
  /** For people: what it is. */
  readonly summary: string;
  /** Of the path and of the query, where all is text. */
  readonly input: z.ZodObject;
  /** May set the status of the answer, which is 200 else. */
  run(views: Views, input: never): Promise<unknown>;
}

/** An answer that is not 200. */
export class Status {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

const limitMax = 5000;
const page = {
  offset: z.coerce.number().int().min(0).max(1e9).default(0).describe("Where the page begins"),
  limit: z.coerce.number().int().min(1).max(limitMax).default(500).describe("Of the page"),
};
const build = z
  .custom<BuildId>((v) => typeof v === "string" && isBuildId(v), "is no build id")
  .meta({ type: "string" });
const word = z.string().min(1).max(512);
const channel = z.string().regex(channelPattern);
const count = z.coerce.number().int().min(0).max(1e9);

interface Page {
  readonly offset: number;
  readonly limit: number;
}

function pageOf<T>(items: readonly T[], { offset, limit }: Page) {
  const end = offset + limit;
  return { items: items.slice(offset, end), total: items.length, next: end < items.length ? end : null };
}

function read<S extends z.ZodRawShape>(
  path: string,
  summary: string,
  shape: S,
  run: (views: Views, input: z.infer<z.ZodObject<S>>) => Promise<unknown>,
): Read {
  return { path, summary, input: z.object(shape), run };
}

function one<T>(found: T | undefined, what: string, where: string): T {
  if (found === undefined)
    throw new SwarmError("not-found", `there is no ${what}`, { remedy: `those that are there: ${where}` });
  return found;
}

const withoutActions = ({ actionViews: _, ...rest }: BuildView) => rest;

export const reads: readonly Read[] = [
  read("/ping", "It lives", {}, async () => ({ pong: true })),
  read(
    "/health",
    "Whether this node keeps up: 503 past the thresholds",
    {
      gapsMax: count.default(1000).describe("Entries and ended builds that others have and this node lacks"),
      lagMsMax: count.default(2000).describe("How late this daemon does what is due"),
    },
    async (views, limits) => {
      const health = await healthOf(views, limits);
      return health.ok ? health : new Status(503, health);
    },
  ),
  read("/status", "What `swarmd status` says", {}, (views) => views.status()),
  read(
    "/nodes",
    "Members and their vitals",
    { all: z.enum(["true", "false"]).default("false").describe("Those never heard of, too") },
    async (views, { all }) => {
      const nodes = await views.nodes();
      return all === "true" ? nodes : nodes.filter(({ state }) => state !== "unseen");
    },
  ),
  read("/nodes/:node", "One member, by name or peer id", { node: word }, async (views, { node }) =>
    one(
      (await views.nodes()).find(({ name, peerId }) => name === node || peerId === node),
      `node ${node}`,
      "/api/v1/nodes?all=true",
    ),
  ),
  read("/reach", "Who reaches whom, and how fast", {}, (views) => views.reach()),
  read("/members", "Who belongs to the swarm, who did, who asks", {}, (views) => views.members()),
  read("/queue", "Live builds, the one whose turn it is first", {}, (views) => views.queue()),
  read("/builds", "Builds, the newest first", page, async (views, input) =>
    pageOf(
      [...(await views.builds())].sort((a, b) => b.submittedAtMs - a.submittedAtMs),
      input,
    ),
  ),
  read("/builds/:build", "A build without its actions", { build }, async (views, input) =>
    withoutActions(await views.build(input.build)),
  ),
  read(
    "/builds/:build/actions",
    "Its actions, in the order of the graph",
    {
      build,
      ...page,
      state: word.optional().describe("Only those in this state"),
      node: word.optional().describe("Only those that this node ran, or runs"),
      search: word.optional().describe("Only those with this in their name"),
    },
    async (views, { build, state, node, search, ...rest }) => {
      const { actionViews } = await views.build(build);
      return pageOf(
        actionViews.filter(
          (action) =>
            (state === undefined || action.state === state) &&
            (node === undefined || action.attempts.some((attempt) => attempt.node === node)) &&
            (search === undefined || action.name.includes(search)),
        ),
        rest,
      );
    },
  ),
  read(
    "/builds/:build/action",
    "One of its actions, with all attempts",
    { build, name: word },
    async (views, input) =>
      one(
        (await views.build(input.build)).actionViews.find(({ name }) => name === input.name),
        `action ${input.name}`,
        `/api/v1/builds/${input.build}/actions`,
      ),
  ),
  read(
    "/builds/:build/critical-path",
    "What its duration hangs on, and when it will end",
    { build },
    (views, input) => views.criticalPath(input.build),
  ),
  read(
    "/builds/:build/autopsy",
    "What its failures came from, what they hold up, and what to run",
    { build },
    (views, input) => views.autopsy(input.build),
  ),
  read(
    "/builds/:build/replay",
    "The build at a moment: the last there was, or the one asked for",
    { build, atMs: count.max(1e15).optional().describe("Wall milliseconds") },
    async (views, { build, atMs }) => {
      const request = { build, steps: false, ...(atMs === undefined ? {} : { atMs }) };
      const [moment] = await Array.fromAsync(views.replay(request, new AbortController().signal));
      return one(moment, `moment of ${build}`, `/api/v1/builds/${build}`);
    },
  ),
  read("/builds/:build/why", "Why an action went as it did", { build, action: word }, (views, input) =>
    views.why(input.build, input.action as ActionName),
  ),
  read(
    "/events",
    "What all members said, merged: the last so many",
    {
      build: build.optional(),
      node: word.optional(),
      kinds: word.optional().describe("Kinds, families or beginnings of kinds, with commas between"),
      sinceMs: count.max(1e15).optional().describe("By the clocks of those who spoke"),
      limit: page.limit,
    },
    async (views, { kinds, ...request }) => {
      const lines = views.timeline(
        {
          ...(request.build === undefined ? {} : { build: request.build }),
          ...(request.node === undefined ? {} : { node: request.node }),
          ...(request.sinceMs === undefined ? {} : { sinceMs: request.sinceMs }),
          ...(kinds === undefined ? {} : { kinds: kinds.split(",") }),
          limit: request.limit,
          follow: false,
        },
        new AbortController().signal,
      );
      return { items: await Array.fromAsync(lines) };
    },
  ),
  read("/staging", "What waits to be released, per channel", {}, async (views) => {
    const { channels } = await views.releases();
    return channels.map(({ channel, staged, current }) => ({ channel, current, staged }));
  }),
  read("/releases", "Channels, their epochs, and the mirrors", {}, (views) => views.releases()),
  read(
    "/releases/:channel/:epoch",
    "What an epoch holds",
    { channel, epoch: count.min(1) },
    (views, { channel, epoch }) => views.releaseManifest(channel, epoch),
  ),
  read("/artifacts/:word", "What an artifact is, by CID or sha2-256", { word }, (views, { word }) =>
    views.artifact(word),
  ),
  read("/artifacts/:word/holders", "Who holds it", { word }, async (views, { word }) =>
    views.holders((await views.artifact(word)).digest),
  ),
  read(
    "/artifacts/:word/attestations",
    "Signed statements of where it comes from",
    { word },
    (views, { word }) => views.attest(word),
  ),
];
