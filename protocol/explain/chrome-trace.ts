/** A build as Chrome's trace events, which Perfetto and other viewers open: nodes are processes, slots threads, dependencies and transfers flows. */
import type { PeerId } from "../kernel/ids.ts";
import { knownEvent } from "../timeline/events.ts";
import type { Build } from "../work/build.ts";
import { type Course, courseOf, type Run } from "./course.ts";
import type { PathView } from "./paths.ts";
import type { Reading } from "./readings.ts";
import { type Names, told } from "./telling.ts";

/** One event, by the Trace Event Format. Microseconds since the submit, or since what was said before it. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "M" | "X" | "i" | "s" | "f" | "C";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  /** Of a flow; both its ends have the same. */
  readonly id?: number;
  /** The end of a flow belongs to the slice around it. */
  readonly bp?: "e";
  /** An instant event is of its thread. */
  readonly s?: "t";
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface TraceQuestion {
  readonly build: Build;
  readonly nameOf: (peer: PeerId) => string;
  readonly path: PathView["fact"];
  /** Load and temperature of nodes meanwhile. */
  readonly readings: readonly Reading[];
}

/** Of each process: what was decided there, its slots, what it fetched. */
const decisionsTid = 1;
const slotsTid = 2;
const transfersTid = 1000;
/** The process of the build itself. */
const buildPid = 1;
const decisive = new Set([
  "claim",
  "cached",
  "abandon",
  "expire",
  "lost",
  "forgive",
  "recall",
  "control",
  "sealed",
  "fail",
]);

/** A slice on a thread; microseconds. */
interface Slice {
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
}

/** In no order: viewers sort. Its graph must be here. */
export function* chromeTraceOf(question: TraceQuestion): Iterable<TraceEvent> {
  const { build, nameOf, path, readings } = question;
  const claims = build.claims!;
  const course = courseOf(build)!;
  const baseMs = Math.min(course.submittedMs, ...build.facts().map(({ entry }) => entry.hlc[0]));
  const at = (ms: number) => Math.max(0, Math.round((ms - baseMs) * 1000));
  const pids = new Map<PeerId, number>();
  const pidOf = (peer: PeerId): number => {
    const known = pids.get(peer) ?? pids.size + buildPid + 1;
    pids.set(peer, known);
    return known;
  };
  const slots = new Lanes(slotsTid);
  const transfers = new Lanes(transfersTid);
  const runs = new Map<Run, Slice>();
  const fetches = new Map<Run, Slice>();
  const inTime = [...course.runs.values()].sort(
    (a, b) => beginOf(a) - beginOf(b) || (a.claim.id < b.claim.id ? -1 : 1),
  );
  for (const run of inTime) {
    const { claim, startedMs, endedMs = course.lastMs, usage } = run;
    if (startedMs === undefined) continue;
    const pid = pidOf(claim.holder);
    const { name } = claims.action(claim.action);
    const slice = slots.put(pid, at(startedMs), at(Math.max(startedMs, endedMs)));
    runs.set(run, slice);
    yield {
      name,
      ph: "X",
      cat: claim.fail ? "run,failed" : claim.twin ? "run,twin" : "run",
      ...slice,
      args: {
        claim: claim.id,
        attempt: claim.attempt,
        steward: nameOf(claim.steward),
        key: claim.key,
        outcome: outcomeOf(run),
        ...(usage
          ? { cpuMs: usage.cpuMs, maxRssBytes: usage.maxRssBytes, fetchedBytes: usage.fetchedBytes }
          : {}),
      },
    };
    const fetchMs = usage?.fetchMs ?? 0;
    if (fetchMs < 1) continue;
    const fetch = transfers.put(pid, at(startedMs - fetchMs), at(startedMs));
    fetches.set(run, fetch);
    yield {
      name: `fetch ${name}`,
      ph: "X",
      cat: "transfer",
      ...fetch,
      args: { claim: claim.id, fetchedBytes: usage?.fetchedBytes ?? 0 },
    };
  }
  yield* flows(build, runs, fetches);
  yield* decisions(build, nameOf, pidOf, at);
  yield* counters(readings, pids, at);
  yield* whole(build, course, path, at);
  yield* named(question, pids, slots, transfers);
}

const beginOf = ({ startedMs, claimedMs }: Run): number => startedMs ?? claimedMs;

const outcomeOf = ({ claim }: Run): string =>
  claim.done
    ? "done"
    : claim.fail
      ? claim.fail.reason
      : (claim.abandoned ?? claim.expired ?? "had not ended");

/** Threads on which no two slices overlap: each takes the first that is free. */
class Lanes {
  private readonly first: number;
  private readonly ends = new Map<number, number[]>();

  constructor(first: number) {
    this.first = first;
  }

  /** Slices come in the order of their begin, or nearly so. */
  put(pid: number, ts: number, end: number): Slice {
    const ends = this.ends.get(pid) ?? [];
    this.ends.set(pid, ends);
    const dur = Math.max(1, end - ts);
    let lane = ends.findIndex((free) => free <= ts);
    if (lane < 0) lane = ends.length;
    ends[lane] = ts + dur;
    return { pid, tid: this.first + lane, ts, dur };
  }

  *threads(): Iterable<readonly [pid: number, tid: number]> {
    for (const [pid, ends] of this.ends) for (const [lane] of ends.entries()) yield [pid, this.first + lane];
  }
}

/** From what made a result to what took it, and where it came from another node to what brought it. */
function* flows(
  build: Build,
  runs: ReadonlyMap<Run, Slice>,
  fetches: ReadonlyMap<Run, Slice>,
): Iterable<TraceEvent> {
  const claims = build.claims!;
  const made = new Map<number, Run>();
  for (const run of runs.keys()) {
    const { claim, endedMs } = run;
    const known = made.get(claim.action);
    if (claim.done && endedMs !== undefined && !(known && known.endedMs! <= endedMs))
      made.set(claim.action, run);
  }
  let id = 0;
  for (const [run, slice] of runs)
    for (const dependency of claims.dependencies[run.claim.action]!) {
      const maker = made.get(dependency);
      if (!maker || maker === run) continue;
      const from = runs.get(maker)!;
      const name = claims.action(dependency).name;
      yield* flow(++id, `${name}`, "dependency", from, slice);
      const fetch = fetches.get(run);
      if (fetch && maker.claim.holder !== run.claim.holder)
        yield* flow(++id, `${name}`, "transfer", from, fetch);
    }
}

/** None where clocks differ so much that it would lead back. */
function* flow(id: number, name: string, cat: string, from: Slice, to: Slice): Iterable<TraceEvent> {
  const ts = Math.max(from.ts, Math.min(from.ts + from.dur - 1, to.ts));
  if (ts > to.ts) return;
  yield { name, ph: "s", cat, id, pid: from.pid, tid: from.tid, ts };
  yield { name, ph: "f", bp: "e", cat, id, pid: to.pid, tid: to.tid, ts: to.ts };
}

function* decisions(
  build: Build,
  nameOf: TraceQuestion["nameOf"],
  pidOf: (peer: PeerId) => number,
  at: (ms: number) => number,
): Iterable<TraceEvent> {
  const claims = build.claims!;
  const names: Names = {
    node: nameOf,
    claim: (id) => {
      const claim = claims.claims.get(id);
      return claim && { action: claims.action(claim.action).name, holder: claim.holder };
    },
  };
  for (const { entry } of build.facts())
    for (const raw of entry.events) {
      const event = decisive.has(raw.kind) ? knownEvent(raw) : undefined;
      if (!event) continue;
      const why = event.kind === "claim" ? event.why : undefined;
      yield {
        name: told(event, names).text,
        ph: "i",
        s: "t",
        cat: event.kind,
        pid: pidOf(entry.author),
        tid: decisionsTid,
        ts: at(entry.hlc[0]),
        ...(why
          ? {
              args: {
                score: why.score,
                parts: why.parts,
                mode: why.mode ?? "unified",
                view: why.view,
                seen: why.seen,
                others: (why.others ?? []).map(([peer, score]) => [nameOf(peer), score]),
              },
            }
          : {}),
      };
    }
}

function* counters(
  readings: readonly Reading[],
  pids: ReadonlyMap<PeerId, number>,
  at: (ms: number) => number,
): Iterable<TraceEvent> {
  for (const { peer, atMs, load, temperatureCelsius, running } of readings) {
    const pid = pids.get(peer);
    if (pid === undefined) continue;
    const counter = (name: string, value: number): TraceEvent => ({
      name,
      ph: "C",
      pid,
      tid: 0,
      ts: at(atMs),
      args: { [name]: value },
    });
    if (load !== "unknown") yield counter("load", load);
    if (temperatureCelsius !== "unknown") yield counter("temperature (°C)", temperatureCelsius);
    if (running !== undefined) yield counter("running", running);
  }
}

/** The build from its submit to its end, and below it what its duration hung on. */
function* whole(
  build: Build,
  course: Course,
  { steps }: PathView["fact"],
  at: (ms: number) => number,
): Iterable<TraceEvent> {
  const ts = at(course.submittedMs);
  const claims = build.claims!;
  yield {
    name: build.id,
    ph: "X",
    cat: "build",
    pid: buildPid,
    tid: 1,
    ts,
    dur: Math.max(1, at(course.sealedMs ?? course.lastMs) - ts),
    args: { state: claims.sealed?.event.state ?? claims.state, actions: claims.actions.size },
  };
  let free = 0;
  for (const { action, node, startMs, endMs, waitMs, fetchMs, slackMs } of steps) {
    const begin = Math.max(free, ts + Math.round(startMs * 1000));
    const dur = Math.max(1, ts + Math.round(endMs * 1000) - begin);
    free = begin + dur;
    const args = { node, waitMs, fetchMs, slackMs };
    yield {
      name: action,
      ph: "X",
      cat: "critical-path",
      pid: buildPid,
      tid: 2,
      ts: begin,
      dur,
      args,
    };
  }
}

function* named(
  { build, nameOf }: TraceQuestion,
  pids: ReadonlyMap<PeerId, number>,
  slots: Lanes,
  transfers: Lanes,
): Iterable<TraceEvent> {
  const process = (pid: number, name: string): TraceEvent => ({
    name: "process_name",
    ph: "M",
    pid,
    tid: 0,
    args: { name },
  });
  const thread = (pid: number, tid: number, name: string): TraceEvent => ({
    name: "thread_name",
    ph: "M",
    pid,
    tid,
    args: { name },
  });
  yield process(buildPid, `build ${build.id}`);
  yield thread(buildPid, 1, "from submit to end");
  yield thread(buildPid, 2, "critical path");
  for (const [peer, pid] of pids) {
    yield process(pid, nameOf(peer));
    yield thread(pid, decisionsTid, "what it said");
  }
  for (const [pid, tid] of slots.threads()) yield thread(pid, tid, `slot ${tid - slotsTid + 1}`);
  for (const [pid, tid] of transfers.threads()) yield thread(pid, tid, `fetching ${tid - transfersTid + 1}`);
}
