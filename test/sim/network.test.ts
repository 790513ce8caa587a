import { describe, expect, test } from "vitest";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Conditions } from "../../sim/conditions.ts";
import { type NetworkPort, type Transfer, VirtualNetwork } from "../../sim/network.ts";
import { Process } from "../../sim/process.ts";
import { fakePeer } from "../../sim/signer.ts";
import { World } from "../../sim/world.ts";

/** A daemon that lets in whom it is told to, and notes what it hears. */
interface Ear {
  readonly peer: PeerId;
  process: Process;
  port: NetworkPort;
  readonly admits: Set<PeerId>;
  readonly heard: string[];
  say(text: string, to: Ear): void;
}

function swarm(names: readonly string[], conditions: Partial<Conditions> = {}, seed = 1) {
  const world = new World({ seed });
  const network = new VirtualNetwork(world, { conditions, silenceMs: 10_000 });
  const everybody = new Set(names.map(fakePeer));
  const nameOf = new Map(names.map((name) => [fakePeer(name), name]));
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  const start = (ear: Ear, place?: PeerId) => {
    ear.process = new Process(world, nameOf.get(ear.peer)!);
    ear.port = network.attach(
      ear.process,
      ear.peer,
      {
        knows: (peer) => ear.admits.has(peer),
        admits: (peer) => ear.admits.has(peer),
        presentation: () => Buffer.from(`certificates of ${nameOf.get(ear.peer)}`),
        admission: (peer, request, answer) => {
          ear.heard.push(`${nameOf.get(peer)} shows ${text(request)}`);
          answer(Buffer.from(`certificates of ${nameOf.get(ear.peer)}`));
        },
        connected: (peer) => ear.heard.push(`+${nameOf.get(peer)}`),
        disconnected: (peer) => ear.heard.push(`-${nameOf.get(peer)}`),
        message: (from, message) => ear.heard.push(`${nameOf.get(from)}: ${text(message)}`),
        gossip: (message) => ear.heard.push(`~${text(message)}`),
      },
      place,
    );
  };
  const ears = names.map((name) => {
    const ear = {
      peer: fakePeer(name),
      admits: new Set(everybody),
      heard: [] as string[],
      say: (said: string, to: Ear) => ear.port.send(to.peer, Buffer.from(said)),
    } as unknown as Ear;
    start(ear);
    return ear;
  });
  return { world, network, ears, start };
}
const forget = (...ears: Ear[]) => {
  for (const ear of ears) ear.heard.length = 0;
};
const said = (ear: Ear) => ear.heard.filter((h) => h.includes(": "));
const gossiped = (ear: Ear) => ear.heard.filter((h) => h.startsWith("~"));

describe("virtual network", () => {
  test("both sides show their certificates, then both are connected, once", () => {
    const { world, ears } = swarm(["ann", "bob"]);
    world.runFor(100);
    expect(ears[0]!.heard).toEqual(["bob shows certificates of bob", "+bob"]);
    expect(ears[1]!.heard).toEqual(["ann shows certificates of ann", "+ann"]);
    world.runFor(60_000);
    expect(ears[0]!.heard).toHaveLength(2);
  });

  test("a stranger is never connected and hears nothing", () => {
    const { world, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    ann.admits.clear();
    world.runFor(1000);
    expect(ann.heard).not.toContain("+bob");
    ann.say("secret", bob);
    ann.port.gossip(Buffer.from("secret"));
    bob.say("let me in", ann);
    world.runFor(60_000);
    expect([...said(ann), ...gossiped(ann), ...said(bob), ...gossiped(bob)]).toEqual([]);
    // It was let go every time, and tried again.
    expect(bob.heard.filter((h) => h === "-ann").length).toBeGreaterThan(2);
  });

  test("one who becomes a member is let in at once, one who ceases to be is put out", () => {
    const { world, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    ann.admits.clear();
    world.runFor(1000);
    ann.admits.add(bob.peer);
    ann.port.membersChanged();
    world.runFor(100);
    bob.say("hello", ann);
    world.runFor(100);
    expect(said(ann)).toEqual(["bob: hello"]);
    ann.admits.clear();
    ann.port.membersChanged();
    world.runFor(100);
    expect(ann.heard.at(-1)).toBe("-bob");
    expect(bob.heard.at(-1)).toBe("-ann");
  });

  test("unicast keeps its order whatever the jitter, and large messages take their time", () => {
    const { world, ears } = swarm(["ann", "bob"], { jitterMs: 500, delayMs: 10, bytesPerSecond: 1000 });
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(3000);
    for (let i = 0; i < 100; i++) ann.say(`${i}`, bob);
    world.runUntil(() => said(bob).length === 100, 10_000);
    expect(said(bob)).toEqual(Array.from({ length: 100 }, (_, i) => `ann: ${i}`));
    const beganMs = world.nowMs;
    ann.say("x".repeat(5000), bob);
    world.runUntil(() => said(bob).length === 101, 10_000);
    expect(world.nowMs - beganMs).toBeGreaterThanOrEqual(5000);
  });

  test("more than the queue holds is dropped, what is in it arrives", () => {
    const { world, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    for (let i = 0; i < 5; i++) ann.port.send(bob.peer, new Uint8Array(3 << 20).fill(65 + i));
    world.runFor(10_000);
    expect(said(bob).map((h) => h[5])).toEqual(["A", "B"]);
  });

  test("gossip reaches all but its sender, also through a common neighbour", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"]);
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    network.cut([ann.peer], [cat.peer]);
    world.runFor(20_000);
    ann.port.gossip(Buffer.from("news"));
    world.runFor(100);
    expect([gossiped(ann), gossiped(bob), gossiped(cat)]).toEqual([[], ["~news"], ["~news"]]);
  });

  test("gossip is lost, doubled and late as the conditions say", () => {
    const { world, ears } = swarm(["ann", "bob"], { gossipLoss: 0.3, gossipTwice: 0.2, gossipLate: 0.1 });
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    forget(bob);
    for (let i = 0; i < 2000; i++) world.after(i, () => ann.port.gossip(Buffer.from(`${i}`)));
    world.runFor(10_000);
    const came = gossiped(bob).map((h) => Number(h.slice(1)));
    const distinct = new Set(came).size;
    expect(distinct).toBeGreaterThan(1300);
    expect(distinct).toBeLessThan(1500);
    expect(came.length - distinct).toBeGreaterThan(200);
    expect(came.length - distinct).toBeLessThan(360);
    const order = [...new Set(came)];
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });

  test("a reset connection loses what was on its way, tells both sides and comes back", () => {
    const { world, ears, network } = swarm(["ann", "bob"], { delayMs: 50 });
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(1000);
    forget(ann, bob);
    ann.say("on its way", bob);
    network.setConditions({ reset: 1 });
    ann.say("the last straw", bob);
    network.setConditions({ reset: 0 });
    world.runFor(5000);
    ann.say("again", bob);
    world.runFor(1000);
    expect(ann.heard).toEqual(expect.arrayContaining(["-bob", "+bob"]));
    expect(bob.heard.filter((h) => !h.includes("shows"))).toEqual(["-ann", "+ann", "ann: again"]);
  });

  test("a killed daemon is missed at once, an unplugged one after a silence; both are found again when they are back", () => {
    for (const [ending, afterMs] of [
      ["kill", 0],
      ["power", 10_000],
    ] as const) {
      const { world, ears, start } = swarm(["ann", "bob"]);
      const [ann, bob] = ears as [Ear, Ear];
      world.runFor(100);
      const diedMs = world.nowMs;
      bob.process.end(ending);
      ann.say("to nobody", bob);
      expect(world.runUntil(() => ann.heard.includes("-bob"), 60_000)).toBe(true);
      expect(world.nowMs - diedMs).toBeGreaterThanOrEqual(afterMs);
      expect(world.nowMs - diedMs).toBeLessThan(afterMs + 10);
      forget(ann, bob);
      start(bob);
      world.runFor(100);
      ann.say("welcome back", bob);
      world.runFor(100);
      expect(ann.heard).toContain("+bob");
      expect(said(bob)).toEqual(["ann: welcome back"]);
    }
  });

  test("one restarted before its silence was noticed is a new connection", () => {
    const { world, ears, start } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    bob.process.end("power");
    world.runFor(1000);
    forget(ann, bob);
    start(bob);
    world.runFor(60_000);
    expect(ann.heard.filter((h) => !h.includes("shows"))).toEqual(["-bob", "+bob"]);
  });

  test("a short cut delays, a long one disconnects, and healing brings all back", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"]);
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    world.runFor(100);
    forget(ann, bob, cat);
    network.cut([ann.peer], [bob.peer, cat.peer]);
    for (let i = 0; i < 3; i++) ann.say(`${i}`, bob);
    world.runFor(5000);
    expect(bob.heard).toEqual([]);
    expect(network.reaches(ann.peer, bob.peer)).toBe(false);
    network.heal();
    world.runFor(100);
    expect(bob.heard).toEqual(["ann: 0", "ann: 1", "ann: 2"]);
    forget(bob);
    network.cut([ann.peer], [bob.peer, cat.peer]);
    world.runFor(10_100);
    expect(ann.heard).toEqual(["-bob", "-cat"]);
    expect(bob.heard).toEqual(["-ann"]);
    bob.say("we two", cat);
    network.heal();
    expect(world.runUntil(() => network.reaches(ann.peer, bob.peer), 16_000)).toBe(true);
    expect(said(cat)).toEqual(["bob: we two"]);
  });

  test("a cut in one direction lets the other through until the silence is noticed", () => {
    const { world, network, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    forget(ann, bob);
    network.cut([ann.peer], [bob.peer], true);
    ann.say("unheard", bob);
    bob.say("heard", ann);
    world.runFor(1000);
    expect(ann.heard).toEqual(["bob: heard"]);
    expect(bob.heard).toEqual([]);
    world.runFor(10_000);
    expect(ann.heard.at(-1)).toBe("-bob");
  });

  test("a paused daemon hears all when it goes on", () => {
    const { world, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    bob.process.pause();
    for (let i = 0; i < 3; i++) ann.say(`${i}`, bob);
    world.runFor(3000);
    expect(said(bob)).toEqual([]);
    bob.process.resume();
    world.runFor(1);
    expect(said(bob)).toEqual(["ann: 0", "ann: 1", "ann: 2"]);
  });

  test("cuts lie over each other and heal one by one", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"]);
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    world.runFor(100);
    const first = network.cut([ann.peer], [bob.peer, cat.peer]);
    const second = network.cut([ann.peer], [bob.peer]);
    const reached = () => [bob, cat].map((e) => network.reaches(ann.peer, e.peer));
    expect(reached()).toEqual([false, false]);
    network.heal(first);
    world.runFor(100);
    expect(reached()).toEqual([false, true]);
    network.heal(second);
    world.runFor(100);
    expect(reached()).toEqual([true, true]);
    expect(network.divisions).toBe(2);
  });

  test("a corrupt unicast arrives with one byte wrong, and its connection ends; corrupt gossip only differs", () => {
    const { world, network, ears } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    forget(ann, bob);
    const end = network.worsen({ corrupt: 1 });
    expect(network.flawless).toBe(false);
    ann.say("hello", bob);
    ann.port.gossip(Buffer.from("news"));
    world.runFor(10);
    const differs = (a: string, b: string) => [...Buffer.from(a)].filter((x, i) => x !== Buffer.from(b)[i]);
    expect(said(bob)).toHaveLength(1);
    expect(said(bob)[0]).not.toBe("ann: hello");
    expect(gossiped(bob)[0]).not.toBe("~news");
    expect(differs(gossiped(bob)[0]!, "~news").length).toBeGreaterThan(0);
    expect(bob.heard).toContain("-ann");
    expect(network.counts.corrupted).toBe(2);
    end();
    expect(network.flawless).toBe(true);
    world.runFor(5000);
    ann.say("again", bob);
    world.runFor(10);
    expect(said(bob).at(-1)).toBe("ann: again");
  });

  test("worse conditions hold for the links they name, and are gone when they are lifted", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"], { delayMs: 1, jitterMs: 0 });
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    world.runFor(100);
    const takesMs = (to: Ear) => {
      const beganMs = world.nowMs;
      const before = said(to).length;
      ann.say("x", to);
      world.runUntil(() => said(to).length > before, 10_000);
      return Math.round(world.nowMs - beganMs);
    };
    const end = network.worsen({ delayMs: 300 }, [bob.peer]);
    const endToo = network.worsen({ delayMs: 500 }, [bob.peer]);
    expect([takesMs(bob), takesMs(cat)]).toEqual([500, 1]);
    end();
    expect([takesMs(bob), takesMs(cat)]).toEqual([500, 1]);
    endToo();
    expect([takesMs(bob), takesMs(cat)]).toEqual([1, 1]);
  });

  test("gossip is as old as it is told to be, over one hop or two, and unicasts are not", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"], { gossipDelayMs: 200, jitterMs: 0 });
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    network.cut([ann.peer], [cat.peer]);
    world.runFor(20_000);
    ann.port.gossip(Buffer.from("news"));
    ann.say("hello", bob);
    world.runFor(199);
    expect([gossiped(bob), gossiped(cat), said(bob)]).toEqual([[], [], ["ann: hello"]]);
    world.runFor(2);
    expect([gossiped(bob), gossiped(cat)]).toEqual([["~news"], ["~news"]]);
  });

  test("all transfers of a host share its own line, each direction by itself", () => {
    const { world, network, ears } = swarm(["ann", "bob", "cat"], { delayMs: 0, jitterMs: 0 });
    const [ann, bob, cat] = ears as [Ear, Ear, Ear];
    network.setLine(ann.peer, 1_000_000);
    world.runFor(100);
    const beganMs = world.nowMs;
    const came: [string, number][] = [];
    const carry = (name: string, from: Ear, to: Ear) =>
      network.transfer(from.peer, to.peer, 1_000_000, () =>
        came.push([name, Math.round(world.nowMs - beganMs)]),
      );
    carry("out", ann, bob);
    carry("out too", ann, cat);
    carry("in", bob, ann);
    carry("beside", bob, cat);
    world.runFor(10_000);
    expect(came.sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ["beside", 8],
      ["in", 1000],
      ["out", 1000],
      ["out too", 2000],
    ]);
  });

  test("a machine that sleeps loses what it is sent, is given up after a silence, and dials when it wakes", () => {
    for (const sleptMs of [3_000, 30_000]) {
      const { world, network, ears } = swarm(["ann", "bob"]);
      const [ann, bob] = ears as [Ear, Ear];
      world.runFor(100);
      forget(ann, bob);
      bob.process.sleep();
      network.sleep(bob.peer);
      ann.say("good night", bob);
      ann.port.gossip(Buffer.from("news"));
      world.runFor(sleptMs);
      expect(network.reaches(ann.peer, bob.peer)).toBe(false);
      expect(ann.heard.includes("-bob")).toBe(sleptMs > 10_000);
      bob.process.wake();
      network.wake(bob.peer);
      world.runFor(100);
      expect(bob.heard.filter((h) => !h.includes("shows"))).toEqual(["-ann", "+ann"]);
      ann.say("good morning", bob);
      world.runFor(100);
      expect([said(bob), gossiped(bob)]).toEqual([["ann: good morning"], []]);
    }
  });

  test("two under one identity: others see one, and speak to one of them", () => {
    const { world, ears, start } = swarm(["ann", "bob"]);
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    const twin = { ...bob, heard: [] as string[] } as Ear;
    start(twin, fakePeer("bob~1"));
    world.runFor(100);
    expect(ann.heard.filter((h) => h === "+bob")).toHaveLength(1);
    expect(twin.heard).toContain("+ann");
    ann.say("which of you?", bob);
    world.runFor(100);
    expect([...said(bob), ...said(twin)]).toEqual(["ann: which of you?"]);
    bob.process.end("kill");
    world.runFor(100);
    expect(ann.heard).not.toContain("-bob");
    ann.say("you then", bob);
    world.runFor(100);
    expect(said(twin).at(-1)).toBe("ann: you then");
    twin.process.end("kill");
    world.runFor(100);
    expect(ann.heard).toContain("-bob");
  });

  test("a transfer takes its bytes' time, and fails when the connection does", () => {
    const { world, network, ears } = swarm(["ann", "bob"], { bytesPerSecond: 1_000_000 });
    const [ann, bob] = ears as [Ear, Ear];
    world.runFor(100);
    const results: string[] = [];
    const note = (name: string) => (ended: Transfer) =>
      results.push(`${name} ${ended} ${Math.round(world.nowMs / 100)}`);
    network.transfer(ann.peer, bob.peer, 1_000_000, note("first"));
    network.transfer(ann.peer, bob.peer, 1_000_000, note("second"));
    world.runFor(2000);
    network.transfer(ann.peer, bob.peer, 1_000_000, note("broken"));
    world.runFor(500);
    ann.process.end("kill");
    world.runFor(20_000);
    network.transfer(ann.peer, bob.peer, 1, note("gone"));
    world.runFor(100);
    expect(results.map((r) => r.replace(/ \d+$/, ""))).toEqual([
      "first whole",
      "second whole",
      "broken broken",
      "gone broken",
    ]);
    expect(results.slice(0, 2)).toEqual(["first whole 11", "second whole 21"]);
  });

  describe("of many hosts", () => {
    const many = () => {
      const all = swarm(Array.from({ length: 60 }, (_, i) => `n${i}`));
      all.world.runFor(1000);
      return all;
    };
    const neighbours = (ear: Ear) => ear.heard.filter((h) => h.startsWith("+")).map((h) => h.slice(1));

    test("each keeps connections with a few", () => {
      const { ears } = many();
      const counts = ears.map((ear) => neighbours(ear).length).sort((a, b) => a - b);
      expect(counts[0]).toBeGreaterThanOrEqual(6);
      expect(counts[30]).toBeLessThan(16);
    });

    test("gossip of one reaches all others, each once", () => {
      const { world, ears } = many();
      forget(...ears);
      ears[59]!.port.gossip(Buffer.from("news"));
      world.runFor(1000);
      expect(ears.map((ear) => gossiped(ear).length)).toEqual(ears.map((_, i) => (i === 59 ? 0 : 1)));
    });

    test("one who is no neighbour is called, in order, and its core is told of no connection", () => {
      const { world, ears } = many();
      const last = ears[59]!;
      const far = ears.find((_, i) => i < 59 && !neighbours(last).includes(`n${i}`))!;
      forget(last, far);
      last.say("one", far);
      last.say("two", far);
      world.runFor(1000);
      far.say("three", last);
      world.runFor(1000);
      expect(far.heard).toEqual(["n59: one", "n59: two"]);
      expect(last.heard).toEqual([expect.stringContaining(": three")]);
    });

    test("a stranger is not called", () => {
      const { world, ears } = many();
      const last = ears[59]!;
      const far = ears.find((_, i) => i < 59 && !neighbours(last).includes(`n${i}`))!;
      far.admits.delete(last.peer);
      last.say("hello", far);
      world.runFor(1000);
      expect(said(far)).toEqual([]);
    });

    test("who lost most of its neighbours finds others", () => {
      const { world, ears, network } = many();
      const last = ears[59]!;
      const lost = neighbours(last);
      for (const name of lost) ears[Number(name.slice(1))]!.process.end("kill");
      forget(...ears);
      world.runFor(1000);
      expect(neighbours(last).filter((name) => !lost.includes(name)).length).toBeGreaterThanOrEqual(3);
      expect(network.reaches(last.peer, fakePeer(neighbours(last)[0]!))).toBe(true);
    });
  });
});
