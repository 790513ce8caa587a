/** Who asked this node for a large blob not long ago: each of them may soon hold pieces that the others want. */
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";

const digestsMax = 256;
const peersMax = 16;
const askedMsMax = 120_000;

export class Askers {
  readonly #asked = new Map<Digest, Map<PeerId, number>>();
  readonly #watchers = new Map<Digest, Set<(peer: PeerId) => void>>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  note(digest: Digest, peer: PeerId): void {
    const peers = this.#asked.get(digest) ?? new Map<PeerId, number>();
    this.#asked.delete(digest);
    this.#asked.set(digest, peers);
    if (this.#asked.size > digestsMax) this.#asked.delete(this.#asked.keys().next().value!);
    peers.delete(peer);
    peers.set(peer, this.#now());
    if (peers.size > peersMax) peers.delete(peers.keys().next().value!);
    for (const tell of this.#watchers.get(digest) ?? []) tell(peer);
  }

  /** The latest first. */
  of(digest: Digest): PeerId[] {
    const since = this.#now() - askedMsMax;
    return [...(this.#asked.get(digest) ?? [])]
      .filter(([, atMs]) => atMs >= since)
      .map(([peer]) => peer)
      .reverse();
  }

  /** Hears of everyone that asks from now on, until what it returns is called. */
  watch(digest: Digest, tell: (peer: PeerId) => void): () => void {
    const watchers = this.#watchers.get(digest) ?? new Set();
    this.#watchers.set(digest, watchers.add(tell));
    return () => {
      watchers.delete(tell);
      if (watchers.size === 0) this.#watchers.delete(digest);
    };
  }
}
