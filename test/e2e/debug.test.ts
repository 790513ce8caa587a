/** A build debugged on three real daemons: held, seen before it happens, let through one by one, placed, through a kill -9. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildResult } from "../../node/control/api.ts";
import type { DebugView, PreviewView } from "../../node/control/debugging.ts";
import type { WhyView } from "../../protocol/explain/why.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(() => farm.close());

const spec = `swarmd: 1
name: held
actions:
  part:
    foreach: { i: { count: 3 } }
    run: echo \${i} > \${out}
    out: parts/\${i}.txt
  link:
    in: [parts/0.txt, parts/1.txt, parts/2.txt]
    run: cat \${in} > \${out}
    out: linked.txt
  test:
    in: linked.txt
    run: wc -l \${in} > \${out}
    out: tested.txt
`;

interface Answer {
  readonly moved: number;
  readonly actions?: readonly string[];
  readonly word?: string;
}

test("a breakpoint holds through a restart, a preview names what is next, a step lets it go where a person placed it", {
  timeout: 240_000,
}, async () => {
  await farm.found("ann", "ben", "cy");
  // Nothing begins before the breakpoint is set, however busy this machine is.
  const all = ["ann", "ben", "cy"];
  await Promise.all(all.map((node) => farm.good("ann", "pause", node)));
  await farm.good("ann", "submit", await farm.terminal.write("held.yaml", spec), "--detach");
  const buildAt = async (node: string) =>
    (await farm.control(node).builds()).find(({ name }) => name === "held");
  await until(async () => (await buildAt("ben")) !== undefined);
  await farm.good("ben", "breakpoint", "held", "link", "--reason", "look first");
  for (const node of all)
    await until(async () => {
      const { breakpoints } = await farm.control(node).debugging((await buildAt(node))!.build);
      return breakpoints.length === 1;
    });
  await Promise.all(all.map((node) => farm.good("ann", "resume", node)));
  const holdsAt = async (node: string) => (await buildAt(node))?.holds;
  const held = [{ kind: "breakpoint", action: "link", by: "ben", reason: "look first" }];
  for (const node of all) {
    await until(async () => ((await holdsAt(node))?.length ?? 0) > 0);
    expect(await holdsAt(node)).toMatchObject(held);
  }
  const status = await farm.good("ann", "status");
  expect(status).toMatch(
    /held: held-\w+ link stands at a breakpoint of ben for .* \(look first\): .*step held-\w+ link/,
  );

  // Whoever set it may die, and comes back to it.
  await farm.kill("ben");
  await farm.start("ben");
  await farm.meet("ann", "ben", "cy");
  await until(async () => ((await holdsAt("ben"))?.length ?? 0) > 0);
  expect(await holdsAt("ben")).toMatchObject(held);

  // Paused too, and placed: the step from another node goes past both, on that node.
  await farm.good("cy", "pause", "held");
  await until(async () => ((await holdsAt("ann"))?.length ?? 0) > 1);
  expect(await farm.json<Answer>("ann", "place", "held", "link", "cy", "--reason", "its disk")).toMatchObject(
    {
      moved: 1,
    },
  );
  const before = await farm.json<PreviewView>("ann", "preview", "held");
  expect(before.waits).toMatchObject([{ action: "link", why: "ben set a breakpoint on it (look first)" }]);
  expect(await farm.json<Answer>("ann", "step", "held")).toMatchObject({ moved: 1, actions: ["link"] });
  // What was let go takes as long as it takes, and whoever is held up for a while is none to choose.
  let next: PreviewView["choices"][number] | undefined;
  await until(async () => {
    [next] = (await farm.json<PreviewView>("ben", "preview", "held")).choices;
    return next?.state === "ready" && next.candidates.length === 3;
  });
  expect(next).toMatchObject({ action: "test", state: "ready", held: "pause", startMs: 0, sure: true });
  expect(next!.candidates.map(({ node }) => node).sort()).toEqual(["ann", "ben", "cy"]);
  expect(await farm.json<DebugView>("ben", "breakpoint", "held")).toMatchObject({
    state: "paused",
    breakpoints: [{ action: "link", reached: false }],
    places: [{ action: "link", node: "cy", by: "ann", state: "done" }],
  });

  expect(await farm.json<Answer>("ben", "resume", "held")).toMatchObject({ moved: 1 });
  const result = await farm.json<BuildResult>("ann", "watch", "held");
  expect(result).toMatchObject({ state: "complete", executed: 5 });
  const link = await farm.json<WhyView>("ann", "why", "held", "link");
  expect(link.here).toMatchObject({ node: "cy", placed: { by: "ann", reason: "its disk" } });
  expect(link.again).toEqual([]);
  expect(link.waited.text).toContain("it was held, and ann let it go by a step");
  const said = await farm.good("cy", "timeline", "--build", "held", "--kind", "debugger_preview");
  expect(said).toContain("link is to run on cy, a person's choice: its disk");
  await until(async () => (await buildAt("cy"))?.state === "complete");
  const ended = await farm.run("cy", "step", "held");
  expect(ended.code).toBe(4);
  expect(ended.stderr).toContain("has ended: it is complete");
});
