/** Authors that contradict themselves: two signed entries that cannot both stand in one chain. Their headers are a proof that anybody can check. */
import { type BuildId, chainOf, type EntryId, type Incarnation, type PeerId } from "../kernel/ids.ts";
import { type Entry, type Header, headerOf, readHeader, type SignedEntry } from "./entry.ts";
import { type Event, type EventOf, knownEvent } from "./events.ts";

/** The event that proves a fork to everybody; undefined when the two prove nothing. */
export function proofOf(one: SignedEntry, other: SignedEntry): Event | undefined {
  if (placeOf(one, other) === undefined) return undefined;
  const [a, b] = one.id < other.id ? [one, other] : [other, one];
  return { kind: "fork", headers: [headerOf(a), headerOf(b)] };
}

/** The headers that an entry carries as proofs: their signatures are to be checked with its own. Throws `malformed`. */
export function provenBy({ entry }: SignedEntry): readonly Header[] {
  if (!entry.events.some((raw) => raw.kind === "fork")) return none;
  return entry.events.flatMap((raw) => {
    const event = raw.kind === "fork" ? knownEvent(raw) : undefined;
    return event?.kind === "fork" ? event.headers.map(readHeader) : [];
  });
}

const none: readonly never[] = [];

/** Where a start of an author began to contradict itself. */
export interface Fork {
  readonly author: PeerId;
  readonly inc: Incarnation;
  /** From this place of its chain on nothing counts. */
  readonly seq: number;
  /** The build whose ledger shows it; absent: the timeline does. */
  readonly build?: BuildId;
  readonly ids: readonly [EntryId, EntryId];
  /** The proof: headers of both entries, as bytes. */
  readonly headers: EventOf<"fork">["headers"];
}

/** Which entries no longer count, as a function of the set of proofs. */
export class Forks {
  /** By chain, the lowest place of all that are proved. */
  private readonly known = new Map<string, Fork>();

  /** Takes a proof whose signatures hold. Returns the fork if something that counted does so no longer. */
  prove(event: EventOf<"fork">): Fork | undefined {
    const [a, b] = event.headers.map(readHeader) as [Header, Header];
    const seq = placeOf(a, b);
    if (seq === undefined) return undefined;
    const { author, inc, build } = a.entry.seq === seq ? a.entry : b.entry;
    const chain = chainOf(author, inc);
    if ((this.known.get(chain)?.seq ?? Number.POSITIVE_INFINITY) <= seq) return undefined;
    const { headers } = event;
    const fork: Fork = {
      author,
      inc,
      seq,
      ...(build === undefined ? {} : { build }),
      ids: [a.id, b.id],
      headers,
    };
    this.known.set(chain, fork);
    return fork;
  }

  /** In the order in which they were heard of. */
  all(): readonly Fork[] {
    return [...this.known.values()];
  }

  /** Whether a start of an author is known to contradict itself. */
  has(author: PeerId, inc: Incarnation): boolean {
    return this.known.size > 0 && this.known.has(chainOf(author, inc));
  }

  /** The place from which on nothing of a start counts; infinity: all of it does. */
  from(author: PeerId, inc: Incarnation): number {
    return this.known.get(chainOf(author, inc))?.seq ?? Number.POSITIVE_INFINITY;
  }

  /** From the place of a fork on nothing counts that was said in that chain: which of two stories would it be? */
  counts({ author, inc, seq }: Pick<Entry, "author" | "inc" | "seq">): boolean {
    return this.known.size === 0 || seq < this.from(author, inc);
  }
}

/**
 * The lower place of two entries that cannot both stand in one chain: both stand at one place, or one says that none of its scope
 * stands between it and an earlier one than the other. Undefined: they may.
 */
function placeOf(one: Header, other: Header): number | undefined {
  const [a, b] = one.entry.seq <= other.entry.seq ? [one, other] : [other, one];
  const { entry: low } = a;
  const { entry: high } = b;
  const oneChain = low.author === high.author && low.inc === high.inc && low.swarm === high.swarm;
  if (!oneChain || a.id === b.id) return undefined;
  if (low.seq === high.seq) return low.seq;
  return low.build === high.build && high.last < low.seq ? low.seq : undefined;
}
