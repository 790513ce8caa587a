import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Command, Options } from "../../cli/command.ts";
import { sql } from "../../cli/commands/sql.ts";
import { stats } from "../../cli/commands/stats.ts";
import { wire } from "../../cli/commands/wire.ts";
import { Output } from "../../cli/output.ts";
import type { WireLine } from "../../node/control/data.ts";
import { MemoryControl } from "../control/memory.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
let memory: MemoryControl;
let out = "";
let err = "";

beforeAll(async () => {
  terminal = await Terminal.open();
  memory = new MemoryControl({ nodes: ["alpha", "beta"] });
  memory.sqlQuery = async (query) => {
    memory.asked.push(query);
    return {
      columns: [{ name: "node" }, { name: "runs" }, { name: "said" }],
      rows: [
        ["alpha", 12, 'a "word", and\nmore'],
        ["beta", 3, null],
      ],
      truncated: true,
      tookMs: 0.1,
    };
  };
  const line: WireLine = {
    number: 1,
    atMs: new Date(2030, 0, 1, 9, 5).getTime(),
    direction: "in",
    way: "message",
    kind: "sync",
    node: "beta",
    peerId: "p",
    bytes: 1234,
    entryCount: 0,
    entries: [],
  };
  const more = { number: 2, direction: "out", kind: "entries", entryCount: 2, entries: ["ab"] } as const;
  memory.messages.push(line, { ...line, ...more });
});
beforeEach(() => {
  out = "";
  err = "";
});
afterAll(() => terminal.close());

/** A command by itself, as `main` would run it. */
const run = (command: Command, args: readonly string[], options: Options = {}, json = false) =>
  command.run(
    {
      home: terminal.home,
      json,
      output: new Output({ write: (text) => (out += text) }, { write: (text) => (err += text) }, {}),
      control: memory,
      commandLine: (words) => words.join(" "),
      run: async () => 0,
      help: async () => {},
    },
    args,
    options,
  );

test("sql answers as a table, as CSV and as JSON, and says on the side that there is more", async () => {
  expect(await run(sql, ["select 1"])).toBe(0);
  expect(out).toBe('node   runs  said\nalpha    12  a "word", and more\nbeta      3\n');
  expect(err).toContain("more than these 2 rows");
  out = "";
  await run(sql, ["select 1"], { csv: true });
  expect(out).toBe('node,runs,said\nalpha,12,"a ""word"", and\nmore"\nbeta,3,\n');
  out = "";
  await run(sql, ["select 1"], {}, true);
  expect(JSON.parse(out)).toMatchObject({ truncated: true });
  await run(sql, [await terminal.write("query.sql", "select 2\n")]);
  expect(memory.asked.at(-1)).toBe("select 2\n");
});

test("sql lists tables and columns, and names what is wrong with the words", async () => {
  await run(sql, [], { tables: true });
  await run(sql, ["builds"], { schema: true });
  expect(out).toContain("builds     1  one submission");
  expect(out).toContain("the build's id");
  await expect(run(sql, ["bilds"], { schema: true })).rejects.toMatchObject({ code: "not-found" });
  await expect(run(sql, [])).rejects.toMatchObject({ code: "usage", message: "there is no query" });
  await expect(run(sql, ["x"], { tables: true })).rejects.toMatchObject({ code: "usage" });
  await expect(run(sql, [await terminal.write("long.sql", " ".repeat(20_000))])).rejects.toMatchObject({
    code: "too-large",
  });
});

test("a dash means standard input, on the real command line", async () => {
  await terminal.serve(memory);
  await terminal.good("sql", "-", "--json");
  expect(memory.asked.at(-1)).toBe("");
});

test("stats and wire say what they are asked, and refuse what they do not know", async () => {
  await expect(run(stats, [], { by: ["colour"] })).rejects.toMatchObject({ code: "usage" });
  await run(stats, [], { by: ["node"] }, true);
  expect(JSON.parse(out)).toEqual({ by: "node", items: [] });
  out = "";
  await run(wire, []);
  expect(out).toBe(
    "09:05:00.000  ← beta        message  sync       1.2 KiB\n09:05:00.000  → beta        message  entries    1.2 KiB  2 × ab…\n",
  );
  out = "";
  await run(wire, [], { kind: ["sync"] }, true);
  expect(JSON.parse(out)).toMatchObject({ number: 1 });
  await run(wire, [], { stats: true });
  expect(out).toContain("0 sent");
  out = "";
  await run(wire, [], { density: true }, true);
  expect(JSON.parse(out).steps).toHaveLength(60);
  await expect(run(wire, [], { stats: true, follow: true })).rejects.toMatchObject({ code: "usage" });
  await expect(run(wire, [], { limit: ["many"] })).rejects.toMatchObject({ code: "usage" });
});
