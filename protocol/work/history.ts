/**
 * What this node learned of durations, speeds and failures, beyond one start: a bounded table derived from the facts of builds, handed out to be kept once a
 * build has ended and when the node goes down. What is lost of it is learned anew; bytes that are no such table are ignored.
 */
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { SwarmError } from "../kernel/errors.ts";
import { type BuildId, type ClaimId, isBuildId, isPeerId, type PeerId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Claim } from "./claim.ts";
import type { Desk } from "./desk.ts";
import { type Estimates, type Known, type Mean, speedWeightMax } from "./estimates.ts";
import type { Runs } from "./records.ts";

/** The table takes no more than this; the builds that were seen longest ago are left out first. */
export const historyBytesMax = 4 << 20;
/** Builds that end within so long of each other are kept together. */
const gatherMs = 1000;
/** Of so many builds it is known that their results are in the table. */
const learnedMax = 1000;
/** What an item takes beside its name, at most. */
const speedBytes = 64;
const meanBytes = 40;
const actionBytes = 16;
const buildBytes = 64;
const recordBytes = 96;
/** Records take no more than this share of the table. */
const recordShareMax = 0.25;

const amount = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
const name = z.string().max(1024);
const table = z.object({
  v: z.literal(1),
  /** Peer, sum of the logarithms of its speed, their weight. */
  speeds: z.array(
    z.tuple([
      z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
      z.number(),
      z.number().positive().max(speedWeightMax),
    ]),
  ),
  /** By name, those seen last at the end. */
  builds: z.array(
    z.object({
      name,
      /** Name, sum, sum of squares, count. */
      groups: z.array(z.tuple([name, amount, z.number().nonnegative(), z.int().positive()])),
      /** Name, milliseconds at speed 1. */
      actions: z.array(z.tuple([name, amount])),
    }),
  ),
  /** Build, group and peer (a line each), runs done, runs failed, sum of the logarithms of expected over taken. */
  records: z
    .array(z.tuple([z.string().max(4096), z.int().nonnegative(), z.int().nonnegative(), z.number()]))
    .default([]),
  /** Builds whose results are in it. */
  learned: z.array(z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v))).max(learnedMax),
});
type Table = z.infer<typeof table>;

/** What a table says. */
export interface Remembered extends Known {
  /** How actions of each kind went on each node. */
  readonly records: ReadonlyMap<string, Readonly<Runs>>;
  /** Builds whose results are in it. */
  readonly learned: readonly BuildId[];
}

/** The table as bytes, at most `maxBytes`: all speeds, records met last, then as much of the builds seen last as there is room for. */
export function encodeHistory(known: Remembered, maxBytes = historyBytesMax): Uint8Array {
  const builds = new Map<
    string,
    { groups: Table["builds"][number]["groups"]; actions: [string, number][] }
  >();
  const speeds: Table["speeds"] = [];
  const learned = known.learned.slice(-learnedMax);
  let left = maxBytes - buildBytes - learned.length * 90;
  const fits = (bytes: number): boolean => {
    left -= bytes;
    return left >= 0;
  };
  for (const [peer, { sum, weight }] of [...known.speeds].reverse())
    if (fits(speedBytes)) speeds.push([peer, sum, weight]);
  const records: Table["records"] = [];
  let recordsLeft = left * recordShareMax;
  for (const [key, { done, failed, logRatio }] of [...known.records].reverse()) {
    const bytes = recordBytes + Buffer.byteLength(key);
    recordsLeft -= bytes;
    if (recordsLeft < 0 || !fits(bytes)) break;
    records.push([key, done, failed, logRatio]);
  }
  const means = new Map<string, [string, Mean][]>();
  for (const [key, mean] of known.groups) {
    const [build, group] = apart(key);
    const own = means.get(build);
    if (own) own.push([group, mean]);
    else means.set(build, [[group, mean]]);
  }
  // Every run moves its action to the end: read from there, builds come in the order in which they were seen last.
  for (const [key, ms] of [...known.actions].reverse()) {
    const [build, action] = apart(key);
    let own = builds.get(build);
    if (!own) {
      const groups = means.get(build) ?? [];
      if (
        !fits(
          groups.reduce(
            (sum, [g]) => sum + meanBytes + Buffer.byteLength(g),
            buildBytes + Buffer.byteLength(build),
          ),
        )
      )
        break;
      own = { groups: groups.map(([g, { sum, squares, count }]) => [g, sum, squares, count]), actions: [] };
      builds.set(build, own);
    }
    if (!fits(actionBytes + Buffer.byteLength(action))) break;
    own.actions.push([action, ms]);
  }
  const body: Table = {
    v: 1,
    speeds: speeds.reverse(),
    records: records.reverse(),
    builds: [...builds]
      .reverse()
      .map(([build, { groups, actions }]) => ({ name: build, groups, actions: actions.reverse() })),
    learned,
  };
  return encode(body);
}

/** What bytes of `encodeHistory` say; undefined for any others. */
export function decodeHistory(bytes: Uint8Array): Remembered | undefined {
  let body: unknown;
  try {
    body = decode(bytes, historyBytesMax, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (error instanceof SwarmError) return undefined;
    throw error;
  }
  const parsed = table.safeParse(body);
  if (!parsed.success) return undefined;
  const { speeds, builds, learned, records } = parsed.data;
  return {
    records: new Map(records.map(([key, done, failed, logRatio]) => [key, { done, failed, logRatio }])),
    speeds: new Map(speeds.map(([peer, sum, weight]) => [peer, { sum, weight }])),
    groups: new Map(
      builds.flatMap((b) =>
        b.groups.map(([g, sum, squares, count]) => [`${b.name}\n${g}`, { sum, squares, count }] as const),
      ),
    ),
    actions: new Map(builds.flatMap((b) => b.actions.map(([a, ms]) => [`${b.name}\n${a}`, ms] as const))),
    learned,
  };
}

const apart = (key: string): [string, string] => {
  const at = key.indexOf("\n");
  return [key.slice(0, at), key.slice(at + 1)];
};

export class History {
  private readonly desk: Desk;
  /** Claims whose ends were learned from. */
  private readonly claims = new Set<ClaimId>();
  /** Builds of which results on this disk are in the table that was restored. */
  private readonly learned = new Set<BuildId>();
  /** Whether something was learned that is not kept yet. */
  private fresh = false;
  private dueMonoMs = Number.POSITIVE_INFINITY;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Boot: the table that was kept last. */
  restore(bytes: Uint8Array): void {
    const known = decodeHistory(bytes);
    if (!known) return;
    this.estimates.know(known);
    this.desk.records.know(known.records);
    for (const build of known.learned) this.learned.add(build);
  }

  /** A build's graph is here, and with it what is known of its claims: those on disk may have been learned from before. */
  opened(build: Build, claims: readonly Claim[]): void {
    if (this.learned.has(build.id))
      for (const claim of claims) if (claim.done || claim.fail) this.claims.add(claim.id);
  }

  /** A claim about which something new is known. */
  learn(build: Build, claim: Claim): void {
    const usage = claim.done?.usage;
    const failed = !claim.done && claim.fail !== undefined && !claim.forgiven;
    if ((!usage && !failed) || this.claims.has(claim.id)) return;
    this.claims.add(claim.id);
    this.fresh = true;
    const { records } = this.desk;
    const { name } = build.graph!;
    const { holder } = claim;
    const action = build.claims!.action(claim.action);
    if (!usage) return records.failed(name, action.group, holder);
    const expectedMs = this.estimates.of(name, action) / this.estimates.speedOf(holder);
    records.done(name, action.group, holder, usage.wallMs, expectedMs);
    this.estimates.note(name, action, holder, usage.wallMs);
  }

  /** A build has ended: what it taught is kept soon. */
  ended(): void {
    this.dueMonoMs = Math.min(this.dueMonoMs, this.desk.now.monoMs + gatherMs);
  }

  /** Hands the table out once that is due. */
  pump(): void {
    if (this.desk.now.monoMs >= this.dueMonoMs) this.keep();
  }

  /** Hands the table out, if anything is new in it. */
  keep(): void {
    this.dueMonoMs = Number.POSITIVE_INFINITY;
    if (!this.fresh) return;
    this.fresh = false;
    // Of those whose plan is on its way nothing was learned yet.
    const opened = [...this.desk.builds.values()].flatMap(({ id, claims }) => (claims ? [id] : []));
    const learned = [...new Set([...this.learned, ...opened])];
    const { speeds, groups, actions } = this.estimates;
    const records = this.desk.records.runs;
    const history = encodeHistory({ speeds, groups, actions, records, learned });
    this.desk.emit({ kind: "keep-history", history });
  }

  deadline(): number {
    return this.dueMonoMs;
  }

  private get estimates(): Estimates {
    return this.desk.estimates;
  }
}
