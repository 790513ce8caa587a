import { beforeEach, describe, expect, test } from "vitest";
import type { Effect } from "../protocol/contract.ts";
import { Core } from "../protocol/core.ts";
import { sha256 } from "../protocol/kernel/digest.ts";
import type { Incarnation, PeerId } from "../protocol/kernel/ids.ts";
import type { EventBatch, Ports } from "../protocol/ports.ts";
import { Runtime } from "../protocol/runtime.ts";
import { encodeAdmission } from "../protocol/swarm/admission.ts";
import { foundingEntry } from "../protocol/swarm/founding.ts";
import { encodeGossip, encodeMessage, readMessage } from "../protocol/swarm/message.ts";
import { defaultScheduling } from "../protocol/swarm/policy.ts";
import type { Vitals } from "../protocol/swarm/vitals.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";
import { clientOf, Ledger, readUpdate } from "../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../sim/signer.ts";

const [ann, bob] = [fakePeer("ann"), fakePeer("bob")];
const wallMs = 1_764_000_000_000;
const signed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
};
const founding = (() => {
  const entry = foundingEntry({
    name: "hand",
    root: fakePeer("root"),
    nonce: "0".repeat(32),
    admin: ann,
    adminName: "ann",
    nowMs: wallMs,
    notAfterMs: 2 * wallMs,
  });
  const member = {
    kind: "member.admitted",
    peer: bob,
    name: "bob",
    roles: ["builder", "submitter"],
    notAfterMs: 2 * wallMs,
  };
  return signed({ ...entry, events: [...entry.events, member] });
})();
const { swarm } = founding.entry;

/** A word of bob's on his own chain. */
const word = (fields: Partial<Entry> = {}): SignedEntry =>
  signed({
    v: 1,
    swarm,
    author: bob,
    inc: "1-0000000b" as Incarnation,
    seq: 0,
    prev: null,
    hlc: [wallMs, 0],
    last: -1,
    events: [{ kind: "note" }],
    ...fields,
  });

/** The machine around a runtime, with a disk that answers when it is told to. */
class Machine {
  nowMs = 0;
  wake: { atMs: number; call: () => void } | undefined;
  /** What happened at the edges, in order. */
  readonly happened: string[] = [];
  readonly writes: { batch: EventBatch; done: (error?: { code: "disk-full"; message: string }) => void }[] =
    [];
  readonly sent: { to: PeerId; bytes: Uint8Array }[] = [];
  readonly echoed: { to: PeerId; bytes: Uint8Array }[] = [];
  readonly refused: string[] = [];
  readonly troubles: string[] = [];
  stored: SignedEntry[] = [];
  private invitations = 0;
  /** Writes succeed at once. */
  quick = true;
  readonly runtime: Runtime;

  constructor() {
    const ports: Ports = {
      clock: {
        now: () => ({ monoMs: this.nowMs, wallMs: wallMs + this.nowMs }),
        wake: (atMs, call) => {
          this.wake = { atMs, call };
        },
      },
      signer: fakeSigner(ann),
      events: {
        write: (batch, done) => {
          const kinds = batch.entries.flatMap((e) => e.entry.events.map((x) => x.kind));
          this.happened.push(`write ${kinds.join("+")}${batch.durable ? " durable" : ""}`);
          if (this.quick) done();
          else this.writes.push({ batch, done });
        },
        range: (author, _, from, to, done) =>
          done(this.stored.filter(({ entry: e }) => e.author === author && e.seq >= from && e.seq <= to)),
        results: (_, done) => done([]),
        remember: () => this.happened.push("remember"),
      },
      network: {
        send: (to, bytes) => {
          this.happened.push(`send ${readMessage(bytes, readUpdate).kind}`);
          this.sent.push({ to, bytes });
          return true;
        },
        gossip: () => this.happened.push("gossip"),
        echo: (to, message) => this.echoed.push({ to, bytes: message() }),
      },
      artifacts: {
        fetch: (_, done) => done([], 0),
        read: (_, done) => done(null),
        put: (_, done) => done(true),
        readTree: (_, done) => done(null),
        lookUp: (_, done) => done([]),
      },
      showcase: { restored: () => [], run: (_, done) => done() },
      inspector: { inspect: (packages, done) => done(packages.map(() => ({}))) },
      executor: {
        execute: () => this.happened.push("execute"),
        kill: () => this.happened.push("kill"),
        survey: () => {},
      },
    };
    const core = new Core(
      {
        swarm,
        self: ann,
        name: "ann",
        inc: "1-0000000a" as Incarnation,
        seed: sha256(Buffer.from("ann")).subarray(0, 16),
        version: "0",
        slots: 1,
        unsafeNoSandbox: true,
        scheduling: defaultScheduling,
      },
      { monoMs: 0, wallMs },
    );
    this.runtime = new Runtime(core, ports, {
      refused: (_, error) => this.refused.push(error.code),
      trouble: (error) => this.troubles.push(error.code),
      stopped: () => this.happened.push("stopped"),
    });
    this.runtime.start({ entries: [founding], ledgers: [] });
    this.happened.length = 0;
  }

  invite(): string[] {
    const replies: string[] = [];
    const ticket = `t${this.invitations++}`;
    this.runtime.command(
      { kind: "invite", ticket, key: fakePeer("key"), roles: ["builder"], notAfterMs: 2 * wallMs },
      (reply) => {
        this.happened.push("reply");
        replies.push(reply.ok ? "ok" : reply.code);
      },
    );
    return replies;
  }

  /** The timer rings. */
  ring(): void {
    const { atMs, call } = this.wake!;
    this.nowMs = Math.max(this.nowMs, atMs);
    call();
  }
}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});

describe("order and durability", () => {
  test("nothing behind an append happens before it is written", () => {
    machine.quick = false;
    const replies = machine.invite();
    expect(machine.happened).toEqual(["write ticket.issued durable"]);
    expect(replies).toEqual([]);
    machine.writes[0]!.done();
    expect(machine.happened.slice(1)).toEqual(["gossip", "reply"]);
    expect(replies).toEqual(["ok"]);
  });

  test("what is said while a write is under way waits behind it, and is then written as one", () => {
    machine.quick = false;
    machine.invite();
    machine.invite();
    machine.runtime.handlers().connected(bob);
    expect(machine.happened).toEqual(["write ticket.issued durable"]);
    machine.writes[0]!.done();
    expect(machine.happened.slice(1)).toEqual(["gossip", "reply", "write ticket.issued durable"]);
    machine.writes[1]!.done();
    expect(machine.happened.slice(4)).toEqual(["gossip", "reply", "send sync"]);
  });

  test("a write that fails is tried again until it succeeds, and nothing behind it happens before", () => {
    machine.quick = false;
    const replies = machine.invite();
    for (let attempt = 0; attempt < 3; attempt++) {
      const { batch, done } = machine.writes.at(-1)!;
      expect(batch.entries).toEqual(machine.writes[0]!.batch.entries);
      const before = machine.nowMs;
      done({ code: "disk-full", message: "full" });
      while (machine.writes.length < attempt + 2) machine.ring();
      expect(machine.nowMs - before).toBeGreaterThanOrEqual(1000);
      expect(replies).toEqual([]);
      expect(machine.happened.filter((what) => !what.startsWith("write"))).toEqual([]);
    }
    expect(machine.troubles).toEqual(Array(3).fill("disk-full"));
    machine.writes.at(-1)!.done();
    expect(replies).toEqual(["ok"]);
  });

  test("while the disk refuses, what others say is taken in up to a bound, then left out; beats pass, and all is written later", () => {
    const text = "x".repeat(50_000);
    const say = (seq: number) =>
      machine.runtime.handlers().message(
        bob,
        encodeMessage({
          kind: "entries",
          entries: [word({ seq, last: seq - 1, events: [{ kind: "note", text }] })],
        }),
      );
    const head = () => machine.runtime.core.desk.chains.heads().find((h) => h.author === bob)?.seq;
    const full = { code: "disk-full", message: "full" } as const;
    machine.quick = false;
    machine.invite();
    machine.writes[0]!.done(full);
    for (let seq = 0; seq < 1000; seq++) say(seq);
    const taken = head()!;
    expect(taken).toBeGreaterThan(200);
    expect(taken).toBeLessThan(500);
    expect(machine.troubles).toEqual(["disk-full", "refused"]);
    expect(machine.invite()).toEqual(["refused"]);
    machine.quick = true;
    for (let rings = 0; rings < 5; rings++) machine.ring();
    say(taken + 1);
    expect(head()).toBe(taken + 1);
  });

  test("what others said and the disk refused is tried again as one write", () => {
    machine.quick = false;
    for (let seq = 0; seq < 20; seq++)
      machine.runtime
        .handlers()
        .message(bob, encodeMessage({ kind: "entries", entries: [word({ seq, last: seq - 1 })] }));
    for (const { done } of machine.writes.splice(0)) done({ code: "disk-full", message: "full" });
    for (let rings = 0; rings < 5; rings++) machine.ring();
    expect(machine.writes.map(({ batch }) => batch.entries.length)).toEqual([20]);
  });

  test("a node that cannot write is stopped all the same", () => {
    machine.quick = false;
    machine.invite();
    machine.writes[0]!.done({ code: "disk-full", message: "full" });
    machine.runtime.command({ kind: "stop", reason: "asked to" }, () => {});
    for (let rings = 0; rings < 20 && machine.writes.length < 2; rings++) machine.ring();
    machine.writes[1]!.done({ code: "disk-full", message: "full" });
    expect(machine.happened.at(-1)).toBe("stopped");
  });

  test("what others said is kept without holding anything up", () => {
    machine.quick = false;
    machine.runtime.handlers().message(bob, encodeMessage({ kind: "entries", entries: [word()] }));
    machine.runtime.handlers().connected(bob);
    expect(machine.happened).toEqual(["write note", "send sync"]);
  });

  test("after a power cut nothing happens any more, not even what waited for the disk", () => {
    machine.quick = false;
    machine.invite();
    machine.runtime.halt();
    machine.writes[0]!.done();
    machine.runtime.handlers().connected(bob);
    expect(machine.happened).toEqual(["write ticket.issued durable"]);
  });

  test("signing happens at once: the step after knows what this one said", () => {
    const steps: string[] = [];
    const spied: Effect[][] = [];
    const { core } = machine.runtime;
    const step = core.step.bind(core);
    core.step = (input, now) => {
      steps.push(input.kind);
      const effects = step(input, now);
      spied.push(effects);
      return effects;
    };
    machine.quick = false;
    machine.invite();
    expect(steps).toEqual(["command", "signed"]);
    expect(spied[0]!.map((e) => e.kind)).toEqual(["sign"]);
  });

  test("the timer is set to the core's deadline, and a ring is a tick", () => {
    expect(machine.wake!.atMs).toBe(machine.runtime.core.deadline());
    machine.ring();
    expect(machine.wake!.atMs).toBe(machine.runtime.core.deadline());
    expect(machine.wake!.atMs).toBeGreaterThan(machine.nowMs);
  });

  test("stored entries are served in messages of bounded size, those of builds left out", () => {
    const text = "x".repeat(30_000);
    machine.stored = Array.from({ length: 40 }, (_, seq) =>
      word({ seq, last: seq - 1, events: [{ kind: "note", text }] }),
    );
    machine.stored.push(signed({ ...word().entry, seq: 40, last: 39, build: "demo-0123456789" as never }));
    machine.runtime
      .handlers()
      .message(bob, encodeMessage({ kind: "entries", entries: machine.stored.slice(0, 40) }));
    machine.runtime
      .handlers()
      .message(bob, encodeMessage({ kind: "sync", heads: [], ledgers: [], reply: false }));
    const served = machine.sent.map(({ bytes }) => readMessage(bytes, readUpdate));
    const entries = served.flatMap((m) => (m.kind === "entries" ? m.entries : []));
    expect(new Set(entries.map((e) => e.entry.build))).toEqual(new Set([undefined]));
    expect(entries.filter((e) => e.entry.author === bob)).toHaveLength(40);
    expect(machine.sent.every(({ bytes }) => bytes.length < 1 << 20)).toBe(true);
  });
});

describe("what cannot be true", () => {
  const heard = () => machine.runtime.core.desk.chains.heads().filter((h) => h.author === bob);
  const tell = (entries: SignedEntry[]) =>
    machine.runtime.handlers().message(bob, encodeMessage({ kind: "entries", entries }));
  const forged = (entry: SignedEntry): SignedEntry => {
    const { body } = sealEntry(entry.entry);
    return signedEntry(entry.entry, body, entry.id, new Uint8Array(64));
  };

  test("a message with one wrong signature is refused as a whole", () => {
    tell([word(), forged(word({ seq: 1, last: 0 }))]);
    expect(machine.refused).toEqual(["unauthentic"]);
    expect(heard()).toEqual([]);
    tell([word()]);
    expect(heard()).toMatchObject([{ seq: 0 }]);
  });

  test("an entry known to be good does not vouch for itself under another signature", () => {
    tell([word()]);
    tell([forged(word())]);
    expect(machine.refused).toEqual(["unauthentic"]);
  });

  test("an entry of another swarm is refused", () => {
    tell([word({ swarm: "0".repeat(64) as Entry["swarm"] })]);
    expect(machine.refused).toEqual(["wrong-swarm"]);
    expect(heard()).toEqual([]);
  });

  test("bytes that are no message are refused, as message, as gossip and at the door", () => {
    const { message, gossip, admission } = machine.runtime.handlers();
    for (const bytes of [
      new Uint8Array(),
      Uint8Array.of(1, 2, 3),
      Buffer.from("hello"),
      encodeMessage({ kind: "held", id: "", missing: [] }),
    ]) {
      message(bob, new Uint8Array(bytes));
      gossip(new Uint8Array(bytes));
      const answers: unknown[] = [];
      admission(bob, new Uint8Array(bytes), (reply) => answers.push(reply));
      expect(answers).toEqual([null]);
    }
    expect(machine.refused).toEqual(Array(12).fill("malformed"));
  });

  test("a state vector that is none is refused with its message, and the core goes on", () => {
    const build = "demo-0123456789" as never;
    const entry = signed({ ...word().entry, last: -1, build });
    const update = new Ledger(build, clientOf(bob, entry.entry.inc)).add(entry);
    const { message } = machine.runtime.handlers();
    message(bob, encodeMessage({ kind: "ledger", build, update, entries: [] }));
    machine.happened.length = 0;
    machine.stored = [founding];
    const ledgers = [{ build, vector: Uint8Array.of(9, 9), digest: "0".repeat(16) }];
    message(bob, encodeMessage({ kind: "sync", heads: [], ledgers, reply: true }));
    expect(machine.refused).toEqual(["malformed"]);
    machine.runtime.handlers().disconnected(bob);
    expect(machine.happened).toEqual([]);
  });

  test("a beat goes back to all machines of its author, and comes from one of them as gossip does", () => {
    const vitals: Vitals = {
      peer: bob,
      inc: "1-00000001" as Incarnation,
      name: "bob",
      version: "0.1.0",
      beat: 1,
      slots: 1,
      running: 0,
      labels: [],
      fenced: false,
      policy: "normal",
      reservedBytes: 0,
      foreign: true,
      frontier: "",
      ledgers: {},
      cores: 1,
      load: 0,
      pressurePercent: "unknown",
      temperatureCelsius: "unknown",
      headroomCelsius: "unknown",
      memoryTotalBytes: 1,
      memoryFreeBytes: 1,
      diskTotalBytes: 1,
      diskFreeBytes: 1,
      sandbox: "none",
      target: "x86_64-linux-gnu",
      toolchains: {},
    };
    const gossip = encodeGossip({ kind: "vitals", vitals }, (hash) => fakeSigner(bob).sign(hash));
    const beat = encodeMessage({ kind: "beat", gossip });
    machine.runtime.handlers().message(bob, beat);
    expect(machine.echoed).toEqual([{ to: bob, bytes: beat }]);
    const forged = encodeGossip({ kind: "vitals", vitals }, (hash) => fakeSigner(ann).sign(hash));
    machine.runtime.handlers().message(bob, encodeMessage({ kind: "beat", gossip: forged }));
    expect([machine.echoed.length, machine.refused]).toEqual([1, ["unauthentic"]]);
  });

  test("vitals that another signed are refused", () => {
    const vitals = { peer: bob } as never;
    machine.runtime
      .handlers()
      .gossip(encodeGossip({ kind: "vitals", vitals }, (hash) => fakeSigner(ann).sign(hash)));
    expect(machine.refused).toHaveLength(1);
  });

  test("a redemption whose proof does not hold never reaches the core", () => {
    const answers: unknown[] = [];
    const request = encodeAdmission({
      kind: "redeem",
      swarm,
      ticket: "t",
      key: fakePeer("key"),
      nonce: "0123456789",
      name: "eve",
      proof: new Uint8Array(64),
      wallMs,
    });
    machine.runtime.handlers().admission(fakePeer("eve"), request, (reply) => answers.push(reply));
    expect(machine.refused).toEqual(["unauthentic"]);
    expect(answers).toEqual([null]);
  });

  test("only members whose time is not over are let in", () => {
    const { admits } = machine.runtime.handlers();
    expect([admits(ann), admits(bob), admits(fakePeer("eve"))]).toEqual([true, true, false]);
    machine.nowMs = 2 * wallMs;
    expect(admits(bob)).toBe(false);
  });
});
