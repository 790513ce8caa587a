/** One release per epoch, whatever arrives when, whoever dies when, and none is lost. */
import { describe, expect, test } from "vitest";
import { Epochs } from "../../protocol/release/epochs.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import { Lab, type LabNode } from "./lab.ts";

const names = ["ann", "bob", "cat", "dan"];
const finalize = { kind: "finalize", channel: "stable" } as const;

/** Three mirrors that vote, from epoch 2 on. */
function farm(seed = 1): Lab {
  const lab = new Lab(names, seed);
  for (const node of lab.nodes.slice(0, 3)) lab.command(node, { kind: "mirror", op: "add", votes: true });
  lab.settle(200);
  lab.stage(lab.node("ann"), "first", { "bin/first": "1" });
  lab.settle(200);
  const id = lab.command(lab.node("ann"), finalize);
  lab.settle(2000);
  expect(lab.replies.get(id)).toMatchObject({ ok: true, epoch: 1 });
  expect(
    lab
      .node("bob")
      .releases.epochs("stable")!
      .voters(2)!
      .map((v) => v.peer)
      .sort(),
  ).toEqual(["ann", "bob", "cat"].map((n) => lab.node(n).peer).sort());
  return lab;
}

const certified = (node: LabNode) => node.releases.epochs("stable")?.certified ?? [];

/** What each epoch turned out to be, to anybody; throws when two differ. */
function releasesOf(lab: Lab, known = new Map<number, string>()): Map<number, string> {
  for (const node of lab.nodes)
    for (const { epoch, value } of certified(node)) {
      if (known.has(epoch)) expect(value, `epoch ${epoch} at ${node.name}`).toBe(known.get(epoch));
      known.set(epoch, value);
    }
  return known;
}

describe("finalize", () => {
  test("makes what is staged the next epoch, and everybody knows its certificate", () => {
    const lab = farm();
    lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
    lab.settle(200);
    const id = lab.command(lab.node("cat"), finalize);
    lab.settle(2000);
    expect(lab.replies.get(id)).toEqual({ ok: true, epoch: 2 });
    for (const node of lab.nodes) expect(certified(node)).toHaveLength(2);
    expect(certified(lab.node("dan"))[1]!.certificate.length).toBeGreaterThanOrEqual(2);
  });

  test("is refused within ten seconds in a minority, and says who is silent", () => {
    const lab = farm();
    const ann = lab.node("ann");
    lab.stage(ann, "second", { "bin/second": "2" });
    lab.settle(200);
    const id = lab.command(ann, finalize);
    const beganMs = lab.nowMs;
    while (!lab.replies.has(id) && lab.nowMs < beganMs + 60_000) lab.settle(100, [ann]);
    expect(lab.nowMs - beganMs).toBeLessThanOrEqual(10_000);
    expect(lab.replies.get(id)).toMatchObject({
      ok: false,
      code: "no-quorum",
      message: "no quorum: 1 of 3 voters answer, 2 are needed; silent: bob, cat",
    });
  });

  test("is refused where the clock is a minute from the voters' median", () => {
    for (const aheadMs of [75_000, -75_000]) {
      const lab = farm();
      lab.node("dan").aheadMs = aheadMs;
      lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
      lab.settle(200);
      const id = lab.command(lab.node("dan"), finalize);
      lab.settle(10_000);
      expect(lab.replies.get(id)).toMatchObject({ ok: false, code: "clock-wrong" });
      expect(releasesOf(lab).size).toBe(1);
    }
  });

  test("with nothing staged says so", () => {
    const lab = farm();
    const id = lab.command(lab.node("bob"), finalize);
    lab.settle(1000);
    expect(lab.replies.get(id)).toMatchObject({ ok: false, code: "refused" });
  });

  test("of two coordinators at once both end, one epoch each or one for both", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const lab = farm(seed);
      lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
      lab.settle(100);
      const ids = ["bob", "cat", "dan"].map((name) => lab.command(lab.node(name), finalize));
      lab.settle(10_000);
      for (const id of ids)
        expect(lab.replies.get(id)?.ok, `seed ${seed} ${JSON.stringify(lab.replies.get(id))}`).toBe(true);
      releasesOf(lab);
    }
  });

  test("a voter that lost its log votes no more until a release names the new one", () => {
    const lab = farm();
    const cat = lab.node("cat");
    lab.kill(cat, true);
    lab.start(cat);
    lab.settle(500);
    lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
    lab.settle(500);
    const votes = () =>
      lab.said.filter(
        (e) => e.entry.author === cat.peer && e.entry.events.some((x) => x.kind === "release.accepted"),
      ).length;
    const before = votes();
    const id = lab.command(lab.node("bob"), finalize);
    lab.settle(3000);
    expect(lab.replies.get(id)).toEqual({ ok: true, epoch: 2 });
    expect(votes()).toBe(before);
    expect(lab.node("ann").releases.epochs("stable")!.voters(3)).toContainEqual({
      peer: cat.peer,
      log: cat.log,
    });
    lab.stage(lab.node("bob"), "third", { "bin/third": "3" });
    lab.settle(500);
    lab.command(lab.node("bob"), finalize);
    lab.settle(3000);
    expect(votes()).toBe(before + 1);
  });

  test("a rollback is a new epoch with old content, dated behind the one before", () => {
    const lab = farm();
    lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
    lab.settle(200);
    lab.command(lab.node("bob"), finalize);
    lab.settle(2000);
    const id = lab.command(lab.node("ann"), { kind: "rollback", channel: "stable", epoch: 1 });
    lab.settle(2000);
    expect(lab.replies.get(id)).toEqual({ ok: true, epoch: 3 });
    const [one, two, three] = certified(lab.node("dan"));
    const manifest = (of: typeof one) => lab.node("dan").releases.papers.manifest(of!.proposal.manifest, [])!;
    for (const c of [one, three]) manifest(c);
    expect(manifest(three).items).toEqual(manifest(one).items);
    expect(manifest(three).rollback).toBe(1);
    expect(three!.proposal.atMs).toBeGreaterThanOrEqual(two!.proposal.atMs + 6000);
    expect(lab.node("dan").releases.pending("stable")).toEqual([]);
  });
});

describe("whatever arrives when and whoever dies when", () => {
  test.each(Array.from({ length: 4 }, (_, i) => i))(
    "one manifest per epoch, and a majority goes on (seeds from %i × 15)",
    (block) => {
      for (let seed = block * 15 + 1; seed <= block * 15 + 15; seed++) trouble(seed);
    },
  );
});

function trouble(seed: number): void {
  const lab = farm(seed);
  const { random } = lab;
  const known = new Map<number, string>();
  let builds = 10;
  let losses = 1;
  for (let step = 0; step < 400; step++) {
    const node = random.pick(lab.nodes);
    const what = random.float();
    lab.nowMs += random.below(60);
    if (what < 0.75 && node.up) {
      const recent = lab.said.slice(-40);
      for (let n = random.below(6); n > 0; n--)
        lab.hear(node, random.pick(random.float() < 0.8 ? recent : lab.said));
      lab.pump(node);
    } else if (what < 0.8 && node.up)
      lab.stage(node, `b${random.below(4)}`, { [`bin/${random.below(6)}`]: `${builds}` }, builds++);
    else if (what < 0.88 && node.up) lab.command(node, finalize);
    else if (what < 0.94 && node.up)
      lab.kill(node, losses > 0 && node.name !== "dan" && random.float() < 0.1 && losses-- > 0);
    else if (!node.up) lab.start(node);
    releasesOf(lab, known);
  }
  // A majority of the voters lives and reaches each other: whoever asks gets a release, and none is lost.
  for (const node of lab.nodes) if (!node.up) lab.start(node);
  lab.settle(12_000);
  lab.stage(lab.node("dan"), "last", { "bin/last": "last" }, 9999);
  lab.settle(300);
  const id = lab.command(lab.node("dan"), finalize);
  lab.settle(10_000);
  const reply = lab.replies.get(id);
  expect(reply, `seed ${seed}`).toMatchObject({ ok: true });
  const releases = releasesOf(lab, known);
  expect(Math.max(...releases.keys()), `seed ${seed}`).toBe(certified(lab.node("ann")).length);
  // The fold is one of the set: any order of the entries gives the same epochs.
  const epochs = new Epochs("stable", lab.members);
  const entries = [...lab.said].sort(() => random.float() - 0.5);
  for (const entry of entries)
    for (const raw of entry.entry.events) {
      const event = knownEvent(raw);
      if (event?.kind.startsWith("release.")) epochs.take(entry, event);
    }
  expect(epochs.certified.map((c) => c.value)).toEqual(certified(lab.node("ann")).map((c) => c.value));
}
