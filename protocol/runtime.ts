/**
 * Drives one core over its ports: signs and verifies, keeps effect order and durability, owns the one timer. The machine and the
 * simulator run this very file, so that what a crash cuts off is the same on both. It decides nothing.
 */
import { batchBytes, bytesOf, joined, nothing } from "./batches.ts";
import { bootInputs } from "./boot.ts";
import type { Command, CommandReply, Effect, Ending, Input, Instant } from "./contract.ts";
import type { Core } from "./core.ts";
import { SwarmError } from "./kernel/errors.ts";
import type { PeerId } from "./kernel/ids.ts";
import type { EventBatch, NetworkHandlers, Ports, Restored } from "./ports.ts";
import { prove } from "./proofs.ts";
import {
  encodeAdmission,
  type Greeted,
  readAdmission,
  redemptionHash,
  type TicketProof,
  type Waits,
} from "./swarm/admission.ts";
import { type Message, messageEntriesMax } from "./swarm/message.ts";
import { type Forward, Relays } from "./swarm/relays.ts";
import { type Header, type SignedEntry, signedEntry } from "./timeline/entry.ts";
import { provenBy } from "./timeline/forks.ts";
import { plainWire, type Wire } from "./wire.ts";

/** A write that failed is tried again after this long; until then the node says nothing but that it lives. */
const writeRetryMs = 1000;
/** While so much waits for the disk, what others say is left to a later sync; beats pass. */
const waitingBytesMax = 16 << 20;
/** A message that carries stored entries stays below this. */
const serveBytesMax = 512 << 10;

/** What the runtime tells its owner. None of it is needed to run. */
export interface Observer {
  /** After every step, before anything comes of it. */
  computed?(input: Input, now: Instant, effects: readonly Effect[]): void;
  /** After every step, once its effects are under way. */
  stepped?(input: Input, effects: readonly Effect[]): void;
  /** A peer said something that cannot be true or was refused at the door. */
  refused?(peer: PeerId | undefined, error: SwarmError): void;
  /** A write failed and is tried again. */
  trouble?(error: { code: string; message: string }): void;
  membersChanged?(): void;
  stopped?(because: Ending): void;
}

interface Retry {
  readonly atMonoMs: number;
  readonly batch: EventBatch;
  readonly done: () => void;
  readonly failed: () => void;
}

export class Runtime {
  readonly core: Core;
  private readonly ports: Ports;
  private readonly observer: Observer;
  private readonly wire: Wire;
  private readonly relays: Relays;
  private readonly inputs: Input[] = [];
  private readonly effects: Effect[] = [];
  private stepping = false;
  private writing = false;
  /** The write that all effects wait for failed, and is tried again. */
  private failing = false;
  /** Something of what others said is not on disk, for a write of it failed. */
  private owing = false;
  private ended = false;
  private readonly replies = new Map<number, (reply: CommandReply) => void>();
  private readonly answers = new Map<number, (bytes: Uint8Array | null) => void>();
  /** Bytes of entries and updates among the effects, and in writes under way or to be tried again. */
  private waitingBytes = 0;
  private choking = false;
  /** The write of own words to be tried again. */
  private retry: Retry | undefined;
  /** What others said, as one write to be tried again. */
  private keeping: Pick<Retry, "atMonoMs" | "batch"> | undefined;
  private ids = 0;

  constructor(core: Core, ports: Ports, observer: Observer = {}, wire: Wire = plainWire()) {
    this.core = core;
    this.ports = ports;
    this.observer = observer;
    this.wire = wire;
    const { swarm, self, inc } = core.desk.config;
    this.relays = new Relays({ swarm, self, inc, signer: ports.signer });
  }

  /** Boot: what was on disk, then `node.up`. */
  start(restored: Restored): void {
    for (const input of bootInputs(restored, this.ports.showcase.restored(), this.wire)) this.input(input);
    this.ports.events.watch?.((damages) => this.input({ kind: "damaged", damages }));
  }

  /** A power cut: nothing more happens here. */
  halt(): void {
    this.ended = true;
  }

  /** What a person asks; the reply comes once it is decided and on disk. */
  command(command: Command, reply: (reply: CommandReply) => void): void {
    const id = this.ids++;
    this.replies.set(id, reply);
    this.input({ kind: "command", id, command });
  }

  /** What the network calls. */
  handlers(): NetworkHandlers {
    const { core, ports, wire } = this;
    return {
      admits: (peer) => {
        const member = core.desk.members.get(peer);
        return member !== undefined && member.notAfterMs > ports.clock.now().wallMs;
      },
      knows: (peer) => core.desk.members.has(peer),
      presentation: () => this.presentation(),
      admission: (peer, request, answer, source) => this.admission(peer, request, answer, source ?? peer),
      connected: (peer) => {
        this.relays.connected(peer);
        this.input({ kind: "connected", peer });
      },
      disconnected: (peer) => {
        this.relays.disconnected(peer);
        this.input({ kind: "disconnected", peer });
      },
      message: (from, bytes) =>
        this.guard(from, () => {
          const message = wire.readMessage(bytes);
          if (message.kind === "forward") this.forwarded(from, message, bytes);
          else if (message.kind === "astray") this.relays.astray(from, message.to, ports.clock.now().monoMs);
          else this.heard(from, message);
        }),
      gossip: (bytes, by) => this.guard(by, () => this.gossiped(bytes)),
    };
  }

  private heard(from: PeerId, message: Message): void {
    if (message.kind === "beat") return this.gossiped(message.gossip);
    if (this.chokes()) return;
    if ("entries" in message) this.verify(message.entries);
    if (message.kind === "found") this.verify(message.proofs);
    this.input({ kind: "message", from, message });
  }

  /** What a member says through another: for this node, or to be handed on by it to one that it reaches. */
  private forwarded(through: PeerId, forward: Forward, bytes: Uint8Array): void {
    const { core, ports, relays, wire } = this;
    const { from, to } = forward;
    if (to === core.desk.config.self) {
      if (!core.desk.members.has(from)) return;
      const message = wire.readMessage(relays.open(through, forward));
      if (message.kind === "forward" || message.kind === "astray")
        throw new SwarmError("malformed", "a message within a message within a message");
      return this.heard(from, message);
    }
    if (from !== through || !relays.carries(from, bytes.length, ports.clock.now().monoMs)) return;
    if (!ports.network.send(to, bytes)) ports.network.send(from, wire.encodeMessage({ kind: "astray", to }));
  }

  /** To a member, through a third where it is heard of and not connected. */
  private tell(to: PeerId, message: Uint8Array): void {
    if (this.ports.network.send(to, message) || this.core.desk.status(to) !== "alive") return;
    const wrapped = this.relays.wrap(to, message, this.ports.clock.now().monoMs);
    if (wrapped) this.ports.network.send(wrapped.via, this.wire.encodeMessage(wrapped.forward));
  }

  private gossiped(bytes: Uint8Array): void {
    const { ports, wire } = this;
    const message = wire.readGossip(bytes, ports.signer);
    if (message.kind === "vitals") {
      const { peer } = message.vitals;
      // Two machines under one identity hear of each other by what each of them said.
      ports.network.echo?.(peer, () => wire.encodeMessage({ kind: "beat", gossip: bytes }));
      return this.input({ kind: "gossip", from: peer, message });
    }
    if (message.kind === "request") {
      const { via, peer, ticket } = message.request;
      if (ticket) this.verifyTicket(peer, ticket);
      return this.input({ kind: "gossip", from: via, message });
    }
    if (this.chokes()) return;
    this.verify(message.entries);
    const from = message.entries[0]?.entry.author;
    if (from !== undefined) this.input({ kind: "gossip", from, message });
  }

  input(input: Input): void {
    if (this.ended) return;
    if (this.stepping) {
      this.inputs.push(input);
      return;
    }
    this.stepping = true;
    try {
      this.step(input);
      while (this.inputs.length > 0 && !this.ended) this.step(this.inputs.shift()!);
    } finally {
      this.stepping = false;
    }
    this.rearm();
  }

  private rearm(): void {
    if (this.ended) return;
    let at = this.core.deadline();
    if (this.retry) at = Math.min(at, this.retry.atMonoMs);
    if (this.keeping) at = Math.min(at, this.keeping.atMonoMs);
    if (at < Number.POSITIVE_INFINITY) this.ports.clock.wake(at, this.wake);
  }

  private readonly wake = (): void => {
    const { monoMs } = this.ports.clock.now();
    const { retry, keeping } = this;
    if (retry && retry.atMonoMs <= monoMs) {
      this.retry = undefined;
      this.write(retry.batch, retry.done, retry.failed);
    }
    if (keeping && keeping.atMonoMs <= monoMs) {
      this.keeping = undefined;
      this.waitingBytes -= batchBytes(keeping.batch);
      this.keep({ ...keeping.batch, quiet: false }, true);
    }
    this.input({ kind: "tick" });
  };

  private step(input: Input): void {
    const now = this.ports.clock.now();
    const effects = this.core.step(input, now);
    this.observer.computed?.(input, now, effects);
    for (const effect of effects) {
      // Signing is pure: it happens at once, so that the next step already knows what this one said.
      if (effect.kind === "sign") this.step({ kind: "signed", entry: this.sign(effect) });
      else if (this.failing && passes(effect)) this.now(effect);
      else if (this.effects.length === 0 && !this.writing && !this.ended && effect.kind !== "append")
        this.now(effect);
      else {
        this.effects.push(effect);
        this.waitingBytes += bytesOf(effect);
      }
    }
    this.perform();
    this.observer.stepped?.(input, effects);
  }

  private sign(effect: Extract<Effect, { kind: "sign" }>): SignedEntry {
    return signedEntry(effect.entry, effect.body, effect.id, this.ports.signer.sign(effect.id));
  }

  /** Runs effects in order; own entries are on disk before anything behind them happens. */
  private perform(): void {
    while (!this.writing && !this.ended) {
      const effect = this.effects[0];
      if (!effect) return;
      if (effect.kind === "append") this.append();
      else {
        this.effects.shift();
        this.waitingBytes -= bytesOf(effect);
        this.now(effect);
      }
    }
  }

  private append(): void {
    const entries: SignedEntry[] = [];
    const updates: EventBatch["updates"][number][] = [];
    let durable = false;
    let bytes = 0;
    for (let effect = this.effects[0]; effect?.kind === "append"; effect = this.effects[0]) {
      this.effects.shift();
      bytes += bytesOf(effect);
      entries.push(effect.entry);
      if (effect.update) updates.push({ build: effect.entry.entry.build!, update: effect.update });
      durable ||= effect.durable;
    }
    this.writing = true;
    const written = () => {
      this.writing = false;
      this.waitingBytes -= bytes;
      this.fails(false);
      this.perform();
    };
    const batch: EventBatch = { entries, updates, dropped: [], durable };
    const failed = () => {
      this.retry = { atMonoMs: this.ports.clock.now().monoMs + writeRetryMs, batch, done: written, failed };
      this.fails(true);
    };
    this.write(batch, written, failed);
  }

  private fails(fails: boolean, owing = this.owing): void {
    const before = this.failing || this.owing;
    this.failing = fails;
    this.owing = owing;
    const after = fails || owing;
    if (after !== before) this.input({ kind: "writing", fails: after });
  }

  /** What fails is tried again until it succeeds: what was signed must not be forgotten, and nothing behind it may happen before. */
  private write(batch: EventBatch, done: () => void, failed: () => void): void {
    this.ports.events.write(batch, (error) => {
      if (this.ended) return;
      if (!error) return done();
      this.observer.trouble?.(error);
      failed();
      // Its last word cannot be written: nobody hears it, and nothing that follows it matters.
      const last = this.effects.find((e) => e.kind === "stopped");
      if (last) this.now(last);
      this.rearm();
    });
  }

  /** Whether too much waits for the disk to take in more of what others say. It is told once each time. */
  private chokes(): boolean {
    const chokes = this.waitingBytes > waitingBytesMax;
    if (chokes && !this.choking)
      this.observer.trouble?.({
        code: "refused",
        message: `${this.waitingBytes} bytes wait for the disk; what others say is left out until they are written`,
      });
    this.choking = chokes;
    return chokes;
  }

  private now(effect: Effect): void {
    const { ports } = this;
    switch (effect.kind) {
      case "keep":
      case "keep-update":
        return this.keep({
          ...nothing,
          entries: effect.entries,
          updates: effect.kind === "keep" ? [] : [effect],
        });
      case "archive":
        return this.keep({ ...nothing, dropped: [effect.build], archived: [effect] });
      case "forget":
        return this.keep({ ...nothing, forgotten: [effect] });
      case "keep-history":
        // Not tried again: the next one holds all of it.
        return ports.events.write(
          { ...nothing, history: effect.history },
          (error) => error && !this.ended && this.observer.trouble?.(error),
        );
      case "send":
        return this.tell(effect.to, this.wire.encodeMessage(effect.message));
      case "gossip": {
        const gossip = this.wire.encodeGossip(effect.message, ports.signer);
        ports.network.gossip(gossip);
        for (const peer of effect.to ?? [])
          ports.network.send(peer, this.wire.encodeMessage({ kind: "beat", gossip }));
        return;
      }
      case "serve":
        return this.serve(effect);
      case "recall": {
        const { author, inc, seq } = effect;
        return ports.events.range(author, inc, seq, seq, (entries) =>
          this.input({ kind: "recalled", author, inc, seq, entries }),
        );
      }
      case "read-blob":
        return ports.artifacts.read(effect.want, (bytes) =>
          this.input({ kind: "blob-read", digest: effect.want.digest, bytes }),
        );
      case "read-tree":
        return ports.artifacts.readTree(effect.want, (files) =>
          this.input({ kind: "tree-read", digest: effect.want.digest, files }),
        );
      case "look-up":
        return ports.artifacts.lookUp(effect.keys, (hits) => {
          const { keys, asker } = effect;
          if (!asker) return this.input({ kind: "looked-up", keys, hits });
          prove(hits, ports.events, (proven) => this.input({ kind: "looked-up", keys, hits: proven, asker }));
        });
      case "remember":
        return ports.events.remember(effect.key, effect.result, effect.made);
      case "fetch":
        return ports.artifacts.fetch(effect.wants, (missing, fetchedBytes) =>
          this.input({ kind: "fetched", id: effect.id, missing, fetchedBytes }),
        );
      case "store":
        return ports.artifacts.put(effect.bytes, (ok) =>
          this.input({ kind: "stored", digest: effect.digest, ok }),
        );
      case "inspect":
        return ports.inspector.inspect(effect.packages, (inspections) =>
          this.input({ kind: "inspected", id: effect.id, inspections }),
        );
      case "publish":
        return ports.showcase.run(effect.step, (error) =>
          this.input({ kind: "published", id: effect.id, ...(error ? { error } : {}) }),
        );
      case "execute":
        return ports.executor.execute(effect.request, (outcome) =>
          this.input({ kind: "executed", claim: effect.request.claim, outcome }),
        );
      case "kill":
        return ports.executor.kill(effect.claim, effect.reason);
      case "survey":
        return ports.executor.survey(effect.tools);
      case "reply": {
        const reply = this.replies.get(effect.id);
        this.replies.delete(effect.id);
        return reply?.(effect.reply);
      }
      case "admission": {
        const answer = this.answers.get(effect.id);
        this.answers.delete(effect.id);
        return answer?.(this.admissionReply(effect));
      }
      case "members-changed":
        return this.observer.membersChanged?.();
      case "admitted":
        return this.input({ kind: "admitted", id: effect.id, peer: effect.peer });
      case "stopped":
        return this.observer.stopped?.(effect.because);
      case "sign":
      case "append":
        return;
    }
  }

  /**
   * What others said: what fails is tried again, all of it as one write. Whoever cannot keep it takes no part until that write has
   * succeeded: one that only listens would otherwise stay steward of what it cannot read.
   */
  private keep(batch: EventBatch, again = false): void {
    this.write(
      batch,
      () => {
        if (again && !this.keeping) this.fails(this.failing, false);
      },
      () => {
        const { keeping } = this;
        this.waitingBytes += batchBytes(batch);
        this.keeping = {
          atMonoMs: keeping?.atMonoMs ?? this.ports.clock.now().monoMs + writeRetryMs,
          batch: keeping ? joined(keeping.batch, batch) : batch,
        };
        this.fails(this.failing, true);
      },
    );
  }

  private serve(effect: Extract<Effect, { kind: "serve" }>): void {
    const { author, inc, build, fromSeq, toSeq, to } = effect;
    this.ports.events.range(author, inc, fromSeq, toSeq, (found) => {
      let batch: SignedEntry[] = [];
      let size = 0;
      const flush = () => {
        if (batch.length > 0) this.tell(to, this.wire.encodeMessage({ kind: "entries", entries: batch }));
        batch = [];
        size = 0;
      };
      for (const entry of found) {
        if (entry.entry.build !== build) continue; // what a ledger carries goes with it
        batch.push(entry);
        size += entry.bytes.length;
        if (size >= serveBytesMax || batch.length >= messageEntriesMax / 2) flush();
      }
      flush();
    });
  }

  private presentation(): Uint8Array {
    const { members, config } = this.core.desk;
    return encodeAdmission({
      kind: "present",
      swarm: config.swarm,
      certificates: members.certificatesOf(config.self),
      wallMs: this.ports.clock.now().wallMs,
    });
  }

  private admission(
    peer: PeerId,
    bytes: Uint8Array,
    answer: (reply: Uint8Array | null) => void,
    source: string,
  ): void {
    try {
      const request = readAdmission(bytes);
      if (this.core.desk.members.has(peer)) this.input({ kind: "clock", peer, wallMs: request.wallMs });
      if (request.kind === "greet") return answer(encodeAdmission(this.greeted("greeted")));
      if (request.kind === "greeted" || request.kind === "pending")
        throw new SwarmError("malformed", "an answer that nobody asked for");
      // Nobody hears of his own revocation by gossip: whoever turns him away shows it.
      if (request.kind === "refused" && request.because) {
        this.verify(request.because);
        const { swarm } = this.core.desk.config;
        const presentation = { kind: "present", swarm, certificates: request.because, wallMs: 0 } as const;
        this.input({ kind: "presented", id: this.ids++, peer, presentation });
      }
      if (request.kind === "refused")
        throw new SwarmError(request.code, `${peer} refused this node: ${request.message}`, {
          remedy: request.remedy,
        });
      if (request.kind === "present") this.verify(request.certificates);
      else if (request.kind === "redeem") this.verifyTicket(peer, request, request.swarm);
      const id = this.ids++;
      this.answers.set(id, answer);
      if (request.kind === "present") this.input({ kind: "presented", id, peer, presentation: request });
      else if (request.kind === "ask") this.input({ kind: "asked", id, peer, ask: request, source });
      else this.input({ kind: "redeemed", id, peer, redemption: request, source });
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      this.observer.refused?.(peer, error);
      answer(null);
    }
  }

  private admissionReply(effect: Extract<Effect, { kind: "admission" }>): Uint8Array {
    const { reply } = effect;
    const { wallMs } = this.ports.clock.now();
    if (reply.ok === "pending") return encodeAdmission(this.greeted("pending"));
    if (reply.ok)
      return encodeAdmission({
        kind: "present",
        swarm: this.core.desk.config.swarm,
        certificates: reply.certificates,
        wallMs,
      });
    const { code, message, remedy, because } = reply;
    this.observer.refused?.(undefined, new SwarmError(code, message, { remedy }));
    return encodeAdmission({
      kind: "refused",
      code,
      message,
      ...(remedy ? { remedy } : {}),
      ...(because ? { because } : {}),
      wallMs,
    });
  }

  /** Who this node is, to a stranger. */
  private greeted(kind: "greeted" | "pending"): Greeted | Waits {
    const { members, config } = this.core.desk;
    return {
      kind,
      swarm: config.swarm,
      swarmName: members.swarmName,
      name: members.nameOf(config.self) ?? config.name,
      members: members.size,
      seen: members.all().filter(({ peer }) => this.core.desk.status(peer) === "alive").length,
      wallMs: this.ports.clock.now().wallMs,
    };
  }

  private verifyTicket(
    peer: PeerId,
    { key, nonce, proof }: TicketProof,
    swarm = this.core.desk.config.swarm,
  ): void {
    if (
      !this.ports.signer.verify(key, Buffer.from(redemptionHash(swarm, peer, nonce)).toString("hex"), proof)
    )
      throw new SwarmError("unauthentic", "the ticket's proof does not hold");
  }

  private verify(entries: readonly SignedEntry[]): void {
    for (const entry of entries) {
      this.verifyOne(entry);
      for (const header of provenBy(entry)) this.verifyOne(header);
    }
  }

  private verifyOne(signed: Header): void {
    const { author, swarm } = signed.entry;
    if (!this.wire.holds(signed, this.ports.signer))
      throw new SwarmError("unauthentic", `an entry of ${author} has a wrong signature`);
    if (swarm !== this.core.desk.config.swarm)
      throw new SwarmError("wrong-swarm", `an entry of ${author} belongs to another swarm`);
  }

  /** What a peer sends is refused as a whole when any of it is wrong; nothing of it reaches the core. */
  private guard(peer: PeerId | undefined, take: () => void): void {
    try {
      take();
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      this.observer.refused?.(peer, error);
    }
  }
}

/** Whoever cannot write is not dead: its beats pass, and say that it takes nothing; and people hear what it refuses them. */
const passes = (effect: Effect): boolean =>
  (effect.kind === "gossip" && effect.message.kind === "vitals") ||
  (effect.kind === "reply" && !effect.reply.ok);
