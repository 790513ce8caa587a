/** A few cores driven by hand: everything around them is a queue, one pot of blobs, and the rules a test sets. */

import { encodeGraph, type Graph, type InputFile } from "../../protocol/build/graph.ts";
import type {
  Command,
  CommandReply,
  Effect,
  ExecuteOutcome,
  ExecuteRequest,
  Input,
} from "../../protocol/contract.ts";
import { Core } from "../../protocol/core.ts";
import { sha256, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { firstLogOf } from "../../protocol/release/ballot.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { encodeMessage, type Message, readMessage } from "../../protocol/swarm/message.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { Role } from "../../protocol/timeline/events.ts";
import type { ActionState } from "../../protocol/work/actions.ts";
import type { Build } from "../../protocol/work/build.ts";
import { readUpdate } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { blob } from "../work/facts.ts";

const epochMs = 1_764_000_000_000;
const notAfterMs = epochMs + 365 * 86_400_000;
const latencyMs = 2;
/** More steps than this at one moment are a core that never comes to rest. */
const stepsPerMomentMax = 20_000;

export interface Traits {
  readonly slots?: number;
  readonly small?: boolean;
  readonly roles?: readonly Role[];
  /** How long it keeps ended builds in full; absent: for good. */
  readonly timelineKeptMs?: number;
  readonly vitals?: Partial<LocalVitals>;
}

export interface Rules {
  /** How an action ends and after how long; undefined: it is done after 100 ms. `never` ends only when it is killed. */
  run?(
    request: ExecuteRequest,
    node: Node,
  ): { ms: number; outcome?: ExecuteOutcome; never?: boolean } | undefined;
  /** Whether a message or gossip gets lost. */
  drops?(
    from: string,
    to: string,
    message: Message | { kind: "vitals" | "ledger" | "entries" | "request" },
  ): boolean;
  /** What happens in place of the effect; true: it was dealt with. */
  instead?(node: Node, effect: Effect): boolean;
  /** Sees every step. */
  stepped?(node: Node, input: Input, effects: readonly Effect[]): void;
}

const signed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
};

/** One daemon: a core and what its machine keeps. */
export class Node {
  readonly name: string;
  readonly peer: PeerId;
  readonly slots: number;
  readonly small: boolean;
  readonly roles: readonly Role[];
  readonly timelineKeptMs: number | undefined;
  readonly vitals: LocalVitals;
  core!: Core;
  up = false;
  starts = 0;
  readonly blobs = new Set<Digest>();
  entries: SignedEntry[] = [];
  readonly updates = new Map<BuildId, Uint8Array[]>();
  readonly records = new Map<BuildId, Uint8Array>();
  /** Every effect so far, with its moment. */
  readonly effects: { readonly atMs: number; readonly effect: Effect }[] = [];
  readonly running = new Map<string, ExecuteRequest>();

  constructor(name: string, traits: Traits) {
    this.name = name;
    this.peer = fakePeer(name);
    this.slots = traits.slots ?? 1;
    this.small = traits.small ?? false;
    this.roles = traits.roles ?? ["builder", "submitter"];
    this.timelineKeptMs = traits.timelineKeptMs;
    this.vitals = {
      cores: this.slots,
      load: 0,
      pressurePercent: "unknown",
      temperatureCelsius: "unknown",
      headroomCelsius: "unknown",
      memoryTotalBytes: 2 ** 33,
      memoryFreeBytes: 2 ** 33,
      diskTotalBytes: 2 ** 36,
      diskFreeBytes: 2 ** 35,
      sandbox: "bubblewrap",
      target: "x86_64-linux-gnu",
      toolchains: {},
      ...traits.vitals,
    };
  }

  build(id: BuildId): Build {
    return this.core.desk.builds.get(id)!;
  }

  of<K extends Effect["kind"]>(kind: K): Extract<Effect, { kind: K }>[] {
    return this.effects.flatMap(({ effect }) =>
      effect.kind === kind ? [effect as Extract<Effect, { kind: K }>] : [],
    );
  }

  /** Every event this node said, in order. */
  said(kind?: string): Record<string, unknown>[] {
    const events = this.of("append").flatMap((e) => e.entry.entry.events);
    return kind === undefined ? events : events.filter((event) => event.kind === kind);
  }

  sent<K extends Message["kind"]>(kind: K): { to: PeerId; message: Extract<Message, { kind: K }> }[] {
    return this.of("send").flatMap(({ to, message }) =>
      message.kind === kind ? [{ to, message: message as Extract<Message, { kind: K }> }] : [],
    );
  }
}

export class Cores {
  nowMs = 1000;
  rules: Rules;
  readonly nodes: readonly Node[];
  readonly graphs = new Map<Digest, Uint8Array>();
  readonly trees = new Map<Digest, readonly InputFile[]>();
  readonly executions: {
    readonly node: string;
    readonly build: BuildId;
    readonly action: string;
    readonly atMs: number;
  }[] = [];
  readonly founding: SignedEntry;
  private readonly queue: { readonly atMs: number; readonly run: () => void }[] = [];
  private readonly replies: CommandReply[] = [];

  constructor(traits: Readonly<Record<string, Traits>>, rules: Rules = {}) {
    this.rules = rules;
    this.nodes = Object.entries(traits).map(([name, t]) => new Node(name, t));
    const [admin, ...others] = this.nodes;
    const entry = foundingEntry({
      name: "hand",
      root: fakePeer("root"),
      nonce: "0".repeat(32),
      admin: admin!.peer,
      adminName: admin!.name,
      nowMs: epochMs,
      notAfterMs,
    });
    const admitted = others.map(({ peer, name, roles }) => ({
      kind: "member.admitted",
      peer,
      name,
      roles,
      notAfterMs,
    }));
    this.founding = signed({ ...entry, events: [...entry.events, ...admitted] });
    for (const node of this.nodes) node.entries.push(this.founding);
    for (const node of this.nodes) this.start(node.name);
    this.runFor(1200); // everybody has heard everybody
  }

  node(name: string): Node {
    return this.nodes.find((n) => n.name === name)!;
  }

  start(name: string): void {
    const node = this.node(name);
    node.up = true;
    const seed = sha256(Buffer.from(`${name} ${node.starts}`)).subarray(0, 16);
    const inc = `${++node.starts}-0000000${node.starts}` as Incarnation;
    const { swarm } = this.founding.entry;
    node.core = new Core(
      {
        swarm,
        self: node.peer,
        name,
        inc,
        seed,
        version: "0",
        slots: node.slots,
        unsafeNoSandbox: false,
        scheduling: defaultScheduling,
        small: node.small,
        ...(node.timelineKeptMs === undefined ? {} : { timelineKeptMs: node.timelineKeptMs }),
        voteLog: node === this.nodes[0] ? firstLogOf(swarm) : sha256Hex(`votes of ${name}`).slice(0, 16),
      },
      this.now(),
    );
    this.step(node, {
      kind: "restored-entries",
      entries: node.entries.filter((e) => e.entry.build === undefined),
    });
    this.step(node, { kind: "restored-archive", records: [...node.records.values()] });
    for (const [build, updates] of node.updates)
      this.step(node, {
        kind: "restored-ledger",
        build,
        updates: [...updates],
        entries: updates.flatMap((u) => readUpdate(build, u)),
      });
    this.step(node, { kind: "started" });
    this.step(node, { kind: "sensed", vitals: node.vitals });
    for (const other of this.nodes)
      if (other !== node && other.up) {
        this.step(node, { kind: "connected", peer: other.peer });
        this.step(other, { kind: "connected", peer: node.peer });
      }
  }

  /** SIGKILL; the others see the connection close at once, unless it is `silent`. */
  kill(name: string, silent = false): void {
    const node = this.node(name);
    node.up = false;
    node.running.clear();
    if (!silent)
      for (const other of this.nodes)
        if (other.up) this.step(other, { kind: "disconnected", peer: node.peer });
  }

  command(name: string, command: Command): CommandReply | undefined {
    const id = this.replies.length;
    this.replies.length++;
    this.step(this.node(name), { kind: "command", id, command });
    this.runUntil(() => this.replies[id] !== undefined || !this.node(name).up, 300_000);
    return this.replies[id];
  }

  submit(name: string, graph: Graph, priority = 0, fresh = false): BuildId {
    const { bytes, digest } = encodeGraph(graph);
    this.graphs.set(digest, bytes);
    const node = this.node(name);
    for (const d of [digest, ...graph.files.map((f) => f.digest)]) node.blobs.add(d);
    const nonce = `${this.replies.length}`;
    const submit = { kind: "submit", name: "demo", graph: digest, nonce, priority, fresh } as const;
    const reply = this.command(name, submit);
    if (!reply?.ok) throw new Error(`not taken: ${JSON.stringify(reply)}`);
    return reply.build!;
  }

  /** Until all that are up hold the build sealed. */
  finish(build: BuildId, limitMs = 60_000): void {
    const sealed = () => this.nodes.every((n) => !n.up || n.build(build)?.claims?.sealed !== undefined);
    if (!this.runUntil(sealed, limitMs)) throw new Error(`not sealed: ${JSON.stringify(this.states(build))}`);
  }

  states(build: BuildId): Record<string, ActionState[]> {
    return Object.fromEntries(
      this.nodes.flatMap((n) => {
        const actions = n.up ? n.build(build)?.claims?.actions : undefined;
        return actions ? [[n.name, Array.from({ length: actions.size }, (_, i) => actions.get(i))]] : [];
      }),
    );
  }

  runs(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { action } of this.executions) counts[action] = (counts[action] ?? 0) + 1;
    return counts;
  }

  now() {
    return { monoMs: this.nowMs, wallMs: epochMs + this.nowMs };
  }

  runFor(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** Runs until the condition holds; false when it does not within `limitMs`. Throws when a core is never at rest. */
  runUntil(holds: () => boolean, limitMs = 60_000): boolean {
    const end = this.nowMs + limitMs;
    let steps = 0;
    for (;;) {
      if (holds()) return true;
      const up = this.nodes.filter((n) => n.up);
      const first = up.reduce<Node | undefined>(
        (a, n) => (!a || n.core.deadline() < a.core.deadline() ? n : a),
        undefined,
      );
      const eventMs = this.queue[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const wakeMs = first?.core.deadline() ?? Number.POSITIVE_INFINITY;
      const atMs = Math.max(this.nowMs, Math.min(eventMs, wakeMs));
      if (atMs > end) {
        this.nowMs = end;
        return false;
      }
      steps = atMs > this.nowMs ? 0 : steps + 1;
      if (steps > stepsPerMomentMax) throw new Error(`no rest at ${atMs}: ${first?.name} wakes at ${wakeMs}`);
      this.nowMs = atMs;
      if (eventMs <= atMs) this.queue.shift()!.run();
      else this.tick(first!);
    }
  }

  tick(node: Node): Effect[] {
    return this.step(node, { kind: "tick" });
  }

  /** One input as the runtime gives it: what is to be signed is signed at once, then all effects happen in order. */
  step(node: Node, input: Input): Effect[] {
    const effects: Effect[] = [];
    const run = (given: Input) => {
      const came = node.core.step(given, this.now());
      this.rules.stepped?.(node, given, came);
      for (const effect of came)
        if (effect.kind === "sign") {
          const sig = fakeSigner(node.peer).sign(effect.id);
          run({ kind: "signed", entry: signedEntry(effect.entry, effect.body, effect.id, sig) });
        } else effects.push(effect);
    };
    run(input);
    for (const effect of effects) {
      node.effects.push({ atMs: this.nowMs, effect });
      if (!this.rules.instead?.(node, effect)) this.perform(node, effect);
    }
    return effects;
  }

  /** A message as bytes would bring it; throws what the reader of messages throws. */
  hand(from: PeerId, to: string, message: Message): void {
    const read = readMessage(encodeMessage(message), readUpdate);
    this.step(this.node(to), { kind: "message", from, message: read });
  }

  /** Gives a node an input after a while, if it is the same start of it that is still up. */
  later(node: Node, ms: number, input: Input): void {
    const { starts } = node;
    this.at(ms, () => {
      if (node.up && node.starts === starts) this.step(node, input);
    });
  }

  private at(ms: number, run: () => void): void {
    const atMs = this.nowMs + ms;
    const place = this.queue.findIndex((e) => e.atMs > atMs);
    this.queue.splice(place < 0 ? this.queue.length : place, 0, { atMs, run });
  }

  private perform(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case "append":
        if (effect.update) this.keep(node, effect.entry.entry.build!, effect.update);
        node.entries.push(effect.entry);
        return;
      case "keep":
        node.entries.push(...effect.entries);
        return;
      case "keep-update":
        node.entries.push(...effect.entries);
        return this.keep(node, effect.build, effect.update);
      case "archive":
        node.updates.delete(effect.build);
        node.records.set(effect.build, effect.record);
        return;
      case "forget": {
        const gone = new Set(effect.places.map(({ author, inc }) => `${author}.${inc}`));
        node.entries = node.entries.filter(
          ({ entry: e }) => e.build !== effect.build || !gone.has(`${e.author}.${e.inc}`),
        );
        if (effect.record) node.records.set(effect.build, effect.record);
        else node.records.delete(effect.build);
        return;
      }
      case "send":
        return this.deliver(node, effect.to, effect.message);
      case "gossip":
        for (const to of this.nodes) {
          if (to === node || !to.up || this.rules.drops?.(node.name, to.name, effect.message)) continue;
          this.later(to, latencyMs, { kind: "gossip", from: node.peer, message: effect.message });
        }
        return;
      case "serve": {
        const { author, inc, build, fromSeq, toSeq } = effect;
        const entries = node.entries
          .filter(
            ({ entry: e }) =>
              e.author === author && e.inc === inc && e.build === build && e.seq >= fromSeq && e.seq <= toSeq,
          )
          .sort((a, b) => a.entry.seq - b.entry.seq);
        return this.deliver(node, effect.to, { kind: "entries", entries });
      }
      case "recall": {
        const { author, inc, seq } = effect;
        const entries = node.entries.filter(
          ({ entry: e }) => e.author === author && e.inc === inc && e.seq === seq,
        );
        return this.later(node, latencyMs, { kind: "recalled", author, inc, seq, entries });
      }
      case "read-blob": {
        const { digest } = effect.want;
        const bytes = this.has(digest) ? this.graphs.get(digest)! : null;
        if (bytes) node.blobs.add(digest);
        return this.later(node, latencyMs, { kind: "blob-read", digest, bytes });
      }
      case "store":
        this.graphs.set(effect.digest, effect.bytes);
        node.blobs.add(effect.digest);
        return this.later(node, latencyMs, { kind: "stored", digest: effect.digest, ok: true });
      case "publish":
        return this.later(node, latencyMs, { kind: "published", id: effect.id });
      case "read-tree": {
        const { digest } = effect.want;
        return this.later(node, latencyMs, {
          kind: "tree-read",
          digest,
          files: this.has(digest) ? this.trees.get(digest)! : null,
        });
      }
      case "look-up":
        return this.later(node, latencyMs, {
          kind: "looked-up",
          keys: effect.keys,
          hits: [],
          ...(effect.asker ? { asker: effect.asker } : {}),
        });
      case "fetch": {
        const missing = effect.wants.map((w) => w.digest).filter((d) => !this.has(d));
        for (const { digest } of effect.wants) if (!missing.includes(digest)) node.blobs.add(digest);
        return this.later(node, latencyMs, { kind: "fetched", id: effect.id, missing, fetchedBytes: 1 });
      }
      case "execute":
        return this.execute(node, effect.request);
      case "kill":
        if (node.running.delete(effect.claim))
          this.later(node, 1, {
            kind: "executed",
            claim: effect.claim,
            outcome: { kind: "stopped", reason: effect.reason },
          });
        return;
      case "reply":
        this.replies[effect.id] = effect.reply;
        return;
      case "stopped":
        node.up = false;
        return;
    }
  }

  private execute(node: Node, request: ExecuteRequest): void {
    const { build, action } = request;
    this.executions.push({ node: node.name, build, action, atMs: this.nowMs });
    node.running.set(request.claim, request);
    const { ms, outcome, never } = this.rules.run?.(request, node) ?? { ms: 100 };
    if (never) return;
    const { starts } = node;
    this.at(ms, () => {
      if (!node.up || node.starts !== starts || !node.running.delete(request.claim)) return;
      this.step(node, {
        kind: "executed",
        claim: request.claim,
        outcome: outcome ?? this.done(node, request, ms),
      });
    });
  }

  private done(node: Node, request: ExecuteRequest, ms: number): ExecuteOutcome {
    const outputs = request.outputs.map(({ path, kind }) => {
      const digest = blob(`${kind} ${path}`);
      node.blobs.add(digest);
      if (kind === "folder" && !this.trees.has(digest))
        this.trees.set(digest, [{ path: "part", digest: blob(`${path}/part`), executable: false }]);
      if (kind === "folder") node.blobs.add(blob(`${path}/part`));
      return { path, kind, digest };
    });
    return {
      kind: "done",
      result: { outputs },
      usage: { fetchMs: 0, wallMs: ms, cpuMs: ms, maxRssBytes: 1, fetchedBytes: 0 },
    };
  }

  private deliver(node: Node, to: PeerId, message: Message): void {
    const other = this.nodes.find((n) => n.peer === to);
    if (!other?.up || this.rules.drops?.(node.name, other.name, message)) return;
    this.later(other, latencyMs, {
      kind: "message",
      from: node.peer,
      message: readMessage(encodeMessage(message), readUpdate),
    });
  }

  private has(digest: Digest): boolean {
    return this.nodes.some((n) => n.up && n.blobs.has(digest));
  }

  private keep(node: Node, build: BuildId, update: Uint8Array): void {
    node.updates.set(build, [...(node.updates.get(build) ?? []), update]);
  }
}
