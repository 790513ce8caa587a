/** Failed builds opened up: the rules that come with the project, the suspects, what is held up and what to run. */
import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readRules } from "../../node/diagnosis-rules.ts";
import { Queries } from "../../node/queries.ts";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import { diagnose } from "../../protocol/explain/diagnosis.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { Cores, type Rules } from "../core/cores.ts";
import { blob, graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

describe("the rules that come with the project", async () => {
  const { rules, faults } = await readRules();
  const ruled = (output: string, more: { reason?: string; exitCode?: number; signal?: string } = {}) =>
    diagnose(rules, { reason: "exit code 1", output, ...more })[0];

  test("are all readable, each with a name of its own", () => {
    expect(faults).toEqual([]);
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
    const folder = path.resolve(import.meta.dirname, "../../specs/diagnosis");
    expect(readdirSync(folder).filter((name) => name.endsWith(".yaml")).length).toBeGreaterThan(5);
  });

  test.each([
    ["out-of-memory", "cc1plus: out of memory allocating 65536 bytes", {}],
    ["out-of-memory", "terminate called after throwing an instance of 'std::bad_alloc'", {}],
    ["out-of-memory", "", { reason: "the machine ran out of memory" }],
    [
      "takes-all-memory",
      "",
      { reason: "the machine ran out of memory, and it held most of that itself: 9000000000 bytes" },
    ],
    ["killed-for-memory", "", { reason: "killed by SIGKILL", exitCode: 137, signal: "SIGKILL" }],
    ["disk-full", "ld: final link failed: No space left on device", {}],
    [
      "missing-header",
      "a.c:1:10: fatal error: zlib.h: No such file or directory\ncompilation terminated.",
      {},
    ],
    ["missing-header", "a.c:1:10: fatal error: 'zlib.h' file not found", {}],
    ["missing-library", "/usr/bin/ld: cannot find -lz: No such file or directory", {}],
    ["undefined-symbol", "main.c:(.text+0x5): undefined reference to `helper'", {}],
    ["missing-tool", "sh: 1: yacc: not found", { exitCode: 127 }],
    ["missing-tool", "bash: line 1: yacc: command not found", { exitCode: 127 }],
    ["no-such-command", "", { exitCode: 127 }],
    ["network-in-sandbox", "curl: (6) Could not resolve host: example.org", {}],
    ["timeout", "still at it", { reason: "timed out after 90000 ms" }],
    ["silent", "", { reason: "silent for 60000 ms" }],
    ["segmentation-fault", "", { reason: "killed by SIGSEGV", exitCode: 139, signal: "SIGSEGV" }],
    ["illegal-instruction", "", { reason: "killed by SIGILL", exitCode: 132, signal: "SIGILL" }],
    ["other-signal", "", { reason: "killed by SIGHUP", exitCode: 129, signal: "SIGHUP" }],
    ["compiler-crash", "x.cc:5: internal compiler error: in fold_convert, at fold-const.c:2", {}],
    ["wrong-architecture", "ld: a.o: file in wrong format", {}],
    ["exec-format", "./gen: cannot execute binary file: Exec format error", {}],
    ["compile-error", "src/a.c:3:5: error: expected ';' before 'return'", {}],
    ["missing-output", "", { reason: "the command did not make its output out/a" }],
    ["undeclared-input", "cat: words.txt: No such file or directory", {}],
    ["read-only", "touch: /usr/x: Read-only file system", {}],
  ])("know %s by %j", (name, output, more) => {
    expect(ruled(output, more)?.rule).toBe(name);
  });

  test("an exit code says nothing more where what was printed is known", () => {
    const output = "/bin/sh: 1: yacc: not found";
    const found = diagnose(rules, { reason: "exit code 127 (not found)", exitCode: 127, output });
    expect(found.map(({ rule, cause }) => [rule, cause])).toEqual([
      ["missing-tool", "the command yacc is not there"],
    ]);
  });

  test("name what they caught, and say nothing of what nobody knows", () => {
    const found = ruled("a.c:1:10: fatal error: zlib.h: No such file or directory")!;
    expect(found.cause).toContain("zlib.h");
    expect(found.evidence).toBe("a.c:1:10: fatal error: zlib.h: No such file or directory");
    expect(ruled("all is well", { exitCode: 1 })).toBeUndefined();
  });
});

test("rules of one's own come first; a file that is wrong is left out, with its place", async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), "rules-"));
  try {
    const own = `rules:\n  - name: licence\n    output: ["no licence for (\\\\w+)"]\n    cause: "$1 has no licence"\n    remedy: ask for one\n    blame: node\n`;
    await writeFile(path.join(dir, "a.yaml"), own);
    await writeFile(
      path.join(dir, "b.yaml"),
      `rules:\n  - name: odd\n    output: ["("]\n    cause: x\n    remedy: y\n    blame: node\n`,
    );
    const { rules, faults } = await readRules(dir);
    expect(diagnose(rules, { reason: "exit code 1", output: "no licence for spice" })[0]).toMatchObject({
      rule: "licence",
      cause: "spice has no licence",
    });
    expect(faults).toEqual([expect.stringMatching(/b\.yaml:3:\d+: .*regular expression/)]);
    expect((await readRules(path.join(dir, "none"))).faults[0]).toContain("there is no such folder");
  } finally {
    await rm(dir, { recursive: true });
  }
});

const failure = (reason: string, stderr?: Digest): ExecuteOutcome => ({
  kind: "failed",
  cause: "deterministic",
  reason,
  exitCode: 1,
  ...(stderr ? { stderr } : {}),
});

function swarm(rules: Rules, logs: Readonly<Record<string, string>> = {}) {
  const cores = new Cores({ ann: {}, bob: {}, cat: {} }, rules);
  const { core } = cores.node("ann");
  const accounts = accountsOf(core, new Queries(core, mesh), {
    tailOf: async (digest) => (logs[digest] === undefined ? null : Buffer.from(logs[digest]!)),
  });
  return { cores, core, accounts };
}

describe("an autopsy", () => {
  test("blames the package that fails on all, names the rule's cause, and counts what is held up", async () => {
    const log = blob("log");
    const { cores, accounts } = swarm(
      { run: ({ action }) => (action === "b" ? { ms: 5, outcome: failure("exit code 1", log) } : { ms: 5 }) },
      { [log]: "b.c:1:10: fatal error: zlib.h: No such file or directory" },
    );
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"], d: ["c"], e: ["a"] }));
    cores.finish(build);
    const { failures, held, text } = await accounts.autopsy(build);
    expect(failures.map(({ action }) => action)).toEqual(["b"]);
    const [b] = failures;
    expect(b!.text).toBe("the header zlib.h is not among its inputs");
    expect(b!.holds).toMatchObject({ actions: 2, first: ["c", "d"] });
    expect(held).toBe(2);
    expect(text).toBe("1 of 5 actions failed for good and hold up 2 more");
    expect(b!.suspects.map(({ kind }) => kind)).not.toContain("node");
    expect(b!.suspects.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 1);
    expect(b!.commands.map(({ command }) => command[0])).toEqual(["logs", "retry"]);
  });

  test("blames the node where the very same command works elsewhere, and drains it", async () => {
    const { cores, accounts } = swarm({
      run: (_, node) => (node.name === "bob" ? { ms: 5, outcome: failure("exit code 1") } : { ms: 200 }),
    });
    const needs = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`t${i}`, []]));
    const build = cores.submit("ann", graphOf(needs));
    cores.finish(build);
    const { failures, recovered } = await accounts.autopsy(build);
    const hurt = [...failures, ...recovered];
    expect(hurt.length).toBeGreaterThan(0);
    for (const { suspects, commands } of hurt) {
      expect(suspects[0]).toMatchObject({ kind: "node", name: "bob" });
      expect(commands.map(({ command }) => command)).toContainEqual(["drain", "bob"]);
    }
  });

  test("blames what changed since it worked", async () => {
    let broken = false;
    const { cores, accounts } = swarm({
      run: () => (broken ? { ms: 5, outcome: failure("exit code 2") } : { ms: 5 }),
    });
    cores.finish(cores.submit("ann", graphOf({ a: [] })));
    broken = true;
    const build = cores.submit("ann", graphOf({ a: [] }, { env: { MODE: "fast" } }));
    cores.finish(build);
    const { failures } = await accounts.autopsy(build);
    const input = failures[0]!.suspects.find(({ kind }) => kind === "input")!;
    expect(input.evidence[0]).toMatch(/since it worked in .*, the variable MODE was added/);
    expect(failures[0]!.text).toBe("exit code 2");
  });

  test("of a build that was cancelled, opens what had failed until then, and calls nothing done that is not", async () => {
    const { cores, accounts } = swarm({
      run: ({ action }) => (action === "a" ? { ms: 5, outcome: failure("exit code 1") } : { ms: 60_000 }),
    });
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: [] }));
    cores.runFor(3000);
    cores.command("ann", { kind: "control", build, op: "cancel" });
    cores.finish(build);
    const { failures, recovered, state, text } = await accounts.autopsy(build);
    expect(state).toBe("cancelled");
    expect(failures.map(({ action }) => action)).toEqual(["a"]);
    expect(recovered).toEqual([]);
    expect(text).toBe("1 of 3 actions had failed and were not done when it was cancelled");
  });

  test("of a build in which nothing failed says so, and of one that got over it who it was", async () => {
    let left = 1;
    const { cores, accounts } = swarm({
      run: () =>
        left-- > 0
          ? { ms: 5, outcome: { ...failure("a fan stopped"), cause: "infrastructure" } as ExecuteOutcome }
          : { ms: 5 },
    });
    const build = cores.submit("ann", graphOf({ a: [] }));
    cores.finish(build);
    const { failures, recovered, text } = await accounts.autopsy(build);
    expect(failures).toEqual([]);
    expect(recovered[0]!.suspects[0]!.kind).toBe("node");
    expect(text).toContain("nothing is blocked");
    const well = cores.submit("ann", graphOf({ b: [] }));
    cores.finish(well);
    expect((await accounts.autopsy(well)).text).toBe("nothing failed in it");
  });
});
