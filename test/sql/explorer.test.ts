import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Explorer, type ExplorerOptions } from "../../node/sql/explorer.ts";
import { tableNames } from "../../node/sql/tables.ts";
import { sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { until } from "../patience.ts";
import { bombs, ended, forbidden } from "./attacks.ts";
import { Past } from "./told.ts";

let dir: string;
let past: Past;
let explorer: Explorer;
/** On a machine that is busy with other tests nothing but what must end does so by the clock. */
const patient = { queryMsMax: 600_000, readMsMax: 600_000 };
const open = (name: string, of: Past, limits: ExplorerOptions["limits"] = {}) =>
  new Explorer({
    file: path.join(dir, name, "timeline.sqlite"),
    feed: of.feed(),
    nowMs: () => 0,
    limits: { ...patient, ...limits },
  });

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-sql-"));
  past = new Past().play();
  explorer = open("one", past);
});
afterAll(() => {
  explorer.close();
  rmSync(dir, { recursive: true, force: true });
});

function textOf(pid: string, file: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/${file}`, "utf8") : "";
  } catch {
    return "";
  }
}

/** Processor time of a process, in ticks. */
const ticksOf = (pid: string): number => Number(textOf(pid, "stat").split(" ")[13]);

const rows = async (sql: string) => (await explorer.query(sql)).rows;

describe("what was said, as tables", () => {
  test("every table is there, with what its columns mean", async () => {
    const tables = await explorer.tables();
    expect(tables.map(({ name }) => name)).toEqual(tableNames);
    expect(tables.find(({ name }) => name === "events")!.rows).toBe(9);
    expect(
      explorer
        .schema()
        .flatMap(({ columns }) => columns)
        .every(({ about }) => about !== ""),
    ).toBe(true);
  });

  test("builds, actions, attempts, decisions and artifacts say what became of them", async () => {
    expect(await rows("SELECT name, state, submitter, actions FROM builds")).toEqual([
      ["demo", "running", "ann", 3],
    ]);
    expect(
      await rows(
        "SELECT action, kind, state, attempts, failures, node, wall_ms FROM actions ORDER BY action",
      ),
    ).toEqual([
      ["a", "make", "done", 1, 0, "ben", 100],
      ["b", "make", "running", 2, 1, null, null],
      ["c", "make", "waiting", 0, 0, null, null],
    ]);
    expect(
      await rows(
        "SELECT action, attempt, node, steward, state, exit_code, cpu_ms FROM attempts ORDER BY action, attempt",
      ),
    ).toEqual([
      ["a", 1, "ben", "ann", "done", null, 80],
      ["b", 1, "ann", "ann", "failed", 2, 80],
      ["b", 2, "ben", "ann", "running", null, null],
    ]);
    expect(await rows("SELECT action, node, score, seen, parts, others FROM decisions")).toEqual([
      ["a", "ben", 1.5, 2, '{"speed":1}', '[["ann",0.5]]'],
    ]);
    expect(await rows("SELECT action, path, kind, node FROM artifacts")).toEqual([
      ["a", "out/a", "file", "ben"],
    ]);
    expect(await rows("SELECT event ->> 'kind', count(*) FROM events GROUP BY 1 ORDER BY 1 LIMIT 2")).toEqual(
      [
        ["build.submitted", 1],
        ["claim", 3],
      ],
    );
  });

  test("statistics count runs and failures per kind, node and package", async () => {
    const run = {
      runs: 2,
      failed: 1,
      failureRate: 0.5,
      cached: 0,
      p50Ms: 100,
      p95Ms: 100,
      cpuMs: 160,
      fetchedBytes: 128,
    };
    expect((await explorer.statistics({ by: "kind" })).items).toMatchObject([{ name: "demo/make", ...run }]);
    expect((await explorer.statistics({ by: "package" })).items).toMatchObject([{ name: "demo", ...run }]);
    expect((await explorer.statistics({ by: "node" })).items).toMatchObject([
      { name: "ann", runs: 1, failed: 1, p50Ms: null },
      { name: "ben", runs: 1, failed: 0, p50Ms: 100 },
    ]);
    expect((await explorer.statistics({ by: "kind", sinceMs: 1e12 })).items).toEqual([]);
  });

  test("a query may name parts of itself", async () => {
    const sql =
      "WITH ran AS (SELECT node FROM attempts), n(x) AS NOT MATERIALIZED (SELECT 1) SELECT count(*) FROM ran, n";
    expect(await rows(sql)).toEqual([[3]]);
  });

  test("an answer holds a thousand rows and a mebibyte, and says that there is more", async () => {
    const many = await explorer.query("SELECT a.seq FROM events a, events b, events c, events d");
    expect(many).toMatchObject({ truncated: true, columns: [{ name: "seq" }] });
    expect(many.rows).toHaveLength(1000);
    const wide = await explorer.query(
      "SELECT (SELECT group_concat(x.event) FROM events x, events y, events z) FROM events a, events b, events c",
    );
    expect(wide.truncated).toBe(true);
    expect(JSON.stringify(wide.rows).length).toBeLessThan(1.5 * 2 ** 20);
    expect(await explorer.query("SELECT 9223372036854775807, 9e999, NULL, x'0a', 0.5")).toMatchObject({
      rows: [["9223372036854775807", "Infinity", null, "0a", 0.5]],
      truncated: false,
    });
  });

  test("what is said later is there with the next question, and only that is read", async () => {
    const later = open("later", new Past().play());
    try {
      expect((await later.query("SELECT count(*) FROM events")).rows).toEqual([[9]]);
    } finally {
      later.close();
    }
    const more = new Past().play();
    const withMore = open("later", more);
    try {
      more.entries.push(more.ann.say({ kind: "sealed", state: "failed", wallMs: 1234 }));
      expect((await withMore.query("SELECT count(*) FROM events")).rows).toEqual([[10]]);
      expect((await withMore.query("SELECT state, wall_ms FROM builds")).rows).toEqual([["failed", 1234]]);
      expect((await withMore.query("SELECT state FROM actions ORDER BY action")).rows).toEqual([
        ["done"],
        ["blocked"],
        ["held"],
      ]);
    } finally {
      withMore.close();
    }
  });

  test("a word about members makes it read all anew, for it may judge what was said before", async () => {
    const told = new Past().play();
    const other = open("members", told);
    try {
      await other.query("SELECT 1");
      const { id } = told.entries[3]!;
      told.idle.add(id);
      const { build: _, ...entry } = told.ann.say({ kind: "member.left" }).entry;
      const { body, id: left } = sealEntry(entry);
      told.entries.push(signedEntry(entry, body, left, new Uint8Array(64)));
      expect((await other.query("SELECT state FROM actions WHERE action = 'a'")).rows).toEqual([["running"]]);
    } finally {
      other.close();
    }
  });
});

test("a question that cannot be put leaves nothing behind that rejects once the process ends", async () => {
  const own = open("odd", past);
  await expect(own.query((() => "no text") as never)).rejects.toThrow("could not be cloned");
  const { child } = (own as unknown as { child: { child: ChildProcess } }).child;
  const over = once(child, "exit");
  own.close();
  await over;
  // an unhandled rejection would fail this file
});

test("a query does not outlive the daemon that asked it", { timeout: 120_000 }, async () => {
  const folder = path.join(dir, "doomed");
  const asker = spawn(process.execPath, [path.join(import.meta.dirname, "doomed-asker.ts"), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(asker.stdout, "data");
  const asked = () =>
    readdirSync("/proc").filter((pid) => textOf(pid, "cmdline").includes(`process.ts\0${folder}`));
  const [pid] = asked();
  const before = ticksOf(pid!);
  await until(() => ticksOf(pid!) > before + 30, "a query that runs");
  asker.kill("SIGKILL");
  await until(() => asked().length === 0, "the end of the process");
});

describe("what a query may not", () => {
  for (const { what, sql, code, says } of forbidden)
    test(`${what} is refused`, async () => {
      await expect(explorer.query(sql)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
      await expect(explorer.query(sql)).rejects.toHaveProperty("remedy");
    });

  test("bombs end as refusals, and the next question is answered", async () => {
    const limits = { ...patient };
    const guarded = new Explorer({
      file: path.join(dir, "guarded", "timeline.sqlite"),
      feed: past.feed(),
      nowMs: () => 0,
      limits,
    });
    try {
      for (const { what, sql } of bombs) {
        limits.queryMsMax = 250;
        const refused = await guarded.query(sql).catch((error: unknown) => error);
        expect(ended, what).toContain((refused as { code?: unknown }).code);
        limits.queryMsMax = patient.queryMsMax;
        expect((await guarded.query("SELECT count(*) FROM events")).rows, what).toEqual([[9]]);
      }
    } finally {
      guarded.close();
    }
  });

  test("what takes too much memory is killed for it", async () => {
    const narrow = open("narrow", new Past().play(), { residentBytesMax: 1 << 20, queryMsMax: 60_000 });
    try {
      await expect(narrow.query("SELECT 1")).rejects.toMatchObject({ code: "too-large" });
    } finally {
      narrow.close();
    }
  });
});
