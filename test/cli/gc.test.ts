import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
let memory: MemoryControl;
beforeEach(async () => {
  terminal = await Terminal.open();
  memory = new MemoryControl({ nodes: ["alpha", "beta"] });
  await terminal.serve(memory);
});
afterEach(() => terminal.close());

test("what has room stays, with the command that removes it all the same", async () => {
  await terminal.good("submit", await writeSpec(terminal));
  const held = memory.blobs.size;
  expect(held).toBeGreaterThan(0);
  const { stdout, stderr } = await terminal.run("gc");
  expect(stdout).toMatch(new RegExp(`^nothing went\n.*not needed, but there is room +${held} `, "s"));
  expect(stderr).toContain("gc --unused 7d");
  expect(memory.blobs.size).toBe(held);
});

test("a dry run names what would go and removes nothing; without it all of that goes", async () => {
  await terminal.good("submit", await writeSpec(terminal));
  const held = memory.blobs.size;
  const told = await terminal.good("gc", "--unused", "1d", "--dry-run");
  for (const digest of memory.blobs.keys()) expect(told).toContain(digest);
  expect(told).toContain(`${held} artifacts, `);
  expect(told).toContain("would go");
  expect(JSON.parse(await terminal.good("gc", "--unused", "1d", "--dry-run", "--json"))).toMatchObject({
    dryRun: true,
    count: held,
    shortBytes: 0,
  });
  expect(memory.blobs.size).toBe(held);
  expect(await terminal.good("gc", "--unused", "1d")).toMatch(/^[0-9]+ artifacts, .* went$/m);
  expect(memory.blobs.size).toBe(0);
});

test("a time that is none is refused", async () => {
  const { code, stderr } = await terminal.run("gc", "--unused", "soon");
  expect(code).toBe(2);
  expect(stderr).toContain("--unused takes a time, not soon");
});

test.each([
  ["space", "alpha has only 977 KiB of disk free: it takes no work and serves on"],
  ["disk", "alpha cannot write to its disk: it takes no work and hands out none"],
])("status says of a node that its disk keeps from work: %s", async (limitedBy, line) => {
  const { node, ...rest } = await memory.status();
  const vitals = { ...node.vitals!, slots: 0, limitedBy, diskFreeBytes: 1e6 };
  memory.status = async () => ({ ...rest, node: { ...node, vitals } });
  expect(await terminal.good("status")).toContain(line);
});
