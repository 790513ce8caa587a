import { expect, test } from "vitest";
import { Attention } from "../../protocol/work/attention.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

/** Three nodes that hold one action each, and what ann thinks of facts about them. */
function watched() {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} }, { run: () => ({ ms: 1, never: true }) });
  const id = cores.submit("ann", graphOf({ a: [], b: [], c: [] }));
  cores.runFor(500);
  const { core, peer } = cores.node("ann");
  const build = core.desk.builds.get(id)!;
  const claims = [...build.claims!.openClaims];
  const attention = new Attention(core.desk, core.preparer, core.scheduler);
  attention.decided(Number.POSITIVE_INFINITY);
  const entriesBy = (author: string) => build.facts().filter((e) => e.entry.author === author);
  return { cores, core, build, claims, peer, attention, entriesBy };
}

test("a claim of another calls for no decision, one of its own does", () => {
  const { claims, build, peer, attention } = watched();
  expect(claims).toHaveLength(3);
  for (const claim of claims.filter((c) => c.holder !== peer)) attention.facts(build, [claim], []);
  expect(attention.needed).toBe(false);
  attention.facts(
    build,
    claims.filter((c) => c.holder === peer),
    [],
  );
  expect(attention.needed).toBe(true);
});

test("a failure, a word of its own and what is not common call for a decision", () => {
  const { claims, build, peer, attention, entriesBy, cores } = watched();
  const others = claims.filter((c) => c.holder !== peer);
  attention.facts(build, [{ ...others[0]!, fail: { kind: "fail" } as never }], []);
  expect(attention.needed).toBe(true);
  attention.decided(Number.POSITIVE_INFINITY);
  attention.facts(build, [], entriesBy(peer));
  expect(attention.needed).toBe(true);
  attention.decided(Number.POSITIVE_INFINITY);
  const [entry] = entriesBy(cores.node("ann").peer);
  const foreign = { ...entry!, entry: { ...entry!.entry, author: others[0]!.holder } };
  attention.facts(build, [], [foreign]); // it carries the submission
  expect(attention.needed).toBe(true);
});

test("a claim of one who was started anew calls for a decision", () => {
  const { claims, build, peer, attention } = watched();
  const other = claims.find((c) => c.holder !== peer)!;
  attention.facts(build, [{ ...other, holderInc: "9-00000000" as never }], []);
  expect(attention.needed).toBe(true);
});

test("time, and who lives, call for decisions", () => {
  const { core, attention } = watched();
  attention.by(core.desk.now.monoMs + 1);
  expect(attention.needed).toBe(false);
  attention.by(core.desk.now.monoMs);
  expect(attention.needed).toBe(true);
  attention.decided(Number.POSITIVE_INFINITY);
  core.desk.aliveRevision++;
  expect(attention.needed).toBe(true);
});
