/** Whose word counts: tells everybody of members that contradict themselves, and this node itself when it may no longer speak. */
import type { Ending } from "../contract.ts";
import { chainOf } from "../kernel/ids.ts";
import { type Entry, entryKey, type SignedEntry } from "../timeline/entry.ts";
import type { EventOf } from "../timeline/events.ts";
import { proofOf } from "../timeline/forks.ts";
import type { Desk } from "./desk.ts";

const reasons = {
  cloned: "a newer start of this node lives",
  behind: "its disk was set back",
} as const;

/** Contradictions that are looked into at once; what is not shows again in the next sync. */
const doubtsMax = 256;

export class Witness {
  private readonly desk: Desk;
  /** Places of forks that this node told of. */
  private readonly told = new Set<string>();
  /** Entries that contradict a known one, by the place of that one, until it was read. */
  private readonly doubts = new Map<string, SignedEntry>();
  /** Entries of the builds in memory, by chain, in the order of their places: no ledger alone shows that its author said another thing in another one. */
  private readonly places = new Map<string, SignedEntry[]>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Somebody said something, perhaps another start of this very identity. */
  hears(said: SignedEntry): void {
    const { author, inc, hlc } = said.entry;
    this.desk.lastWords.hear(said);
    const { config, now, rivals, voice } = this.desk;
    voice.hear(hlc, now.wallMs);
    if (author === config.self) rivals.said(inc, now.monoMs);
    this.compare(said);
  }

  /** Entries of a build that is no longer in memory. */
  forget(entries: readonly SignedEntry[]): void {
    const gone = new Set(entries.map(({ id }) => id));
    for (const chain of new Set(entries.map(({ entry }) => chainOf(entry.author, entry.inc)))) {
      const left = (this.places.get(chain) ?? []).filter(({ id }) => !gone.has(id));
      if (left.length > 0) this.places.set(chain, left);
      else this.places.delete(chain);
    }
  }

  /** Holds an entry against what its author said at the same place elsewhere: in another ledger, or in the timeline. */
  private compare(said: SignedEntry): void {
    const { author, inc, seq, build } = said.entry;
    const chain = chainOf(author, inc);
    const places = this.places.get(chain);
    const at = places ? placeOf(places, seq) : 0;
    const known = places?.[at]?.entry.seq === seq ? places[at] : undefined;
    if (known && known.id !== said.id) this.heard(known, said);
    if (build === undefined || known) return;
    if (places) places.splice(at, 0, said);
    else this.places.set(chain, [said]);
    const told = this.desk.chains.idAt(author, inc, seq);
    if (told !== undefined && told !== said.id) this.clashes(said, seq);
  }

  /** An entry contradicts the one that is known at `seq` of its chain: that one is read, to prove it by both. */
  clashes(entry: SignedEntry, seq: number): void {
    const { author, inc } = entry.entry;
    if (this.desk.members.forks.from(author, inc) <= seq || this.doubts.size >= doubtsMax) return;
    const place = entryKey({ author, inc, seq });
    if (this.doubts.has(place)) return;
    this.doubts.set(place, entry);
    this.desk.emit({ kind: "recall", author, inc, seq });
  }

  /** The known entry, from the disk. */
  recalled(known: SignedEntry): void {
    const place = entryKey(known.entry);
    const other = this.doubts.get(place);
    if (other) this.heard(known, other);
  }

  /** The disk was asked for a place. */
  answered(place: Pick<Entry, "author" | "inc" | "seq">): void {
    this.doubts.delete(entryKey(place));
  }

  /** Two entries were heard that cannot both stand in one chain: whoever hears both tells everybody. */
  heard(one: SignedEntry, other: SignedEntry): void {
    const { author, inc } = one.entry;
    const seq = Math.min(one.entry.seq, other.entry.seq);
    const place = entryKey({ author, inc, seq });
    const proof = proofOf(one, other);
    if (!proof || this.told.has(place) || this.desk.members.forks.from(author, inc) <= seq) return;
    this.told.add(place);
    this.desk.say(undefined, proof, { urgent: true });
  }

  /** A proof came in. Returns whether something that counted does so no longer. */
  proved(event: EventOf<"fork">): boolean {
    const fork = this.desk.members.prove(event);
    if (!fork) return false;
    const { author, inc, seq } = fork;
    this.desk.chains.fork(author, inc, seq);
    for (const { ledger } of this.desk.builds.values()) ledger.fork(author, inc, seq);
    return true;
  }

  /** Takes no work while another start of this identity has the same right to it, or a better one; says when this one must end. */
  verdict(): { readonly ending: Ending; readonly reason: string } | undefined {
    const { desk } = this;
    const { standing } = desk;
    if (standing !== "alone") desk.settled = false;
    if (standing !== "cloned" && standing !== "behind") return undefined;
    return { ending: standing, reason: reasons[standing] };
  }

  /** When time alone tells whether another start of this identity lives. */
  deadline(): number {
    const { rivals, peers, members, stopping } = this.desk;
    return stopping ? Number.POSITIVE_INFINITY : rivals.decidedMonoMs(peers.leaseMs(members.size));
  }
}

/** Where the entry with that place stands in a list in the order of places, or would stand. */
function placeOf(entries: readonly SignedEntry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  // What is new mostly stands at the end.
  if (high > 0 && entries[high - 1]!.entry.seq < seq) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.entry.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
