/** Keeps the members of the peer book connected: dials those that are not, again and again, ever more slowly. */
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";

const firstDelayMs = 250;
const delayMsMax = 15_000;
/** A link that held this long makes the next loss a new story. */
const steadyMs = 5_000;

export interface DialerOptions {
  readonly self: PeerId;
  readonly admits: (peer: PeerId) => boolean;
  readonly connected: (peer: PeerId) => boolean;
  /** Best first. */
  readonly addresses: (peer: PeerId) => readonly string[];
  /** Resolves once a connection is open (it may yet fail to become a link). */
  readonly dial: (peer: PeerId, addresses: readonly string[]) => Promise<unknown>;
  readonly log: Log;
  /** In [0, 1): spreads redials of many nodes. */
  readonly random?: () => number;
}

interface Attempts {
  failed: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  dialing: boolean;
  /** Lost again before the dial had returned. */
  again: boolean;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #peers = new Map<PeerId, Attempts>();
  #stopped = false;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Dials at once, whatever waits; for addresses just learned. */
  now(peer: PeerId): void {
    const attempts = this.#attempts(peer);
    attempts.failed = 0;
    clearTimeout(attempts.timer);
    attempts.timer = undefined;
    void this.#dial(peer, attempts);
  }

  /**
   * Sees to it that these are connected or being dialled. Of two that start together the one with the lower id dials, the
   * other waits a moment: one connection does for both.
   */
  ensure(peers: readonly PeerId[]): void {
    for (const peer of peers) {
      if (!this.#wanted(peer)) continue;
      const attempts = this.#attempts(peer);
      if (attempts.timer) continue;
      if (this.#options.self < peer) void this.#dial(peer, attempts);
      else this.#later(peer, attempts);
    }
  }

  /** A connection to this peer ended after it was a link for `linkedMs` (0: never was). */
  lost(peer: PeerId, linkedMs: number): void {
    if (!this.#wanted(peer)) return;
    const attempts = this.#attempts(peer);
    if (linkedMs >= steadyMs) attempts.failed = 0;
    this.#later(peer, attempts);
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#peers.values()) clearTimeout(timer);
    this.#peers.clear();
  }

  #wanted(peer: PeerId): boolean {
    const { admits, connected, addresses } = this.#options;
    return !this.#stopped && admits(peer) && !connected(peer) && addresses(peer).length > 0;
  }

  #attempts(peer: PeerId): Attempts {
    let attempts = this.#peers.get(peer);
    if (!attempts) {
      attempts = { failed: 0, timer: undefined, dialing: false, again: false };
      this.#peers.set(peer, attempts);
    }
    return attempts;
  }

  #later(peer: PeerId, attempts: Attempts) {
    if (attempts.dialing) attempts.again = true;
    if (this.#stopped || attempts.timer || attempts.dialing) return;
    const delayMs = Math.min(firstDelayMs * 2 ** Math.min(attempts.failed, 10), delayMsMax);
    attempts.failed++;
    const jitter = 0.75 + 0.5 * (this.#options.random ?? Math.random)();
    attempts.timer = setTimeout(() => {
      attempts.timer = undefined;
      void this.#dial(peer, attempts);
    }, delayMs * jitter);
  }

  async #dial(peer: PeerId, attempts: Attempts) {
    if (attempts.dialing || !this.#wanted(peer)) return;
    attempts.dialing = true;
    attempts.again = false;
    let opened = false;
    try {
      await this.#options.dial(peer, this.#options.addresses(peer));
      opened = true;
    } catch (error) {
      this.#options.log.debug({ peer, err: error }, "a member could not be dialled");
    } finally {
      attempts.dialing = false;
    }
    // an open connection that becomes no link ends, and is reported as lost
    if ((!opened || attempts.again) && this.#wanted(peer)) this.#later(peer, attempts);
  }
}
