/** What a recording answers to whoever asks a daemon: the same reads, over what is in the file alone. What a file cannot know is refused, and says so. */
import { readingsAt } from "../../protocol/explain/readings.ts";
import { hashOf, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Digest } from "../../protocol/kernel/ids.ts";
import type { EventStore } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { AccountQueries } from "../account-queries.ts";
import type { NodeView, StatusView } from "../control/api.ts";
import { readRules } from "../diagnosis-rules.ts";
import type { Views } from "../gateway/views.ts";
import { logsOf } from "../logs.ts";
import { Queries } from "../queries.ts";
import { readingMsMax } from "../recorded-readings.ts";
import { timelineOf } from "../timeline.ts";
import { traceOf } from "../trace.ts";
import type { Recording } from "./recording.ts";
import { tablesOf } from "./tables.ts";

const logBytesMax = 64 << 20;

/** A file has no network. */
const mesh = {
  addresses: () => [],
  addressesOf: () => [],
  versionOf: () => undefined,
  connected: () => [],
};

/** Throws `not-found` for what a recording does not have. */
export function viewsOf(recording: Recording): Views {
  const { core, trust } = recording;
  const { desk } = core;
  const queries = new Queries(core, mesh);
  const recall = { find: async (id: BuildId) => queries.find(id) };
  const read = async (digest: Digest) => (recording.has(digest) ? recording.read(digest, logBytesMax) : null);
  const events: Pick<EventStore, "range"> = rangesOf(recording.entries);
  const readings = {
    at: async (atMs: number) => readingsAt(recording.readings, atMs, readingMsMax),
    async *between(fromMs: number, toMs: number) {
      for (const one of recording.readings) if (one.atMs >= fromMs && one.atMs <= toMs) yield one;
    },
  };
  const accounts = new AccountQueries({
    core,
    queries,
    recall,
    past: true,
    ran: recording.ran,
    tailOf: async (digest, maxBytes) => (await read(digest))?.subarray(-maxBytes) ?? null,
    rules: () => readRules(),
    readings,
  });
  const nodes = (): NodeView[] =>
    queries.nodes().map((node) => {
      const vitals = recording.nodes.get(node.peerId) ?? null;
      const state = node.state === "self" ? node.state : vitals ? ("alive" as const) : ("unseen" as const);
      return { ...node, state, vitals, ...(vitals ? { version: vitals.version } : {}) };
    });
  const known: Partial<Views> = {
    status: async (): Promise<StatusView> => ({
      swarm: { id: trust.swarm, name: trust.swarmName, members: desk.members.size },
      node: nodes().find(({ peerId }) => peerId === trust.by) ?? nodes()[0]!,
      peers: nodes().filter(({ peerId }) => peerId !== trust.by),
      builds: queries.builds(),
      counts: { needed: 0, building: 0, complete: 0, blocked: 0, staged: 0 },
      behind: { builds: 0, entries: 0 },
      forks: queries.forks(),
      admins: queries.admins(),
      asking: [],
      waits: [],
      divergent: queries.divergent(),
      channels: [],
      recording: sealedText(recording),
      gateway: null,
      next: { command: null, why: "this is a recording: nothing goes on in it" },
    }),
    nodes: async () => nodes(),
    builds: async () => queries.history(),
    build: async (id) => queries.view(queries.find(id)),
    why: (build, action) => accounts.why(build, action),
    criticalPath: (build) => accounts.criticalPath(build),
    autopsy: (build) => accounts.autopsy(build),
    decisions: (request) => accounts.decisions(request),
    readings: (build) => accounts.readings(build),
    recipe: (id, action) => accounts.recipe(id, action),
    replay: (request) => accounts.replay(request),
    logs: (request, signal) => {
      const { subject } = request;
      if ("node" in subject) throw absent("what a node prints");
      return logsOf({ subject, follow: false }, signal, {
        core,
        queries,
        recall,
        read,
        absent: "this log is not in the recording, see swarmd export --logs all",
        ended: async () => {},
        tails: { tail: () => nothing() },
        mesh: { tail: () => nothing() },
      });
    },
    // What is past says nothing new: who follows hears the rest of it and then silence.
    timeline: (request, signal) =>
      timelineOf(request, signal, { desk, queries, recall, events, hear: () => () => {} }),
    queue: async () => queries.queue(),
    members: async () => queries.members(),
    reach: async () => ({ rows: [] }),
    releases: async () => ({ channels: [], mirrors: [] }),
    artifact: async (word) => {
      // Loaded where it is asked for: it brings the network's parts along.
      const { ArtifactQueries } = await import("../artifact-queries.ts");
      const blobs = {
        has: (digest: Digest) => recording.has(digest),
        bytesHere: (digest: Digest) => (recording.has(digest) ? sizeOf(digest) : 0),
        sizeOfHash(hash: string) {
          for (const digest of recording.blobs()) if (hashOf(digest) === hash) return sizeOf(digest);
          throw absent(`the artifact ${word}`);
        },
      };
      const parts = { desk, queries, blobs } as ConstructorParameters<typeof ArtifactQueries>[0];
      return new ArtifactQueries(parts).describe(word);
    },
    getBlob: (digest) => recording.stream(digest),
    ...tablesOf(recording, queries, events),
    traceBuild: (request) => traceOf(request, { desk, accounts, queries, readings }),
  };
  return new Proxy(known as Views, {
    get: (of, name) =>
      name in of || typeof name === "symbol" || name === "then"
        ? Reflect.get(of, name)
        : () => {
            throw absent(
              name.startsWith("wire") ? "the messages that went between nodes" : `an answer to ${name}`,
            );
          },
  });
}

/** Whose word a recording is, in a sentence. */
export function sealedText({ trust }: Recording): string {
  const { node, by, former, swarmName, root, atMs, program } = trust;
  const was = former ? "once a member" : "a member";
  return `a recording of ${new Date(atMs).toISOString()} by swarmd ${program}, sealed by ${node} (${by}), ${was} of the swarm ${swarmName} that ${root} founded`;
}

const absent = (what: string): SwarmError =>
  new SwarmError("not-found", `a recording does not have ${what}`, {
    remedy: "ask a daemon of the swarm it was made in",
  });

async function* nothing(): AsyncIterable<never> {}

function rangesOf(entries: readonly SignedEntry[]): Pick<EventStore, "range"> {
  const chains = Map.groupBy(
    entries.toSorted((a, b) => a.entry.seq - b.entry.seq),
    ({ entry }) => `${entry.author}.${entry.inc}`,
  );
  return {
    range(author, inc, fromSeq, toSeq, done) {
      const chain = chains.get(`${author}.${inc}`) ?? [];
      done(chain.filter(({ entry }) => entry.seq >= fromSeq && entry.seq <= toSeq));
    },
  };
}
