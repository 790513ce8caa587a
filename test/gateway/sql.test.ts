import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { Explorer } from "../../node/sql/explorer.ts";
import { MemoryControl } from "../control/memory.ts";
import { bombs, ended, forbidden } from "../sql/attacks.ts";
import { Past } from "../sql/told.ts";

const limits = { queryMsMax: 600_000, readMsMax: 600_000 };
let dir: string;
let explorer: Explorer;
let gateway: Gateway;
const faults: unknown[] = [];

/** The queries go to a real projection, as a daemon's do. */
class Asked extends MemoryControl {
  override sqlQuery = (sql: string) => explorer.query(sql);
  override sqlTables = () => explorer.tables();
}

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-sql-"));
  const file = path.join(dir, "timeline.sqlite");
  explorer = new Explorer({
    file,
    feed: new Past().play().feed(),
    nowMs: () => 0,
    limits,
  });
  gateway = await openGateway({
    listen: "127.0.0.1:0",
    hosts: [],
    views: new Asked(),
    onFault: (fault) => faults.push(fault),
  });
});
afterAll(async () => {
  await gateway.close();
  explorer.close();
  rmSync(dir, { recursive: true, force: true });
  expect(faults).toEqual([]);
});

const asked = async (sql: string) => {
  const answer = await fetch(`${gateway.url}/api/v1/sql/query?q=${encodeURIComponent(sql)}`);
  // biome-ignore lint/suspicious/noExplicitAny: what comes is what is tested
  return { status: answer.status, body: (await answer.json()) as any };
};

test("a query is answered over HTTP", async () => {
  expect(await asked("SELECT name, actions FROM builds")).toMatchObject({
    status: 200,
    body: { columns: [{ name: "name" }, { name: "actions" }], rows: [["demo", 3]], truncated: false },
  });
  const { status } = await fetch(`${gateway.url}/api/v1/sql/query`);
  expect(status).toBe(400);
  expect((await fetch(`${gateway.url}/api/v1/sql/query?q=SELECT+1`, { method: "POST" })).status).toBe(405);
});

test("every attack on the tables ends at the gateway as a refusal with code and remedy, and the next query is answered", async () => {
  for (const { what, sql, code, says } of forbidden) {
    if (encodeURIComponent(sql).length > 8000) continue;
    const { status, body } = await asked(sql);
    expect([what, status, body.error?.code]).toEqual([what, 400, code]);
    expect(body.error.message, what).toMatch(says);
    expect(body.error.remedy, what).toBeTruthy();
  }
  limits.queryMsMax = 250;
  const { status, body } = await asked(bombs[0]!.sql);
  expect([status, ended.includes(body.error.code)]).toEqual([400, true]);
  limits.queryMsMax = 600_000;
  expect((await asked("SELECT count(*) FROM events")).body.rows).toEqual([[9]]);
});
