/** Ended builds that are no longer kept in memory: of each its first and its last word, where its entries lie, and what they add up to. */
import { decode, encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { type BuildId, byText, chainOf, type EntryId, type Incarnation, type PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import { readEntry, type SignedEntry } from "../timeline/entry.ts";
import { type EventOf, knownEvent } from "../timeline/events.ts";
import { holds, type Place } from "../timeline/places.ts";
import { IdSum } from "../timeline/sum.ts";
import type { Build } from "./build.ts";

/** Of more builds than this the ones submitted first are no longer offered or asked for; their entries stay on the disk. */
export const archivedMax = 8192;
const recordBytesMax = 4 << 20;

export interface Archived {
  readonly build: BuildId;
  readonly submission: SignedEntry;
  readonly seal: SignedEntry;
  readonly places: ReadonlyMap<string, Place>;
  /** Over the ids of its entries. */
  readonly sum: string;
  readonly entries: number;
  /** Actions that had a result at its end. */
  readonly done: number;
  /** It was kept long enough: its entries are no longer here, what they added up to is still known. */
  readonly dropped?: true;
}

/** What stays of a build whose entries went. */
export type Outline = Pick<Archived, "build" | "submission" | "seal" | "sum" | "entries" | "done">;

/** What people ask of an ended build. */
export interface Ended {
  readonly submitted: EventOf<"build.submitted">;
  readonly author: PeerId;
  readonly submittedAtMs: number;
  readonly sealed: EventOf<"sealed">;
}

export class Archive {
  private readonly builds = new Map<BuildId, Archived>();
  private readonly sum = new IdSum();
  /** What there was no room for, until somebody sees to its entries. */
  private surplus: Archived[] = [];

  has(build: BuildId): boolean {
    return this.builds.has(build);
  }

  get(build: BuildId): Archived | undefined {
    return this.builds.get(build);
  }

  /** Equal sets of ended builds with equal entries have equal digests (16 hex digits). */
  digest(): string {
    return this.sum.text();
  }

  /** In the order of their names. */
  all(): readonly Archived[] {
    return [...this.builds.values()].sort((a, b) => byText(a.build, b.build));
  }

  /** Takes a build in whose end is known. Returns its record; undefined while first or last word is missing. */
  put(build: Build, members: Members): Uint8Array | undefined {
    const entries = build.facts().filter((e) => members.forks.counts(e.entry));
    const submission = entries.find((e) => e.id === build.submission?.entry);
    const seal = sealOf(entries, members);
    if (!submission || !seal) return undefined;
    const done = build.claims?.actions.counts.done ?? doneOf(entries, seal, submission);
    return this.file({ build: build.id, submission, seal, done, ...summed(entries) });
  }

  /** Entries of an archived build that came after it. Returns its record when there were new ones. */
  add(build: BuildId, entries: readonly SignedEntry[], members: Members): Uint8Array | undefined {
    const known = this.builds.get(build);
    if (!known) return undefined;
    const fresh = entries.filter(
      (e) =>
        !holds(known.places.get(chainOf(e.entry.author, e.entry.inc)), e.entry.seq) &&
        members.nameOf(e.entry.author) !== undefined &&
        members.forks.counts(e.entry),
    );
    if (fresh.length === 0) return undefined;
    // Of two seals the one that came later may be the one that stands.
    const seal = sealOf([known.seal, ...fresh], members) ?? known.seal;
    return this.file({ ...known, seal, ...summed(fresh, known) });
  }

  /** All of a build that another has: more of it than was known. Returns its record when more of it was done than was known. */
  count(build: BuildId, entries: readonly SignedEntry[]): Uint8Array | undefined {
    const known = this.builds.get(build);
    if (!known) return undefined;
    const done = doneOf(entries, known.seal, known.submission);
    return done > known.done ? this.file({ ...known, done }) : undefined;
  }

  /** Its entries go. Returns what is kept of it; undefined when they went before, or it is not known. */
  drop(build: BuildId): Uint8Array | undefined {
    const known = this.builds.get(build);
    return known && !known.dropped ? this.file({ ...known, places: new Map(), dropped: true }) : undefined;
  }

  /**
   * Somebody knows of a build only this much. Returns its record when it is more than what is known here, so that of two who let go of different
   * entries both end with the same. What is here in full stays so.
   */
  adopt(outline: Outline, members: Members): Uint8Array | undefined {
    const { build, submission, seal } = outline;
    const known = this.builds.get(build);
    if (known && !exceeds(outline, known)) return undefined;
    const id = submission.entry.events.some((e) => knownEvent(e)?.kind === "build.submitted");
    const ends = seal.entry.events.some((e) => knownEvent(e)?.kind === "sealed");
    const own = submission.entry.build === build && seal.entry.build === build;
    if (!id || !ends || !own || !members.may("sealed", seal) || !members.may("build.submitted", submission))
      return undefined;
    const rest = known && !known.dropped ? { places: known.places } : gone;
    return this.file({ ...outline, ...rest });
  }

  /** What there was no room for since the last time. */
  takeSurplus(): readonly Archived[] {
    if (this.surplus.length === 0) return this.surplus;
    const { surplus } = this;
    this.surplus = [];
    return surplus;
  }

  /** From the disk; a record that is none is left out, and its build fetched anew. */
  restore(records: readonly Uint8Array[]): void {
    for (const record of records) {
      const archived = readRecord(record);
      if (archived) this.insert(archived);
    }
  }

  private file(archived: Archived): Uint8Array {
    this.insert(archived);
    return recordOf(archived);
  }

  private insert(archived: Archived): void {
    const before = this.builds.get(archived.build);
    if (before) this.sum.mix(markOf(before));
    this.sum.mix(markOf(archived));
    this.builds.set(archived.build, archived);
    if (this.builds.size <= archivedMax) return;
    const [oldest] = [...this.builds.values()].sort(bySubmission);
    this.sum.mix(markOf(oldest!));
    this.builds.delete(oldest!.build);
    this.surplus.push(oldest!);
  }
}

/** What the two words of an ended build say. */
export function endedOf({ submission, seal }: Archived): Ended {
  const { author, hlc } = submission.entry;
  const submitted = submission.entry.events.find((e) => e.kind === "build.submitted")!;
  const sealed = seal.entry.events.find((e) => e.kind === "sealed")!;
  return {
    submitted: knownEvent(submitted) as EventOf<"build.submitted">,
    author,
    submittedAtMs: hlc[0],
    sealed: knownEvent(sealed) as EventOf<"sealed">,
  };
}

/** By the submitters' clocks, so that every node lets go of the same. */
const bySubmission = (
  a: { readonly submission: SignedEntry },
  b: { readonly submission: SignedEntry },
): number =>
  a.submission.entry.hlc[0] - b.submission.entry.hlc[0] || byText(a.submission.id, b.submission.id);

const markOf = ({ build, sum }: Archived): EntryId => sha256Hex(`${build} ${sum}`) as EntryId;

/** Of several seals the one with the lowest id counts, as in the fold. */
function sealOf(entries: readonly SignedEntry[], members: Members): SignedEntry | undefined {
  const seals = entries.filter(
    (e) => e.entry.events.some((raw) => raw.kind === "sealed" && knownEvent(raw)) && members.may("sealed", e),
  );
  return seals.sort((a, b) => byText(a.id, b.id))[0];
}

/** As far as it shows without the graph. */
function doneOf(entries: readonly SignedEntry[], seal: SignedEntry, submission: SignedEntry): number {
  const { submitted, sealed } = endedOf({ submission, seal } as Archived);
  if (sealed.state === "complete") return submitted.actions;
  const events = entries.flatMap(({ entry }) => entry.events);
  const actionOf = new Map(events.flatMap((e) => (e.kind === "claim" ? [[e.claim, e.action] as const] : [])));
  const done = new Set<unknown>();
  for (const event of events) {
    // Two may have run one action.
    if (event.kind === "done") done.add(actionOf.get(event.claim) ?? event.claim);
    else if (event.kind === "cached") done.add(event.action);
  }
  return Math.min(done.size, submitted.actions);
}

const gone = { places: new Map<string, Place>(), dropped: true } as const;

/** Of two sums over one build that of more entries; of as many the higher. Merging by this comes to an end. */
export const exceeds = (
  a: Pick<Archived, "entries" | "sum">,
  b: Pick<Archived, "entries" | "sum">,
): boolean => (a.entries === b.entries ? a.sum > b.sum : a.entries > b.entries);

/** Where entries lie and what they add up to, on top of what was known. */
function summed(
  entries: readonly SignedEntry[],
  known?: Archived,
): Pick<Archived, "places" | "sum" | "entries"> {
  const sum = IdSum.of(known?.sum ?? "0".repeat(16));
  const seqs = new Map<string, { author: PeerId; inc: Incarnation; seqs: Set<number> }>();
  for (const [chain, { author, inc, runs }] of known?.places ?? []) {
    const set = new Set<number>();
    for (let at = 0; at < runs.length; at += 2)
      for (let seq = runs[at]!; seq <= runs[at + 1]!; seq++) set.add(seq);
    seqs.set(chain, { author, inc, seqs: set });
  }
  let count = known?.entries ?? 0;
  for (const { id, entry } of entries) {
    const { author, inc, seq } = entry;
    const chain = seqs.get(chainOf(author, inc)) ?? { author, inc, seqs: new Set<number>() };
    seqs.set(chainOf(author, inc), chain);
    if (chain.seqs.has(seq)) continue;
    chain.seqs.add(seq);
    sum.mix(id);
    count++;
  }
  const places = [...seqs].map(([chain, of]): [string, Place] => [
    chain,
    { author: of.author, inc: of.inc, runs: runsOf([...of.seqs].sort((a, b) => a - b)) },
  ]);
  return { places: new Map(places), sum: sum.text(), entries: count };
}

function runsOf(seqs: readonly number[]): number[] {
  const runs: number[] = [];
  for (const seq of seqs)
    if (runs.at(-1) === seq - 1) runs[runs.length - 1] = seq;
    else runs.push(seq, seq);
  return runs;
}

const recordOf = ({ build, submission, seal, places, sum, entries, done, dropped }: Archived): Uint8Array =>
  encode({
    v: 1,
    build,
    submission: submission.bytes,
    seal: seal.bytes,
    places: [...places.values()].map(({ author, inc, runs }) => [author, inc, runs]),
    sum,
    entries,
    done,
    ...(dropped ? { dropped } : {}),
  });

/** A build's record as it lies on the disk; undefined where it is none. */
export function readRecord(bytes: Uint8Array): Archived | undefined {
  try {
    const record = decode(bytes, recordBytesMax) as {
      v: number;
      build: BuildId;
      submission: Uint8Array;
      seal: Uint8Array;
      places: [PeerId, Incarnation, number[]][];
      sum: string;
      entries: number;
      done: number;
      dropped?: true;
    };
    if (record.v !== 1) return undefined;
    return {
      ...record,
      submission: readEntry(record.submission),
      seal: readEntry(record.seal),
      places: new Map(
        record.places.map(([author, inc, runs]) => [chainOf(author, inc), { author, inc, runs }]),
      ),
    };
  } catch {
    return undefined;
  }
}
