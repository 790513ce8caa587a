/** Authors that contradict themselves: two signed entries at one place of one chain. The pair is a proof that anybody can check. */
import { chainOf, type Incarnation, type PeerId } from "../kernel/ids.ts";
import { type Entry, readEntry, type SignedEntry } from "./entry.ts";
import { type Event, type EventOf, knownEvent } from "./events.ts";

/** A pair beyond this fits no entry that would carry it. */
const proofBytesMax = 36 << 10;

/** The event that proves a fork to everybody; undefined when the two prove nothing, or are too large to be carried. */
export function proofOf(one: SignedEntry, other: SignedEntry): Event | undefined {
  const [a, b] = one.id < other.id ? [one, other] : [other, one];
  if (!contradict(a, b) || a.bytes.length + b.bytes.length > proofBytesMax) return undefined;
  return { kind: "fork", entries: [a.bytes, b.bytes] };
}

/** The pairs that an entry carries as proofs: their signatures are to be checked with its own. Throws `malformed`. */
export const provenBy = ({ entry }: SignedEntry): SignedEntry[] =>
  entry.events.flatMap((raw) => {
    const event = raw.kind === "fork" ? knownEvent(raw) : undefined;
    return event?.kind === "fork" ? event.entries.map(readEntry) : [];
  });

/** Which entries no longer count, as a function of the set of proofs. */
export class Forks {
  /** Chain → the lowest place that two entries stand at. */
  private readonly froms = new Map<string, number>();

  /** Takes a proof whose signatures hold. Returns whether something that counted does so no longer. */
  prove(event: EventOf<"fork">): boolean {
    const [a, b] = event.entries.map(readEntry) as [SignedEntry, SignedEntry];
    if (!contradict(a, b)) return false;
    const { author, inc, seq } = a.entry;
    const chain = chainOf(author, inc);
    if ((this.froms.get(chain) ?? Number.POSITIVE_INFINITY) <= seq) return false;
    this.froms.set(chain, seq);
    return true;
  }

  /** Whether a start of an author is known to contradict itself. */
  has(author: PeerId, inc: Incarnation): boolean {
    return this.froms.size > 0 && this.froms.has(chainOf(author, inc));
  }

  /** From the place of a fork on nothing counts that was said in that chain: which of two stories would it be? */
  counts({ author, inc, seq }: Pick<Entry, "author" | "inc" | "seq">): boolean {
    return this.froms.size === 0 || seq < (this.froms.get(chainOf(author, inc)) ?? Number.POSITIVE_INFINITY);
  }
}

const contradict = ({ id, entry: a }: SignedEntry, { id: other, entry: b }: SignedEntry): boolean =>
  id !== other && a.author === b.author && a.inc === b.inc && a.seq === b.seq && a.swarm === b.swarm;
