/** What the gateway answers in JSON: one table, from which the routes and their OpenAPI document come. */
import { z } from "zod";
import { nearestOr } from "../../protocol/build/nearest.ts";
import { decisionKinds } from "../../protocol/explain/decisions.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, byText, isBuildId } from "../../protocol/kernel/ids.ts";
import { channelPattern } from "../../protocol/timeline/events.ts";
import { actionStates } from "../../protocol/work/actions.ts";
import type { BuildView } from "../control/api.ts";
import { decisionsMax } from "../control/routes.ts";
import { dataReads } from "./data-reads.ts";
import { healthOf } from "./health.ts";
import { type Read, read, Status } from "./read.ts";
import { densityOf, stepsOf } from "./steps.ts";
import { healthOfNode, troublesOf } from "./troubles.ts";

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

function one<T>(found: T | undefined, what: string, where: string): T {
  if (found === undefined)
    throw new SwarmError("not-found", `there is no ${what}`, { remedy: `those that are there: ${where}` });
  return found;
}

/** Throws `not-found` for a word that would filter all away, because it is none of these. */
function known(what: string, word: string, words: readonly string[]): void {
  if (words.includes(word)) return;
  const all = [...new Set(words)].sort(byText);
  throw new SwarmError("not-found", `there is no ${what} ${word}`, {
    remedy: nearestOr(
      word,
      all,
      all.length === 0 ? `there is no ${what}` : `one of ${all.slice(0, 50).join(", ")}`,
    ),
  });
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
  read("/node-health", "Whether each member is heard and free to work, and if not why", {}, async (views) =>
    (await views.nodes()).map(healthOfNode),
  ),
  read(
    "/troubles",
    "What needs a person, with the command that helps, then what merely is so",
    {},
    async (views) => {
      const status = await views.status();
      return { items: troublesOf(status), next: status.next };
    },
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
  read("/history", "Builds that have ended, the newest first", page, async (views, input) =>
    pageOf(
      (await views.builds())
        .filter(({ state }) => state !== "running" && state !== "paused")
        .sort((a, b) => b.submittedAtMs - a.submittedAtMs),
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
      state: z.enum(actionStates).optional().describe("Only those in this state"),
      node: word.optional().describe("Only those that this node ran, or runs, by its name"),
      target: word.optional().describe("Only those that compile for it"),
      search: word.optional().describe("Only those with this in their name"),
    },
    async (views, { build, state, node, target, search, ...rest }) => {
      const { actionViews } = await views.build(build);
      const ran = (name: string) => actionViews.some((one) => one.attempts.some((a) => a.node === name));
      if (node !== undefined && !ran(node))
        known(
          "node",
          node,
          (await views.nodes()).map(({ name }) => name),
        );
      if (target !== undefined)
        known(
          "target",
          target,
          actionViews.flatMap((action) => action.target ?? []),
        );
      return pageOf(
        actionViews.filter(
          (action) =>
            (state === undefined || action.state === state) &&
            (node === undefined || action.attempts.some((attempt) => attempt.node === node)) &&
            (target === undefined || action.target === target) &&
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
    "/builds/:build/rebuilt",
    "Of a check by rebuilding: what came out equal, what differently, and by whom",
    { build },
    (views, input) => views.rebuilt(input.build),
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
  read(
    "/builds/:build/steps",
    "Every event of it and what it changed, in the order of time, names said once",
    { build },
    (views, input) => stepsOf(views, input.build),
  ),
  read(
    "/builds/:build/density",
    "How many events of each family were said when",
    { build, buckets: z.coerce.number().int().min(1).max(1000).default(120).describe("Parts of its time") },
    (views, input) => densityOf(views, input.build, input.buckets),
  ),
  read(
    "/builds/:build/decisions",
    "Who got what, among whom, by which score and which view; the earliest first",
    {
      build,
      node: word.optional().describe("Only what this node was given"),
      action: word.optional().describe("Only those with this in their name"),
      kind: z
        .enum(decisionKinds)
        .optional()
        .describe("Asked for by score, given along, a twin, or known from a cache"),
      offset: page.offset,
      limit: z.coerce.number().int().min(1).max(decisionsMax).default(100).describe("Of the page"),
    },
    (views, { build, node, action, kind, offset, limit }) =>
      views.decisions({
        build,
        offset,
        limit,
        ...(node === undefined ? {} : { node }),
        ...(action === undefined ? {} : { action }),
        ...(kind === undefined ? {} : { kind }),
      }),
  ),
  read(
    "/builds/:build/recipe",
    "An action as it was planned: command, environment, inputs, what it asks of a node",
    { build, action: word },
    (views, input) => views.recipe(input.build, input.action as ActionName),
  ),
  read(
    "/builds/:build/breakpoints",
    "What holds it, its breakpoints, and what people placed",
    { build },
    (views, input) => views.debugging(input.build),
  ),
  read(
    "/builds/:build/preview",
    "The scheduler's next choices with all candidates, and why the rest waits",
    { build, count: count.min(1).max(64).optional().describe("Choices at most; 10") },
    (views, { build, count }) => views.preview(build, count === undefined ? {} : { count }),
  ),
  read(
    "/builds/:build/readings",
    "How nodes were while it was built, from recorded beats",
    { build },
    (views, input) => views.readings(input.build),
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
  ...dataReads,
];
