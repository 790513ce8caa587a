/**
 * Who hands out an action's claims: rendezvous order over the slots that members declared. Stewardship avoids conflict; it is no
 * rule of validity, any builder's claim is valid.
 */
import type { BuildId, PeerId } from "../kernel/ids.ts";

/** 32 bits of a text (FNV-1a with a murmur finish): spread, not secrecy. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

function mix(h: number): number {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

const seeds = new Map<string, number>();

function seedOf(text: string): number {
  let seed = seeds.get(text);
  if (seed === undefined) {
    if (seeds.size > 100_000) seeds.clear();
    seed = hash32(text);
    seeds.set(text, seed);
  }
  return seed;
}

export interface Weighted {
  readonly peer: PeerId;
  readonly weight: number;
}

/** Answers found for one list of nodes, by build and by what was asked. */
interface View {
  readonly nodes: readonly Weighted[];
  readonly sum: number;
  readonly answers: Map<BuildId, Map<string, PeerId>>;
  /** How many there are. */
  count: number;
}

const viewsMax = 32;
const answersMax = 400_000;
/** A node asks about the same list again and again; and in a world of many, equal lists have equal answers. */
const viewOf = new WeakMap<readonly Weighted[], View>();
const views: View[] = [];

/**
 * The first of `nodes` in the weighted rendezvous order of (build, what); undefined for none. Equal views give equal answers.
 * A list that was asked about must not change any more.
 */
export function firstOf(build: BuildId, what: string, nodes: readonly Weighted[]): PeerId | undefined {
  const view = viewOf.get(nodes) ?? look(nodes);
  const known = view.answers.get(build)?.get(what);
  if (known !== undefined) return known;
  const first = search(build, what, nodes);
  if (first === undefined) return undefined;
  if (view.count++ >= answersMax) {
    view.answers.clear();
    view.count = 1;
  }
  const answers = view.answers.get(build);
  if (answers) answers.set(what, first);
  else view.answers.set(build, new Map([[what, first]]));
  return first;
}

function look(nodes: readonly Weighted[]): View {
  let sum = nodes.length;
  for (const { peer, weight } of nodes) sum = (sum + mix(seedOf(peer) ^ Math.imul(weight, 0x9e3779b1))) >>> 0;
  let view = views.find((v) => v.sum === sum && same(v.nodes, nodes));
  if (!view) {
    view = { nodes, sum, answers: new Map(), count: 0 };
    views.push(view);
    if (views.length > viewsMax) views.shift();
  }
  viewOf.set(nodes, view);
  return view;
}

const same = (a: readonly Weighted[], b: readonly Weighted[]): boolean =>
  a.length === b.length && a.every(({ peer, weight }, i) => peer === b[i]!.peer && weight === b[i]!.weight);

function search(build: BuildId, what: string, nodes: readonly Weighted[]): PeerId | undefined {
  const key = Math.imul(seedOf(build), 0x9e3779b1) ^ seedOf(what);
  let best: PeerId | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const { peer, weight } of nodes) {
    if (weight <= 0) continue;
    const uniform = (mix(key ^ seedOf(peer)) + 0.5) / 2 ** 32;
    const score = weight / -Math.log(uniform);
    if (score > bestScore || (score === bestScore && best !== undefined && peer < best)) {
      best = peer;
      bestScore = score;
    }
  }
  return best;
}
