import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandNames } from "../../cli/chapters.ts";
import { explain } from "../../cli/explaining.ts";
import { Output } from "../../cli/output.ts";
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
    [["wire", "--kind", "legder"], "there is no kind of message legder", "did you mean ledger?"],
    [["wire", "--kind", "zz"], "there is no kind of message zz", "vitals"],
    [["stats", "--by", "pakage"], "--by takes kind, node, package, not pakage", "did you mean --by package?"],
    [
      ["export", "three", "--format", "crome"],
      "--format takes swarm, chrome",
      "did you mean --format chrome?",
    ],
    [["export", "three", "--logs", "some"], "--logs takes failed, all, none, not some", "--logs failed"],
    [["open", "three", "--view", "grpah"], "--view takes graph", "did you mean --view graph?"],
    [["service", "instal"], "service takes install, status, uninstall", "did you mean service install?"],
    [["service", "status", "--manager", "runit"], "--manager takes systemd, openrc", "--manager systemd"],
    [["cockpit", "remove"], "cockpit takes install, uninstall", "cockpit install"],
    [["staging", "--channel", "stabel"], "there is no channel stabel", "did you mean stable?"],
    [["releases", "list", "--channel", "zz"], "there is no channel zz", "the channels: stable"],
    [["releases", "log", "--channel", "zz"], "there is no channel zz", "the channels: stable"],
    [["timeline", "--since", "-5m"], "--since takes a time, not -5m", "--since 30m"],
    [["stats", "--since", "-1"], "--since takes a time, not -1", "--since 30m"],
    [["history", "--limit", "-3"], "--limit takes a number", "--limit 50"],
    [["status", "--json", "-5"], "Unused args: -5", "swarmd help status"],
    [["status", "-x"], "there is no option -x for status", "swarmd status --help"],
    [["submit"], "missing required args", "swarmd help submit"],
    [["submit", "a.yaml", "b.yaml"], "Unused args", "swarmd help submit"],
    [["status", "--home"], "option --home <dir> value is missing", "swarmd help status"],
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

  test("a home that cannot be is 4, and no fault of the program", async () => {
    const home = `${await writeSpec(terminal)}/home`;
    for (const args of [["init"], ["config", "init"]]) {
      const { code, stderr } = await terminal.run(...args, "--home", home);
      expect(code).toBe(4);
      expect(stderr).toMatch(/ is not a folder|a part of the path is no folder/);
      expect(stderr).toContain("--home DIR");
    }
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

  test("a dash alone is a word", async () => {
    const { code, stderr } = await terminal.run("help", "-");
    expect(code).toBe(2);
    expect(stderr).toContain("there is no command -");
  });

  test("a home that looks like a number is that folder", async () => {
    const { stdout } = await terminal.run("status", "--home", "0123");
    expect(stdout).toContain(`${terminal.dir}/0123`);
    expect(stdout).toContain("swarmd init --home 0123");
  });
});

describe("help", () => {
  /** What is printed of one command, or of all. */
  async function explained(name?: string): Promise<string> {
    const out = new PassThrough({ encoding: "utf8" });
    await explain(new Output(out, out, {}), name);
    return out.read() as string;
  }

  test("explains every command, with options that exist and examples that use them", async () => {
    expect(await terminal.good("submit", "--help")).toBe(await explained("submit"));
    expect(commandNames.length).toBeGreaterThan(60);
    const all = await explained();
    for (const command of commandNames) {
      expect(all).toMatch(new RegExp(`^${command} .*[a-z]`, "m"));
      const text = await explained(command);
      expect(text).toContain(`usage: swarmd ${command}`);
      expect(text).toContain("--home <dir>");
      const flags = [...text.matchAll(/^(?:-[a-zA-Z], )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
      for (const [, example] of text.matchAll(/^ {2}swarmd (.*)$/gm)) {
        expect(example!.split(" ")[0]).toBe(command);
        for (const [flag] of example!.matchAll(/--[a-z-]+/g)) expect(flags).toContain(flag);
      }
    }
  });

  test("is what a bare swarmd prints, and --version the version", async () => {
    expect(await terminal.good()).toBe(await terminal.good("help"));
    expect(await terminal.good()).toBe(await explained());
    expect(await terminal.good("--version")).toBe(await terminal.good("version", "--local"));
  });
});
