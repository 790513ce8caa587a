import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
let memory: MemoryControl;

beforeAll(async () => {
  terminal = await Terminal.open();
  memory = new MemoryControl({ nodes: ["alpha", "beta"] });
  await terminal.serve(memory);
  for (let i = 0; i < 2; i++) await terminal.good("submit", await writeSpec(terminal));
});
afterAll(() => terminal.close());

describe("a foolish word ends with exit code 2 and a suggestion", () => {
  test.concurrent.for([
    [["stauts"], "there is no command stauts", "swarmd status"],
    [["help", "sbmit"], "there is no command sbmit", "swarmd submit"],
    [["status", "--jsno"], "there is no option --jsno for status", "--json"],
    [["submit", "x.yaml", "--detatch"], "there is no option --detatch for submit", "--detach"],
    [["--hme", "x"], "there is no option --hme", "--home"],
    [["submit", "x.yaml", "--cache"], "there is no option --cache for submit", "--no-cache"],
    [["status", "--no-json"], "there is no option --no-json for status", "--json"],
    [["watch", "thre"], "may be any of these", "write more of the build"],
    [["watch", "tree"], "there is no build tree", "did you mean three?"],
    [["node", "show", "alhpa"], "there is no node alhpa", "did you mean alpha?"],
    [["node", "lits"], "there is no command node lits", "did you mean node list?"],
    [["node", "show"], "takes the name of a node", "swarmd node list"],
    [["logs", "three", "compile/aa"], "there is no action compile/aa", "did you mean compile/a?"],
    [["logs", "btea"], "there is no build, action or node btea", "did you mean beta?"],
    [["fetch", "three", "bin/programm"], "there is no result bin/programm", "did you mean bin/program?"],
    [["invite", "--roles", "biulder"], "there is no role biulder", "did you mean builder?"],
    [["invite", "--ttl", "soon"], "--ttl takes a time", "--ttl 24h"],
    [["history", "--limit", "all"], "--limit takes a number", "--limit 50"],
    [["submit", "three.yaml", "--priority", "high"], "--priority takes a number", "--priority 10"],
    [["submit"], "missing required args", "swarmd help"],
    [["submit", "a.yaml", "b.yaml"], "Unused args", "swarmd help"],
    [["status", "--home"], "option --home <dir> value is missing", "swarmd help"],
    [["submit", "gone.yaml"], "gone.yaml", ""],
  ] as const)("%j", async ([args, message, remedy]) => {
    const { code, stderr, stdout } = await terminal.run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(remedy);
  });
});

describe("exit codes", () => {
  test("a daemon that is not there is 3, and says what leads to one", async () => {
    const { code, stderr } = await terminal.run("watch", "three", "--home", `${terminal.dir}/elsewhere`);
    expect(code).toBe(3);
    expect(stderr).toContain(
      `no daemon answers for ${terminal.dir}/elsewhere\n→ swarmd init --home elsewhere`,
    );
  });

  test("what the swarm refuses is 4", async () => {
    const spec = await terminal.write(
      "f.yaml",
      "swarmd: 1\nname: f\ntoolchain: [fortran]\nactions: {x: {run: 'true'}}\n",
    );
    const { code, stderr } = await terminal.run("submit", spec);
    expect(code).toBe(4);
    expect(stderr).toBe(
      "swarmd: no node can build x, which needs fortran: alpha comes nearest: it lacks fortran; 1 other lacks as much or more\n→ on alpha: install fortran\n",
    );
  });

  test("a spec that is wrong is 2, also where the swarm could not build it", async () => {
    const spec = await terminal.write(
      "w.yaml",
      "swarmd: 1\nname: w\ntoolchain: [fortran]\nactions: {x: {run: 'true', in: gone}}\n",
    );
    const { code, stderr } = await terminal.run("submit", spec);
    expect(code).toBe(2);
    expect(stderr).toMatch(/w\.yaml:4:\d+: /);
  });

  test("with --json the refusal is one JSON line", async () => {
    const { code, stdout } = await terminal.run("watch", "tree", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "not-found", message: "there is no build tree", remedy: "did you mean three?" },
    });
  });
});

describe("words are taken as they are written", () => {
  test("digits of a value are not lost", async () => {
    const reasons: unknown[] = [];
    const other = await Terminal.open();
    const play = new MemoryControl({ pace: () => new Promise(() => {}) });
    const control = play.control.bind(play);
    play.control = async (build, op, options) => {
      if (!options?.dryRun) reasons.push(options?.reason);
      return control(build, op, options);
    };
    await other.serve(play);
    await other.good("submit", await writeSpec(other), "--detach");
    await other.good("cancel", "three", "--reason", "007");
    expect(reasons).toEqual(["007"]);
    await other.close();
  });

  test("a home that looks like a number is that folder", async () => {
    const { stdout } = await terminal.run("status", "--home", "0123");
    expect(stdout).toContain(`${terminal.dir}/0123`);
    expect(stdout).toContain("swarmd init --home 0123");
  });
});

describe("help", () => {
  test("explains every command, with options that exist and examples that use them", async () => {
    const all = await terminal.good("help");
    const names = [...all.matchAll(/^([a-z]+) .*$/gm)].map(([, name]) => name!);
    const commands = names.slice(names.indexOf("status"));
    expect(commands.length).toBeGreaterThan(15);
    const helps = await Promise.all(commands.map((name) => terminal.good(name, "--help")));
    for (const [i, text] of helps.entries()) {
      expect(text).toContain(`usage: swarmd ${commands[i]}`);
      expect(text).toContain("--home <dir>");
      const flags = [...text.matchAll(/^(?:-[a-zA-Z], )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
      for (const [, example] of text.matchAll(/^ {2}swarmd (.*)$/gm)) {
        expect(example!.split(" ")[0]).toBe(commands[i]);
        for (const [flag] of example!.matchAll(/--[a-z-]+/g)) expect(flags).toContain(flag);
      }
    }
    // A process for each command, all at once.
  }, 180_000);

  test("is what a bare swarmd prints, and --version the version", async () => {
    expect(await terminal.good()).toBe(await terminal.good("help"));
    expect(await terminal.good("--version")).toBe(await terminal.good("version", "--local"));
  });
});
