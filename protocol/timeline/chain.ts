/** The ends of all chains of the timeline as this node knows them: what is whole, what waits behind a gap, what is forked. */
import { byText, chainOf, type EntryId, type Incarnation, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "./entry.ts";

/** The end of a chain as one node knows it: every timeline entry up to `seq`. Equal counters with different heads are a fork. */
export interface Head {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly seq: number;
  readonly id: EntryId;
}

/** A fork shows at the end of a chain: of entries further back only the ids are kept. */
const latestMax = 16;
/** Entries that wait behind a gap, per chain; more are dropped and asked for again. */
export const gapEntriesMax = 1024;

interface Chain {
  readonly author: PeerId;
  readonly inc: Incarnation;
  head: { seq: number; id: EntryId } | undefined;
  /** Entries behind a gap by the seq they stand on. */
  readonly waiting: Map<number, SignedEntry>;
  readonly ids: Map<number, EntryId>;
  /** The latest, by which a fork can be proved. */
  readonly latest: Map<number, SignedEntry>;
  forked: boolean;
}

export class Chains {
  private readonly chains = new Map<string, Chain>();
  /** Over all heads, 32 bits each: their ids' first and next 8 hex digits. */
  private high = 0;
  private low = 0;

  /**
   * Takes an entry of the timeline. Returns what became whole by it, in order (empty: known, or behind a gap), whether it
   * waits behind a gap, and the other entry when the pair proves a fork.
   */
  take(entry: SignedEntry): { whole: SignedEntry[]; gap: boolean; forkOf?: SignedEntry } {
    const { author, inc, seq } = entry.entry;
    const key = chainOf(author, inc);
    let chain = this.chains.get(key);
    if (!chain) {
      chain = newChain(author, inc);
      this.chains.set(key, chain);
    }
    const known = chain.ids.get(seq);
    if (known !== undefined) {
      const forkOf = known === entry.id ? undefined : chain.latest.get(seq);
      return { whole: [], gap: false, ...(forkOf ? { forkOf } : {}) };
    }
    const whole: SignedEntry[] = [];
    const last = entry.entry.last ?? -1;
    if (last !== (chain.head?.seq ?? -1)) {
      if (last < (chain.head?.seq ?? -1)) return { whole, gap: false };
      if (chain.waiting.size < gapEntriesMax) chain.waiting.set(last, entry);
      return { whole, gap: true };
    }
    if (!chain.forked) this.mixIn(chain.head?.id);
    for (let next: SignedEntry | undefined = entry; next; ) {
      chain.head = { seq: next.entry.seq, id: next.id };
      chain.ids.set(next.entry.seq, next.id);
      chain.latest.set(next.entry.seq, next);
      if (chain.latest.size > latestMax) chain.latest.delete(chain.latest.keys().next().value!);
      whole.push(next);
      const follower = chain.waiting.get(next.entry.seq);
      chain.waiting.delete(next.entry.seq);
      next = follower;
    }
    if (!chain.forked) this.mixIn(chain.head?.id);
    return { whole, gap: false };
  }

  /** A chain that is proved to be forked differs between nodes for good: it is no difference to be asked about any more. */
  fork(author: PeerId, inc: Incarnation): void {
    const key = chainOf(author, inc);
    const chain = this.chains.get(key) ?? newChain(author, inc);
    this.chains.set(key, chain);
    if (!chain.forked) this.mixIn(chain.head?.id);
    chain.forked = true;
  }

  head(author: PeerId, inc: Incarnation): Head | undefined {
    const chain = this.chains.get(chainOf(author, inc));
    return chain?.head ? { author, inc, ...chain.head } : undefined;
  }

  /** All heads, in the order of author and incarnation. */
  heads(): Head[] {
    return [...this.chains.entries()]
      .sort(([a], [b]) => byText(a, b))
      .flatMap(([, c]) => (c.head ? [{ author: c.author, inc: c.inc, ...c.head }] : []));
  }

  /** Equal frontiers have equal digests (16 hex digits): an id says its author, incarnation and place. */
  digest(): string {
    return `${hex8(this.high)}${hex8(this.low)}`;
  }

  /** Adds a head to the digest, or takes it out again. */
  private mixIn(id: EntryId | undefined): void {
    if (id === undefined) return;
    this.high ^= Number.parseInt(id.slice(0, 8), 16);
    this.low ^= Number.parseInt(id.slice(8, 16), 16);
  }
}

const newChain = (author: PeerId, inc: Incarnation): Chain => ({
  author,
  inc,
  head: undefined,
  waiting: new Map(),
  ids: new Map(),
  latest: new Map(),
  forked: false,
});

const hex8 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
