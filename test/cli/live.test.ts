import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryControl } from "../control/memory.ts";
import { screen } from "./screen.ts";
import { projectDir, Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

const type = (...args: string[]) => screen(terminal, args);

/** Actions that end when they are told. */
function hand() {
  const waiting: (() => void)[] = [];
  return {
    pace: () => new Promise<void>((resolve) => waiting.push(resolve)),
    next: () => waiting.shift()?.(),
  };
}

test("a followed build is a bar and one line per running action, and failures stay above it", async () => {
  const { pace, next } = hand();
  await terminal.serve(new MemoryControl({ nodes: ["alpha", "beta"], failing: ["compile/b"], pace }));
  const following = type("submit", await writeSpec(terminal));
  await following.drawn(/░{30} \[0\/3\] {2}1 running .*\r\n {2}compile\/a {2}alpha {2}[\d.]+ m?s\r\n/);
  next();
  await following.drawn(/█{10}░{20} \[1\/3\] {2}1 running .*\r\n {2}compile\/b {2}beta/);
  next();
  const { code, drawn } = await following.ended;
  expect(code).toBe(1);
  // The area is erased (two lines up, clear to the end) before the line that stays.
  expect(drawn).toContain("\x1b[2A\x1b[J[1/3] \x1b[31mfailed\x1b[39m compile/b  beta: exit code 1\r\n");
  expect(drawn.trimEnd()).toMatch(/1 held behind it\r\n\r\nonce the cause is gone: swarmd retry three-\w+$/);
});

test("Ctrl-C on the keyboard ends following and nothing else", async () => {
  const { pace } = hand();
  const memory = new MemoryControl({ pace });
  await terminal.serve(memory);
  const following = type("submit", await writeSpec(terminal));
  await following.drawn(/compile\/a/);
  following.press("\x03");
  const { code, drawn } = await following.ended;
  expect(code).toBe(130);
  expect(drawn).toContain("the build goes on");
  expect((await memory.builds())[0]?.state).toBe("running");
});

test.for([
  ["n\r", false],
  ["\r", false],
  ["\x03", false],
  ["\x04", false],
  ["y\r", true],
] as const)("next asks, and %j means %s", async ([keys, runs]) => {
  await terminal.serve(new MemoryControl());
  await terminal.good("submit", await writeSpec(terminal));
  const asking = type("next");
  await asking.drawn(/Run it\? \[y\/N\] /);
  asking.press(keys);
  const { code, drawn } = await asking.ended;
  expect(code).toBe(0);
  expect(drawn.includes("in out/three")).toBe(runs);
});

test.for([
  ["n\r", false],
  ["\x04", false],
  ["y\r", true],
] as const)("before runs are lost it asks, and %j means %s", async ([keys, does]) => {
  const memory = new MemoryControl({ lost: 2, pace: hand().pace });
  await terminal.serve(memory);
  await terminal.good("submit", await writeSpec(terminal), "--detach");
  const asking = type("reset", "three");
  await asking.drawn(/begin anew, .*and 2 runs would be lost\. Go on\? \[y\/N\] /);
  expect(memory.words).toEqual([]);
  asking.press(keys);
  const { code, drawn } = await asking.ended;
  expect(code).toBe(0);
  expect(drawn).toContain(does ? "2 runs lost" : "nothing was changed");
  expect(memory.words).toHaveLength(does ? 1 : 0);
});

test("the second Ctrl-C ends a process at once, though the first is still being heeded", async () => {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `const { onInterrupt } = await import(${JSON.stringify(path.join(projectDir, "cli/interrupt.ts"))});
       const { signal } = onInterrupt();
       signal.addEventListener("abort", () => console.log("heard"));
       console.log("ready");
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  terminal.own(child);
  await once(child.stdout, "data");
  child.kill("SIGINT");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  expect((await once(child, "exit"))[0]).toBe(130);
});
