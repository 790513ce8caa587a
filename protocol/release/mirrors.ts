/** Who serves releases and may vote on them: a fold over the words of the nodes' owners. The last word of a node holds. */
import { byText, type Digest, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type Event, votersMax } from "../timeline/events.ts";
import { quorumOf, type Voter } from "./ballot.ts";

export interface Mirror {
  readonly peer: PeerId;
  readonly log: string;
  /** Its owner lets it be chosen to vote. */
  readonly votes: boolean;
}

/** What a mirror said of one channel. */
export interface Shows {
  /** 0 = nothing yet. */
  readonly epoch: number;
  readonly manifest?: Digest;
  /** What it cannot serve now, and why. */
  readonly lags?: { readonly epoch: number; readonly reason: string };
}

/** Of two words of one author, the place of the later is greater: starts are counted, entries too. */
type Place = readonly [start: number, seq: number, index: number];

interface Word<T> {
  readonly place: Place;
  readonly entry: SignedEntry;
  readonly said: T;
}

const later = (a: Place, b: Place): boolean =>
  a[0] !== b[0] ? a[0] > b[0] : a[1] !== b[1] ? a[1] > b[1] : a[2] > b[2];

/** Words of one author about one thing that are remembered: the last of them may turn out not to count. */
const wordsMax = 64;

export class Mirrors {
  private readonly members: Pick<Members, "has" | "counts">;
  /** The latest first, here and below. */
  private readonly words = new Map<PeerId, Word<Mirror | undefined>[]>();
  /** By peer and channel. */
  private readonly shown = new Map<string, Word<{ readonly epoch: number; readonly manifest: Digest }>[]>();
  private readonly lagging = new Map<string, Word<{ readonly epoch: number; readonly reason: string }>[]>();

  constructor(members: Pick<Members, "has" | "counts">) {
    this.members = members;
  }

  take(entry: SignedEntry, index: number, event: Event): void {
    const { author, inc, seq } = entry.entry;
    const place: Place = [incarnationCounter(inc), seq, index];
    if (event.kind === "mirror.offered")
      put(this.words, author, { place, entry, said: { peer: author, log: event.log, votes: event.votes } });
    else if (event.kind === "mirror.withdrawn") put(this.words, author, { place, entry, said: undefined });
    else if (event.kind === "release.shown")
      put(this.shown, `${author} ${event.channel}`, { place, entry, said: event });
    else if (event.kind === "release.lags")
      put(this.lagging, `${author} ${event.channel}`, { place, entry, said: event });
  }

  /** Members that serve releases, in the order of their ids. */
  all(): Mirror[] {
    return [...this.words.values()]
      .flatMap((words) => this.last(words)?.said ?? [])
      .filter(({ peer }) => this.members.has(peer))
      .sort((a, b) => byText(a.peer, b.peer));
  }

  get(peer: PeerId): Mirror | undefined {
    return this.all().find((m) => m.peer === peer);
  }

  /** What a mirror said last of what it serves. */
  shows(peer: PeerId, channel: string): Shows {
    const shown = this.last(this.shown.get(`${peer} ${channel}`));
    const lags = this.last(this.lagging.get(`${peer} ${channel}`));
    return {
      epoch: shown?.said.epoch ?? 0,
      ...(shown ? { manifest: shown.said.manifest } : {}),
      ...(lags && (!shown || later(lags.place, shown.place))
        ? { lags: { epoch: lags.said.epoch, reason: lags.said.reason } }
        : {}),
    };
  }

  /** The last word that counts: from the place of a fork on none does, and which came first must not matter. */
  private last<T>(words: readonly Word<T>[] = []): Word<T> | undefined {
    return words.find(({ entry }) => this.members.counts(entry));
  }

  /**
   * Who is to vote on the next epoch: an odd number, at most seven, of mirrors that may be chosen and have the role. Who votes now goes on as long as
   * its owner lets it, also while it is away; but a majority of them lives. With nobody to choose those who vote now go on.
   */
  nextVoters(voters: readonly Voter[], lives: (peer: PeerId) => boolean): readonly Voter[] {
    const may = this.all().filter((m) => m.votes && m.log !== "" && this.members.has(m.peer, "releaser"));
    const isOld = (m: Mirror) => voters.some((v) => v.peer === m.peer && v.log === m.log);
    const rank = (m: Mirror): number => (lives(m.peer) ? (isOld(m) ? 0 : 1) : isOld(m) ? 2 : 3);
    // A stable sort: of equal ones the lower id.
    const ranked = may.filter((m) => rank(m) < 3).sort((a, b) => rank(a) - rank(b));
    const living = ranked.filter((m) => lives(m.peer)).length;
    let size = Math.min(ranked.length, votersMax);
    while (size > 0 && (size % 2 === 0 || Math.min(living, size) < quorumOf(size))) size--;
    if (size === 0) return voters;
    return ranked
      .slice(0, size)
      .map(({ peer, log }) => ({ peer, log }))
      .sort((a, b) => byText(a.peer, b.peer));
  }
}

function put<K, T>(words: Map<K, Word<T>[]>, key: K, word: Word<T>): void {
  const known = words.get(key) ?? [];
  words.set(key, known);
  const at = known.findIndex(({ place }) => !later(place, word.place));
  const same = known[at]?.place;
  if (same && !later(word.place, same)) return;
  known.splice(at < 0 ? known.length : at, 0, word);
  known.splice(wordsMax);
}
