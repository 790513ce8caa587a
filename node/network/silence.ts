/**
 * Finds connections whose other end went without a word: where nothing came from a peer for a while, its connections are asked for an echo, and one that
 * gives none is given up. A peer that is heard is not asked: nearly all are, by their beats alone.
 */
import type { Connection } from "@libp2p/interface";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import type { Every } from "../rounds.ts";
import { peerOf } from "./gate.ts";

const lookMs = 10_000;
/** Longer than between two beats of a calm member. */
const silentMs = 15_000;
/** On a line that loses much, an echo takes seconds; one that is slow must not end. */
const echoMsMax = 15_000;

export interface SilenceOptions {
  /** All that are open, whoever is at the other end. */
  readonly connections: () => readonly Connection[];
  /** Whether the other end gives an echo in that time. */
  readonly echoes: (connection: Connection, withinMs: number) => Promise<boolean>;
  readonly every: Every;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly log: Pick<Log, "debug">;
}

export class Silence {
  readonly #options: SilenceOptions;
  readonly #heardMs = new Map<PeerId, number>();
  readonly #asked = new WeakSet<Connection>();
  readonly stop: () => void;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.stop = options.every(lookMs, () => this.#look());
  }

  /** Something came from a peer, from it and not through another. */
  heard(peer: PeerId): void {
    this.#heardMs.set(peer, this.#options.now());
  }

  #look() {
    const all = Map.groupBy(this.#options.connections(), peerOf);
    for (const peer of this.#heardMs.keys()) if (!all.has(peer)) this.#heardMs.delete(peer);
    const sinceMs = this.#options.now() - silentMs;
    for (const [peer, connections] of all) {
      // of several, what is heard comes over one
      if (connections.length === 1 && (this.#heardMs.get(peer) ?? Number.NEGATIVE_INFINITY) > sinceMs)
        continue;
      for (const connection of connections) void this.#ask(peer, connection);
    }
  }

  async #ask(peer: PeerId, connection: Connection) {
    if (this.#asked.has(connection)) return;
    this.#asked.add(connection);
    const isThere = await this.#options.echoes(connection, echoMsMax);
    this.#asked.delete(connection);
    if (isThere || connection.status !== "open") return;
    this.#options.log.debug({ peer }, "a connection is given up: its other end does not answer");
    connection.abort(new Error("its other end does not answer"));
  }
}
