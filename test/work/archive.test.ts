/** What stays of an ended build, and what words that come after it change. */
import { expect, test } from "vitest";
import type { Members } from "../../protocol/swarm/members.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { Archive, endedOf } from "../../protocol/work/archive.ts";
import { Build } from "../../protocol/work/build.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import { Author, blob, done, build as id, rolesOf } from "./facts.ts";

const [ann, bob, cy] = ["ann", "bob", "cy"].map((name) => new Author(name)) as [Author, Author, Author];
const members = { ...rolesOf(), forks: rolesOf(), nameOf: String } as unknown as Members;
const submission = ann.say({
  kind: "build.submitted",
  name: "demo",
  graph: blob("plan"),
  nonce: "n",
  fold: 1,
  actions: 3,
  priority: 0,
  holders: [ann.peer],
});

/** A build whose plan is not here, archived with these words. */
function archived(...words: SignedEntry[]): Archive {
  const build = new Build(id, new Ledger(id, 0), 0);
  build.take([submission, ...words], members);
  build.submission = { entry: submission.id } as NonNullable<Build["submission"]>;
  const archive = new Archive();
  expect(archive.put(build, members)).toBeDefined();
  return archive;
}

test("of two seals the one that stands is told, whichever came first", () => {
  const seals = [
    bob.say({ kind: "sealed", state: "failed", wallMs: 1 }),
    cy.say({ kind: "sealed", state: "complete", wallMs: 2 }),
  ];
  const states = [seals, seals.toReversed()].map(([first, second]) => {
    const archive = archived(first!);
    expect(archive.add(id, [second!], members)).toBeDefined();
    return endedOf(archive.get(id)!).sealed.state;
  });
  const [lowest] = seals.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(states).toEqual([lowest, lowest].map((seal) => seal!.entry.events[0]!.state));
});

test("an action counts as done once, whoever ran it, and as soon as that is heard", () => {
  const [one, twin, other] = [ann.claim("a", bob), ann.claim("a", cy), ann.claim("b", cy)];
  const words = [ann.say(one, twin, other), ann.say({ kind: "sealed", state: "failed", wallMs: 1 })];
  const archive = archived(...words);
  const doneNow = () => archive.get(id)!.done;
  expect(doneNow()).toBe(0);
  const said = [bob.say(done(one)), cy.say(done(twin)), cy.say(done(other))];
  for (const [at, count] of [1, 1, 2].entries()) {
    archive.count(id, [...words, ...said.slice(0, at + 1)]);
    expect(doneNow()).toBe(count);
  }
});
