/** What was decided in a build, and why so: who got what, among whom, by which score and which view; and what needed nobody because its result was known. */
import { type ActionName, type BuildId, byText, type PeerId } from "../kernel/ids.ts";
import type { EventOf } from "../timeline/events.ts";
import type { Build } from "../work/build.ts";
import type { Claim } from "../work/claim.ts";
import { type Course, courseOf, type Run, readyOf } from "./course.ts";
import { type Placed, placedOn } from "./held.ts";
import { seenIn } from "./replay.ts";

/** Listed of the nodes of one decision. */
const listedMax = 50;

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
  /** The decision was made for this action, and this one came along. */
  readonly along?: ActionName;
  /** A person chose the node. */
  readonly placed?: Placed;
  /** The best first; of large swarms the rest is counted in `others`. */
  readonly candidates: readonly Candidate[];
  readonly others: number;
  readonly text: string;
}

/** asked: a node asked for it by its score; given: it came along with another, or its steward kept it; twin: beside a run that takes too long; known: found in a cache. */
export const decisionKinds = ["asked", "given", "twin", "known"] as const;
export type DecisionKind = (typeof decisionKinds)[number];

export interface Decision extends WhyHere {
  readonly kind: DecisionKind;
  readonly action: ActionName;
  /** From the submit to the decision. */
  readonly sinceMs: number;
  /** How long all it takes had been there, and anybody could have asked for it. */
  readonly openMs?: number;
  readonly outcome: "open" | "done" | "failed" | "given back" | "taken back";
}

/** Which decisions; all of them where nothing is said. */
export interface DecisionsQuestion {
  readonly node?: string;
  /** A part of the action's name. */
  readonly action?: string;
  readonly kind?: DecisionKind;
  readonly offset: number;
  readonly limit: number;
}

export interface DecisionsView {
  readonly build: BuildId;
  readonly items: readonly Decision[];
  readonly total: number;
  /** Where the next page begins; null: this is the last. */
  readonly next: number | null;
  /** Of the whole build, whatever was asked. */
  readonly counts: Readonly<Record<DecisionKind, number>>;
  /** Nodes that were given something. */
  readonly nodes: readonly string[];
}

type Found = { readonly atMs: number; readonly index: number } & (
  | { readonly run: Run }
  | { readonly by: PeerId; readonly event: EventOf<"cached"> }
);

/** The decisions of a build, the earliest first. Its graph must be here. */
export function decisionsOf(
  build: Build,
  nameOf: (peer: PeerId) => string,
  { node, action, kind, offset, limit }: DecisionsQuestion,
): DecisionsView {
  const course = courseOf(build)!;
  const claims = build.claims!;
  const all: Found[] = [...course.runs.values()].map((run) => ({
    atMs: run.claimedMs,
    index: run.claim.action,
    run,
  }));
  for (const [index, found] of course.cached) all.push({ index, ...found });
  all.sort((a, b) => a.atMs - b.atMs || a.index - b.index);
  const counts = { asked: 0, given: 0, twin: 0, known: 0 };
  const nodes = new Set<PeerId>();
  const asked: Found[] = [];
  for (const one of all) {
    const is = kindOf(one);
    counts[is]++;
    const at = "run" in one ? one.run.claim.holder : one.event.from;
    nodes.add(at);
    if (kind !== undefined && is !== kind) continue;
    if (node !== undefined && nameOf(at) !== node && at !== node) continue;
    if (action !== undefined && !claims.action(one.index).name.includes(action)) continue;
    asked.push(one);
  }
  const end = offset + limit;
  return {
    build: build.id,
    items: asked.slice(offset, end).map((one) => decisionOf(build, nameOf, course, one)),
    total: asked.length,
    next: end < asked.length ? end : null,
    counts,
    nodes: [...nodes].map(nameOf).sort(byText),
  };
}

const kindOf = (found: Found): DecisionKind =>
  !("run" in found) ? "known" : found.run.claim.twin ? "twin" : found.run.claim.why ? "asked" : "given";

function decisionOf(build: Build, nameOf: (peer: PeerId) => string, course: Course, found: Found): Decision {
  const { atMs, index } = found;
  const ready = readyOf(build, course, index);
  const about = {
    kind: kindOf(found),
    action: build.claims!.action(index).name,
    sinceMs: Math.max(0, atMs - course.submittedMs),
    ...(ready && ready.atMs <= atMs ? { openMs: atMs - ready.atMs } : {}),
  };
  if ("run" in found)
    return {
      ...about,
      ...hereOf(build, nameOf, course, found.run),
      outcome: outcomeOf(found.run.claim),
    };
  return {
    ...about,
    node: nameOf(found.event.from),
    steward: nameOf(found.by),
    attempt: 0,
    claimedMs: atMs,
    candidates: [],
    others: 0,
    text: knownText(found.event, nameOf),
    outcome: "done",
  };
}

const outcomeOf = ({ done, fail, abandoned, expired }: Claim): Decision["outcome"] =>
  done
    ? "done"
    : fail
      ? "failed"
      : abandoned !== undefined
        ? "given back"
        : expired !== undefined
          ? "taken back"
          : "open";

/** Where a result came from that nobody had to make. */
export const knownText = (event: EventOf<"cached">, nameOf: (peer: PeerId) => string): string =>
  `its key was known${event.made ? `: ${nameOf(event.made.by)} made it in ${event.made.build}` : ""}; ${nameOf(event.from)} had it`;

/** Why a claim went to its holder. */
export function hereOf(build: Build, nameOf: (peer: PeerId) => string, course: Course, run: Run): WhyHere {
  const { claim, claimedMs } = run;
  const { why } = claim;
  const seen = why && course.views.get(why.view);
  const named = seenIn(seen?.event.nodes ?? [], nameOf);
  const holder = nameOf(claim.holder);
  const scores = new Map((why?.others ?? []).map(([peer, score]) => [nameOf(peer), score]));
  if (why) scores.set(holder, why.score);
  const candidates = [...new Set([holder, ...scores.keys(), ...named.map(({ node }) => node)])].map(
    (node): Candidate => {
      const score = scores.get(node);
      return {
        ...named.find((one) => one.node === node),
        node,
        ...(score === undefined ? {} : { score }),
        ...(node === holder && why ? { parts: why.parts } : {}),
        chosen: node === holder,
      };
    },
  );
  candidates.sort((a, b) => Number(b.chosen) - Number(a.chosen) || (b.score ?? -1) - (a.score ?? -1));
  const steward = nameOf(claim.steward);
  const { lead } = bundleOf(course, run);
  const placed = placedOn({ build, index: claim.action, nameOf }, course, claim.holder, claimedMs);
  return {
    node: holder,
    steward,
    attempt: claim.attempt,
    claimedMs,
    ...(why
      ? {
          mode: why.mode ?? "unified",
          score: why.score,
          parts: why.parts,
          view: {
            digest: why.view,
            ageMs: seen ? Math.max(0, claimedMs - seen.atMs) : 0,
            nodes: why.seen,
            partial: why.partial === true,
          },
        }
      : lead
        ? { along: build.claims!.action(lead.claim.action).name }
        : {}),
    ...(placed ? { placed } : {}),
    candidates: candidates.slice(0, listedMax),
    others: Math.max(0, (why?.seen ?? candidates.length) - candidates.length),
    text: `${placed ? placedText(placed) : ""}${hereText(course, run, holder, steward, candidates)}`,
  };
}

const placedText = ({ by, reason }: Placed): string =>
  `${by} placed it there${reason === undefined ? "" : ` (${reason})`}, whatever would have been chosen; `;

function hereText(
  course: Course,
  run: Run,
  node: string,
  steward: string,
  candidates: readonly Candidate[],
): string {
  const { why, twin, turn } = run.claim;
  const granted =
    steward === node ? `${node}, its steward, kept it` : `${node} has it from ${steward}, its steward`;
  if (twin) return `${granted} as a twin: the run before it took much longer than it should`;
  if (!why) {
    const bundle = bundleOf(course, run).others;
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

/** Claims that one steward gave to one holder at one moment: how many, and the one that the decision was made for. */
interface Bundle {
  count: number;
  lead?: Run;
}

const bundles = new WeakMap<Course, ReadonlyMap<string, Bundle>>();

/** What a claim was given with. */
function bundleOf(course: Course, run: Run): { readonly others: number; readonly lead: Run | undefined } {
  let known = bundles.get(course);
  if (!known) {
    const found = new Map<string, Bundle>();
    for (const one of course.runs.values()) {
      const bundle = found.get(momentOf(one)) ?? { count: 0 };
      bundle.count++;
      if (one.claim.why) bundle.lead ??= one;
      found.set(momentOf(one), bundle);
    }
    known = found;
    bundles.set(course, known);
  }
  const { count, lead } = known.get(momentOf(run))!;
  return { others: count - 1, lead: lead === run ? undefined : lead };
}

const momentOf = ({ claim, claimedMs }: Run): string => `${claim.steward} ${claim.holder} ${claimedMs}`;
