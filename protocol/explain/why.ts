/** Why an action went as it did: why there, why not sooner, why not from the cache, why again, why it failed. In words and as data, from what was said alone. */
import type { ActionName, BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { ActionState } from "../work/actions.ts";
import type { Build } from "../work/build.ts";
import type { Claim } from "../work/claim.ts";
import { type Shortfall, whyNobody } from "../work/eligible.ts";
import type { Trees } from "../work/inputs.ts";
import { type Course, courseOf, madeBy, type Run, readyOf, runsOf, spentOf } from "./course.ts";
import { type Change, changesBetween, changeText } from "./key-parts.ts";

/** Listed of changed parts, candidates and the like. */
const listedMax = 50;
const saidMax = 5;
/** Waits below this are what a grant takes. */
const grantMs = 250;

export interface Candidate {
  readonly node: string;
  /** In the score of whoever asked; absent where only the best are recorded. */
  readonly score?: number;
  readonly parts?: Readonly<Record<string, number>>;
  readonly slots?: number;
  /** Degrees to its limit, to the nearest five; `unknown` where it has no sensor. */
  readonly headroomCelsius?: number | "unknown";
  /** Relative to others. */
  readonly speed?: number;
  readonly chosen: boolean;
}

export interface WhyHere {
  readonly node: string;
  readonly steward: string;
  readonly attempt: number;
  readonly claimedMs: number;
  readonly mode?: string;
  readonly score?: number;
  readonly parts?: Readonly<Record<string, number>>;
  /** What the decision saw, and how old that was. */
  readonly view?: {
    readonly digest: string;
    readonly ageMs: number;
    readonly nodes: number;
    readonly partial: boolean;
  };
  /** The best first; of large swarms the rest is counted in `others`. */
  readonly candidates: readonly Candidate[];
  readonly others: number;
  readonly text: string;
}

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
  const here = run && hereOf(question, course, run);
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

function hereOf({ build, nameOf }: Question, course: Course, run: Run): WhyHere {
  const { claim, claimedMs } = run;
  const { why } = claim;
  const seen = why && course.views.get(why.view);
  const named = (seen?.event.nodes ?? []) as readonly {
    peer?: PeerId;
    slots?: number;
    headroom?: number | "unknown";
    speed?: number;
  }[];
  const scores = new Map<PeerId, number>(why?.others ?? []);
  if (why) scores.set(claim.holder, why.score);
  const candidates: Candidate[] = [
    ...new Set([claim.holder, ...scores.keys(), ...named.flatMap((n) => n.peer ?? [])]),
  ].map((peer) => {
    const node = named.find((n) => n.peer === peer);
    const score = scores.get(peer);
    return {
      node: nameOf(peer),
      ...(score === undefined ? {} : { score }),
      ...(peer === claim.holder && why ? { parts: why.parts } : {}),
      ...(node?.slots === undefined ? {} : { slots: node.slots }),
      ...(node?.headroom === undefined ? {} : { headroomCelsius: node.headroom }),
      ...(node?.speed === undefined ? {} : { speed: node.speed }),
      chosen: peer === claim.holder,
    };
  });
  candidates.sort((a, b) => Number(b.chosen) - Number(a.chosen) || (b.score ?? -1) - (a.score ?? -1));
  const node = nameOf(claim.holder);
  const steward = nameOf(claim.steward);
  return {
    node,
    steward,
    attempt: claim.attempt,
    claimedMs,
    ...(why?.mode === undefined ? (why ? { mode: "unified" } : {}) : { mode: why.mode }),
    ...(why ? { score: why.score, parts: why.parts } : {}),
    ...(why
      ? {
          view: {
            digest: why.view,
            ageMs: seen ? Math.max(0, claimedMs - seen.atMs) : 0,
            nodes: why.seen,
            partial: why.partial === true,
          },
        }
      : {}),
    candidates: candidates.slice(0, listedMax),
    others: Math.max(0, (why?.seen ?? candidates.length) - candidates.length),
    text: hereText(build, claim, node, steward, candidates),
  };
}

function hereText(
  build: Build,
  claim: Claim,
  node: string,
  steward: string,
  candidates: readonly Candidate[],
): string {
  const { why, twin, turn } = claim;
  const granted =
    steward === node ? `${node}, its steward, kept it` : `${node} has it from ${steward}, its steward`;
  if (twin) return `${granted} as a twin: the run before it took much longer than it should`;
  if (!why) {
    const bundle = claimsBeside(build, claim);
    return turn > 0 || bundle > 0
      ? `${granted} in one bundle with ${bundle === 1 ? "another" : `${bundle} others`}: one decision, made for the first of them, gave all of them to a node with room`
      : `${granted}: it had a free slot as the action became ready, and no other node asked for it before`;
  }
  const best = candidates.find(({ chosen, score }) => !chosen && score !== undefined);
  const parts = Object.entries(why.parts)
    .filter(([, value]) => value !== 0)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([part, value]) => `${part} ${value.toFixed(2)}`)
    .join(", ");
  const against =
    why.seen === 1
      ? "no other node was seen"
      : best === undefined
        ? `of ${why.seen} nodes seen no other may build it`
        : best.score! > why.score
          ? `${best.node} would have scored ${best.score!.toFixed(2)}, and left it or had no free slot`
          : `${best.node} came next with ${best.score!.toFixed(2)}`;
  return `${granted}: it scored ${why.score.toFixed(2)} (${parts || "no part above 0"}), ${against}${why.partial ? "; it saw fewer than half of the members" : ""}`;
}

/** Claims that one steward gave to one holder at the same time. */
function claimsBeside(build: Build, claim: Claim): number {
  const course = courseOf(build)!;
  const atMs = course.runs.get(claim.id)?.claimedMs;
  let count = 0;
  for (const other of build.claims!.claims.values())
    if (
      other !== claim &&
      other.holder === claim.holder &&
      other.steward === claim.steward &&
      course.runs.get(other.id)?.claimedMs === atMs
    )
      count++;
  return count;
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
): string {
  const after = last === undefined ? "it could begin with the build" : `it could begin once ${last} was done`;
  const full = busy.filter(({ running, slots }) => slots !== undefined && running >= slots);
  const why =
    waitMs <= grantMs
      ? "what a grant takes"
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

function openText(
  { build, now, nameOf }: Question,
  course: Course,
  waitMs: number,
  busy: WhyWaited["busy"],
): string {
  const since = `since ${duration(waitMs)} all it takes is there`;
  const claims = build.claims!;
  if (claims.cancelled) return "the build was cancelled before anybody had it";
  if (claims.paused) {
    const pause = course.controls.findLast(({ event }) => event.op === "pause");
    return `${since}, and the build is paused${pause ? ` by ${nameOf(pause.by)}${pause.event.reason ? ` (${pause.event.reason})` : ""}` : ""}`;
  }
  if (claims.sealed) return `the build ended as ${claims.sealed.event.state} before anybody had it`;
  if (!now) return `${since}; this node reads the build from its disk, where nobody waits any more`;
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
      text: `its key was known${event.made ? `: ${nameOf(event.made.by)} made it in ${event.made.build}` : ""}; ${nameOf(event.from)} had it`,
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
            ? `${node} gave it back: ${claim.abandoned}`
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
        text: `on ${node}, by ${fail.cause === "deterministic" ? "its own doing" : "the node's doing"}: ${how === fail.reason ? how : `${fail.reason} (${how})`}${claim.forgiven ? "; forgiven" : ""}`,
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
