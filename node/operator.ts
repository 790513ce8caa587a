/** What people ask of a daemon: the control interface, made of the runtime, the queries and the stores. It decides nothing about builds. */

import { randomBytes } from "node:crypto";
import type { ToolSet } from "../protocol/build/tool-sets.ts";
import type { Command, CommandReply, Operation } from "../protocol/contract.ts";
import { sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId, Digest, PeerId } from "../protocol/kernel/ids.ts";
import type { Artifacts, EventStore, Signer } from "../protocol/ports.ts";
import type { Runtime } from "../protocol/runtime.ts";
import { surveyToolsMax } from "../protocol/swarm/message.ts";
import { encodeTicket } from "../protocol/swarm/ticket.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { Archived } from "../protocol/work/archive.ts";
import type { Claims } from "../protocol/work/claims.ts";
import { excessOf } from "../protocol/work/collection.ts";
import { chooseToolchains, type ToolChoices } from "../protocol/work/tooling.ts";
import { AccountQueries } from "./account-queries.ts";
import { ArtifactQueries } from "./artifact-queries.ts";
import type { LocalExecutor } from "./build/executor.ts";
import type { BuildSummary, Control, StatusView } from "./control/api.ts";
import type { Data } from "./control/data.ts";
import { readFetched } from "./control/fetched.ts";
import { nextAction } from "./control/next.ts";
import type { Moved } from "./control/words.ts";
import { DebugQueries } from "./debug-queries.ts";
import { readRules } from "./diagnosis-rules.ts";
import type { Doctor } from "./doctor/doctor.ts";
import { foretoldBlob } from "./foretell.ts";
import { drawTicketKey } from "./invitation.ts";
import { logsOf } from "./logs.ts";
import type { BlobStore, Mesh, TailSource } from "./ports.ts";
import type { Queries } from "./queries.ts";
import { reachOf } from "./reach.ts";
import { Rebuilds } from "./rebuilds.ts";
import { Recall } from "./recall.ts";
import { RecordedReadings } from "./recorded-readings.ts";
import { written } from "./recording/container.ts";
import { sectionsOf } from "./recording/recorded-build.ts";
import type { Envelope } from "./release/attestation.ts";
import { attest } from "./release/provenance-queries.ts";
import { makingsSince, type TaintParts, taintsView } from "./release/taints.ts";
import { ReleaseQueries } from "./release-queries.ts";
import { latestRetry, retryAnew } from "./retry.ts";
import { OpenShells } from "./shells.ts";
import type { Collector } from "./store/collector.ts";
import type { Quarantine } from "./store/quarantine.ts";
import type { Sources } from "./store/sources.ts";
import { timelineOf } from "./timeline.ts";
import { traceOf } from "./trace.ts";
import { watch } from "./watch.ts";

/** So long a submit waits for nodes that read the files of their toolchains. */
const exactMsMax = 120_000;
/** Blobs that an answer about room names. */
const collectedMax = 1000;
const ticketMsMax = 24 * 3600_000;

export interface OperatorParts {
  readonly data: Data;
  readonly home: string;
  /** Where the recordings of this node lie. */
  readonly recordings: string;
  readonly runtime: Runtime;
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly artifacts: Artifacts;
  readonly events: Pick<EventStore, "range">;
  readonly sources: Sources;
  readonly collector: Pick<Collector, "collect">;
  readonly quarantine: Pick<Quarantine, "list" | "dir">;
  readonly tails: TailSource;
  readonly executor: Pick<LocalExecutor, "open" | "sandbox">;
  readonly doctor: Doctor;
  readonly mesh: Mesh;
  /** Resolves after the next step that may have changed something. */
  readonly changed: (signal?: AbortSignal) => Promise<void>;
  /** The owner's own rules for errors. */
  readonly diagnosis?: string;
  /** Hears of every entry that comes to this node, or leaves it, until the answer is called. */
  readonly hear: (listen: (entries: readonly SignedEntry[]) => void) => () => void;
  /** Null: there is no gateway. */
  readonly gatewayUrl: () => string | null;
  /** The key this node would change to. */
  readonly nextIdentity: () => Promise<{ readonly peer: PeerId }>;
  /** Signs a statement with the key of this node. */
  readonly signStatement: (text: string) => Envelope;
  readonly signer: Pick<Signer, "self" | "sign">;
  readonly stop: () => Promise<void>;
}

export function createOperator(parts: OperatorParts): Control {
  const { runtime, queries, blobs, artifacts, mesh } = parts;
  const { core } = runtime;
  const { desk } = core;

  const command = async (request: Command): Promise<Extract<CommandReply, { ok: true }>> => {
    const reply = await new Promise<CommandReply>((resolve) => runtime.command(request, resolve));
    if (!reply.ok) throw new SwarmError(reply.code, reply.message, { remedy: reply.remedy });
    return reply;
  };

  const bring = async (digests: readonly Digest[]): Promise<void> => {
    const from = desk.preferred([]);
    const wants = digests.filter((digest) => !blobs.has(digest)).map((digest) => ({ digest, from }));
    if (wants.length === 0) return;
    const missing = await new Promise<Digest[]>((resolve) => artifacts.fetch(wants, (gone) => resolve(gone)));
    if (missing.length > 0)
      throw new SwarmError("blob-missing", `no member that can be reached has ${missing[0]}`, {
        remedy: "see which members are away: swarmd status",
      });
  };

  const read = async (digest: Digest): Promise<Uint8Array | null> => {
    await bring([digest]).catch(() => {});
    return blobs.has(digest) ? blobs.read(digest) : null;
  };

  const recall = new Recall({ ...parts, desk });
  const releases = new ReleaseQueries({
    releases: core.releases,
    blobs,
    bring,
    nameOf: (peer) => queries.nameOf(peer),
    stateOf: (peer) => (peer === desk.config.self ? "self" : desk.status(peer)),
  });
  const readings = new RecordedReadings(parts.recordings);
  const accounts = new AccountQueries({
    core,
    queries,
    recall,
    tailOf: async (digest, maxBytes) => {
      await bring([digest]).catch(() => {});
      if (!blobs.has(digest)) return null;
      const parts: Uint8Array[] = [];
      for await (const part of blobs.stream(digest, Math.max(0, sizeOf(digest) - maxBytes))) parts.push(part);
      return Buffer.concat(parts);
    },
    rules: () => readRules(parts.diagnosis),
    readings,
  });
  const debugged = new DebugQueries(core, queries);
  const tainting: TaintParts = {
    desk,
    recall,
    releases,
    nameOf: (peer) => queries.nameOf(peer),
    timeline: (request) => timelineOf(request, new AbortController().signal, { ...parts, desk, recall }),
  };
  const found = new ArtifactQueries({ ...parts, desk });
  const shells = new OpenShells({ ...parts, desk, recall });
  const rebuilds = new Rebuilds({ ...parts, desk, recall, command });

  const ended = async (id: BuildId, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && desk.builds.has(id) && !desk.builds.get(id)?.claims?.sealed)
      await parts.changed(signal);
  };

  const { sqlTables, sqlSchema, sqlQuery, statistics, wire, wireStats, wireDensity } = parts.data;
  return {
    ...{ sqlTables, sqlSchema, sqlQuery, statistics, wire, wireStats, wireDensity },
    status: async (): Promise<StatusView> => {
      const nodes = queries.nodes();
      const alive = nodes.filter((n) => n.state === "self" || n.state === "alive");
      const builds = queries.builds();
      const fetched = await readFetched(parts.home);
      const counts = { needed: 0, building: 0, complete: 0, blocked: 0, staged: 0 };
      for (const { state, counts: c } of builds) {
        if (state !== "running" && state !== "paused") continue;
        counts.needed += c.waiting + c.ready;
        counts.building += c.claimed + c.running;
        counts.complete += c.done;
        counts.blocked += c.blocked + c.held;
      }
      counts.staged = releases.staged();
      const { channels, mirrors } = releases.view();
      const own = queries.nameOf(desk.config.self);
      const waits = queries.waits();
      const divergent = queries.divergent();
      return {
        swarm: { id: desk.config.swarm, name: desk.members.swarmName, members: desk.members.size },
        node: nodes.find((n) => n.state === "self")!,
        peers: nodes.filter((n) => n.state !== "self"),
        builds,
        counts,
        behind: queries.behind(),
        ...(await damagedOf(parts)),
        forks: queries.forks(),
        admins: queries.admins(),
        asking: queries.asking(),
        waits,
        divergent,
        channels: channels.map(({ channel, current, staged, atRisk, hindered }) => ({
          channel,
          current,
          staged: staged.length,
          atRisk,
          hindered,
        })),
        gateway: parts.gatewayUrl(),
        next: nextAction({
          members: desk.members.size,
          aliveMembers: alive.length,
          takers: alive.filter((n) => (n.vitals?.slots ?? 0) > 0).length,
          ordered: alive.flatMap(({ name, peerId }) => {
            const order = desk.orders.of(peerId);
            return order ? [{ name, order }] : [];
          }),
          twins: queries.twins(),
          staged: channels.flatMap(({ channel, staged, pinned }) =>
            staged.length > 0 && !pinned ? [{ channel, builds: staged.length }] : [],
          ),
          mirrors: mirrors.length,
          differing: divergent.find(({ check }) => check !== undefined),
          // Nothing is fetched of a check that has ended, nor is it tried again.
          builds: builds.filter(isNoEndedCheck).map((b) => ({
            ...b,
            own: b.submitter === own,
            fetched: fetched.has(b.build),
            failedAction: firstBlocked(desk.builds.get(b.build)?.claims),
            wait: waits.find((wait) => wait.build === b.build && wait.never),
          })),
        }),
      };
    },
    nodes: async () => queries.nodes(),
    builds: async () => queries.history(),
    build: async (id) => queries.view(await recall.find(id)),
    watch: (id, signal) => watch({ ...parts, recall }, id, signal),
    logs: (request, signal) =>
      logsOf(request, signal, {
        core,
        queries,
        recall,
        tails: parts.tails,
        mesh,
        ended,
        read,
        absent: "nobody holds this log any more, see logsKeptMs in specs/config.md",
      }),
    resolveToolchains: (sets) => resolveToolchains(parts, sets),
    missingBlobs: async (digests) => digests.filter((d) => !blobs.has(d)),
    putBlob: (digest, bytes) => blobs.putStream(digest, bytes),
    getBlob: async function* (digest) {
      await bring([digest]);
      yield* blobs.stream(digest);
    },
    artifact: (word) => found.describe(word),
    attest: (word) =>
      attest({ desk, describe: (one) => found.describe(one), sign: parts.signStatement }, word),
    holders: (digest) => found.holders(digest),
    bring: (digest, signal) => found.bring(digest, signal),
    getTree: async (digest) => {
      const files = await new Promise<Awaited<ReturnType<Control["getTree"]>> | null>((resolve) =>
        artifacts.readTree({ digest, from: desk.preferred([]) }, (found) => resolve(found && [...found])),
      );
      if (!files)
        throw new SwarmError("blob-missing", `no member that can be reached has the folder ${digest}`);
      return files;
    },
    submit: async ({ name, graph, priority, fresh }) => {
      const nonce = randomBytes(8).toString("hex");
      const told = await foretoldBlob(graph, blobs, desk.estimates);
      const reply = await command({ kind: "submit", name, graph: told, nonce, priority, fresh });
      return { build: reply.build!, ...(reply.word ? { word: reply.word } : {}) };
    },
    control: async (build, op, options) => movedOf(await command({ kind: "control", build, op, ...options })),
    operate: async (operation, options) => {
      const { reason, dryRun = false } = options ?? {};
      const operate = async (meant: Operation) =>
        movedOf(await command({ kind: "operate", operation: meant, reason, dryRun }));
      if (operation.op !== "retry" && operation.op !== "retry-failures") return operate(operation);
      const read = (digest: Digest) => blobs.read(digest);
      const keep = (bytes: Uint8Array) => blobs.put(bytes);
      const resolve = (sets: readonly ToolSet[]) => resolveToolchains(parts, sets);
      const again = await retryAnew({ desk, bring, read, keep, resolve, command }, operation, dryRun);
      return again ?? operate({ ...operation, build: latestRetry(desk, operation.build) });
    },
    rebuild: (request) => rebuilds.begin(request),
    rebuilt: (check) => rebuilds.view(check),
    recipe: (build, action) => accounts.recipe(build, action),
    debug: async (build, word, { reason, dryRun = false } = {}) =>
      movedOf(await command({ kind: "debug", build, word, reason, dryRun })),
    debugging: async (build) => debugged.debugging(build),
    preview: async (build, options) => debugged.preview(build, options?.count),
    shell: (request, signal) => shells.shell(request, signal),
    leaveShell: (room, keep) => shells.leaveShell(room, keep),
    why: (build, action) => accounts.why(build, action),
    criticalPath: (build) => accounts.criticalPath(build),
    autopsy: (build) => accounts.autopsy(build),
    decisions: (request) => accounts.decisions(request),
    readings: (build) => accounts.readings(build),
    replay: (request) => accounts.replay(request),
    timeline: (request, signal) => timelineOf(request, signal, { ...parts, desk, recall }),
    traceBuild: (request) => traceOf(request, { desk, accounts, queries, readings }),
    exportBuild: (request, signal) =>
      written(sectionsOf(request, { ...parts, desk, accounts, readings, read }, signal), parts.signer),
    queue: async () => queries.queue(),
    releases: async () => releases.view(),
    releaseManifest: (channel, epoch) => releases.manifest(channel, epoch),
    release: async (request) => {
      const { epoch, word, risk } = await command(request);
      return {
        ...(epoch === undefined ? {} : { epoch }),
        ...(word ? { word } : {}),
        ...(risk ? { risk } : {}),
      };
    },
    members: async () => queries.members(),
    member: async (operation, options) => {
      await command({ kind: "member", operation, reason: options?.reason });
    },
    taint: async ({ peer, sinceMs, reason }) => {
      const from = await makingsSince(tainting, peer, sinceMs);
      if (from.length === 0)
        throw new SwarmError(
          "not-found",
          `${queries.nameOf(peer)} made nothing since then that is known here`,
          {
            remedy: `what it made: swarmd timeline --node ${queries.nameOf(peer)} --kind done`,
          },
        );
      await command({ kind: "member", operation: { op: "taint", peer, from, sinceMs }, reason });
      return taintsView(tainting);
    },
    taints: () => taintsView(tainting),
    rotate: async () => {
      const { peer } = await parts.nextIdentity();
      await command({ kind: "member", operation: { op: "rotate", peer } });
      return { peer };
    },
    invite: async ({ roles, ttlMs }) => {
      if (!(ttlMs > 0 && ttlMs <= ticketMsMax))
        throw new SwarmError("usage", "a ticket is good for at most 24 hours", {
          remedy: "swarmd invite --ttl 1h",
        });
      const { ticket, secret, key } = drawTicketKey();
      const notAfterMs = Math.floor(Date.now() + ttlMs);
      await command({ kind: "invite", ticket, key, roles, notAfterMs });
      // Others may be asked when this node is away: then an admin decides.
      const others = desk.members.all().flatMap(({ peer }) =>
        mesh
          .addressesOf(peer)
          .slice(0, 2)
          .map((address) => `${address}/p2p/${peer}`),
      );
      const own = mesh.addresses().slice(0, 10);
      const addrs = [...own, ...others].filter((address) => address.length <= 200).slice(0, 16);
      const text = encodeTicket({
        swarm: desk.config.swarm,
        swarmName: desk.members.swarmName,
        ticket,
        issuer: desk.config.self,
        addrs,
        roles: [...roles],
        notAfterMs,
        secret,
      });
      return { ticket: text, expiresAtMs: notAfterMs, addresses: own };
    },
    doctor: () => parts.doctor.examine(),
    fleet: () => parts.doctor.fleet(),
    reach: () => reachOf(core, queries, mesh),
    collect: async ({ dryRun = false, unusedMs }) => {
      const { timelineKeptMs } = desk.config;
      const old = core.upkeep.retention.overdue();
      if (!dryRun && old.length > 0) await command({ kind: "compact" });
      const { fill, goes, goesBytes, kept } = await parts.collector.collect({ dryRun, unusedMs });
      return {
        dryRun,
        goes: goes.slice(0, collectedMax),
        count: goes.length,
        bytes: goesBytes,
        kept,
        ...fill,
        shortBytes: Math.max(0, excessOf(fill) - goesBytes),
        ...(timelineKeptMs === undefined ? {} : { timeline: { ...summedUp(old), keptMs: timelineKeptMs } }),
      };
    },
    stop: parts.stop,
  };
}

/** Builds that were kept long enough, and what was said in them. */
const summedUp = (builds: readonly Archived[]) => ({
  builds: builds.length,
  entries: builds.reduce((sum, { entries }) => sum + entries, 0),
  first: builds.slice(0, 20).map(({ build }) => build),
});

/** What is in quarantine, and what others have still to give; nothing where all is well. */
async function damagedOf({
  quarantine,
  runtime,
}: Pick<OperatorParts, "quarantine" | "runtime">): Promise<Pick<StatusView, "damaged">> {
  const files = (await quarantine.list()).length;
  const { missing } = runtime.core.upkeep.mender;
  return files + missing === 0 ? {} : { damaged: { files, missing, folder: quarantine.dir } };
}

const movedOf = ({ build, moved, lost, word, actions }: Extract<CommandReply, { ok: true }>): Moved => ({
  moved: moved ?? 0,
  lost: lost ?? 0,
  ...(build ? { build } : {}),
  ...(word === undefined ? {} : { word }),
  ...(actions ? { actions } : {}),
});

const isNoEndedCheck = ({ checks, state }: BuildSummary): boolean =>
  checks === undefined || state === "running" || state === "paused";

function firstBlocked(claims: Claims | undefined) {
  if (!claims || claims.actions.counts.blocked === 0) return undefined;
  for (let index = 0; index < claims.actions.size; index++)
    if (claims.actions.get(index) === "blocked") return claims.action(index).name;
  return undefined;
}

/** What each living builder offers is in its vitals. For exact fingerprints they are asked to read files, and one of them must have done so. */
async function resolveToolchains(parts: OperatorParts, sets: readonly ToolSet[]): Promise<ToolChoices> {
  const { desk } = parts.runtime.core;
  const choose = () =>
    chooseToolchains(
      sets,
      desk.alive().flatMap((peer) => {
        const vitals = desk.vitalsOf(peer);
        return vitals ? [{ name: parts.queries.nameOf(peer), vitals }] : [];
      }),
      desk.config.self,
    );
  const isExact = (demand: string) => demand.endsWith(" exact");
  if (!sets.some((set) => set.demands.some(isExact))) return choose();
  const tools = [...new Set(sets.flatMap((set) => set.demands.filter(isExact).map((d) => d.split(" ")[0]!)))];
  const signal = AbortSignal.timeout(exactMsMax);
  parts.runtime.command({ kind: "survey", tools: tools.slice(0, surveyToolsMax) }, () => {});
  for (;;) {
    try {
      return choose();
    } catch (refusal) {
      const reading = refusal instanceof SwarmError && refusal.message.includes("has not read the files");
      if (!reading || signal.aborted) throw refusal;
      await parts.changed(signal);
    }
  }
}
