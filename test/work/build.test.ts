import { expect, test } from "vitest";
import type { Members } from "../../protocol/swarm/members.ts";
import { Build, buildIdOf } from "../../protocol/work/build.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { Author, blob, firstInc, graphOf, rolesOf } from "./facts.ts";

const ann = new Author("ann");
const members = rolesOf({ cy: ["builder"] }) as unknown as Members;
const graph = blob("graph");
const id = buildIdOf("demo", ann.peer, graph, "n");
const empty = () => new Build(id, new Ledger(id, clientOf(ann.peer, firstInc)), 0);
const submitted = (fields = {}) => ({
  kind: "build.submitted" as const,
  name: "demo",
  graph,
  nonce: "n",
  fold: 1,
  actions: 1,
  priority: 0,
  holders: [ann.peer],
  ...fields,
});

test("a build is its submitter's, its graph's and its nonce's: nobody else submits it", () => {
  const [bob, cy] = [new Author("bob"), new Author("cy")];
  const build = empty();
  build.take(
    [bob.say(submitted()), ann.say(submitted({ nonce: "m" }), submitted({ graph: blob("other") }))],
    members,
  );
  expect(build.submission).toBeUndefined();
  const foreign = new Build(buildIdOf("demo", cy.peer, graph, "n"), build.ledger, 0);
  foreign.take([cy.say(submitted())], members);
  expect(foreign.submission).toBeUndefined();
  build.take([ann.say(submitted({ priority: 3 }))], members);
  expect(build.submission).toMatchObject({ author: ann.peer, counts: true, event: { priority: 3 } });
});

test("facts that come before the graph are folded once it is here", () => {
  const build = empty();
  const claim = ann.claim("a", ann);
  expect(build.take([ann.say(submitted(), claim)], members)).toEqual([]);
  expect(build.live).toBe(false);
  const touched = build.open(graphOf({ a: [] }), new Estimates(), members);
  expect(touched.map((c) => c.id)).toEqual([claim.claim]);
  expect(build.live).toBe(true);
});

test("a restart may bring the facts of a large build all at once", () => {
  const entry = ann.say({ kind: "note" });
  expect(() => empty().take(Array(300_000).fill(entry), members)).not.toThrow();
});
