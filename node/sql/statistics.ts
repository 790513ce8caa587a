/** History in figures: runs per action kind, node or package, counted in the projection. */
import type { SqlValue, StatisticsRequest, StatisticsRow, StatisticsView } from "../control/data.ts";

const itemsMax = 1000;

/** What runs are counted under, over attempts `t` and their builds `b` and actions `a`; and over cached actions. */
const names = {
  kind: { run: "b.name || '/' || coalesce(a.kind, '?')", cached: "b.name || '/' || coalesce(a.kind, '?')" },
  package: { run: "b.name", cached: "b.name" },
  node: {
    run: "t.node",
    cached:
      "(SELECT node FROM artifacts f WHERE f.build = a.build AND f.action = a.action ORDER BY at_ms LIMIT 1)",
  },
} as const;

export type Ask = (sql: string, values: readonly SqlValue[]) => Promise<readonly (readonly SqlValue[])[]>;

export async function statisticsOf(request: StatisticsRequest, ask: Ask): Promise<StatisticsView> {
  const { by, sinceMs = 0 } = request;
  const { run, cached } = names[by];
  const rows = await ask(
    `SELECT name, sum(runs), sum(failed), sum(cached), max(p50), max(p95), sum(cpu), sum(fetched), max(last) FROM (
       SELECT ${run} AS name, count(*) AS runs, sum(t.state = 'failed') AS failed, 0 AS cached,
         median(CASE WHEN t.state = 'done' THEN t.wall_ms END) AS p50,
         percentile(CASE WHEN t.state = 'done' THEN t.wall_ms END, 95) AS p95,
         sum(coalesce(t.cpu_ms, 0)) AS cpu, sum(coalesce(t.fetched_bytes, 0)) AS fetched, max(t.ended_ms) AS last
       FROM attempts t JOIN builds b ON b.build = t.build LEFT JOIN actions a ON a.build = t.build AND a.action = t.action
       WHERE t.state IN ('done', 'failed') AND t.ended_ms >= ?1 GROUP BY 1
       UNION ALL
       SELECT ${cached} AS name, 0, 0, count(*), NULL, NULL, 0, 0, NULL
       FROM actions a JOIN builds b ON b.build = a.build WHERE a.cached = 1 AND a.done_ms >= ?1 GROUP BY 1)
     WHERE name IS NOT NULL GROUP BY name ORDER BY 2 DESC, 4 DESC, name LIMIT ${itemsMax}`,
    [sinceMs],
  );
  return { by, items: rows.map(rowOf) };
}

function rowOf(row: readonly SqlValue[]): StatisticsRow {
  const [name, runs, failed, cached, p50Ms, p95Ms, cpuMs, fetchedBytes, lastMs] = row as [
    string,
    ...(number | null)[],
  ];
  const [all, bad] = [runs ?? 0, failed ?? 0];
  return {
    name,
    runs: all,
    failed: bad,
    failureRate: all === 0 ? 0 : Math.round((bad / all) * 1000) / 1000,
    cached: cached ?? 0,
    p50Ms: rounded(p50Ms),
    p95Ms: rounded(p95Ms),
    cpuMs: cpuMs ?? 0,
    fetchedBytes: fetchedBytes ?? 0,
    lastMs: lastMs ?? null,
  };
}

const rounded = (ms: number | null | undefined): number | null => (ms == null ? null : Math.round(ms));
