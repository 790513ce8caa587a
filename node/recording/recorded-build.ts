/** Gathers what a recording of a build holds: its words, what they are judged by, and what else it takes to answer for it anywhere. */
import { createReadStream } from "node:fs";
import path from "node:path";
import { ranIn } from "../../protocol/explain/autopsy.ts";
import { courseOf } from "../../protocol/explain/course.ts";
import type { Reading } from "../../protocol/explain/readings.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { EventStore } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { IdSum } from "../../protocol/timeline/sum.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import { encodeHistory } from "../../protocol/work/history.ts";
import { awaited } from "../../protocol/work/standing.ts";
import type { AccountQueries } from "../account-queries.ts";
import type { ExportRequest } from "../control/exporting.ts";
import { reasonOf } from "../files.ts";
import type { RecordedReadings } from "../recorded-readings.ts";
import { beginOf, recordedIn } from "../recordings.ts";
import { entriesSince } from "../timeline.ts";
import type { Section } from "./container.ts";
import { earlierMax, type Head, type LeftOut, type LogChoice, pieceBytes } from "./contents.ts";

/** Of one log, and of all. */
const logBytesMax = 16 << 20;
const logsBytesMax = 256 << 20;
const tapesBytesMax = 128 << 20;
/** Words of the timeline that were said meanwhile. */
const aroundMax = 20_000;
const runsMax = 10_000;
const treeFilesMax = 100_000;
const readingsMax = 20_000;
const batchBytes = 1 << 20;
/** What is told as left out. */
const leftMax = 1000;

export interface RecordedBuildParts {
  readonly desk: Desk;
  readonly accounts: Pick<AccountQueries, "opened" | "earlier">;
  readonly events: Pick<EventStore, "range">;
  /** Bytes of a blob, from here or whoever has it; null where nobody does. */
  readonly read: (digest: Digest) => Promise<Uint8Array | null>;
  readonly readings: Pick<RecordedReadings, "between">;
  /** Where this node's recordings lie. */
  readonly recordings: string;
}

/** In the order in which they are read again; one at a time in memory. Throws as `why` does. */
export async function* sectionsOf(
  { build: id, logs, tapes }: ExportRequest,
  parts: RecordedBuildParts,
  signal: AbortSignal,
): AsyncIterable<Section> {
  const { desk } = parts;
  const build = await parts.accounts.opened(id);
  const builds = [build, ...(await parts.accounts.earlier(build)).slice(0, earlierMax)];
  const known = (entry: SignedEntry) => desk.members.nameOf(entry.entry.author) !== undefined;
  const words = builds.map((one) => one.facts().filter(known));
  const { config, members } = desk;
  const head: Head = {
    v: 1,
    swarm: config.swarm,
    by: config.self,
    inc: config.inc,
    node: members.nameOf(config.self) ?? config.name,
    program: config.version,
    atMs: Math.round(desk.now.wallMs),
    logs,
    tapes,
    builds: builds.map((one, at) => ({ build: one.id, entries: words[at]!.length, sum: sumOf(words[at]!) })),
    frontier: desk.chains
      .heads()
      .slice(0, 20_000)
      .map(({ author, inc, seq, sum }) => [author, inc, seq, sum]),
    forks: members.forks
      .all()
      .slice(0, 1000)
      .map(({ headers }) => [headers[0], headers[1]]),
  };
  yield { kind: "head", body: head };
  yield* batches(
    "entries",
    members.words(),
    ({ bytes }) => bytes,
    ({ bytes }) => bytes.length,
  );
  for (const said of words)
    yield* batches(
      "entries",
      said,
      ({ bytes }) => bytes,
      ({ bytes }) => bytes.length,
    );
  const { submittedMs, lastMs } = courseOf(build)!;
  const left: LeftOut[] = [];
  const leave = (what: string, why: string) => {
    if (left.length < leftMax) left.push({ what, why });
  };
  for (const one of builds) {
    const unheard = awaited(one, members);
    if (unheard > 0) leave(`what ${unheard} actions of ${one.id} made`, "this node has not heard of it yet");
  }
  signal.throwIfAborted();
  yield* around(parts, submittedMs, lastMs, leave);
  // A retry, and what is submitted again as it was, has the plan of the build before.
  const planned = new Map(builds.toReversed().map((one) => [one.submission!.event.graph, one]));
  for (const [graph, one] of planned) {
    const bytes = await parts.read(graph);
    if (bytes) yield* piecesOf(graph, bytes);
    else if (one === build)
      throw new SwarmError("blob-missing", `no member that can be reached still has the plan of ${id}`, {
        remedy: "see which members are away: swarmd status",
      });
    else leave(`the plan of ${one.id}`, "no member that can be reached has it");
  }
  yield* treesOf(desk, builds);
  yield { kind: "history", body: historyOf(desk, new Set(builds.map((one) => one.graph!.name))) };
  const others = [...desk.builds.values()].filter((one) => one.claims && !builds.includes(one));
  const runs = others.flatMap(ranIn).slice(-runsMax);
  yield* batches(
    "runs",
    runs,
    (ran) => [ran.build, ran.action, ran.group, ran.key, ran.peer, ran.outcome],
    () => 256,
  );
  const vitals = members.all().flatMap(({ peer }) => desk.vitalsOf(peer) ?? []);
  yield* batches(
    "nodes",
    vitals,
    (one) => one,
    () => 4096,
  );
  const readings: Reading[] = [];
  for await (const reading of parts.readings.between(submittedMs - 60_000, lastMs)) {
    if (readings.length >= readingsMax) {
      leave("what nodes said of themselves later", `more than ${readingsMax} beats`);
      break;
    }
    readings.push(reading);
  }
  yield* batches(
    "readings",
    readings,
    (one) => one,
    () => 128,
  );
  yield* logsOf(build, logs, parts, leave, signal);
  if (tapes) yield* tapesOf(parts.recordings, submittedMs, lastMs, leave, signal);
  if (left.length > 0) yield { kind: "left", body: left };
}

function sumOf(entries: readonly SignedEntry[]): string {
  const sum = new IdSum();
  for (const { id } of entries) sum.mix(id);
  return sum.text();
}

function* batches<T>(
  kind: Section["kind"],
  items: readonly T[],
  said: (item: T) => unknown,
  bytesOf: (item: T) => number,
): Iterable<Section> {
  let body: unknown[] = [];
  let bytes = 0;
  for (const item of items) {
    body.push(said(item));
    bytes += bytesOf(item) + 8;
    if (bytes < batchBytes) continue;
    yield { kind, body };
    body = [];
    bytes = 0;
  }
  if (body.length > 0) yield { kind, body };
}

/** What was said outside of builds while this one went on: who came, who left, who was paused. */
async function* around(
  { desk, events }: RecordedBuildParts,
  fromMs: number,
  toMs: number,
  leave: (what: string, why: string) => void,
): AsyncIterable<Section> {
  const said: SignedEntry[] = [];
  const words = new Set(desk.members.words().map(({ id }) => id));
  for await (const entry of entriesSince({ desk, events }, fromMs)) {
    const { build, author, hlc } = entry.entry;
    if (build !== undefined || hlc[0] > toMs || words.has(entry.id)) continue;
    if (desk.members.nameOf(author) === undefined) continue;
    if (said.length >= aroundMax) {
      leave("what was said outside of builds", `more than ${aroundMax} entries; the latest are there`);
      break;
    }
    said.push(entry);
  }
  yield* batches(
    "entries",
    said,
    ({ bytes }) => bytes,
    ({ bytes }) => bytes.length,
  );
}

function* piecesOf(digest: Digest, bytes: Uint8Array): Iterable<Section> {
  for (let at = 0; at === 0 || at < bytes.length; at += pieceBytes)
    yield { kind: "blob", body: { digest, at, bytes: bytes.subarray(at, at + pieceBytes) } };
}

function* treesOf(desk: Desk, builds: readonly Build[]): Iterable<Section> {
  const trees = new Set<Digest>();
  for (const { claims } of builds)
    for (let index = 0; claims && index < claims.actions.size; index++)
      for (const { result } of claims.resultsOf(index))
        for (const { kind, digest } of result.outputs)
          if (kind === "folder" && desk.trees.has(digest)) trees.add(digest);
  let files = 0;
  const taken = [...trees].filter((digest) => {
    files += desk.trees.get(digest)!.length + 1;
    return files <= treeFilesMax && desk.trees.get(digest)!.length <= 20_000;
  });
  yield* batches(
    "trees",
    taken,
    (digest) => ({ digest, files: desk.trees.get(digest)! }),
    (digest) => desk.trees.get(digest)!.reduce((sum, file) => sum + file.path.length + 100, 100),
  );
}

/** What is known of durations in builds of these names, and of the speeds of nodes. */
function historyOf({ estimates }: Desk, names: ReadonlySet<string>): Uint8Array {
  const own = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...map].filter(([key]) => names.has(key.slice(0, key.indexOf("\n")))));
  const { speeds, groups, actions } = estimates;
  const known = { speeds, groups: own(groups), actions: own(actions), records: new Map(), learned: [] };
  return encodeHistory(known, batchBytes);
}

async function* logsOf(
  { claims }: Build,
  choice: LogChoice,
  { read }: RecordedBuildParts,
  leave: (what: string, why: string) => void,
  signal: AbortSignal,
): AsyncIterable<Section> {
  if (choice === "none") return;
  const wanted = new Map<Digest, string>();
  for (const claim of claims!.claims.values()) {
    const hash = claim.done?.resultHash;
    const outs =
      claim.fail ??
      (choice === "all" ? claims!.resultsOf(claim.action).find((r) => r.hash === hash)?.result : undefined);
    for (const digest of [outs?.stdout, outs?.stderr])
      if (digest) wanted.set(digest, `the output of ${claims!.action(claim.action).name}`);
  }
  let bytes = 0;
  for (const [digest, what] of wanted) {
    signal.throwIfAborted();
    if (sizeOf(digest) > logBytesMax || bytes + sizeOf(digest) > logsBytesMax) {
      leave(
        what,
        sizeOf(digest) > logBytesMax ? `it is larger than ${logBytesMax} bytes` : "there is no room left",
      );
      continue;
    }
    const log = await read(digest);
    if (!log) {
      leave(what, "no member that can be reached still has it");
      continue;
    }
    bytes += log.length;
    yield* piecesOf(digest, log);
  }
}

/** Stretches of the time in question, as they lie on the disk. One that is still being written ends where it ends now. */
async function* tapesOf(
  dir: string,
  fromMs: number,
  toMs: number,
  leave: (what: string, why: string) => void,
  signal: AbortSignal,
): AsyncIterable<Section> {
  let bytes = 0;
  for (const recorded of await recordedIn(dir)) {
    const { file, bytes: size, toMs: writtenMs } = recorded;
    if (writtenMs < fromMs || size === 0) continue;
    const name = path.basename(file);
    // What it says itself: another that ended earlier does not tell when this one began.
    const begunMs = await beginOf(recorded).catch((error: Error) => {
      leave(`the recording ${name}`, `it cannot be told when it began: ${reasonOf(error)}`);
      return Number.POSITIVE_INFINITY;
    });
    if (begunMs > toMs) continue;
    bytes += size;
    if (bytes > tapesBytesMax) {
      leave(`the recording ${name}`, `all of them are larger than ${tapesBytesMax} bytes`);
      continue;
    }
    let from = 0;
    const stream = createReadStream(file, { highWaterMark: pieceBytes, end: size - 1, signal });
    for await (const piece of stream as AsyncIterable<Buffer>) {
      yield { kind: "tape", body: { name, at: from, bytes: new Uint8Array(piece) } };
      from += piece.length;
    }
  }
}
