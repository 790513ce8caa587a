/**
 * Asking others for results this node does not know of: of builds that ended before it joined, or that lie where nobody said. One message
 * to each peer for all that became ready together; whoever takes too long is not waited for.
 */
import type { Asker, CacheHit } from "../contract.ts";
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import { type Message, messageEntriesMax, seekKeysMax } from "../swarm/message.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Desk } from "./desk.ts";

/** Answers are waited for so long; what comes later is still of use while nobody took the action. */
const seekMsMax = 250;
/** A peer that did not answer in time is left alone for so long. */
const restMs = 5000;
const peersMax = 8;
/** Looked up for others at once, and results in one answer. */
const askersMax = 64;
const partBytesMax = 1 << 20;

type Seek = Extract<Message, { kind: "seek" }>;
type Found = Extract<Message, { kind: "found" }>;

interface Search {
  readonly keys: readonly Digest[];
  readonly waitingFor: Set<PeerId>;
  readonly untilMonoMs: number;
}

export class Seeker {
  private readonly desk: Desk;
  private readonly open = new Map<string, Search>();
  private readonly restUntilMonoMs = new Map<PeerId, number>();
  private askers = 0;
  private count = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Asks who may know; of what is `unlikely` to be known only those who know of more than this node. False when there is nobody to ask. */
  seek(keys: readonly Digest[], unlikely: boolean): boolean {
    const { desk } = this;
    const peers = this.peers(unlikely);
    if (peers.length === 0) return false;
    for (let at = 0; at < keys.length; at += seekKeysMax) {
      const some = keys.slice(at, at + seekKeysMax);
      const id = `${desk.config.inc}.${this.count++}`;
      const untilMonoMs = desk.now.monoMs + seekMsMax;
      this.open.set(id, { keys: some, waitingFor: new Set(peers), untilMonoMs });
      for (const to of peers) desk.emit({ kind: "send", to, message: { kind: "seek", id, keys: some } });
    }
    return true;
  }

  /** An answer; the keys that are no longer waited for, when it was the last. */
  found(from: PeerId, { id, last }: Found): readonly Digest[] {
    const search = this.open.get(id);
    if (!search?.waitingFor.has(from) || !last) return [];
    search.waitingFor.delete(from);
    if (search.waitingFor.size > 0) return [];
    this.open.delete(id);
    return search.keys;
  }

  /** Keys whose answers are no longer waited for. */
  late(): Digest[] {
    const { now } = this.desk;
    const keys: Digest[] = [];
    for (const [id, search] of this.open) {
      for (const peer of search.waitingFor)
        if (this.desk.status(peer) === "dead") search.waitingFor.delete(peer);
      if (search.waitingFor.size > 0 && search.untilMonoMs > now.monoMs) continue;
      for (const peer of search.waitingFor) this.restUntilMonoMs.set(peer, now.monoMs + restMs);
      this.open.delete(id);
      keys.push(...search.keys);
    }
    return keys;
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { untilMonoMs } of this.open.values()) at = Math.min(at, untilMonoMs);
    return at;
  }

  /** Another wants to know: what this node finds, it tells. Beyond a bound it says nothing, and is not waited for. */
  sought(from: PeerId, { id, keys }: Seek): void {
    if (this.askers >= askersMax) return;
    this.askers++;
    this.desk.emit({ kind: "look-up", keys, asker: { peer: from, id } });
  }

  /** What was looked up for another and can be proved goes to it, in parts. */
  tell({ peer, id }: Asker, hits: readonly CacheHit[]): void {
    this.askers--;
    let found: Found["hits"][number][] = [];
    let proofs = new Map<SignedEntry, number>();
    let bytes = 0;
    const send = (last: boolean) => {
      const message: Found = { kind: "found", id, hits: found, proofs: [...proofs.keys()], last };
      this.desk.emit({ kind: "send", to: peer, message });
      found = [];
      proofs = new Map();
      bytes = 0;
    };
    for (const { key, from, made, proof } of hits) {
      const by = proof && made.find((m) => m.by === proof.entry.author);
      if (!by) continue;
      const size = 200 + by.action.length + proof.bytes.length;
      if (bytes + size > partBytesMax || proofs.size >= messageEntriesMax / 2) send(false);
      const place = proofs.get(proof) ?? proofs.size;
      if (!proofs.has(proof)) bytes += proof.bytes.length;
      proofs.set(proof, place);
      found.push({ key, action: by.action, from, proof: place });
      bytes += 200 + by.action.length;
    }
    send(true);
  }

  /** Members that are there and answer, each node beginning with the next after itself, so that not all ask the same. */
  private peers(thatKnowMore: boolean): PeerId[] {
    const { desk } = this;
    const { self } = desk.config;
    const may = desk.members
      .all()
      .map((m) => m.peer)
      .filter(
        (p) =>
          p !== self &&
          desk.members.has(p, "builder") &&
          desk.peers.isConnected(p) &&
          desk.status(p) === "alive" &&
          (this.restUntilMonoMs.get(p) ?? 0) <= desk.now.monoMs &&
          (!thatKnowMore || this.knowsMore(p)),
      );
    const after = may.findIndex((p) => p > self);
    const from = Math.max(after, 0);
    return [...may.slice(from), ...may.slice(0, from)].slice(0, peersMax);
  }

  /** Whether a member may have seen results that this node has not: its last beat tells of ended builds that are not the same here. */
  private knowsMore(peer: PeerId): boolean {
    const { archive, builds, peers } = this.desk;
    const vitals = peers.vitals(peer);
    if (vitals?.archive !== archive.digest()) return true;
    for (const id in vitals.ledgers) {
      const build = builds.get(id as BuildId);
      // What lives grows all the time, and gossip brings it.
      if (!build || (!build.live && build.ledger.digest() !== vitals.ledgers[id as BuildId])) return true;
    }
    return false;
  }
}
