import { readdirSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { childrenOf } from "../../node/build/processes.ts";
import { decodeDirectory } from "../../protocol/build/reapi.ts";
import type { ExecuteOutcome, ExecuteRequest } from "../../protocol/contract.ts";
import { digestOf, emptyDigest } from "../../protocol/kernel/digest.ts";
import { executorContract } from "../contract/executor.ts";
import { patient } from "../patience.ts";
import { boxWorks, type Execution, openExecution } from "./execution.ts";
import { newMark, processesWith } from "./processes-with.ts";

const kinds = ["none", "bubblewrap"] as const;
const file = (name: string) => ({ path: name, kind: "file" as const });
const folder = (name: string, promised?: string[]) => ({ path: name, kind: "folder" as const, promised });

for (const kind of kinds) {
  const works = kind === "none" || boxWorks;
  if (works)
    executorContract(`the executor with sandbox ${kind}`, async () => {
      const execution = await openExecution(kind);
      return {
        executor: execution.executor,
        request: (does) =>
          ({
            succeeds: () =>
              execution.request("echo x > made; mkdir d; echo y > d/y", {
                outputs: [file("made"), folder("d")],
              }),
            fails: () => execution.request("exit 3"),
            lasts: () => execution.request("sleep 1000"),
          })[does](),
        settle: (condition) => vi.waitFor(() => expect(condition()).toBe(true), { ...patient, interval: 5 }),
        close: execution.close,
      };
    });

  describe.skipIf(!works)(`an action with sandbox ${kind}, while time passes as it is told`, () => {
    let x: Execution;
    let nowMs: number;
    let reads: number;
    beforeEach(async () => {
      nowMs = 1000;
      reads = 0;
      const now = () => {
        reads++;
        return nowMs;
      };
      x = await openExecution(kind, { graceMs: 1000, now });
    });
    afterEach(() => x.close());

    /** Starts it; what it says, until it says a word, and how it ends. */
    const begin = (script: string, more?: Partial<ExecuteRequest>) => {
      const request = x.request(script, more);
      const outcome = new Promise<ExecuteOutcome>((resolve) => x.executor.execute(request, resolve));
      const said = async (word: string) => {
        for await (const { text } of x.executor.tail({ action: request.action, follow: true }, never))
          if (text.includes(word)) return;
      };
      return { outcome, said };
    };
    const never = new AbortController().signal;
    /** It was looked after once from beginning to end: that reads the time first. */
    const looked = async () => {
      const before = reads;
      await vi.waitFor(() => expect(reads).toBeGreaterThan(before + 1), patient);
    };
    /** What waits for a file `go` goes on. */
    const go = () => {
      const actions = path.join(x.home, "work", "actions");
      for (const name of readdirSync(actions).filter((one) => one !== "stage"))
        writeFileSync(path.join(actions, name, "work", "go"), "");
    };
    const waits = "while ! test -e go; do sleep 0.05; done";

    it("is failed when it takes too long, or is silent for too long; what it said is kept", async () => {
      const late = begin("echo first; sleep 1000", { timeoutMs: 5000 });
      await late.said("first");
      nowMs += 5001;
      expect(await late.outcome).toMatchObject({
        kind: "failed",
        cause: "deterministic",
        reason: "timed out after 5000 ms",
      });
      const silent = begin("echo first; sleep 1000", { silenceMs: 5000 });
      await silent.said("first");
      await looked();
      nowMs += 5001;
      const outcome = await silent.outcome;
      expect(outcome).toMatchObject({ kind: "failed", reason: "silent for 5000 ms" });
      expect(outcome.kind === "failed" && (await x.text(outcome.stdout))).toBe("first\n");
    });

    it("gets TERM first and may end in order, and KILL when it does not", async () => {
      const orderly = begin("trap 'echo orderly; exit 0' TERM; echo ready; sleep 1000 & wait", {
        timeoutMs: 5000,
      });
      await orderly.said("ready");
      nowMs += 5001;
      const outcome = await orderly.outcome;
      expect(outcome).toMatchObject({ kind: "failed", reason: "timed out after 5000 ms" });
      expect(outcome.kind === "failed" && (await x.text(outcome.stdout))).toBe("ready\norderly\n");
      const stubborn = begin("trap '' TERM; echo ready; while :; do sleep 1000; done", { timeoutMs: 5000 });
      await stubborn.said("ready");
      nowMs += 5001;
      await looked();
      nowMs += 1000;
      expect(await stubborn.outcome).toMatchObject({ kind: "failed", reason: "timed out after 5000 ms" });
    });

    it("shows what it says while it runs, and what it said last", async () => {
      const request = x.request(`echo early; ${waits}; echo late >&2`);
      const ended = new Promise<ExecuteOutcome>((resolve) => x.executor.execute(request, resolve));
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const chunk of x.executor.tail({ action: request.action, follow: true }, stop.signal))
          seen.push(`${chunk.stream}: ${chunk.text}`);
      })();
      await vi.waitFor(() => expect(seen).toEqual(["stdout: early\n"]), patient);
      go();
      await ended;
      await vi.waitFor(() => expect(seen).toEqual(["stdout: early\n", "stderr: late\n"]), patient);
      stop.abort();
      await watching;
    });

    it("is measured: processor time, and memory once it lasts", async () => {
      const lasting = begin(`i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo spun; ${waits}`);
      await lasting.said("spun");
      nowMs += 300;
      await looked();
      go();
      const outcome = await lasting.outcome;
      if (outcome.kind !== "done") throw new Error(outcome.reason);
      expect(outcome.usage.cpuMs).toBeGreaterThan(20);
      expect(outcome.usage.wallMs).toBe(300);
      expect(outcome.usage.maxRssBytes).toBeGreaterThan(100_000);
      const next = await x.run("true");
      expect(next.kind === "done" && next.usage.cpuMs).toBeLessThan(outcome.usage.cpuMs);
    });
  });

  describe.skipIf(!works)(`an action with sandbox ${kind}`, () => {
    let x: Execution;
    beforeEach(async () => {
      x = await openExecution(kind, { graceMs: 1000, logBytesMax: 100_000 });
    });
    afterEach(() => x.close());

    const reasonOf = (outcome: ExecuteOutcome) => (outcome.kind === "done" ? "" : outcome.reason);
    const work = () => readdirSync(path.join(x.home, "work", "actions")).filter((name) => name !== "stage");

    it("gets exactly its inputs, with modes, and its outputs' parent folders", async () => {
      const files = [
        ...(await x.inputs({ "src/a.h": "a", "src/deep/b.h": "b", top: "t" })),
        ...(await x.inputs({ "bin/tool": "#!/bin/sh\necho tooled $1\n" }, true)),
      ];
      const outcome = await x.run(
        "find . -type f | sort; test -d out/below && bin/tool me; cat src/deep/b.h; test ! -x top",
        { files, outputs: [file("out/below/made")] },
      );
      expect(reasonOf(outcome)).toMatch("did not make its output out/below/made");
      expect(await x.text(outcome.kind === "failed" ? outcome.stdout : undefined)).toBe(
        "./bin/tool\n./src/a.h\n./src/deep/b.h\n./top\ntooled me\nb",
      );
    });

    it("has the fixed environment and its own variables, and nothing of the daemon's", async () => {
      vi.stubEnv("SWARMD_SECRET", "leaked");
      const outcome = await x.run("env", { env: { FLAGS: `-O2 'q' "d" $HOME \n line`, LANG: "de" } });
      vi.unstubAllEnvs();
      const text = await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined);
      expect(text).toContain(`FLAGS=-O2 'q' "d" $HOME \n line\n`);
      expect(text).toContain("LANG=de\n");
      const names = text.match(/^[A-Z_]+(?==)/gm)?.sort();
      expect(names?.filter((name) => name !== "OLDPWD" && name !== "SHLVL")).toEqual(
        ["FLAGS", "HOME", "LANG", "PATH", "PWD", "SOURCE_DATE_EPOCH", "SWARMD_CPUS", "TMPDIR", "TZ"].sort(),
      );
    });

    it("is told how many processors it asked for, one if it did not, unless it says otherwise itself", async () => {
      const said = async (more: Parameters<typeof x.run>[1]) => {
        const outcome = await x.run('echo "$SWARMD_CPUS"', more);
        return x.text(outcome.kind === "done" ? outcome.result.stdout : undefined);
      };
      expect(await said({})).toBe("1\n");
      expect(await said({ cpus: 4 })).toBe("4\n");
      expect(await said({ cpus: 4, env: { SWARMD_CPUS: "2" } })).toBe("2\n");
    });

    it("passes arguments through as they stand", async () => {
      const odd = [
        "",
        " ",
        "'",
        `"`,
        "\\",
        "$HOME",
        "`id`",
        "a\nb",
        "*",
        "~",
        "ȁ\u0081 é 🦊",
        "-n",
        "x;y&z|(w)",
      ];
      const outcome = await x.run("", { argv: ["/usr/bin/printf", "[%s]", ...odd] });
      expect(await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined)).toBe(
        odd.map((one) => `[${one}]`).join(""),
      );
    });

    it("inherits no open file but its three standard ones", async () => {
      const outcome = await x.run("", { argv: ["/bin/ls", "-l", "/proc/self/fd"] });
      const text = await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined);
      const targets = new Map([...text.matchAll(/ ([0-9]+) -> (.*)$/gm)].map(([, fd, to]) => [fd, to]));
      expect([
        targets.get("0"),
        targets.get("1")?.endsWith("/out"),
        targets.get("2")?.endsWith("/err"),
      ]).toEqual(["/dev/null", true, true]);
      // What the test runner itself let slip is covered; one more is the folder that ls reads.
      const others = [...targets].filter(([fd]) => Number(fd) > 2).map(([, to]) => to);
      expect(others.filter((to) => to !== "/dev/null")).toEqual([
        expect.stringMatching(/^\/proc\/[0-9]+\/fd$/),
      ]);
    });

    it("stores what it declared and nothing else, whatever it leaves lying about", async () => {
      const outcome = await x.run(
        "echo one > one; mkdir -p tree/in/ner; echo two > tree/in/ner/two; chmod +x one; echo junk > junk; echo said; echo meant >&2",
        { outputs: [file("one"), folder("tree", ["tree/in/ner/two"])] },
      );
      if (outcome.kind !== "done") throw new Error(reasonOf(outcome));
      const [one, tree] = outcome.result.outputs;
      expect(one).toEqual({
        path: "one",
        kind: "file",
        executable: true,
        digest: digestOf(Buffer.from("one\n")),
      });
      expect(await x.text(one?.digest)).toBe("one\n");
      const root = decodeDirectory(await x.blobs.read(tree!.digest));
      expect(root.directories.map((d) => d.name)).toEqual(["in"]);
      expect(await x.text(outcome.result.stdout)).toBe("said\n");
      expect(await x.text(outcome.result.stderr)).toBe("meant\n");
      expect(outcome.usage).toMatchObject({ fetchMs: 0, fetchedBytes: 0 });
    });

    it("has no stdout or stderr blob when it said nothing", async () => {
      expect(await x.run("true")).toMatchObject({ kind: "done", result: { outputs: [] } });
      const outcome = await x.run("true");
      expect(outcome.kind === "done" && Object.keys(outcome.result)).toEqual(["outputs"]);
    });

    it("cannot change what is stored, and is told so or failed when it tries", async () => {
      const files = await x.inputs({ "in/input": "original", "obj/other": "original too" });
      const outcome = await x.run("echo altered > in/input; echo altered >> obj/other; true", {
        files,
        outputs: [file("obj/made")],
      });
      expect(outcome.kind).toBe("failed");
      // Whoever runs as root without a box can write; then the blob is known to be bad and never handed out.
      for (const { digest } of files)
        if (x.blobs.has(digest)) expect(digestOf(await readFile(x.blobs.path(digest)))).toBe(digest);
    });

    it("reports exit code and signal of its own failure, with what it said", async () => {
      const outcome = await x.run("echo why >&2; exit 42");
      expect(outcome).toMatchObject({ kind: "failed", cause: "deterministic", exitCode: 42 });
      expect(outcome.kind === "failed" && (await x.text(outcome.stderr))).toBe("why\n");
      expect(await x.run("sleep 1000 & kill -SEGV $$")).toMatchObject({
        kind: "failed",
        cause: "deterministic",
        signal: "SIGSEGV",
        reason: "killed by SIGSEGV",
      });
    });

    it("fails deterministically when its program is not there or not a program", async () => {
      for (const argv of [["no-such-program"], ["/etc"], ["./input"]]) {
        const files = await x.inputs({ input: "not executable" });
        expect(await x.run("", { argv, files })).toMatchObject({ kind: "failed", cause: "deterministic" });
      }
    });

    it("fails with infrastructure to blame when an input is not on this disk", async () => {
      const absent = digestOf(Buffer.from("never stored"));
      const files = [{ path: "a", digest: absent, executable: false }];
      expect(await x.run("true", { files })).toMatchObject({ kind: "failed", cause: "infrastructure" });
    });

    it("fails when an output, or a promised part of one, is missing or of the wrong kind", async () => {
      const cases: [string, Parameters<Execution["run"]>[1], RegExp][] = [
        ["true", { outputs: [file("o")] }, /did not make its output o/],
        ["mkdir o", { outputs: [file("o")] }, /output o is a folder, not a file/],
        ["echo > o", { outputs: [folder("o")] }, /output o is a file, not a folder/],
        ["mkdir o; echo > o/a", { outputs: [folder("o", ["o/a", "o/b"])] }, /did not make o\/b/],
        ["mkfifo o", { outputs: [file("o")] }, /output o is a pipe/],
        ["mkdir o; mkfifo o/p", { outputs: [folder("o")] }, /output p is a pipe/],
        ["echo > o; chmod u+s o", { outputs: [file("o")] }, /setuid/],
        ["ln -s /etc/passwd o", { outputs: [file("o")] }, /output o is a symbolic link/],
        ["mkdir o; ln -s /etc/passwd o/p", { outputs: [folder("o")] }, /leads out of its folder/],
        ["mkdir o; ln -s ../x o/p; echo > x", { outputs: [folder("o")] }, /leads out of its folder/],
        ["mkdir o; ln -s nowhere o/p", { outputs: [folder("o")] }, /leads nowhere/],
        ["mkdir -p o/d; ln -s ../d o/d/p", { outputs: [folder("o")] }, /is a link to a folder it lies in/],
        ["rmdir d; ln -s /etc d", { outputs: [file("d/passwd")] }, /leads through a symbolic link/],
      ];
      for (const [script, more, reason] of cases) {
        const outcome = await x.run(script, more);
        expect(outcome, script).toMatchObject({ kind: "failed", cause: "deterministic" });
        expect(reasonOf(outcome), script).toMatch(reason);
      }
    });

    it("keeps links, empty folders and executable bits of an output folder", async () => {
      const outcome = await x.run(
        "mkdir -p o/sub o/empty/deep; echo real > o/lib.1; chmod +x o/lib.1; ln -s lib.1 o/lib; ln -s ../lib o/sub/up; ln -s sub o/again; ln -s sub/../lib.1 o/odd",
        { outputs: [folder("o")] },
      );
      if (outcome.kind !== "done") throw new Error(reasonOf(outcome));
      const root = decodeDirectory(await x.blobs.read(outcome.result.outputs[0]!.digest));
      const real = digestOf(Buffer.from("real\n"));
      // One that goes up behind a name may lead anywhere once that name is a link: it is stored as what it leads to.
      expect(root.files).toEqual([
        { name: "lib.1", digest: real, executable: true },
        { name: "odd", digest: real, executable: true },
      ]);
      expect(root.symlinks).toEqual([
        { name: "again", target: "sub" },
        { name: "lib", target: "lib.1" },
      ]);
      expect(root.directories.map((d) => d.name)).toEqual(["empty", "sub"]);
      const empty = decodeDirectory(await x.blobs.read(root.directories[0]!.digest));
      expect(empty.directories).toEqual([{ name: "deep", digest: emptyDigest }]);
      const sub = decodeDirectory(await x.blobs.read(root.directories[1]!.digest));
      expect(sub.symlinks).toEqual([{ name: "up", target: "../lib" }]);
    });

    it("gives an action links and empty folders as they are, beside its outputs too", async () => {
      const [real] = await x.inputs({ "o/lib.1": "real\n" }, true);
      const bare = { digest: emptyDigest, executable: false };
      const files = [
        real!,
        { path: "o/lib", ...bare, link: "lib.1" },
        { path: "o/sub/up", ...bare, link: "../lib" },
        { path: "o/empty/deep", ...bare, folder: true as const },
        { path: "bare", ...bare, folder: true as const },
      ];
      const script =
        "test -d bare && test -d o/empty/deep && test -L o/lib && test -x o/lib && cat o/sub/up && echo > $OUT";
      for (const path of ["out", "o/out", "o/sub/out"]) {
        const outcome = await x.run(script, { files, env: { OUT: path }, outputs: [file(path)] });
        if (outcome.kind !== "done") throw new Error(reasonOf(outcome));
        expect(await x.text(outcome.result.stdout)).toBe("real\n");
      }
    });

    it("keeps outputs apart from later writes through other names of the file", async () => {
      const outcome = await x.run("echo kept > o; ln o twin", { outputs: [file("o"), file("twin")] });
      if (outcome.kind !== "done") throw new Error(reasonOf(outcome));
      for (const { digest } of outcome.result.outputs) {
        const found = statSync(x.blobs.path(digest));
        expect(found.mode & 0o222).toBe(0);
        expect(found.nlink).toBe(1);
      }
    });

    it("is failed when it says too much", async () => {
      expect(reasonOf(await x.run("yes"))).toBe("wrote more than 100000 bytes to stdout");
      expect(reasonOf(await x.run("yes >&2"))).toBe("wrote more than 100000 bytes to stderr");
    });

    it("leaves no process behind, also of those it put in the background", async () => {
      const mark = newMark();
      expect((await x.run(`sleep ${mark} & sleep ${mark} & echo started`)).kind).toBe("done");
      expect(processesWith(mark)).toEqual([]);
    });

    it("takes long command lines, and refuses longer ones than the system takes", async () => {
      const words = Array.from({ length: 5000 }, (_, i) => `${"'".repeat(20)}${i}`);
      const outcome = await x.run("", { argv: ["/bin/sh", "-c", "echo $#", "sh", ...words] });
      expect(await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined)).toBe("5000\n");
      for (const argv of [
        ["echo", "x".repeat(140_000)],
        ["echo", ...words.map((word) => word.repeat(100))],
        ["a\0b"],
      ])
        expect(await x.run("", { argv })).toMatchObject({ kind: "failed", cause: "deterministic" });
      expect((await x.run("true")).kind).toBe("done");
    });

    it("is the node's failure when its launcher dies, and leaves nothing then", async () => {
      const mark = newMark();
      const outcome = x.run(`sleep ${mark}`);
      await vi.waitFor(() => expect(processesWith(mark)).not.toEqual([]), patient);
      for (const launcher of processesWith("sh\0-s").map(Number))
        if (childrenOf(launcher).some((child) => processesWith(mark).includes(String(child))))
          process.kill(launcher, "SIGKILL");
      expect(await outcome).toMatchObject({ kind: "failed", cause: "infrastructure" });
      await vi.waitFor(() => expect(processesWith(mark)).toEqual([]), patient);
      expect((await x.run("true")).kind).toBe("done");
    });

    it("cleans up after itself", async () => {
      for (let i = 0; i < 5; i++)
        await x.run("mkdir -p a/b; echo > a/b/c; chmod 500 a/b a; echo > left; exit 1");
      await vi.waitFor(() => expect(work()).toEqual([]), patient);
    });

    it("starts actions no faster than it has slots", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, () => x.run("date +%s%N; sleep 0.1; date +%s%N")),
      );
      const spans = await Promise.all(
        outcomes.map(async (outcome) =>
          (await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined))
            .trim()
            .split("\n")
            .map(BigInt),
        ),
      );
      for (const [start] of spans)
        expect(spans.filter(([from, to]) => from! <= start! && start! < to!).length).toBeLessThanOrEqual(2);
    });

    it("stops everything, and its helpers, when the node stops", async () => {
      const mark = newMark();
      const outcome = x.run(`sleep ${mark}`);
      await vi.waitFor(() => expect(processesWith(mark)).not.toEqual([]), patient);
      await x.executor.stop();
      expect(await outcome).toEqual({ kind: "stopped", reason: "the node stops" });
      expect(processesWith(mark)).toEqual([]);
      const root = kind === "bubblewrap" ? ["root", "root.made"] : [];
      expect(readdirSync(path.join(x.home, "work")).toSorted()).toEqual(root);
      expect(await x.run("true")).toMatchObject({ kind: "failed", cause: "infrastructure" });
    });
  });
}
