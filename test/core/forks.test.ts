/** Members that tell one half of the swarm one thing and the other half another, wherever they do it, are found out by both halves. */
import { expect, test } from "vitest";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const eve = fakePeer("eve");
const inc = "77-00000077" as Incarnation;
const graph = graphOf(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`w${i}`, []])));

/** Eve is a member, and no machine of hers runs. */
function begin(): Cores {
  const cores = new Cores({ ann: {}, bob: {}, cy: {}, eve: {} });
  cores.kill("eve");
  cores.runFor(6000);
  return cores;
}

const says = (cores: Cores, seq: number, note: string, build?: BuildId, last = seq - 1): SignedEntry => {
  const entry: Entry = {
    v: 1,
    swarm: cores.founding.entry.swarm,
    author: eve,
    inc,
    seq,
    prev: null,
    hlc: [0, 0],
    last,
    ...(build === undefined ? {} : { build }),
    events: [{ kind: "note", note }],
  };
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(eve).sign(id));
};

/** Hands a story in a ledger to one node, as if Eve had. */
function tells(cores: Cores, to: string, build: BuildId, story: readonly SignedEntry[]): void {
  const ledger = new Ledger(build, clientOf(eve, inc));
  for (const entry of story)
    cores.hand(eve, to, { kind: "ledger", build, update: ledger.add(entry), entries: [entry] });
}

const knowing = (cores: Cores) =>
  cores.nodes.filter((n) => n.up && n.core.desk.members.forks.has(eve, inc)).map((n) => n.name);

const everybody = ["ann", "bob", "cy"];

test.each<[string, (cores: Cores, build: BuildId) => [SignedEntry[], SignedEntry[]], number]>([
  [
    "two entries at one place",
    (cores, build) => [[says(cores, 0, "a", build)], [says(cores, 0, "b", build)]],
    0,
  ],
  [
    "two large entries at one place, and then the same",
    (cores, build) => {
      const last = says(cores, 1, "c", build);
      return [
        [says(cores, 0, "a".repeat(60_000), build), last],
        [says(cores, 0, "b".repeat(60_000), build), last],
      ];
    },
    0,
  ],
  [
    "one after the first, where the other story has another one between",
    (cores, build) => [
      [says(cores, 0, "a", build), says(cores, 1, "b", build)],
      [says(cores, 0, "a", build), says(cores, 2, "c", build, 0)],
    ],
    1,
  ],
  [
    "two stories that part twenty entries ago",
    (cores, build) =>
      ["a", "b"].map((who) =>
        Array.from({ length: 22 }, (_, seq) => says(cores, seq, seq === 2 ? who : "same", build)),
      ) as [SignedEntry[], SignedEntry[]],
    2,
  ],
])("a fork that shows in a ledger alone is found: %s", (_, stories, from) => {
  const cores = begin();
  const build = cores.submit("ann", graph);
  const [one, other] = stories(cores, build);
  tells(cores, "ann", build, one);
  tells(cores, "bob", build, other);
  expect(cores.runUntil(() => knowing(cores).length === 3, 30_000)).toBe(true);
  for (const { core } of cores.nodes.filter((n) => n.up))
    expect(core.desk.members.forks.all()).toMatchObject([{ author: eve, inc, seq: from, build }]);
  cores.finish(build);
  cores.runFor(5000);
  const up = everybody.map((name) => cores.node(name));
  expect(new Set(up.map((n) => n.build(build).ledger.digest())).size).toBe(1);
  // What differs for good is not asked about for good.
  const sent = () => up.reduce((sum, n) => sum + n.sent("sync").length, 0);
  const before = sent();
  cores.runFor(20_000);
  expect(sent() - before).toBeLessThan(6);
});

test("a fork in the timeline is found however far back it lies, and however large it is", () => {
  const cores = begin();
  const story = (who: string) =>
    Array.from({ length: 60 }, (_, seq) => says(cores, seq, seq === 5 ? who.repeat(50_000) : "same"));
  for (const entry of story("a")) cores.hand(eve, "ann", { kind: "entries", entries: [entry] });
  for (const entry of story("b")) cores.hand(eve, "bob", { kind: "entries", entries: [entry] });
  expect(cores.runUntil(() => knowing(cores).length === 3, 30_000)).toBe(true);
  cores.runFor(5000);
  const digests = everybody.map((name) => cores.node(name).core.desk.chains.digest());
  expect(new Set(digests).size).toBe(1);
});

test("what a forked start said before still counts, another start of its author counts again", () => {
  const cores = begin();
  const build = cores.submit("ann", graph);
  tells(cores, "ann", build, [says(cores, 0, "same", build), says(cores, 1, "a", build)]);
  tells(cores, "bob", build, [says(cores, 0, "same", build), says(cores, 1, "b", build)]);
  expect(cores.runUntil(() => knowing(cores).length === 3, 30_000)).toBe(true);
  const { forks } = cores.node("cy").core.desk.members;
  const counts = (seq: number, start: string) =>
    forks.counts({ author: eve, inc: start as Incarnation, seq });
  expect([counts(0, inc), counts(1, inc), counts(9, inc)]).toEqual([true, false, false]);
  expect(counts(0, "78-00000078")).toBe(true);
});

test.each<[string, (cores: Cores, builds: readonly [BuildId, BuildId]) => [string, SignedEntry][]]>([
  [
    "two ledgers",
    (cores, [one, other]) => [
      ["ann", says(cores, 0, "a", one)],
      ["bob", says(cores, 0, "b", other)],
    ],
  ],
  [
    "the timeline and then a ledger",
    (cores, [one]) => [
      ["ann", says(cores, 0, "a")],
      ["bob", says(cores, 0, "b", one)],
    ],
  ],
  [
    "a ledger and then the timeline",
    (cores, [one]) => [
      ["ann", says(cores, 0, "a", one)],
      ["bob", says(cores, 0, "b")],
    ],
  ],
])("two entries at one place, told in different scopes, are found: %s", (_, stories) => {
  const cores = begin();
  const builds = [cores.submit("ann", graph), cores.submit("bob", graphOf({ other: [] }))] as const;
  for (const [to, entry] of stories(cores, builds)) {
    if (entry.entry.build) tells(cores, to, entry.entry.build, [entry]);
    else cores.hand(eve, to, { kind: "entries", entries: [entry] });
    cores.runFor(2000);
  }
  expect(cores.runUntil(() => knowing(cores).length === 3, 30_000)).toBe(true);
  for (const { core } of cores.nodes.filter((n) => n.up))
    expect(core.desk.members.forks.all()).toMatchObject([{ author: eve, inc, seq: 0 }]);
});
