/** Why an action went as it did, asked of cores that lived through it. */
import { describe, expect, test } from "vitest";
import { Queries } from "../../node/queries.ts";
import type { WhyView } from "../../protocol/explain/why.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Swarm } from "../../sim/swarm.ts";
import { chain } from "../../sim/workload.ts";
import { Cores, type Rules } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

function swarm(rules: Rules = { run: () => ({ ms: 40 }) }) {
  const cores = new Cores({ ann: {}, bob: {} }, rules);
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const accounts = accountsOf(core, queries);
  const why = (build: BuildId, action: string) => accounts.why(build, action as ActionName);
  return { cores, core, why };
}

/** Every sentence of an answer. */
const sentences = (view: WhyView): string[] => [
  ...(view.here ? [view.here.text] : []),
  view.waited.text,
  view.cache.text,
  ...view.again.map((one) => one.text),
  ...view.failed.map((one) => one.text),
];

describe("why there, and when", () => {
  test("names the steward, the score with its parts, all candidates and the view it stood on", async () => {
    const { cores, why } = swarm();
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"] }));
    cores.finish(build);
    for (const action of ["a", "b", "c"]) {
      const { here, state, waited } = await why(build, action);
      expect(state).toBe("done");
      expect(["ann", "bob"]).toContain(here!.node);
      expect(here!.candidates.filter(({ chosen }) => chosen).map(({ node }) => node)).toEqual([here!.node]);
      expect(here!.text).toContain(here!.steward);
      if (here!.score !== undefined) {
        expect(here!.candidates[0]!.score).toBe(here!.score);
        expect(here!.view!.ageMs).toBeGreaterThanOrEqual(0);
        expect(here!.candidates.map(({ node }) => node).sort()).toEqual(["ann", "bob"]);
      }
      expect(waited.runMs).toBe(40);
      expect(waited.last).toBe(action === "a" ? undefined : action === "b" ? "a" : "b");
    }
  });

  test("of what nobody has: what is missing, and which node comes nearest", async () => {
    const { cores, why } = swarm({ run: () => ({ ms: 1, never: true }) });
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
    cores.runFor(500);
    const behind = await why(build, "b");
    expect(behind.waited).toMatchObject({
      missing: ["a"],
      text: expect.stringMatching(/^it waits for a \(/),
    });
    const odd = cores.submit("ann", graphOf({ x: [] }, { toolchains: { fortran: "0".repeat(32) } }));
    cores.runFor(500);
    const { waited, state, here } = await why(odd, "x");
    expect({ state, here }).toEqual({ state: "ready", here: undefined });
    expect(waited.unfit.map(({ node }) => node).sort()).toEqual(["ann", "bob"]);
    expect(waited.text).toContain("no node fits");
    expect(waited.waitMs).toBeGreaterThan(100);
  });

  test("a pause is named, with who paused", async () => {
    const { cores, why } = swarm();
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
    cores.command("ann", { kind: "control", build, op: "pause", reason: "lunch" });
    cores.runFor(2000);
    const ready = (await why(build, "a")).state === "done" ? "b" : "a";
    expect((await why(build, ready)).waited.text).toContain("the build is paused by ann (lunch)");
  });
});

describe("why not from the cache", () => {
  test("names the parts that changed: a file, a flag, a variable, a toolchain, and what others made anew", async () => {
    const { cores, why } = swarm();
    const before = graphOf({ a: [], b: ["a"] });
    cores.finish(cores.submit("ann", before));
    const actions = before.actions.map((action) =>
      action.name === "a" ? { ...action, argv: ["make", "a", "-O2"], env: { LANG: "C" } } : action,
    );
    const build = cores.submit("ann", { ...before, actions });
    cores.finish(build);
    const { cache } = await why(build, "a");
    expect(cache.changes).toEqual([
      { part: "flag", name: "-O2", after: "1" },
      { part: "environment", name: "LANG", after: "C" },
    ]);
    expect(cache.text).toContain("the flag -O2 was added; the variable LANG was added");
    const file = {
      ...before,
      files: before.files.map((f) => ({ ...f, digest: `${"7".repeat(64)}/9` as never })),
    };
    const other = cores.submit("ann", file);
    cores.finish(other);
    expect((await why(other, "a")).cache.changes[0]).toMatchObject({ part: "file", name: "in/source" });
  });

  test("what was served from it says who made it where, and that it never ran", async () => {
    const swarm = new Swarm({ seed: 1, hosts: 2 }).start();
    const [ann] = swarm.hosts as [Swarm["hosts"][0]];
    const first = swarm.submit(ann, chain(2, 300));
    swarm.finish(first);
    const again = swarm.submit(ann, chain(2, 300));
    swarm.finish(again);
    const queries = new Queries(ann.core, mesh);
    const accounts = accountsOf(ann.core, queries);
    const { name } = queries.find(again).claims!.action(0);
    const { cache, here, waited } = await accounts.why(again, name);
    expect(here).toBeUndefined();
    expect(cache.made?.build).toBe(first);
    expect(waited.text).toContain("it never ran");
  });

  test("what ran although nothing changed says who had made it", async () => {
    const { cores, why } = swarm();
    const first = cores.submit("ann", graphOf({ a: [] }));
    cores.finish(first);
    const again = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
    cores.finish(again);
    const { cache } = await why(again, "a");
    expect(cache.against?.build).toBe(first);
    expect(cache.text).toMatch(/^nothing changed .* made it/);
  });

  test("what may not be cached, or was told not to be, says so; so does what was never built", async () => {
    const { cores, why } = swarm();
    const never = cores.submit("ann", graphOf({ a: [] }, { cache: false }));
    cores.finish(never);
    expect((await why(never, "a")).cache.text).toContain("cache: false");
    const fresh = cores.submit("ann", graphOf({ a: [], b: [] }), 0, true);
    cores.finish(fresh);
    expect((await why(fresh, "a")).cache.text).toContain("--no-cache");
    const novel = cores.submit("ann", graphOf({ z: [] }));
    cores.finish(novel);
    expect((await why(novel, "z")).cache.text).toContain("for the first time");
  });
});

describe("why again, and why it failed", () => {
  test("each further run names what became of the one before", async () => {
    let left = 1;
    const { cores, why } = swarm({
      run: ({ action }) =>
        action === "a" && left-- > 0
          ? { ms: 5, outcome: { kind: "failed", cause: "infrastructure", reason: "the disk is full" } }
          : { ms: 5 },
    });
    const build = cores.submit("ann", graphOf({ a: [] }));
    cores.finish(build);
    const { again, failed } = await why(build, "a");
    expect(again).toHaveLength(1);
    expect(again[0]!.text).toContain("the disk is full");
    expect(failed).toMatchObject([{ cause: "infrastructure", reason: "the disk is full" }]);
  });

  test("no answer about any action, whatever befell it, is empty or unknown", async () => {
    let n = 0;
    const { cores, why } = swarm({
      run: () =>
        n++ % 3 === 0
          ? {
              ms: 30,
              outcome: { kind: "failed", cause: "deterministic", reason: "exit code 1", exitCode: 1 },
            }
          : { ms: 20 },
    });
    const needs = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`t${i}`, i < 3 ? [] : [`t${i - 3}`, `t${(i * 7) % (i - 1)}`]]),
    );
    const build = cores.submit("ann", graphOf(needs));
    for (let moment = 0; moment < 12; moment++) {
      cores.runFor(60);
      for (const action of Object.keys(needs)) {
        const said = sentences(await why(build, action));
        for (const text of said) expect(text).not.toMatch(/^$|unknown|undefined|NaN/);
      }
    }
  });

  test("an action or a build that is not there is refused, with the nearest", async () => {
    const { cores, why } = swarm();
    const build = cores.submit("ann", graphOf({ compile: [] }));
    cores.finish(build);
    await expect(why(build, "compil")).rejects.toMatchObject({
      code: "not-found",
      remedy: "did you mean compile?",
    });
    await expect(why("no-0000000000" as BuildId, "a")).rejects.toMatchObject({ code: "not-found" });
  });
});
