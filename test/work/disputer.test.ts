/** What a check found is said of what is staged, also where the check is known before the build that it checks. */
import { expect, test } from "vitest";
import type { Graph } from "../../protocol/build/graph.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { Staging } from "../../protocol/release/staging.ts";
import { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import { Disputer } from "../../protocol/work/disputer.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import { Author, done, graphOf, resultOf, rolesOf } from "./facts.ts";

const checked = "demo-0123456789" as BuildId;
const checks = "check-demo-0123456789" as BuildId;
const members = rolesOf() as unknown as Desk["members"];
const [ann, bob, cy] = ["ann", "bob", "cy"].map((name) => new Author(name)) as [Author, Author, Author];

const graph = {
  ...graphOf({ a: [], b: [] }),
  release: { channel: "stable", format: "files", include: ["b" as ActionName] },
};

/** Both actions were made by bob; cy, who ran them again, came to something else. */
function open() {
  const own = new Build(checked, new Ledger(checked, 0), 0);
  const check = new Build(checks, new Ledger(checks, 0), 0);
  check.submission = { event: { checks: checked } } as NonNullable<Build["submission"]>;
  const quoting = graph.actions.map((action) => ({
    ...action,
    checks: { by: [bob.peer], outputs: resultOf(action.name).outputs },
  }));
  const { release: _, ...plain } = graph;
  const picking = { build: checked, share: 1, salt: "", of: 2, left: [] };
  check.open({ ...plain, actions: quoting, checks: picking } as Graph, new Estimates(), members);
  const made = graph.actions.flatMap(({ name }) => {
    const claim = ann.claim(name, bob);
    return [ann.say(claim), bob.say(done(claim))];
  });
  for (const { name } of graph.actions) {
    const claim = ann.claim(name, cy);
    check.take([ann.say(claim), cy.say(done(claim, "else"))], members);
  }
  check.take([ann.say({ kind: "sealed", state: "complete", wallMs: 1 })], members);
  const said: unknown[] = [];
  const desk = {
    settled: true,
    members,
    config: { self: ann.peer },
    builds: new Map([own, check].map((one) => [one.id, one])),
    stewardOf: () => ann.peer,
    say: (_build: undefined, event: unknown) => said.push(event),
  } as unknown as Desk;
  const staging = { channelsOf: () => ["stable"], disputesOf: () => [] } as unknown as Staging;
  return { own, made, said, disputer: new Disputer(desk, staging) };
}

const dispute = {
  kind: "release.disputed",
  channel: "stable",
  build: checked,
  check: checks,
  actions: [{ action: "b", nodes: [cy.peer] }],
};

test("a check that is over is read again once it is heard who made what it quotes", () => {
  const { own, made, said, disputer } = open();
  own.open(graph, new Estimates(), members);
  disputer.pump();
  expect(said).toEqual([]);
  for (const entry of made) {
    own.take([entry], members);
    disputer.pump();
  }
  expect(said).toEqual([dispute]);
});

test("what is not released is not disputed, also as long as the plan that says so is on its way", () => {
  const { own, made, said, disputer } = open();
  own.take(made, members);
  disputer.pump();
  expect(said).toEqual([]);
  own.open(graph, new Estimates(), members);
  disputer.pump();
  expect(said).toEqual([dispute]);
});
