/** What a node brings here for others is bounded for each of them: anyone may send it for anything, and its disk is its own. */
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";

/** Of one peer at once. */
const openMax = 2;
/** What a peer may have brought in one go; given back at so many bytes a millisecond. */
const burstBytes = 4 * 2 ** 30;
const bytesPerMs = 256;
const peersMax = 1024;

interface Account {
  open: number;
  usedBytes: number;
  atMs: number;
}

export class Errands {
  readonly #accounts = new Map<PeerId, Account>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Call what it returns when the blob is here or given up; undefined when the peer has had enough for now. */
  begin(peer: PeerId, digest: Digest): (() => void) | undefined {
    const account = this.#of(peer);
    if (account.open >= openMax || account.usedBytes + sizeOf(digest) > burstBytes) return undefined;
    account.open++;
    account.usedBytes += sizeOf(digest);
    let open = true;
    return () => {
      if (open) account.open--;
      open = false;
    };
  }

  #of(peer: PeerId): Account {
    const nowMs = this.#now();
    const known = this.#accounts.get(peer) ?? { open: 0, usedBytes: 0, atMs: nowMs };
    known.usedBytes = Math.max(0, known.usedBytes - (nowMs - known.atMs) * bytesPerMs);
    known.atMs = nowMs;
    this.#accounts.delete(peer);
    this.#accounts.set(peer, known);
    if (this.#accounts.size > peersMax) this.#accounts.delete(this.#accounts.keys().next().value!);
    return known;
  }
}
