/** All chains of the timeline as this node knows them: what is whole, what waits behind a gap, what contradicts it. */
import { byText, chainOf, type EntryId, type Incarnation, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "./entry.ts";
import { IdSum } from "./sum.ts";

/** The end of a chain as one node knows it: every timeline entry up to `seq`. Equal counters with different sums are a fork. */
export interface Head {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly seq: number;
  /** Over the ids of all its entries, 16 hex digits. */
  readonly sum: string;
}

/** Entries that wait behind a gap, per chain; more are dropped and asked for again. */
export const gapEntriesMax = 1024;

interface Chain {
  readonly author: PeerId;
  readonly inc: Incarnation;
  head: { seq: number; id: EntryId } | undefined;
  /** Entries behind a gap by the seq they stand on; made when there is one. */
  waiting: Map<number, SignedEntry> | undefined;
  /** By place, in order. */
  readonly ids: Map<number, EntryId>;
  readonly sum: IdSum;
  /** From here on it is proved to contradict itself. */
  until: number;
}

export interface Taken {
  /** What became whole by it, in order; empty: known, behind a gap, or in contradiction to what is known. */
  readonly whole: readonly SignedEntry[];
  readonly gap: boolean;
  /** It waits behind a gap that is not to be closed, for a fork lies before it. */
  readonly held?: boolean;
  /** The place of the known entry that this one contradicts. */
  readonly clash?: number;
}

export class Chains {
  private readonly chains = new Map<string, Chain>();
  /** Over all that counts. */
  private readonly sum = new IdSum();

  /** Takes an entry of the timeline. */
  take(entry: SignedEntry): Taken {
    const { author, inc, seq, last } = entry.entry;
    const chain = this.at(author, inc);
    const known = chain.ids.get(seq);
    if (known !== undefined) return { whole: [], gap: false, ...(known === entry.id ? {} : { clash: seq }) };
    const end = chain.head?.seq ?? -1;
    if (last < end) {
      // It says that nothing stands between `last` and itself, where something does; or it stands where another says so.
      const clash = [...chain.ids.keys()].find((place) => place > last)!;
      return { whole: [], gap: false, clash };
    }
    if (last > end) {
      chain.waiting ??= new Map();
      const room = chain.waiting.size < gapEntriesMax;
      if (room) chain.waiting.set(last, entry);
      // What is missing behind a fork nobody is asked for; but a vote that was cast there stands, whatever came first.
      return end + 1 >= chain.until ? { whole: [], gap: false, held: room } : { whole: [], gap: true };
    }
    const whole: SignedEntry[] = [];
    for (let next: SignedEntry | undefined = entry; next; ) {
      const place: number = next.entry.seq;
      chain.head = { seq: place, id: next.id };
      chain.ids.set(place, next.id);
      chain.sum.mix(next.id);
      if (place < chain.until) this.sum.mix(next.id);
      whole.push(next);
      const follower: SignedEntry | undefined = chain.waiting?.get(place);
      chain.waiting?.delete(place);
      next = follower;
    }
    return { whole, gap: false };
  }

  /** What a chain is proved to say from `seq` on differs between nodes for good: it is no difference to be asked about any more. */
  fork(author: PeerId, inc: Incarnation, seq: number): void {
    const chain = this.at(author, inc);
    for (const [place, id] of chain.ids) if (place >= seq && place < chain.until) this.sum.mix(id);
    chain.until = Math.min(chain.until, seq);
  }

  head(author: PeerId, inc: Incarnation): Head | undefined {
    const chain = this.chains.get(chainOf(author, inc));
    return chain && headOf(chain);
  }

  /** The id of the last known entry of a chain. */
  lastId(author: PeerId, inc: Incarnation): EntryId | undefined {
    return this.chains.get(chainOf(author, inc))?.head?.id;
  }

  /** The id of the known entry of the timeline at a place of a chain. */
  idAt(author: PeerId, inc: Incarnation, seq: number): EntryId | undefined {
    const chain = this.chains.get(chainOf(author, inc));
    // Most of what is said stands behind the last word of the timeline.
    return chain?.head && seq <= chain.head.seq ? chain.ids.get(seq) : undefined;
  }

  /** Which of these places of a chain hold something of the timeline. */
  placesOf(author: PeerId, inc: Incarnation, fromSeq: number, toSeq: number): number[] {
    const { ids } = this.chains.get(chainOf(author, inc)) ?? {};
    return [...(ids?.keys() ?? [])].filter((seq) => fromSeq <= seq && seq <= toSeq);
  }

  /** All heads, in the order of author and incarnation. */
  heads(): Head[] {
    return [...this.chains.entries()]
      .sort(([a], [b]) => byText(a, b))
      .flatMap(([, chain]) => headOf(chain) ?? []);
  }

  /** Entries that wait behind a gap that others may close. */
  get waiting(): number {
    let count = 0;
    for (const { head, until, waiting } of this.chains.values())
      if ((head?.seq ?? -1) + 1 < until) count += waiting?.size ?? 0;
    return count;
  }

  /** Equal sets of entries that count have equal digests (16 hex digits). */
  digest(): string {
    return this.sum.text();
  }

  private at(author: PeerId, inc: Incarnation): Chain {
    const key = chainOf(author, inc);
    let chain = this.chains.get(key);
    if (!chain) {
      chain = {
        author,
        inc,
        head: undefined,
        waiting: undefined,
        ids: new Map(),
        sum: new IdSum(),
        until: Number.POSITIVE_INFINITY,
      };
      this.chains.set(key, chain);
    }
    return chain;
  }
}

const headOf = ({ author, inc, head, sum }: Chain): Head | undefined =>
  head && { author, inc, seq: head.seq, sum: sum.text() };
