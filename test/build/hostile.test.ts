import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { removeFolder } from "../../node/build/janitor.ts";
import { collectOutputs } from "../../node/build/outputs.ts";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { patient } from "../patience.ts";
import { boxWorks, type Execution, openExecution } from "./execution.ts";
import { newMark, processesWith } from "./processes-with.ts";

const file = (name: string) => ({ path: name, kind: "file" as const });
const folder = (name: string) => ({ path: name, kind: "folder" as const });
const reasonOf = (outcome: ExecuteOutcome) => (outcome.kind === "done" ? "" : outcome.reason);

for (const kind of ["none", "bubblewrap"] as const)
  describe.skipIf(kind === "bubblewrap" && !boxWorks)(`a hostile action with sandbox ${kind}`, () => {
    let x: Execution;
    beforeEach(async () => {
      x = await openExecution(kind, { graceMs: 300, logBytesMax: 100_000 });
    });
    afterEach(async () => {
      expect((await x.run("true")).kind).toBe("done");
      await vi.waitFor(
        () =>
          expect(
            readdirSync(path.join(x.home, "work", "actions"))
              .filter((name) => name !== "stage")
              .flatMap((name) => readdirSync(path.join(x.home, "work", "actions", name, "work"))),
          ).toEqual([]),
        { ...patient, interval: 50 },
      );
      await x.close();
    });

    it("is failed for a flood that is over before anyone looked, and only its beginning is kept", async () => {
      const outcome = await x.run("head -c 3000000 /dev/zero");
      expect(outcome).toMatchObject({ kind: "failed", cause: "deterministic" });
      expect(reasonOf(outcome)).toBe("wrote more than 100000 bytes to stdout");
      expect(outcome.kind === "failed" && sizeOf(outcome.stdout!)).toBe(100_000);
    });

    it("gets a reason for every output that cannot be taken", async () => {
      const cases: [string, ReturnType<typeof file | typeof folder>, RegExp][] = [
        ["echo > o; chmod 000 o", file("o"), /output o has a mode that forbids reading it/],
        ["mkdir o; echo > o/a; chmod 000 o/a", folder("o"), /output a has a mode/],
        ["mkdir -p o/d; echo > o/d/a; chmod 000 o/d", folder("o"), /output d has a mode/],
        ["mkdir o; chmod 000 o", folder("o"), /output o has a mode/],
        ["mkdir -p p; echo > p/o; chmod 000 p", file("p/o"), /output p\/o has a mode/],
        ["mkdir o; ln -s b o/a; ln -s a o/b", folder("o"), /leads nowhere/],
        ["mkdir o; ln -s . o/a", folder("o"), /link to a folder|leads out/],
        ["rmdir p; ln -s p p", file("p/o"), /leads through a symbolic link/],
      ];
      for (const [script, output, reason] of cases) {
        const outcome = await x.run(script, { outputs: [output] });
        expect(outcome, script).toMatchObject({ kind: "failed", cause: "deterministic" });
        expect(reasonOf(outcome), script).toMatch(reason);
      }
    });

    it("cannot hide behind paths that are too long to be named, or folders too deep", async () => {
      const name = "n".repeat(250);
      const dig = (levels: number) =>
        `mkdir o; cd o; i=0; while [ $i -lt ${levels} ]; do mkdir ${name}; cd -P ./${name}; i=$((i + 1)); done; : > end`;
      const long = await x.run(dig(30), { outputs: [folder("o")] });
      expect(long).toMatchObject({ kind: "failed", cause: "deterministic" });
      expect(reasonOf(long)).toMatch(/longer than 2048 bytes/);
      const deep = await x.run(dig(100).replaceAll(name, "d"), { outputs: [folder("o")] });
      expect(reasonOf(deep)).toMatch(/deeper than 64 levels/);
      const odd = await x.run("mkdir o; : > 'o/a\nb'; : > 'o/ '; : > o/-n; : > o/\\\\", {
        outputs: [folder("o")],
      });
      expect(reasonOf(odd)).toBe("");
      const bytes = await x.run("mkdir o; : > \"o/$(printf '\\377')\"", { outputs: [folder("o")] });
      expect(reasonOf(bytes)).toMatch(/not UTF-8/);
    });

    it("may give its outputs any mode that can be read", async () => {
      const outcome = await x.run("mkdir -p o/d; echo a > o/d/a; echo a > o/d/twin; chmod -R a-w o", {
        outputs: [folder("o")],
      });
      expect(reasonOf(outcome)).toBe("");
    });

    it("cannot take its launcher, or what it left behind, beyond its end", async () => {
      const mark = newMark();
      const killed = await x.run(`sleep ${mark} & kill -9 $PPID; sleep ${mark}`, {
        timeoutMs: kind === "none" ? 600_000 : 300,
      });
      // In a box there is nothing of ours that it could kill.
      expect(killed).toMatchObject({
        kind: "failed",
        cause: kind === "none" ? "infrastructure" : "deterministic",
      });
      await vi.waitFor(() => expect(processesWith(mark)).toEqual([]), patient);
      const holding = await x.run(`(while :; do echo late; sleep 0.01; done) & sleep ${mark} & echo early`);
      expect(holding.kind === "done" && (await x.text(holding.result.stdout))).toMatch(/^early\n|^late\n/);
      expect(processesWith(mark)).toEqual([]);
    });

    it("is counted for what it starts, as the system counts it", async () => {
      const loop = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
      const outcome = await x.run(`sh -c '${loop}' | cat; sh -c '${loop}'; times`);
      if (outcome.kind !== "done") throw new Error(outcome.reason);
      const times = await x.text(outcome.result.stdout);
      const saidMs = [...times.matchAll(/([0-9]+)m([0-9.]+)s/g)].reduce(
        (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000,
        0,
      );
      expect(saidMs).toBeGreaterThan(100);
      // Each of the four figures is cut to 10 ms; the start of a box costs some more.
      expect(outcome.usage.cpuMs).toBeGreaterThanOrEqual(saidMs - 40);
      expect(outcome.usage.cpuMs).toBeLessThan(2 * saidMs + 2000);
    });
  });

/** A small disk of its own; undefined where this machine does not let us have one. */
function smallDisk(at: string): (() => void) | undefined {
  mkdirSync(at, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", at], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return () => execFileSync("umount", ["-l", at]);
}

describe("an action on a full disk", () => {
  it("is the node's failure, and the next one finds the room again", async (context) => {
    const x = await openExecution("none");
    const at = path.join(x.home, "small");
    const unmount = smallDisk(at);
    const small = unmount && (await openExecution("none", { dir: path.join(at, "work") }));
    try {
      if (!small) return context.skip("no disk of our own can be mounted here");
      const outcome = await small.run("head -c 20000000 /dev/zero > filler");
      expect(outcome).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: "no room on the disk",
      });
      await vi.waitFor(
        async () => expect((await small.run("head -c 4000000 /dev/zero > filler")).kind).toBe("done"),
        patient,
      );
    } finally {
      await small?.close();
      unmount?.();
      await x.close();
    }
  });
});

describe("what an action made", () => {
  it("is taken with turns for the daemon in between, however much it is", async () => {
    const x = await openExecution("none");
    const work = path.join(x.home, "made");
    mkdirSync(path.join(work, "o"), { recursive: true });
    for (let i = 0; i < 1000; i++) writeFileSync(path.join(work, "o", `${i}`), "equal");
    let turns = 0;
    let turning = true;
    const turn = () => {
      turns++;
      if (turning) setImmediate(turn);
    };
    setImmediate(turn);
    const collected = await collectOutputs([folder("o")], work, x.blobs);
    turning = false;
    expect(collected).toHaveProperty("outputs");
    expect(turns).toBeGreaterThan(4);
    await x.close();
  });
});

describe("what an action left", () => {
  it("may be a loop in the place of its own log, where it has no box", async () => {
    const x = await openExecution("none");
    expect(await x.run("rm ../out; ln -s out ../out; sleep 0.5")).toMatchObject({ kind: "done" });
    await x.close();
  });

  it("can be removed whatever its modes and however deep, also when the daemon starts again", async () => {
    const x = await openExecution("none");
    const left = path.join(x.home, "left");
    execFileSync("sh", [
      "-c",
      `mkdir "$1"; cd "$1"; i=0; while [ $i -lt 30 ]; do mkdir ${"n".repeat(250)}; cd -P ./${"n".repeat(250)}; i=$((i + 1)); done; : > end; cd "$1"; mkdir shut; : > shut/in; chmod 000 shut`,
      "sh",
      left,
    ]);
    await removeFolder(left);
    expect(readdirSync(x.home)).not.toContain("left");
    await x.close();
  });
});
