import { expect, test } from "vitest";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import { encodeMessage, readMessage } from "../../protocol/swarm/message.ts";
import { type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { clientOf, Ledger, readUpdate } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const three = { ann: {}, bob: {}, eve: {} };
const wide = graphOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`w${i}`, []])));

function says(cores: Cores, author: string, inc: string, build?: BuildId, note = ""): SignedEntry {
  const entry = {
    v: 1,
    swarm: cores.founding.entry.swarm,
    author: fakePeer(author),
    inc: inc as Incarnation,
    seq: 0,
    prev: null,
    hlc: [0, 0],
    last: -1,
    ...(build === undefined ? {} : { build }),
    events: [{ kind: "noise", note }],
  } as const;
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
}

/** Eve hands something to ann. */
function hand(cores: Cores, entry: SignedEntry): void {
  const { author, inc, build } = entry.entry;
  const message =
    build === undefined
      ? ({ kind: "entries", entries: [entry] } as const)
      : ({
          kind: "ledger",
          build,
          update: new Ledger(build, clientOf(author, inc)).add(entry),
          entries: [entry],
        } as const);
  cores.step(cores.node("ann"), { kind: "message", from: fakePeer("eve"), message });
}

/** All that ann says to others can still be read, and what she builds ends. */
function buildsOn(cores: Cores): void {
  const build = cores.submit("ann", wide);
  cores.finish(build);
  const syncs = cores.node("ann").sent("sync");
  const last = syncs.at(-1)!.message;
  expect(readMessage(encodeMessage(last), readUpdate).kind).toBe("sync");
}

test("of thousands of invented authors a bounded number is kept, and the swarm builds on", () => {
  const cores = new Cores(three);
  for (let i = 0; i < 3000; i++) hand(cores, says(cores, `nobody ${i}`, "1-00000001"));
  const { chains } = cores.node("ann").core.desk;
  expect(chains.heads().length).toBeLessThan(1100);
  buildsOn(cores);
});

test("of thousands of builds that nobody submitted a bounded number is kept, and real ones are still taken in", () => {
  const cores = new Cores(three);
  for (let i = 0; i < 2000; i++)
    hand(cores, says(cores, "eve", "1-00000001", `ghost-${`${i}`.padStart(10, "0")}` as BuildId));
  expect(cores.node("ann").core.desk.builds.size).toBeLessThanOrEqual(256);
  const build = cores.submit("bob", wide);
  cores.finish(build);
  expect(cores.node("ann").build(build).claims?.state).toBe("complete");
});

test("of a member's starts no more are kept than one can have had", () => {
  const cores = new Cores(three);
  for (let i = 0; i < 6000; i++) hand(cores, says(cores, "eve", `${i + 9}-00000001`));
  expect(cores.node("ann").core.desk.chains.heads().length).toBeLessThan(4200);
  buildsOn(cores);
});

test("of what a member floods so much is kept as it may have said while one was away, and then its pace", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  const note = "x".repeat(60_000);
  for (let i = 0; i < 1500; i++) hand(cores, says(cores, "eve", `${i + 9}-00000001`, build, note));
  const kept = cores.node("ann").build(build).ledger.size;
  expect(kept * note.length).toBeLessThan((64 << 20) + 1_000_000);
  expect(kept).toBeGreaterThan(1000);
});

test("who is admitted later is heard as if it had been known before", () => {
  const cores = new Cores(three);
  for (let i = 0; i < 3000; i++) hand(cores, says(cores, `nobody ${i}`, "1-00000001"));
  hand(cores, says(cores, "dan", "1-00000001"));
  const { desk } = cores.node("ann").core;
  expect(desk.chains.head(fakePeer("dan"), "1-00000001" as Incarnation)).toBeUndefined();
  const admitted = cores.command("ann", {
    kind: "invite",
    ticket: "t1",
    key: fakePeer("ticket"),
    roles: ["builder"],
    notAfterMs: 4e12,
  });
  expect(admitted).toEqual({ ok: true });
  const redemption = {
    kind: "redeem",
    swarm: cores.founding.entry.swarm,
    ticket: "t1",
    key: fakePeer("ticket"),
    nonce: "0123456789",
    name: "dan",
    proof: new Uint8Array(64),
    wallMs: 0,
  } as const;
  cores.step(cores.node("ann"), {
    kind: "redeemed",
    source: "10.0.0.9",
    id: 1,
    peer: fakePeer("dan"),
    redemption,
  });
  expect(desk.members.has(fakePeer("dan"))).toBe(true);
  hand(cores, says(cores, "dan", "1-00000001"));
  expect(desk.chains.head(fakePeer("dan"), "1-00000001" as Incarnation)).toBeDefined();
});
