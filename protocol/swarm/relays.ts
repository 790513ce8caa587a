/**
 * Ways through a third: a message to a member that cannot be reached is handed to one that may reach it, sealed by its author, so that whoever
 * carries it can neither change it nor say it again. One hop, no routes: who does not reach the receiver says so and is passed over for a while.
 */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import { type Incarnation, incarnationCounter, type PeerId, type SwarmId } from "../kernel/ids.ts";
import type { Signer } from "../ports.ts";
import { forwardBytesMax, type Message } from "./message.ts";

export type Forward = Extract<Message, { kind: "forward" }>;

/** Who said it does not reach somebody is not asked again for so long. */
const astrayMs = 5_000;
/** Pairs of which that is remembered. */
const astrayMax = 4096;
/** What a node carries for one other: so much at once, and so much in the long run. */
const carryBytesMax = 16 << 20;
const carryBytesPerMs = 2048;

export interface RelaysOptions {
  readonly swarm: SwarmId;
  readonly self: PeerId;
  readonly inc: Incarnation;
  readonly signer: Signer;
}

export class Relays {
  private readonly options: RelaysOptions;
  private readonly links = new Set<PeerId>();
  /** Until when a link is passed over for a receiver; key `link receiver`. */
  private readonly astrayMonoMs = new Map<string, number>();
  /** Through whom an author was heard last: likely a way back. */
  private readonly heardThrough = new Map<PeerId, PeerId>();
  /** The last number of each author, with the start it belongs to. */
  private readonly last = new Map<PeerId, readonly [start: number, number: number]>();
  private readonly carried = new Map<PeerId, { bytes: number; atMonoMs: number }>();
  private said = 0;

  constructor(options: RelaysOptions) {
    this.options = options;
  }

  connected(peer: PeerId): void {
    this.links.add(peer);
    for (const key of this.astrayMonoMs.keys()) if (key.startsWith(peer)) this.astrayMonoMs.delete(key);
  }

  disconnected(peer: PeerId): void {
    this.links.delete(peer);
  }

  /** The message as a third is to carry it, and who; undefined where nobody may. */
  wrap(to: PeerId, message: Uint8Array, monoMs: number): { via: PeerId; forward: Forward } | undefined {
    if (message.length > forwardBytesMax) return undefined;
    const via = this.way(to, monoMs);
    if (via === undefined) return undefined;
    const { self, inc, signer } = this.options;
    const sealed = { from: self, to, stamp: [incarnationCounter(inc), ++this.said] as const, message };
    return { via, forward: { kind: "forward", ...sealed, sig: signer.sign(this.hash(sealed)) } };
  }

  /** The message that a third brought for this node. Throws `unauthentic` for one that its author did not seal, or that came before. */
  open(through: PeerId, forward: Forward): Uint8Array {
    const { from, stamp, message, sig } = forward;
    const last = this.last.get(from);
    if (last && (stamp[0] < last[0] || (stamp[0] === last[0] && stamp[1] <= last[1])))
      throw new SwarmError("unauthentic", `${through} brings again what ${from} said before`);
    if (!this.options.signer.verify(from, this.hash(forward), sig))
      throw new SwarmError("unauthentic", `${through} brings what ${from} did not say`);
    this.last.set(from, stamp);
    this.heardThrough.set(from, through);
    return message;
  }

  /** A link says that it does not reach a receiver either. */
  astray(via: PeerId, to: PeerId, monoMs: number): void {
    if (this.astrayMonoMs.size >= astrayMax) this.astrayMonoMs.clear();
    this.astrayMonoMs.set(`${via} ${to}`, monoMs + astrayMs);
  }

  /** Whether this node carries so much more for another. */
  carries(from: PeerId, bytes: number, monoMs: number): boolean {
    const known = this.carried.get(from) ?? { bytes: 0, atMonoMs: monoMs };
    known.bytes = Math.max(0, known.bytes - (monoMs - known.atMonoMs) * carryBytesPerMs);
    known.atMonoMs = monoMs;
    this.carried.set(from, known);
    if (known.bytes + bytes > carryBytesMax) return false;
    known.bytes += bytes;
    return true;
  }

  private way(to: PeerId, monoMs: number): PeerId | undefined {
    const open = (via: PeerId) =>
      via !== to && this.links.has(via) && (this.astrayMonoMs.get(`${via} ${to}`) ?? monoMs) <= monoMs;
    const known = this.heardThrough.get(to);
    if (known !== undefined && open(known)) return known;
    for (const via of this.links) if (open(via)) return via;
    return undefined;
  }

  private hash({ from, to, stamp, message }: Pick<Forward, "from" | "to" | "stamp" | "message">): string {
    const { swarm } = this.options;
    return sha256Hex(encode(["swarmd-forward-1", swarm, from, to, ...stamp, sha256Hex(message)]));
  }
}
