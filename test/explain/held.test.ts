/** What a person who debugs a build reads: what holds it, what would be next, and afterwards why it waited and ran there. */
import { describe, expect, test } from "vitest";
import { DebugQueries } from "../../node/debug-queries.ts";
import { Queries } from "../../node/queries.ts";
import type { DebugWord } from "../../protocol/contract.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
const name = (action: string) => action as ActionName;

/** Two nodes, and a build of which `b` has a breakpoint and `c` is placed on bob: it is reached. */
function reached() {
  const cores = new Cores({ ann: {}, bob: {} }, { run: () => ({ ms: 600 }) });
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const accounts = accountsOf(core, queries);
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"] }));
  cores.runUntil(() => core.desk.builds.get(build)?.claims !== undefined);
  const say = (word: DebugWord, reason?: string) =>
    cores.command("bob", { kind: "debug", build, word, dryRun: false, ...(reason ? { reason } : {}) });
  cores.runFor(50);
  say({ op: "break", action: name("b") }, "look at it");
  say({ op: "place", action: name("c"), peer: cores.node("bob").peer }, "the fast disk");
  const claims = () => core.desk.builds.get(build)!.claims!;
  cores.runUntil(() => claims().actions.get(2) === "done");
  cores.runFor(2500);
  const debugged = new DebugQueries(core, queries);
  const why = (action: string) => accounts.why(build as BuildId, name(action));
  return { cores, core, build, say, queries, debugged, why };
}

describe("a build at a breakpoint", () => {
  test("says in its summary what holds it, since when and by whom; in its preview what lets it go", () => {
    const { build, queries, debugged, core } = reached();
    const hold = { kind: "breakpoint", action: "b", by: "bob", reason: "look at it" };
    const { holds, state } = queries.summary(queries.find(build));
    expect([state, holds]).toMatchObject(["running", [hold]]);
    expect(holds![0]!.forMs).toBeGreaterThan(2000);
    expect(debugged.debugging(build)).toMatchObject({
      state: "running",
      breakpoints: [{ action: "b", by: "bob", reached: true, reason: "look at it" }],
      places: [{ action: "c", node: "bob", by: "bob", state: "done", reason: "the fast disk" }],
    });
    expect(debugged.preview(build)).toMatchObject({
      choices: [],
      waits: [{ action: "b", why: "bob set a breakpoint on it (look at it)", command: ["step", build, "b"] }],
      more: 0,
    });
    expect(queries.view(core.desk.builds.get(build)!).actionViews[1]!.waitsFor).toBe(
      "waits at its breakpoint",
    );
  });

  test("why tells what it waits for, then what let it go, and who placed the other", async () => {
    const { cores, build, say, why } = reached();
    expect((await why("b")).waited.text).toContain(
      `it stands at a breakpoint of bob (look at it); to let it go: swarmd step ${build} b`,
    );
    say({ op: "step", actions: [name("b")] }, "seen");
    cores.finish(build);
    expect((await why("b")).waited.text).toContain("it was held, and bob let it go by a step (seen)");
    const { here } = await why("c");
    expect(here).toMatchObject({ node: "bob", placed: { by: "bob", reason: "the fast disk" } });
    expect(here!.text).toContain("bob placed it there (the fast disk), whatever would have been chosen");
  });

  test("a preview names all candidates with the parts of their scores, and what comes after what is at work", () => {
    const { cores, build, say, debugged } = reached();
    say({ op: "step", actions: [name("b")] });
    cores.runFor(200);
    const [next] = debugged.preview(build).choices;
    expect(next).toMatchObject({ action: "d", state: "waiting", waitsFor: ["b"], sure: true });
    expect(next!.startMs).toBeGreaterThan(0);
    expect(next!.candidates.map(({ node }) => node).sort()).toEqual(["ann", "bob"]);
    expect(Object.keys(next!.candidates[0]!.parts).length).toBeGreaterThan(2);
    expect(next!.candidates.filter(({ chosen }) => chosen).map(({ node }) => node)).toEqual([next!.node]);
  });

  test("placed where nobody is, it says so with the command that clears it, in why, preview and status", async () => {
    const { cores, build, say, why, queries, debugged } = reached();
    say({ op: "place", action: name("d"), peer: cores.node("bob").peer });
    say({ op: "break", action: name("b"), clear: true });
    cores.runUntil(() => queries.find(build).claims!.actions.get(1) === "done");
    cores.kill("bob");
    cores.runFor(20_000);
    const command = ["place", build, "d", "--clear"];
    expect((await why("d")).waited.text).toContain(
      `bob placed it on bob, which is away; to let others have it: swarmd ${command.join(" ")}`,
    );
    expect(debugged.preview(build).waits).toEqual([
      { action: "d", why: "bob placed it on bob, which is away", command },
    ]);
    expect(queries.waits()).toMatchObject([
      { first: "d", never: true, why: "a person placed it on bob, which is away", remedy: { command } },
    ]);
  });

  test("a build that has ended has nothing to preview", () => {
    const { cores, build, say, debugged } = reached();
    say({ op: "break", action: name("b"), clear: true });
    cores.finish(build);
    expect(() => debugged.preview(build)).toThrow(/has ended: it is complete/);
    expect(() => debugged.debugging("no-0123456789" as BuildId)).toThrow(/there is no build/);
  });
});

test("a build that broke at a failure says at which, and who wanted that", async () => {
  const cores = new Cores(
    { ann: {}, bob: {} },
    {
      run: ({ action }) =>
        action === "bad"
          ? { ms: 20, outcome: { kind: "failed", cause: "deterministic", reason: "broken" } }
          : { ms: 3000 },
    },
  );
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const build = cores.submit("ann", graphOf({ bad: [], w1: [], w2: [], w3: [] }));
  cores.runUntil(() => core.desk.builds.get(build)?.claims !== undefined);
  cores.command("bob", { kind: "debug", build, word: { op: "break" }, dryRun: false });
  cores.runUntil(() => core.desk.builds.get(build)!.claims!.paused);
  cores.runFor(5000);
  expect(queries.summary(queries.find(build))).toMatchObject({
    state: "paused",
    holds: [{ kind: "failure", action: "bad", by: "bob" }],
  });
  const { waited } = await accountsOf(core, queries).why(build, name("w3"));
  expect(waited.text).toContain(
    `the build broke at the failure of bad, as bob wanted; to go on: swarmd resume ${build}`,
  );
});
