/** What one seed makes: hosts of unequal traits, work to do, people who interfere, and a mix of faults. Everything is drawn before it runs. */
import type { Graph } from "../protocol/build/graph.ts";
import { sha256Hex } from "../protocol/kernel/digest.ts";
import { Random } from "../protocol/kernel/random.ts";
import type { Situation } from "./executor.ts";
import { byzantineWays, type FaultInput, type FaultKind, faultKinds, versionWays } from "./faults.ts";
import type { HostOptions } from "./host.ts";
import type { Twist } from "./swarm.ts";
import { chain, diamond, fan, layered, type Workload } from "./workload.ts";

const names = ["ann", "bob", "cat", "dan", "eve", "fay", "gus"];
/** Of so many seeds one begins with a time in which nothing goes on, long enough to fall asleep twice. */
const calmEvery = 8;
const calmMs = 40_000;
/** How a host that is no part of the core stays broken for ever. */
export const endings = ["dead", "unplugged", "cut", "hung", "full"] as const;
export type Ending = (typeof endings)[number];

/** A build that is handed to a host (to the next that is up) at a moment. */
export interface Work {
  readonly atMs: number;
  readonly host: string;
  readonly workload: Workload;
}

/** What a person says about the n-th build. */
export interface Order {
  readonly atMs: number;
  readonly build: number;
  readonly op: "pause" | "resume" | "cancel";
}

/** How a person debugs the n-th build: actions and hosts are counted from the first, around. */
export interface Debugged {
  readonly atMs: number;
  readonly build: number;
  readonly op:
    | "pause"
    | "resume"
    | "step"
    | "next"
    | "break"
    | "clear"
    | "break-failure"
    | "place"
    | "replace"
    | "record";
  readonly action: number;
  readonly host: number;
}

export interface Mix {
  readonly seed: number;
  readonly hosts: readonly HostOptions[];
  readonly works: readonly Work[];
  readonly orders: readonly Order[];
  readonly debugged?: readonly Debugged[];
  readonly faults: readonly FaultInput[];
  /** The one host that may lie, or have a clone: none of its words is taken for granted, and it is never in the core. */
  readonly villain: string | undefined;
  /** The one host that is revoked, loses its roles or leaves: it is never in the core either. */
  readonly goer: string | undefined;
  /** So long things break; then a core is mended. */
  readonly troubleMs: number;
  /** All hosts, in the order in which they are taken into the core. */
  readonly order: readonly string[];
  /** How each host ends if it is not taken. */
  readonly endings: Readonly<Record<string, Ending>>;
  readonly twist: Twist;
  /** Hosts whose owners let them serve releases and vote. */
  readonly mirrors?: readonly string[];
  /** People finalize what is staged, or go back to an earlier epoch. */
  readonly finalizes?: readonly {
    readonly atMs: number;
    readonly host: string;
    readonly rollback: boolean;
  }[];
}

/** The mix of a seed. `only`: draw faults of these kinds alone. */
export function mixOf(seed: number, only: readonly FaultKind[] = faultKinds): Mix {
  const random = Random.fromNumber(seed);
  const hosts = names.slice(0, 3 + random.below(names.length - 2)).map((name, i) => traits(random, name, i));
  const troubleMs = 15_000 + random.below(20_000);
  const hostNames = hosts.map((h) => h.name);
  const kinds = shuffled(random, only).slice(0, 2 + random.below(4));
  const governed = kinds.some((kind) => governing.includes(kind));
  const villain = kinds.includes("byzantine") || kinds.includes("clone") ? hostNames.at(-1)! : undefined;
  const goer = kinds.some((kind) => leaving.includes(kind)) ? hostNames.at(-1 - random.below(2))! : undefined;
  const faults = Array.from({ length: 3 + random.below(8) }, () =>
    draw[random.pick(kinds)]({
      random,
      hosts: hostNames,
      villain: villain ?? hostNames[0]!,
      goer: goer ?? hostNames[0]!,
      atMs: 500 + random.below(troubleMs - 3_000),
    }),
  );
  const works = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
    atMs: i === 0 ? 600 : 600 + random.below(troubleMs / 2),
    host: random.pick(hostNames),
    workload: workload(random, seed + (random.below(2) === 0 ? 0 : i)),
  }));
  const releases = Random.fromNumber(seed ^ 0x2e1ea5e);
  const debugging = Random.fromNumber(seed ^ 0xdeb06);
  const mix: Mix = {
    seed,
    hosts: governed ? [...hosts.map((h, nth) => (nth === 1 ? { ...h, roles } : h)), stranger] : hosts,
    works: works.map((work) =>
      chance(releases, 0.8) ? { ...work, workload: released(releases, work.workload) } : work,
    ),
    orders: orders(random, works.length, troubleMs),
    debugged: debugged(debugging, works.length, troubleMs),
    faults: faults.sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0)),
    villain,
    goer,
    troubleMs,
    order: shuffled(random, hostNames),
    endings: Object.fromEntries(hostNames.map((name) => [name, random.pick(endings)])),
    twist: twistOf(seed, random),
    mirrors: shuffled(
      releases,
      hostNames.filter((name) => name !== villain),
    ).slice(0, 1 + releases.below(4)),
    finalizes: Array.from({ length: 1 + releases.below(4) }, () => ({
      atMs: 3_000 + releases.below(troubleMs - 3_000),
      host: releases.pick(hostNames),
      rollback: chance(releases, 0.2),
    })),
  };
  return seed % calmEvery === calmEvery - 1 ? afterCalm(mix) : mix;
}

/** The same in a swarm that has fallen asleep: of what goes wrong the half does so while nobody works, the rest as it would have. */
function afterCalm(mix: Mix): Mix {
  const later = <T extends { readonly atMs?: number | undefined }>(one: T): T => ({
    ...one,
    atMs: (one.atMs ?? 0) + calmMs,
  });
  return {
    ...mix,
    works: mix.works.map(later),
    orders: mix.orders.map(later),
    ...(mix.debugged ? { debugged: mix.debugged.map(later) } : {}),
    faults: mix.faults
      .map((fault, nth) => (nth % 2 === 0 ? later(fault) : fault))
      .sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0)),
    troubleMs: mix.troubleMs + calmMs,
    ...(mix.finalizes ? { finalizes: mix.finalizes.map(later) } : {}),
  };
}

/** A few of what it makes is to be released. */
function released(random: Random, { graph, costs }: Workload): Workload {
  const include = shuffled(
    random,
    graph.actions.map(({ name }) => name),
  ).slice(0, 3);
  return { graph: { ...graph, release: { channel: "stable", format: "files", include } }, costs };
}

/** Draws whether something happens that happens in `share` of the cases. */
const chance = (random: Random, share: number): boolean => random.float() < share;

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}

/** The first host always builds everything, so that there is one that can. */
function traits(random: Random, name: string, nth: number): HostOptions {
  const able = nth === 0 || !chance(random, 0.12);
  return {
    name,
    slots: able ? 1 + random.below(4) : 0,
    speed: random.pick([0.5, 1, 1, 1, 2, 4]),
    clock: chance(random, 0.5)
      ? { offsetMs: random.below(7_200_000) - 3_600_000, driftPpm: random.below(400) - 200 }
      : {},
    disk: chance(random, 0.2) ? { writeMs: 1 + random.below(10), syncMs: 5 + random.below(40) } : {},
    vitals: {
      ...(nth > 0 && chance(random, 0.08) ? { toolchains: {} } : {}),
    },
    ...(chance(random, 0.4) ? { thermal: warm } : {}),
    scheduling: { copies: nth % 2 === 1 ? "needed" : "costly" },
  };
}

/** Full load makes it 20 degrees warmer than the air; it throttles above what a node takes work at. */
const warm = { ambient: 35, heat: 1, cool: 0.05, limit: 100, factor: 0.5, hyst: 5, initial: 40 };

/** 20 to 80 actions, short enough that a run takes seconds. */
function workload(random: Random, seed: number): Workload {
  const workMs = random.pick([60, 300, 800, 1500]);
  const made = random.pick([
    () => layered(seed, 3 + random.below(4), 6 + random.below(7), workMs),
    () => layered(seed, 8, 3, workMs),
    () => fan(20 + random.below(40), workMs),
    () => diamond(20 + random.below(20), workMs),
    () => chain(20, Math.min(workMs, 800)),
  ])();
  return { ...made, graph: bounded(made.graph, chance(random, 0.3) ? 4_000 : 0) };
}

/** Actions that hang are given up within a run. */
const bounded = (graph: Graph, silenceMs: number): Graph => ({
  ...graph,
  actions: graph.actions.map((action) => ({ ...action, timeoutMs: 20_000, silenceMs })),
});

function orders(random: Random, builds: number, troubleMs: number): Order[] {
  if (!chance(random, 0.35)) return [];
  const build = random.below(builds);
  const atMs = 2_000 + random.below(troubleMs / 2);
  if (chance(random, 0.3)) return [{ atMs, build, op: "cancel" }];
  const later = { atMs: atMs + 1_000 + random.below(8_000), build };
  return [
    { atMs, build, op: "pause" },
    ...(chance(random, 0.7) ? [{ ...later, op: "resume" as const }] : []),
  ];
}

/** In a quarter of the seeds somebody debugs a build: several words within a few seconds. */
function debugged(random: Random, builds: number, troubleMs: number): Debugged[] {
  if (!chance(random, 0.25)) return [];
  const build = random.below(builds);
  const fromMs = 1_000 + random.below(troubleMs / 2);
  const ops = ["break", "break", "break-failure", "place", "place", "step", "next", "next", "clear"] as const;
  const rests = chance(random, 0.7);
  return Array.from(
    { length: 4 + random.below(10) },
    (): Debugged => ({
      atMs: fromMs + random.below(8_000),
      build,
      op: chance(random, 0.1) ? random.pick(["replace", "record", "resume"] as const) : random.pick(ops),
      action: random.below(80),
      host: random.below(8),
    }),
  )
    .concat(rests ? [{ atMs: fromMs - 100, build, op: "pause", action: 1, host: random.below(8) }] : [])
    .sort((a, b) => a.atMs - b.atMs);
}

/** Some actions fail wherever they run, some once; in a third of the seeds. */
function twistOf(seed: number, random: Random): Twist {
  const hopeless = chance(random, 0.15) ? 0.03 : 0;
  const once = chance(random, 0.2) ? 0.1 : 0;
  return ({ action }, { before }: Situation) => {
    const lot = Number.parseInt(sha256Hex(`${seed} ${action}`).slice(0, 8), 16) / 2 ** 32;
    if (lot < hopeless) return { ends: "fails" };
    if (lot > 1 - once && before === 0) return { ends: lot > 1 - once / 2 ? "fails" : "breaks" };
    return undefined;
  };
}

/** People say something of members: then there is a second admin, and somebody who would like to come in. */
const leaving: readonly FaultKind[] = ["revoke", "demote", "leave"];
const governing: readonly FaultKind[] = ["join", ...leaving];
const roles = ["admin", "releaser", "builder", "submitter"] as const;
const stranger: HostOptions = { name: "zoe", slots: 2, stranger: true };

interface Lot {
  readonly random: Random;
  readonly hosts: readonly string[];
  readonly villain: string;
  readonly goer: string;
  readonly atMs: number;
}

const one = ({ random, hosts }: Lot): string => random.pick(hosts);
/** Some hosts, at least one, never all. */
const some = ({ random, hosts }: Lot): string[] =>
  shuffled(random, hosts).slice(0, 1 + random.below(hosts.length - 1));
const span = ({ random }: Lot, mostMs = 12_000): number => 300 + random.below(mostMs);
const back = (lot: Lot): { backAfterMs?: number } =>
  chance(lot.random, 0.85) ? { backAfterMs: span(lot, 8_000) } : {};

/** How a fault of each kind is drawn. */
const draw: { readonly [K in FaultKind]: (lot: Lot) => Extract<FaultInput, { kind: K }> } = {
  crash: (lot) => ({ kind: "crash", host: one(lot), atMs: lot.atMs, ...back(lot) }),
  power: (lot) => ({ kind: "power", host: one(lot), atMs: lot.atMs, ...back(lot) }),
  pause: (lot) => ({ kind: "pause", host: one(lot), atMs: lot.atMs, forMs: span(lot) }),
  suspend: (lot) => ({ kind: "suspend", host: one(lot), atMs: lot.atMs, forMs: span(lot) }),
  "disk-full": (lot) => ({ kind: "disk-full", host: one(lot), atMs: lot.atMs, forMs: span(lot) }),
  "disk-error": (lot) => ({
    kind: "disk-error",
    host: one(lot),
    on: lot.random.pick(["write", "read", "rot"]),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  "clock-jump": (lot) => ({
    kind: "clock-jump",
    host: one(lot),
    byMs: lot.random.below(7_200_000) - 3_600_000,
    atMs: lot.atMs,
  }),
  "clock-drift": (lot) => ({
    kind: "clock-drift",
    host: one(lot),
    ppm: lot.random.below(100_000) - 50_000,
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  cut: (lot) => ({
    kind: "cut",
    from: some(lot),
    oneWay: chance(lot.random, 0.3),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  flap: (lot) => ({
    kind: "flap",
    from: some(lot),
    oneWay: chance(lot.random, 0.2),
    downMs: 200 + lot.random.below(2_000),
    upMs: 200 + lot.random.below(2_000),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  swizzle: (lot) => ({ kind: "swizzle", atMs: lot.atMs, forMs: 1_000 + span(lot) }),
  network: (lot) => ({
    kind: "network",
    ...(chance(lot.random, 0.5) ? { hosts: some(lot) } : {}),
    ...network(lot.random),
    atMs: lot.atMs,
    forMs: span(lot, 20_000),
  }),
  stragglers: (lot) => ({ kind: "stragglers", share: 0.2, factor: 8, atMs: lot.atMs, forMs: span(lot) }),
  hang: (lot) => ({ kind: "hang", hosts: some(lot), share: 0.1, atMs: lot.atMs, forMs: span(lot, 6_000) }),
  break: (lot) => ({
    kind: "break",
    hosts: some(lot),
    share: 0.15,
    cause: chance(lot.random, 0.3) ? "deterministic" : "infrastructure",
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  "black-hole": (lot) => ({ kind: "black-hole", host: one(lot), atMs: lot.atMs, forMs: span(lot, 6_000) }),
  slow: (lot) => ({ kind: "slow", host: one(lot), atMs: lot.atMs, forMs: span(lot) }),
  byzantine: (lot) => ({
    kind: "byzantine",
    host: lot.villain,
    how: lot.random.pick(byzantineWays),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  clone: (lot) => ({ kind: "clone", host: lot.villain, atMs: lot.atMs, forMs: span(lot) }),
  restore: (lot) => ({ kind: "restore", host: one(lot), ageMs: span(lot), atMs: lot.atMs }),
  "mixed-version": (lot) => ({
    kind: "mixed-version",
    host: one(lot),
    how: lot.random.pick(versionWays),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  join: (lot) => ({ kind: "join", host: stranger.name, atMs: lot.atMs }),
  revoke: (lot) => ({ kind: "revoke", host: lot.goer, atMs: lot.atMs }),
  demote: (lot) => ({ kind: "demote", host: lot.goer, atMs: lot.atMs }),
  leave: (lot) => ({ kind: "leave", host: lot.goer, atMs: lot.atMs }),
  churn: (lot) => ({
    kind: "churn",
    sharePerMinute: 2,
    backAfterMs: span(lot, 6_000),
    atMs: lot.atMs,
    forMs: span(lot),
  }),
  hot: (lot) => ({
    kind: "hot",
    hosts: some(lot),
    byCelsius: 100 + lot.random.below(100),
    atMs: lot.atMs,
    forMs: 4_000 + span(lot),
  }),
  owner: (lot) => ({ kind: "owner", host: one(lot), atMs: lot.atMs, forMs: span(lot) }),
};

/** One or two things that are wrong with links. */
function network(random: Random): Partial<Extract<FaultInput, { kind: "network" }>> {
  const wrongs = [
    { loss: 0.05 + random.float() * 0.5 },
    { twice: random.float() * 0.5 },
    { late: random.float() * 0.5, lateMs: random.below(3_000) },
    { corrupt: random.float() * 0.05 },
    { reset: random.float() * 0.05 },
    { delayMs: random.below(400), jitterMs: random.below(400) },
    { bytesPerSecond: 20_000 + random.below(1_000_000) },
  ];
  return Object.assign({}, ...shuffled(random, wrongs).slice(0, 1 + random.below(2)));
}
