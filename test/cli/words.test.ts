import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryControl, type MemoryOptions } from "../control/memory.ts";
import { submitted, Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

const first = "three-5feceb66ff";
const second = "three-6b86b273ff";

/** A daemon with `builds` builds that never end; the last has the nodes alpha and beta. */
async function live(builds: number, options: MemoryOptions = {}): Promise<MemoryControl> {
  const memory = new MemoryControl({
    nodes: ["alpha", "beta"],
    pace: () => new Promise(() => {}),
    ...options,
  });
  await terminal.serve(memory);
  const spec = await writeSpec(terminal);
  for (let i = 0; i < builds; i++) await submitted(memory, spec);
  return memory;
}

describe("a word about a build", () => {
  test("says in one sentence what moved, and as JSON", async () => {
    const memory = await live(1);
    expect(await terminal.good("pause", "three")).toBe(`${first} is paused: 3 actions moved\n`);
    expect(await terminal.good("resume", first, "--reason", "go")).toBe(
      `${first} goes on: 3 actions moved\n`,
    );
    expect(await terminal.good("unblock", "three", "compile/a")).toBe(
      `compile/a of ${first} is unblocked: 1 action moved\n`,
    );
    expect(await terminal.good("unblock", "compile/b")).toContain(`compile/b of ${first} is unblocked`);
    expect(await terminal.good("rebalance")).toBe(
      "what waits in all builds is shared out anew: 1 action moved\n",
    );
    expect(JSON.parse(await terminal.good("retry-failures", "--json"))).toEqual({
      ok: true,
      moved: 1,
      lost: 0,
      build: first,
    });
    const { peerId } = (await memory.nodes())[1]!;
    expect(JSON.parse(await terminal.good("drain", "beta", "--json"))).toEqual({
      ok: true,
      moved: 1,
      lost: 0,
      node: "beta",
    });
    expect(memory.words).toMatchObject([
      { op: "pause", build: first },
      { op: "resume", build: first, reason: "go" },
      { op: "unblock", build: first, action: "compile/a" },
      { op: "unblock", build: first, action: "compile/b" },
      { op: "rebalance" },
      { op: "retry-failures", build: first },
      { op: "drain", peer: peerId },
    ]);
  });

  test("says nothing of what did not move, unless to move was its point", async () => {
    const memory = await live(1);
    memory.operate = memory.control = async () => ({ moved: 0, lost: 0 });
    expect(await terminal.good("pause", "three")).toBe(`${first} is paused\n`);
    expect(await terminal.good("pause", "three", "--dry-run")).toBe(`${first} would be paused\n`);
    expect(await terminal.good("unblock", "three")).toBe(`${first} is unblocked: no action moves\n`);
    expect(await terminal.good("rebalance", "--dry-run")).toBe(
      "what waits in all builds would be shared out anew: no action moves\n",
    );
  });

  test("with --dry-run says what it would do and does nothing", async () => {
    const memory = await live(1, { lost: 2 });
    expect(await terminal.good("reset", "three", "--dry-run")).toBe(
      `${first} would begin anew, its results kept: 1 action would move, 2 runs would be lost\n`,
    );
    expect(JSON.parse(await terminal.good("cancel", "three", "--dry-run", "--json"))).toEqual({
      ok: true,
      build: first,
      moved: 3,
      lost: 2,
      dryRun: true,
    });
    await terminal.good("pause", "--dry-run");
    expect(memory.words).toEqual([]);
  });

  test.for([
    ["cancel", "three"],
    ["reset", "three"],
    ["drain", "beta", "--now"],
  ] as const)("%j does not lose work where nobody can be asked, but with --yes", async (args) => {
    const memory = await live(1, { lost: 1 });
    const { code, stderr } = await terminal.run(...args);
    expect(code).toBe(2);
    expect(stderr).toContain("there is nobody to ask");
    expect(stderr).toContain("--yes");
    expect(memory.words).toEqual([]);
    expect(await terminal.good(...args, "--yes")).toContain("1 run lost");
    expect(memory.words).toHaveLength(1);
  });

  test("what loses nothing is not asked about", async () => {
    await live(1);
    expect(await terminal.good("reset", "three")).toContain("1 action moved\n");
    expect(await terminal.good("drain", "beta", "--now")).toContain("beta is drained");
  });
});

describe("which build or node is meant", () => {
  test("without a word, the only one; several are listed", async () => {
    await live(2);
    const several = await terminal.run("pause");
    expect(several.code).toBe(2);
    expect(several.stderr).toContain(`${second}, ${first}`);
    await terminal.good("pause", first);
    expect(await terminal.good("pause")).toContain(`${second} is paused`);
    const resting = await terminal.run("resume");
    expect(resting.stderr).toContain(`these rest: ${second}, ${first}`);
    await terminal.good("resume", first);
    expect(await terminal.good("resume")).toContain(`${second} goes on`);
    const nothing = await terminal.run("resume");
    expect(nothing).toMatchObject({ code: 2 });
    expect(nothing.stderr).toContain("nothing is paused or drained");
    await terminal.good("drain", "beta");
    expect(await terminal.good("status")).toContain("alive, drained");
    expect(await terminal.good("resume")).toContain("beta goes on");
  });

  test("a word that is a build and a node is refused with both spelled out", async () => {
    const memory = await live(1, { nodes: ["alpha", "three"] });
    const { code, stderr } = await terminal.run("pause", "three");
    expect(code).toBe(2);
    const { peerId } = (await memory.nodes())[1]!;
    expect(stderr).toContain(`three may be the build ${first} or the node three ${peerId}`);
    expect(await terminal.good("pause", first)).toContain(`${first} is paused`);
    expect(await terminal.good("pause", peerId)).toContain("three is paused");
  });

  test("a whole name comes before the beginning of another", async () => {
    await live(1, { nodes: ["alpha", "thr"] });
    expect(await terminal.good("pause", "thr")).toContain("thr is paused");
    expect(await terminal.good("pause", "three")).toContain(`${first} is paused`);
  });

  test("what names nothing is refused with 2 and the way on", async () => {
    const memory = await live(1);
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["pause", "alhpa"], "did you mean alpha?"],
      [["resume", "tree"], "did you mean three?"],
      [["drain", "three"], "swarmd node list"],
      [["unground", "bta"], "did you mean beta?"],
      [["unblock", "compile/aa"], "did you mean compile/a?"],
      [["retry", "trhee", "compile/a"], "did you mean three?"],
      [["queue", "lits"], "did you mean queue list?"],
      [["queue", "add"], "queue add SPEC"],
      [["queue", "list", "x"], "queue add SPEC"],
      [["drain"], "swarmd help"],
      [["reset"], "swarmd help"],
      [["pause", "three", "--reason", "x".repeat(300)], "at most 250 characters"],
    ];
    const ends = await Promise.all(cases.map(([args]) => terminal.run(...args)));
    for (const [i, { code, stderr }] of ends.entries()) {
      expect({ args: cases[i]![0], code }).toEqual({ args: cases[i]![0], code: 2 });
      expect(stderr).toContain(cases[i]![1]);
    }
    expect(memory.words).toEqual([]);
  });
});

describe("the queue", () => {
  test("lists builds in their turn; add says the place and does not wait", async () => {
    await live(1);
    const { stdout, stderr } = await terminal.run(
      "queue",
      "add",
      await writeSpec(terminal),
      "--priority",
      "5",
    );
    expect(stdout).toBe(`${second} is 1 of 2 in the queue\n`);
    expect(stderr).toBe(`follow it: swarmd watch ${second}\n`);
    expect(await terminal.good("queue", "list")).toBe(
      `#  BUILD             STATE    PRIORITY  BY     DONE  READY  RUNNING  BLOCKED  SHARE
1  ${second}  running         0  alpha   0/3      0        0        0   50 %
2  ${first}  running         0  alpha   0/3      0        0        0   50 %
`,
    );
    expect(JSON.parse(await terminal.good("queue", "list", "--json"))).toMatchObject([
      { build: second, place: 1 },
      { build: first, place: 2 },
    ]);
  });

  test("says that nothing waits", async () => {
    await live(0);
    expect(await terminal.good("queue", "list")).toBe("no build waits or runs\n");
  });
});
