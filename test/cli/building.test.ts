import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ActionName, BuildId, Digest } from "../../protocol/kernel/ids.ts";
import { MemoryControl, type MemoryOptions } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

async function serve(options: MemoryOptions = {}) {
  const memory = new MemoryControl({ nodes: ["alpha", "beta"], ...options });
  await terminal.serve(memory);
  return memory;
}

/** Actions wait until they are let go. */
function gate() {
  const opened = Promise.withResolvers<void>();
  return { pace: () => opened.promise, open: () => opened.resolve() };
}

describe("submit", () => {
  test("uploads what is missing, follows in plain lines and ends with 0", async () => {
    const memory = await serve();
    const text = await terminal.good("submit", await writeSpec(terminal));
    expect(text).toBe(
      [
        "submitted three-5feceb66ff",
        "[1/3] compile/a  alpha  100 ms",
        "[2/3] compile/b  beta  100 ms",
        "[3/3] link  alpha  100 ms",
        "three-5feceb66ff complete in 300 ms: 3 actions, 3 executed (alpha 2, beta 1), 0 from the cache",
        "results: swarmd fetch three-5feceb66ff",
        "",
      ].join("\n"),
    );
    expect(memory.blobs.size).toBeGreaterThanOrEqual(3);
  });

  test("says what came from the cache", async () => {
    await serve();
    const spec = await writeSpec(terminal);
    await terminal.good("submit", spec);
    const text = await terminal.good("submit", spec);
    expect(text).toContain("[1/3] compile/a  from the cache\n");
    expect(text).toContain("0 executed, 3 from the cache");
  });

  test("says which actions came out unequal, and on which nodes", async () => {
    const outputs = (digit: string) => [
      { path: "a.o", digest: `${digit.repeat(64)}-1` as Digest, kind: "file" as const },
    ];
    const results = [
      { nodes: ["alpha"], outputs: outputs("1") },
      { nodes: ["beta"], outputs: outputs("2") },
    ];
    const divergent = [{ action: "compile/a" as ActionName, results }];
    await serve({ divergent });
    const spec = await writeSpec(terminal);
    const text = await terminal.good("submit", spec);
    expect(text).toContain("0 from the cache, 1 divergent\n");
    expect(text).toContain("divergent compile/a: alpha made 111111111111; beta made 222222222222\n");
    expect(JSON.parse(await terminal.good("submit", spec, "--json")).divergent).toEqual(divergent);
  });

  test("--json prints exactly one line, the keys in the order of the interface", async () => {
    await serve();
    const text = await terminal.good("submit", await writeSpec(terminal), "--json");
    expect(text).toBe(
      `{"build":"three-5feceb66ff","state":"complete","actions":3,"executed":3,"cached":0,"failed":0,"blocked":0,"duplicated":0,"divergent":[],"wallMs":300,"byNode":{"alpha":2,"beta":1}}\n`,
    );
  });

  test("a failed build ends with 1 and shows the end of the error output and how to see more", async () => {
    await serve({ failing: ["compile/b"] });
    const { code, stdout } = await terminal.run("submit", await writeSpec(terminal));
    expect(code).toBe(1);
    expect(stdout).toContain("[1/3] failed compile/b  beta: exit code 1\n");
    expect(stdout).toContain(
      [
        "compile/b failed on beta: exit code 1",
        "  compile/b: it went wrong",
        "  more: swarmd logs three-5feceb66ff compile/b",
        "",
        "1 held behind it",
      ].join("\n"),
    );
    const { code: again, stdout: json } = await terminal.run("watch", "three", "--json");
    expect(again).toBe(1);
    expect(JSON.parse(json)).toMatchObject({ state: "failed", failed: 1 });
  });

  test("--detach prints the build and leaves", async () => {
    const { pace } = gate();
    await serve({ pace });
    const { code, stdout, stderr } = await terminal.run("submit", await writeSpec(terminal), "--detach");
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "three-5feceb66ff\n",
      stderr: "follow it: swarmd watch three-5feceb66ff\n",
    });
  });

  test("Ctrl-C leaves the build running, says so, and ends with 130", async () => {
    const { pace, open } = gate();
    const memory = await serve({ pace });
    const following = terminal.start(["submit", await writeSpec(terminal)]);
    await following.printed("submitted three");
    following.process.kill("SIGINT");
    const { code, stderr } = await following.ended;
    expect(code).toBe(130);
    expect(stderr).toBe(
      [
        "stopped following three-5feceb66ff; the build goes on",
        "  follow it again: swarmd watch three-5feceb66ff",
        "  cancel it:       swarmd cancel three-5feceb66ff",
        "",
      ].join("\n"),
    );
    open();
    expect(await terminal.good("watch", "three")).toContain("three-5feceb66ff complete");
    expect((await memory.builds())[0]?.state).toBe("complete");
  });

  test("a file that changes between reading and sending is named", async () => {
    const memory = await serve();
    const spec = await writeSpec(terminal);
    const missing = memory.missingBlobs.bind(memory);
    memory.missingBlobs = async (digests) => {
      await terminal.write("src/a.c", "int other;\n");
      return missing(digests);
    };
    const { code, stderr } = await terminal.run("submit", spec);
    expect(code).toBe(4);
    expect(stderr).toContain("src/a.c changed while it was submitted\n→ submit again");
  });

  test("a daemon that goes away while it is followed is told from a failed build", async () => {
    const { pace } = gate();
    const memory = new MemoryControl({ pace });
    const server = await terminal.serve(memory);
    const following = terminal.start(["submit", await writeSpec(terminal)]);
    await following.printed("submitted three");
    await server.close();
    const { code, stderr } = await following.ended;
    expect(code).toBe(3);
    expect(stderr).toContain("the build goes on without it");
  });
});

describe("plan", () => {
  test("shows order, ranks and counts, and says when toolchains are not resolved", async () => {
    const spec = await writeSpec(terminal);
    expect(await terminal.good("plan", spec)).toBe(
      `three: 3 actions, 2 input files (14 B), toolchains cc

#  ACTION      RANK  AFTER
1  compile/a  2.0 s
2  compile/b  2.0 s
3  link       1.0 s  compile/a, compile/b

rank: the longest chain from there to the end, each action counted as 1.0 s
not asked: no daemon answers on ${terminal.home}/control.sock
`,
    );
    await serve();
    expect(await terminal.good("plan", spec)).not.toContain("not asked");
    expect(JSON.parse(await terminal.good("plan", spec, "--json"))).toMatchObject({
      name: "three",
      actions: [
        { name: "compile/a" },
        { name: "compile/b" },
        { name: "link", dependsOn: ["compile/a", "compile/b"] },
      ],
      inputs: { files: 2, bytes: 14 },
      toolchains: { cc: "cc-fingerprint" },
    });
  });
});

describe("plan of what asks for more than a node has", () => {
  const write = async (requires: string) => {
    const file = path.join(terminal.dir, "big.yaml");
    await writeFile(file, `swarmd: 1\nname: big\nactions:\n  a: {run: ls, requires: ${requires}}\n`);
    return file;
  };

  test("names what is missing and which node comes nearest, and keeps quiet where it fits", async () => {
    const spec = await write("{cpus: 16, memory: 900G}");
    expect(await terminal.good("plan", spec)).not.toContain("would wait");
    await serve();
    expect(await terminal.good("plan", spec)).toMatch(
      /would wait: a: no node fits; alpha comes nearest: it has 4 slots, 16 are needed, has .* of memory, 900 GiB are needed/,
    );
    expect(JSON.parse(await terminal.good("plan", spec, "--json")).unfit).toMatchObject([{ actions: ["a"] }]);
    expect(await terminal.good("plan", await write("{cpus: 4}"))).not.toContain("would wait");
  });
});

describe("builds that run and builds that ended", () => {
  test("with --no-cache all of it runs, and that is said; without it the cache is asked", async () => {
    const control = await serve();
    const spec = await writeSpec(terminal);
    expect(await terminal.good("submit", spec, "--no-cache")).toContain(
      "submitted three-5feceb66ff; everything runs, the cache is not asked\n",
    );
    expect(await terminal.good("submit", spec)).not.toContain("cache is not asked");
    expect(control.freshness).toEqual([true, false]);
  });

  test("cancel ends a build once", async () => {
    const { pace } = gate();
    await serve({ pace });
    await terminal.good("submit", await writeSpec(terminal), "--detach");
    expect(await terminal.good("cancel", "three-5fe")).toBe(
      "three-5feceb66ff is cancelled: 3 actions moved\n",
    );
    const again = await terminal.run("cancel", "three");
    expect(again.code).toBe(4);
    expect(again.stderr).toContain("it is cancelled");
    expect((await terminal.run("watch", "three")).code).toBe(1);
  });

  test("history lists what ended, the latest first; a name means the latest of that name", async () => {
    await serve();
    const spec = await writeSpec(terminal);
    await terminal.good("submit", spec, "--json");
    await terminal.good("submit", spec, "--json");
    expect(await terminal.good("history")).toBe(
      `BUILD             STATE     SUBMITTED         BY     DONE    TIME
three-6b86b273ff  complete  2030-01-01 00:00  alpha   3/3  300 ms
three-5feceb66ff  complete  2030-01-01 00:00  alpha   3/3  300 ms
`,
    );
    const few = await terminal.run("history", "three", "--limit", "1");
    expect(few.stdout.split("\n")).toHaveLength(3);
    expect(JSON.parse(await terminal.good("history", "three", "--json"))).toHaveLength(2);
    expect(JSON.parse(await terminal.good("history", "three", "--limit", "1", "--json"))).toMatchObject([
      { build: "three-6b86b273ff" },
    ]);
    expect(await terminal.good("history", "four")).toBe("no build of four has ended yet\n");
    expect(await terminal.good("watch", "three", "--json")).toContain('"build":"three-6b86b273ff"');
  });

  test("logs find a build, an action of it, an action alone, and a node", async () => {
    await serve({ failing: ["compile/b"] });
    await terminal.run("submit", await writeSpec(terminal));
    const text = "compile/b: it went wrong\n";
    for (const words of [["three"], ["three", "compile/b"], ["compile/b"], ["beta"]]) {
      const { code, stdout, stderr } = await terminal.run("logs", ...words);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: text, stderr: "── compile/b on beta\n" });
    }
    const quiet = await terminal.run("logs", "three", "compile/a");
    expect(quiet).toMatchObject({ code: 0, stdout: "", stderr: "nothing was written\n" });
    expect(JSON.parse(await terminal.good("logs", "three", "--json"))).toEqual({
      node: "beta",
      build: "three-5feceb66ff" as BuildId,
      action: "compile/b",
      stream: "stderr",
      text,
    });
  });

  test("logs --follow ends with Ctrl-C", async () => {
    await serve({ failing: ["compile/b"] });
    await terminal.run("submit", await writeSpec(terminal));
    const following = terminal.start(["logs", "beta", "--follow"]);
    await following.printed("it went wrong");
    following.process.kill("SIGINT");
    expect((await following.ended).code).toBe(130);
  });
});

describe("the swarm", () => {
  test("node list and show tell each machine's state", async () => {
    await serve();
    expect(await terminal.good("node", "list")).toBe(
      `NODE   STATE  RUNNING  LOAD  TEMP  MEMORY FREE  DISK FREE  POLICY  SANDBOX     VERSION  ADDRESS
alpha  self       0/4  0.25     -       12 GiB    196 GiB  normal  bubblewrap  0.1.0    /ip4/192.0.2.7/tcp/4701
beta   alive      0/4  0.25     -       12 GiB    196 GiB  normal  bubblewrap  0.1.0    /ip4/192.0.2.8/tcp/4701
`,
    );
    const nodes = JSON.parse(await terminal.good("node", "list", "--json"));
    expect(nodes).toHaveLength(2);
    for (const key of ["name", "peerId", "state", "vitals"]) expect(nodes[0]).toHaveProperty(key);
    expect(await terminal.good("node", "show", "be")).toContain("toolchains  cc, g++, ar, patch\n");
  });

  test("invite prints the ticket alone on standard output", async () => {
    const memory = await serve();
    const { stdout, stderr } = await terminal.run("invite", "--roles", "builder,observer", "--ttl", "30m");
    expect(stdout).toBe(`${memory.tickets[0]}\n`);
    expect(stderr).toContain("Good once, for 30 min 00 s");
  });

  test("doctor names each lack with its remedy, with a daemon and without", async () => {
    expect(await terminal.good("doctor")).toMatch(/^note {2}daemon .* is in no swarm yet\n +→ swarmd init$/m);
    const elsewhere = await terminal.start(["doctor"], { SWARMD_LISTEN: "127.0.0.1:0" }).ended;
    expect(elsewhere.stdout).toMatch(/^ok +port +any that is free$/m);
    const findings = JSON.parse(await terminal.good("doctor", "--json"));
    expect(findings.map((finding: { check: string }) => finding.check)).toEqual(
      expect.arrayContaining([
        "node",
        "sandbox",
        "compiler",
        "patch",
        "home",
        "disk",
        "port",
        "sensors",
        "memory",
        "firewall",
        "clock",
        "time service",
        "daemon",
      ]),
    );
    await serve();
    expect(await terminal.good("doctor")).toMatch(/^note {2}peers +this node is alone\n +→ swarmd invite$/m);
    expect(await terminal.good("doctor", "--fleet")).toMatch(/: 1 of 1 checks\n {2}note {2}peers /);
  });

  test("stop asks the daemon and waits for its process", async () => {
    const memory = await serve();
    await terminal.write("home/lock.pid", "0\n");
    expect(await terminal.good("stop")).toBe("the daemon has stopped\n");
    expect(memory.stopped).toBe(true);
  });
});
