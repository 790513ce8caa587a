import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { screen } from "../cli/screen.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeAll(async () => {
  farm = await Farm.open();
  await farm.found("ann", "ben");
  await farm.terminal.write("src/in.txt", "what it takes\n");
  const spec = await farm.terminal.write(
    "broken.yaml",
    `swarmd: 1
name: broken
inputs: { src: src }
actions:
  first:
    in: [src/in.txt]
    run: cp src/in.txt \${out}
    out: made/first.txt
  second:
    in: [made/first.txt]
    env: { WORD: told }
    run: echo "$WORD $(cat made/first.txt)" && exit 7
    out: made/second.txt
    retries: 0
`,
  );
  expect((await farm.run("ann", "submit", spec)).code).toBe(1);
}, 120_000);
afterAll(() => farm.close());

/** Rooms that are laid out in the home of a machine, beside what the executor keeps for later actions. */
const replays = (name: string): string[] => {
  const dir = path.join(farm.homeOf(name), "work/actions");
  return readdirSync(dir).filter((one) => existsSync(path.join(dir, one, "work/replay")));
};

test("one command in the sandbox of what failed: its inputs, its environment, its own command again, and nothing stays", {
  timeout: 240_000,
}, async () => {
  for (const node of ["ann", "ben"]) {
    const seen = await farm.run(
      node,
      "shell",
      "broken",
      "second",
      "--command",
      "cat made/first.txt; echo $WORD $TZ; exit 3",
    );
    expect(seen).toMatchObject({ code: 3, stdout: "what it takes\ntold UTC\n" });
  }
  expect(await farm.run("ben", "shell", "broken", "second", "--command", "./replay")).toMatchObject({
    code: 7,
    stdout: "told what it takes\n",
  });
  // What it made lies beside what it took, and what is written there harms nothing.
  const made = await farm.run(
    "ann",
    "shell",
    "broken",
    "first",
    "--command",
    "cat made/first.txt && echo x >> made/first.txt && ./replay && cat made/first.txt",
  );
  expect(made).toMatchObject({ code: 0, stdout: "what it takes\nwhat it takes\n" });
  await until(async () => replays("ann").length === 0);
  // Inputs are as safe there as they were in the run.
  await farm.run("ann", "shell", "broken", "second", "--command", "echo x > made/first.txt");
  expect(await farm.run("ann", "shell", "broken", "second", "--command", "cat made/first.txt")).toMatchObject(
    {
      stdout: "what it takes\n",
    },
  );
});

test("what is to be kept is kept, whole", { timeout: 240_000 }, async () => {
  const { code, stderr } = await farm.run(
    "ann",
    "shell",
    "broken",
    "second",
    "--keep",
    "--command",
    "echo mine > found",
  );
  expect(code).toBe(0);
  const kept = /^kept: (.*)$/m.exec(stderr)?.[1] ?? "";
  expect(readFileSync(path.join(kept, "found"), "utf8")).toBe("mine\n");
  expect(readFileSync(path.join(kept, "made/first.txt"), "utf8")).toBe("what it takes\n");
});

test("what makes no sense is refused", { timeout: 240_000 }, async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await farm.run("ann", "shell", ...args);
    return `${code} ${stderr}`;
  };
  expect(await refused("broken", "second", "--json")).toMatch(/^2 .*no answer in JSON[\s\S]*--command/);
  expect(await refused("broken", "second")).toMatch(/^2 .*no terminal/);
  expect(await refused("broken", "secnd", "--command", "ls")).toMatch(/^2 .*no action secnd[\s\S]*second/);
  expect(await refused("broken", "second", "--command", "")).toMatch(/^2 /);
});

test("a shell in a terminal: it says where one is, the command is there to run again, and exit removes all", {
  timeout: 240_000,
}, async () => {
  const shown = screen(farm.terminal, ["shell", "broken", "second", "--home", farm.homeOf("ann")], {
    columns: 100,
    rows: 30,
  });
  await shown.drawn(
    /it failed on (ann|ben): exit code 7[\s\S]*again: +\.\/replay[\s\S]*\[broken-\S+ second\]/,
  );
  expect(replays("ann")).toHaveLength(1);
  shown.press("ls; ./replay; echo ended with $?\r");
  await shown.drawn(/made +replay[\s\S]*told what it takes[\s\S]*ended with 7/);
  // What runs in front is interrupted, and not the shell. It is one program from its beginning, which says itself that it is in front.
  shown.press("cat made/first.txt -; echo not reached\r");
  await shown.drawn(/ended with 7[\s\S]*what it takes\r?\n/);
  shown.press("\x03");
  await shown.drawn(/ended with 7[\s\S]*what it takes\r?\n[\s\S]*second\]/);
  shown.press("echo still $((20 + 2))\r");
  await shown.drawn(/still 22/);
  shown.press("exit\r");
  expect((await shown.ended).code).toBe(0);
  await until(async () => replays("ann").length === 0);
});
