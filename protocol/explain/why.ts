/** Why an action went as it did: why there, why not sooner, why not from the cache, why again, why it failed. In words and as data, from what was said alone. */
import type { ActionName, BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { ActionState } from "../work/actions.ts";
import type { Build } from "../work/build.ts";
import { type Shortfall, whyNobody } from "../work/eligible.ts";
import type { Trees } from "../work/inputs.ts";
import type { Differing } from "../work/rebuilt.ts";
import { type Course, courseOf, madeBy, type Run, readyOf, runsOf, spentOf } from "./course.ts";
import { hereOf, knownText, type WhyHere } from "./decisions.ts";
import { heldNow, heldUntil, placedNow } from "./held.ts";
import { type Change, changesBetween, changeText } from "./key-parts.ts";

/** Listed of changed parts, candidates and the like. */
const listedMax = 50;
const saidMax = 5;
/** Waits below this are what a grant takes. */
const grantMs = 250;

export interface WhyWaited {
  /** All it takes was there. */
  readonly readyMs?: number;
  /** The action whose result came last. */
  readonly last?: ActionName;
  /** From then to the grant, or to now. */
  readonly waitMs: number;
  /** In the holder's hands before its files were fetched; fetching; running. Milliseconds. */
  readonly inHandMs?: number;
  readonly fetchMs?: number;
  readonly runMs?: number;
  /** What it waits or waited for. */
  readonly missing: readonly ActionName[];
  /** Who had this build's actions in hand at the moment it could have begun. */
  readonly busy: readonly { readonly node: string; readonly running: number; readonly slots?: number }[];
  /** Nodes that may not take it, and why; those that come nearest first. */
  readonly unfit: readonly { readonly node: string; readonly why: string }[];
  readonly text: string;
}

export interface WhyNotCached {
  readonly key?: Digest;
  /** It was known, and whoever had it. */
  readonly from?: string;
  readonly made?: { readonly build: BuildId; readonly node: string };
  /** The nearest earlier one. */
  readonly against?: { readonly build: BuildId; readonly action: ActionName; readonly submittedMs: number };
  readonly changes: readonly Change[];
  /** Changes beyond those listed. */
  readonly more: number;
  readonly text: string;
}

export interface WhyAgain {
  readonly attempt: number;
  readonly node: string;
  readonly claimedMs: number;
  readonly text: string;
}

export interface WhyFailed {
  readonly node: string;
  readonly endedMs?: number;
  readonly cause: "deterministic" | "infrastructure";
  readonly reason: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly stdout?: Digest;
  readonly stderr?: Digest;
  readonly forgiven: boolean;
  readonly text: string;
}

export interface WhyView {
  readonly build: BuildId;
  readonly action: ActionName;
  readonly state: ActionState;
  /** Absent: nobody has, or had, it in hand. */
  readonly here?: WhyHere;
  readonly waited: WhyWaited;
  readonly cache: WhyNotCached;
  /** Runs beyond the first. */
  readonly again: readonly WhyAgain[];
  readonly failed: readonly WhyFailed[];
  /** What checks by rebuilding found of it; absent where none ran it again. */
  readonly rebuilt?: { readonly differing: readonly Differing[]; readonly equal: readonly Differing[] };
}

/** What a living node sees of an action that nobody has in hand. */
export interface Outlooked {
  readonly scored: readonly {
    readonly peer: PeerId;
    readonly score: number;
    readonly parts: Readonly<Record<string, number>>;
  }[];
  readonly unfit: readonly { readonly peer: PeerId; readonly shortfalls: readonly Shortfall[] }[];
  /** Slots and what is taken of them, by node. */
  readonly slots: ReadonlyMap<PeerId, { readonly running: number; readonly slots: number }>;
}

export interface Question {
  readonly build: Build;
  readonly index: number;
  readonly nowMs: number;
  readonly nameOf: (peer: PeerId) => string;
  readonly trees: Trees;
  /** Earlier builds that have the action, the latest first. */
  readonly earlier: readonly Build[];
  /** Of an action that is ready. */
  readonly now?: Outlooked;
  /** Whether a node is away. */
  readonly isAway: (peer: PeerId) => boolean;
}

/** Everything that can be said of one action. Its build's graph must be here. */
export function whyOf(question: Question): WhyView {
  const { build, index } = question;
  const claims = build.claims!;
  const course = courseOf(build)!;
  const runs = runsOf(build, course, index);
  const run = madeBy(build, course, index) ?? runs.findLast(({ claim }) => !claim.twin) ?? runs.at(-1);
  const here = run && hereOf(build, question.nameOf, course, run);
  return {
    build: build.id,
    action: claims.action(index).name,
    state: claims.actions.get(index),
    ...(here ? { here } : {}),
    waited: waitedOf(question, course, runs),
    cache: cacheOf(question, course, run),
    again: againOf(question, course, runs),
    failed: failuresOf(question, runs),
  };
}

/** That part of it alone: what changed since the action was built last, or why a known result was of no use. */
export function whyNotCached(question: Question): WhyNotCached {
  const { build, index } = question;
  const course = courseOf(build)!;
  const runs = runsOf(build, course, index);
  return cacheOf(question, course, madeBy(build, course, index) ?? runs.at(-1));
}

function waitedOf(question: Question, course: Course, runs: readonly Run[]): WhyWaited {
  const { build, index, nameOf, nowMs } = question;
  const claims = build.claims!;
  const ready = readyOf(build, course, index);
  const first = runs[0];
  const found = course.cached.get(index);
  const missing = claims.dependencies[index]!.filter((d) => claims.actions.get(d) !== "done").map(
    (d) => claims.action(d).name,
  );
  const last = ready?.last === undefined ? {} : { last: claims.action(ready.last).name };
  if (!ready || (missing.length > 0 && !first)) {
    const held = claims.actions.get(index) === "held";
    return {
      ...(ready ? { readyMs: ready.atMs } : {}),
      waitMs: Math.max(0, nowMs - course.submittedMs),
      missing: missing.slice(0, listedMax),
      busy: [],
      unfit: [],
      text: `${held ? "it is held behind" : claims.cancelled ? "the build was cancelled while it waited for" : "it waits for"} ${listed(missing.map((name) => `${name} (${claims.actions.get(claims.indexOf.get(name)!)})`))}`,
    };
  }
  if (!first && found)
    return {
      readyMs: ready.atMs,
      ...last,
      waitMs: Math.max(0, found.atMs - ready.atMs),
      missing: [],
      busy: [],
      unfit: [],
      text: `it never ran: ${nameOf(found.by)} found its result ${duration(Math.max(0, found.atMs - ready.atMs))} after all it takes was there`,
    };
  const untilMs = first?.claimedMs ?? course.sealedMs ?? nowMs;
  const waitMs = Math.max(0, untilMs - ready.atMs);
  const busy = busyAt(question, course, first ? (ready.atMs + untilMs) / 2 : untilMs);
  const unfit = (question.now?.unfit ?? []).map(({ peer, shortfalls }) => ({
    node: nameOf(peer),
    why: shortfalls.map((s) => s.text).join(", "),
  }));
  const spent = first ? spentOf(first) : {};
  const paused = pausesWithin(course, ready.atMs, untilMs);
  return {
    readyMs: ready.atMs,
    ...last,
    waitMs,
    ...spent,
    missing: [],
    busy,
    unfit: unfit.slice(0, listedMax),
    text: first
      ? grantedText(
          waitMs,
          busy,
          paused,
          ready.last === undefined ? undefined : claims.action(ready.last).name,
          spent,
          heldUntil(question, course, untilMs),
        )
      : openText(question, course, waitMs, busy),
  };
}

function grantedText(
  waitMs: number,
  busy: WhyWaited["busy"],
  paused: boolean,
  last: string | undefined,
  { inHandMs = 0, fetchMs = 0 }: ReturnType<typeof spentOf>,
  held: string | undefined,
): string {
  const after = last === undefined ? "it could begin with the build" : `it could begin once ${last} was done`;
  const full = busy.filter(({ running, slots }) => slots !== undefined && running >= slots);
  const why =
    waitMs <= grantMs
      ? "what a grant takes"
      : held !== undefined
        ? held
        : paused
          ? "the build was paused meanwhile"
          : full.length > 0
            ? `meanwhile ${listed(full.map(({ node, running, slots }) => `${node} had ${running} of ${slots} slots in use by this build`))}`
            : busy.length > 0
              ? `meanwhile ${listed(busy.map(({ node, running }) => `${node} had ${running} of this build in hand`))}; its key was looked up in the caches before anybody could have it`
              : "no node had anything of this build in hand then: its key was looked up in the caches, its folders were read, or the nodes worked for other builds";
  const hand =
    inHandMs > grantMs ? `; in its holder's hands it stood ${duration(inHandMs)} behind others` : "";
  const fetch = fetchMs > grantMs ? `; fetching its files took ${duration(fetchMs)}` : "";
  return `${after}, and was granted ${duration(waitMs)} later: ${why}${hand}${fetch}`;
}

function openText(question: Question, course: Course, waitMs: number, busy: WhyWaited["busy"]): string {
  const { build, now, nameOf } = question;
  const since = `since ${duration(waitMs)} all it takes is there`;
  const claims = build.claims!;
  if (claims.cancelled) return "the build was cancelled before anybody had it";
  const held = heldNow(question);
  if (held !== undefined) return `${since}, and ${held}`;
  if (claims.heldBy(question.index) === "pause") {
    const pause = course.controls.findLast(({ event }) => event.op === "pause");
    return `${since}, and the build is paused${pause ? ` by ${nameOf(pause.by)}${pause.event.reason ? ` (${pause.event.reason})` : ""}` : ""}`;
  }
  if (claims.sealed) return `the build ended as ${claims.sealed.event.state} before anybody had it`;
  if (!now) return `${since}; this node reads the build from its disk, where nobody waits any more`;
  const placed = placedNow(
    question,
    now.scored.map(({ peer }) => peer),
    now.unfit,
  );
  if (placed !== undefined) return `${since}, and ${placed}`;
  if (now.scored.length === 0)
    return `${since}, and ${whyNobody(now.unfit.map(({ peer, shortfalls }) => ({ name: nameOf(peer), shortfalls })))}`;
  const fitting = now.scored.map(({ peer }) => {
    const taken = now.slots.get(peer);
    return taken ? `${nameOf(peer)} (${taken.running} of ${taken.slots} slots taken)` : nameOf(peer);
  });
  const most =
    busy.length === 0 ? "" : `; this build has ${busy.reduce((sum, b) => sum + b.running, 0)} in hand`;
  return `${since}; it waits for a free slot on ${listed(fitting)}${most}`;
}

/** Who had how many actions of the build in hand at a moment. */
function busyAt({ nameOf }: Question, course: Course, atMs: number): WhyWaited["busy"] {
  const running = new Map<PeerId, number>();
  for (const { claim, claimedMs, endedMs } of course.runs.values())
    if (claimedMs <= atMs && (endedMs ?? Number.POSITIVE_INFINITY) > atMs)
      running.set(claim.holder, (running.get(claim.holder) ?? 0) + 1);
  const slots = new Map<PeerId, number>();
  for (const { event } of course.views.values())
    for (const node of event.nodes as readonly { peer?: PeerId; slots?: number }[])
      if (node.peer !== undefined && node.slots !== undefined)
        slots.set(node.peer, Math.max(slots.get(node.peer) ?? 0, node.slots));
  return [...running]
    .map(([peer, count]) => ({
      node: nameOf(peer),
      running: count,
      ...(slots.has(peer) ? { slots: slots.get(peer)! } : {}),
    }))
    .sort((a, b) => b.running - a.running || (a.node < b.node ? -1 : 1))
    .slice(0, listedMax);
}

function pausesWithin({ controls }: Course, fromMs: number, toMs: number): boolean {
  let paused = false;
  for (const { atMs, event } of controls) {
    if (atMs > toMs) break;
    if (event.op === "pause") paused = true;
    if (event.op === "resume") paused = atMs > fromMs && paused;
  }
  return paused;
}

function cacheOf(question: Question, course: Course, run: Run | undefined): WhyNotCached {
  const { build, index, nameOf, trees, earlier } = question;
  const claims = build.claims!;
  const action = claims.action(index);
  const found = course.cached.get(index);
  const key = run?.claim.key ?? found?.event.key;
  if (found && !run) {
    const { event } = found;
    return {
      key: event.key,
      from: nameOf(event.from),
      ...(event.made ? { made: { build: event.made.build, node: nameOf(event.made.by) } } : {}),
      changes: [],
      more: 0,
      text: knownText(event, nameOf),
    };
  }
  const held = key === undefined ? {} : { key };
  if (!action.cache)
    return { ...held, changes: [], more: 0, text: "its spec says that it is never cached (cache: false)" };
  if (build.submission?.event.fresh)
    return { ...held, changes: [], more: 0, text: "the build was submitted to run everything (--no-cache)" };
  let nearest: { build: Build; index: number; changes: readonly Change[] } | undefined;
  for (const other of earlier) {
    const at = other.claims?.indexOf.get(action.name);
    if (at === undefined) continue;
    const changes = changesBetween({ build: other, index: at }, { build, index }, trees);
    if (!nearest || changes.length < nearest.changes.length) nearest = { build: other, index: at, changes };
    if (changes.length === 0) break;
  }
  if (!nearest)
    return {
      ...held,
      changes: [],
      more: 0,
      text: `no earlier build that is known here has an action ${action.name}: it was built for the first time`,
    };
  const against = {
    build: nearest.build.id,
    action: action.name,
    submittedMs: nearest.build.submission!.wallMs,
  };
  const said = nearest.changes.slice(0, saidMax).map(changeText);
  const rest = nearest.changes.length - said.length;
  return {
    ...held,
    against,
    changes: nearest.changes.slice(0, listedMax),
    more: Math.max(0, nearest.changes.length - listedMax),
    text:
      nearest.changes.length > 0
        ? `against ${against.build}: ${said.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`
        : sameText(question, nearest.build, nearest.index, run),
  };
}

/** The key is the same as it was, and yet it ran, or has still to run. */
function sameText({ nameOf, isAway }: Question, before: Build, index: number, run: Run | undefined): string {
  const course = courseOf(before)!;
  const same = `nothing changed against ${before.id}`;
  const made = madeBy(before, course, index);
  const doneMs = course.doneMs[index]!;
  const state = before.claims!.actions.get(index);
  if (Number.isNaN(doneMs)) return `${same}, but there it never came to a result (${state})`;
  if (run && doneMs > run.claimedMs)
    return `${same}, but there it was done ${duration(doneMs - run.claimedMs)} after it had begun here`;
  if (!run) return `${same}: it will be served from the cache once all it takes is there`;
  const result = before.claims!.resultOf(index);
  const holders = result ? before.claims!.holdersOf(index, result) : [];
  const away = holders.filter(isAway).map(nameOf);
  if (holders.length === 0) return `${same}, but the bytes of its result are lost everywhere`;
  if (away.length === holders.length) return `${same}, but its result lies with ${listed(away)}, away now`;
  const by = made ? `; ${nameOf(made.claim.holder)} made it` : "";
  return `${same}${by}: as it was looked for, ${nameOf(run.claim.steward)}, its steward, knew of no living member that had all its outputs`;
}

/** How a holder begins what it says of it. */
const givenBack = /^the node gives it back: /;

function againOf({ build, index, nameOf }: Question, course: Course, runs: readonly Run[]): WhyAgain[] {
  return runs.slice(1).map((run, nth) => {
    const before = runs[nth]!;
    const { claim } = before;
    const node = nameOf(claim.holder);
    const gone = course.losses.findLast(
      ({ event, atMs }) =>
        event.kind === "lost" && build.claims!.indexOf.get(event.action) === index && atMs <= run.claimedMs,
    );
    const text = run.claim.twin
      ? `a twin of the run on ${node}, which took much longer than it should`
      : claim.fail
        ? `it failed on ${node} (${claim.fail.cause === "infrastructure" ? "the node's doing" : "its own doing"}): ${claim.fail.reason}${claim.forgiven ? "; a person forgave that" : ""}`
        : claim.expired !== undefined
          ? `it was taken from ${node}: ${claim.expired}`
          : claim.abandoned !== undefined
            ? `${node} gave it back: ${claim.abandoned.replace(givenBack, "")}`
            : claim.recalled !== undefined
              ? `a person called it back from ${node}`
              : gone && gone.event.kind === "lost"
                ? `its result was made, and its bytes were lost: ${gone.event.reason}`
                : claim.done
                  ? `it was granted twice: two stewards did not see each other, and ${node} ended it as well`
                  : `${node} had it at the same time: two stewards did not see each other; one of the two gives way`;
    return { attempt: run.claim.attempt, node: nameOf(run.claim.holder), claimedMs: run.claimedMs, text };
  });
}

function failuresOf({ nameOf }: Question, runs: readonly Run[]): WhyFailed[] {
  return runs.flatMap(({ claim, endedMs }) => {
    const { fail } = claim;
    if (!fail) return [];
    const node = nameOf(claim.holder);
    const how =
      fail.signal !== undefined
        ? `ended by ${fail.signal}`
        : fail.exitCode !== undefined
          ? `exit code ${fail.exitCode}`
          : fail.reason;
    return [
      {
        node,
        ...(endedMs === undefined ? {} : { endedMs }),
        cause: fail.cause,
        reason: fail.reason,
        ...(fail.exitCode === undefined ? {} : { exitCode: fail.exitCode }),
        ...(fail.signal === undefined ? {} : { signal: fail.signal }),
        ...(fail.stdout ? { stdout: fail.stdout } : {}),
        ...(fail.stderr ? { stderr: fail.stderr } : {}),
        forgiven: claim.forgiven,
        text: `on ${node}, by ${fail.cause === "deterministic" ? "its own doing" : "the node's doing"}: ${fail.reason.startsWith(how) ? fail.reason : `${fail.reason} (${how})`}${claim.forgiven ? "; forgiven" : ""}`,
      },
    ];
  });
}

/** The first few, and how many more. */
function listed(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  const shown = names.slice(0, saidMax).join(", ");
  return names.length > saidMax ? `${shown} and ${names.length - saidMax} more` : shown;
}

const duration = (ms: number): string =>
  ms < 1000
    ? `${Math.round(ms)} ms`
    : ms < 120_000
      ? `${(ms / 1000).toFixed(1)} s`
      : `${Math.round(ms / 60_000)} min`;
