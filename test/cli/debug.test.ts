import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
let memory: MemoryControl;
const build = "three-5feceb66ff";
beforeEach(async () => {
  terminal = await Terminal.open();
  memory = new MemoryControl({ nodes: ["alpha", "beta"], pace: () => new Promise(() => {}) });
  await terminal.serve(memory);
  await terminal.good("submit", await writeSpec(terminal), "--detach");
});
afterEach(() => terminal.close());

const word = { by: "beta", atMs: 0, reason: "the linker" };
const refused = async (...args: string[]) => {
  const { code, stderr } = await terminal.run(...args);
  expect(code).toBe(2);
  return stderr;
};

describe("debugging from the command line", () => {
  test("each word reaches the daemon as it was meant, and is answered in one sentence", async () => {
    memory.debugAnswer = { moved: 2, lost: 0, actions: ["compile/a", "compile/b"] as never };
    expect(await terminal.good("step", "three", "--count", "2", "--reason", "see")).toBe(
      `compile/a, compile/b of ${build} may run: 2 actions moved\n`,
    );
    await terminal.good("step", "three", "compile/a", "--dry-run");
    memory.debugAnswer = { moved: 1, lost: 0, word: "it waits: beta is away" };
    expect(await terminal.good("breakpoint", "three", "link")).toBe(
      `link of ${build} has a breakpoint: 1 action moved\n`,
    );
    await terminal.good("breakpoint", "three", "--on-failure", "--clear");
    const placed = await terminal.run("place", "three", "link", "beta");
    expect(placed.stdout).toBe(`link of ${build} runs on beta alone: 1 action moved\n`);
    expect(placed.stderr).toContain("it waits: beta is away");
    memory.debugAnswer = { moved: 0, lost: 0, word: "it waits: beta is away" };
    expect(await terminal.good("place", "three", "link", "beta")).toBe(
      `link of ${build} runs on beta alone\n`,
    );
    memory.debugAnswer = { moved: 1, lost: 0, word: "it waits: beta is away" };
    expect(JSON.parse(await terminal.good("place", "three", "link", "--clear", "--json"))).toMatchObject({
      ok: true,
      moved: 1,
      word: "it waits: beta is away",
    });
    const { peerId } = (await memory.nodes())[1]!;
    expect(memory.debugged.map(({ word, options }) => [word, options])).toMatchObject([
      [{ op: "step", count: 2 }, { reason: "see" }],
      [{ op: "step", actions: ["compile/a"] }, { dryRun: true }],
      [{ op: "break", action: "link" }, {}],
      [{ op: "break", clear: true }, {}],
      [{ op: "place", action: "link", peer: peerId }, {}],
      [{ op: "place", action: "link", peer: peerId }, {}],
      [{ op: "place", action: "link" }, {}],
    ]);
  });

  test("what makes no sense is refused with what to do, and nothing is said", async () => {
    expect(await refused("step", "three", "a", "--count", "2")).toContain("--count is for what is not named");
    expect(await refused("step", "three", "--count", "0")).toContain("a number from 1 to 64");
    expect(await refused("breakpoint", "three", "--clear")).toContain("--clear takes an action");
    expect(await refused("place", "three", "link")).toContain("place takes a node, or --clear");
    expect(await refused("preview", "three", "--reason", "x")).toContain("--reason goes with --record");
    expect(memory.debugged).toEqual([]);
  });

  test("breakpoint alone lists what holds, what is set and what was placed", async () => {
    memory.debugView = {
      state: "running",
      holds: [{ kind: "breakpoint", action: "link" as never, forMs: 12_000, ...word }],
      breakpoints: [
        { action: "link" as never, reached: true, ...word },
        { reached: false, by: "alpha", atMs: 0 },
      ],
      places: [
        {
          action: "test" as never,
          node: "beta",
          peerId: "p" as never,
          state: "ready",
          hindered: "is away",
          ...word,
        },
      ],
    };
    const text = await terminal.good("breakpoint", "three");
    expect(text).toContain("link stands at a breakpoint of beta for 12.0 s (the linker): ");
    expect(text).toMatch(/on failure +alpha/);
    expect(text).toMatch(/test +beta +beta +ready: beta is away/);
    expect(JSON.parse(await terminal.good("breakpoint", "three", "--json"))).toMatchObject({ build });
  });

  test("preview shows what is next with its candidates, and writes it down when asked", async () => {
    memory.previewed = {
      state: "paused",
      atMs: 0,
      mode: "unified",
      choices: [
        {
          action: "link" as never,
          state: "ready",
          node: "beta",
          peerId: "p" as never,
          startMs: 0,
          endMs: 2000,
          sure: true,
          held: "pause",
          placed: word,
          waitsFor: [],
          candidates: [
            { node: "beta", peerId: "p" as never, score: 1.5, parts: { free: 1, policy: 0 }, chosen: true },
          ],
          unfit: [{ node: "alpha", why: "lacks the label gpu" }],
        },
      ],
      waits: [
        { action: "test" as never, why: "beta set a breakpoint on it", command: ["step", build, "test"] },
      ],
      more: 3,
    };
    const text = await terminal.good("preview", "three");
    expect(text).toContain("were it resumed (mode unified)");
    expect(text).toMatch(/link +beta +now +in 2.0 s +once it is resumed, placed by beta \(the linker\)/);
    expect(text).toContain("beta 1.50 (free 1.00)");
    expect(text).toContain("alpha lacks the label gpu");
    expect(text).toMatch(/test: beta set a breakpoint on it: .*step three-5feceb66ff test/);
    expect(text).toContain("and 3 actions more");
    expect(memory.debugged).toEqual([]);
    const recorded = await terminal.good("preview", "three", "--count", "1", "--record", "--json");
    expect(JSON.parse(recorded)).toMatchObject({ build, recorded: true });
    expect(memory.debugged).toMatchObject([{ word: { op: "record", count: 1 } }]);
  });
});
