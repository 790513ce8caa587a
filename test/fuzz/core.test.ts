import { expect, test } from "vitest";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import type { Entry, SignedEntry } from "../../protocol/timeline/entry.ts";
import { plainWire } from "../../protocol/wire.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { Cores, type Node } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import type { Dice } from "./dice.ts";
import { fuzz } from "./fuzz.ts";
import { buildEvents, signed, timelineEvents, vitals } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const wire = plainWire();
const wide = graphOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`w${i}`, []])));
/** One step of a core answers with no more than this, whatever it was told. */
const effectsMax = 2000;

/** A swarm of three with a build under way; eve, one of its members, says what she likes, and so does a stranger. */
class Prey {
  readonly cores = new Cores({ ann: {}, bob: {}, eve: {} });
  readonly build: BuildId;
  private seq = 0;

  constructor() {
    this.cores.rules.run = () => ({ ms: 1, never: true });
    this.build = this.cores.submit("ann", wide);
    this.cores.runFor(50);
    this.cores.rules.drops = () => true;
  }

  get node(): Node {
    return this.cores.node("ann");
  }

  /** An entry that says these events, by eve or by nobody known, well signed, at the next place or at any. */
  entry(dice: Dice, events: Entry["events"], build: BuildId | undefined): SignedEntry {
    const author = dice.once(4) ? `stranger ${dice.below(1e6)}` : "eve";
    const inc = (dice.once(3) ? `${dice.below(1e9)}-0000000${dice.below(9)}` : "1-00000001") as Incarnation;
    const seq = dice.once(3) ? dice.below(2 ** 40) : this.seq++;
    return signed({
      v: 1,
      swarm: this.cores.founding.entry.swarm,
      author: fakePeer(author),
      inc,
      seq,
      prev: null,
      hlc: [dice.once(3) ? Number.MAX_SAFE_INTEGER : 5, dice.below(9)],
      last: dice.once(3) ? -1 : seq - 1,
      ...(build === undefined ? {} : { build }),
      events,
    });
  }

  /** Gives bytes to ann as her runtime would: refused ones go no further. */
  hears(kind: "message" | "gossip", bytes: Uint8Array): void {
    const { node, cores } = this;
    const from = fakePeer("eve");
    try {
      const effects =
        kind === "message"
          ? cores.step(node, { kind, from, message: wire.readMessage(bytes) })
          : cores.step(node, { kind, from, message: wire.readGossip(bytes, fakeSigner(node.peer)) });
      expect(effects.length).toBeLessThan(effectsMax);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
    }
  }
}

const claimIds = (prey: Prey): string[] => [
  ...(prey.node.build(prey.build).claims?.claims.keys() ?? []),
  `${fakePeer("eve")}.1-00000001.0`,
  `${fakePeer("eve")}.1-00000001.1`,
];

/** Events about what is really there, altered or not. */
function eventOf(dice: Dice, prey: Prey, samples: Entry["events"]): Entry["events"][number] {
  const sample = dice.once(3) ? hostileValue(dice, samples) : dice.pick(samples);
  const event: Record<string, unknown> = { ...(sample as object) };
  if (typeof event.kind !== "string" || event.kind === "") event.kind = "odd";
  const ids = claimIds(prey);
  if ("claim" in event && !dice.once(5)) event.claim = dice.pick(ids);
  if ("action" in event && !dice.once(5)) event.action = dice.pick(["w0", "w1", "w5"]);
  if ("claims" in event) event.claims = [dice.pick(ids)];
  if ("results" in event) event.results = [dice.pick(ids)];
  if ("peer" in event && !dice.once(3)) event.peer = fakePeer(dice.pick(["ann", "bob", "eve"]));
  if ("holder" in event && !dice.once(3)) event.holder = fakePeer(dice.pick(["ann", "bob", "eve"]));
  return event as Entry["events"][number];
}

function word(dice: Dice, prey: Prey): { kind: "message" | "gossip"; bytes: Uint8Array } {
  const kind = dice.once(2) ? "message" : "gossip";
  const { build } = prey;
  const of = dice.once(4)
    ? (`ghost-${dice.below(2) ? "0123456789" : `${dice.below(1e9)}`.padStart(10, "0")}` as BuildId)
    : build;
  const some = (samples: Entry["events"]) =>
    Array.from({ length: 1 + dice.below(3) }, () => eventOf(dice, prey, samples));
  const shape = dice.below(kind === "gossip" ? 3 : 8);
  let value: unknown;
  if (shape === 0) {
    const entries = Array.from({ length: 1 + dice.below(3) }, () =>
      prey.entry(dice, some(timelineEvents), undefined),
    );
    value = { kind: "entries", entries: entries.map((e) => e.bytes) };
  } else if (shape === 1) {
    const entry = prey.entry(dice, some(buildEvents), of);
    const ledger = new Ledger(of, clientOf(entry.entry.author, entry.entry.inc));
    value = { kind: "ledger", build: of, update: ledger.add(entry) };
  } else if (kind === "gossip") {
    const altered = {
      ...(hostileValue(dice, [vitals]) as object),
      peer: fakePeer(dice.pick(["eve", "bob", "dan"])),
      beat: dice.below(1e9),
    };
    const record = encode(altered);
    const author = (decode(record, 1 << 16) as { peer: ReturnType<typeof fakePeer> }).peer;
    const id = sha256Hex(record);
    value = { kind: "vitals", vitals: record, sig: fakeSigner(author).sign(id) };
  } else
    value = hostileValue(dice, [
      {
        kind: "sync",
        heads: [{ author: fakePeer("ann"), inc: "1-00000001", seq: dice.below(3), id: "0".repeat(64) }],
        ledgers: [{ build: of, vector: dice.bytes(dice.size(20)) }],
        reply: true,
      },
      { kind: "ask", id: "1", build: of, count: 1 + dice.below(1024), actions: ["w0", "w3", "x"] },
      { kind: "deny", id: `${dice.below(9)}`, build: of, reason: "no", steward: fakePeer("eve") },
      { kind: "hold", id: `${dice.below(9)}`, digests: [wide.files[0]!.digest] },
      { kind: "held", id: `${dice.below(9)}`, missing: [] },
    ]);
  return { kind, bytes: encode(value) };
}

test("a core told hostile words by a member and by strangers never breaks, answers little, and builds on", () => {
  let prey = new Prey();
  let told = 0;
  fuzz({
    make: (dice) => {
      // A fresh swarm now and then: each is told as much as a member may say in a while.
      if (told++ % 2000 === 0) prey = new Prey();
      try {
        return word(dice, prey);
      } catch {
        return { kind: "message" as const, bytes: dice.bytes(dice.size(99)) };
      }
    },
    run: ({ kind, bytes }) => {
      prey.hears(kind, bytes);
      if (told % 50 === 0) prey.cores.runFor(20);
    },
  });
  expect(prey.node.core.desk.builds.size).toBeLessThan(200);
});
