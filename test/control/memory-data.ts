/** Data of a daemon that was never asked before: one table of one row, and no messages. */
import type {
  Data,
  DensityRequest,
  SqlAnswer,
  SqlTable,
  SqlTableSchema,
  StatisticsRequest,
  StatisticsView,
  WireDensity,
  WireLine,
  WireRequest,
  WireStats,
} from "../../node/control/data.ts";
import { mustBeKind } from "../../node/wire-log.ts";
import { MemoryAccounts } from "./memory-accounts.ts";

const nothing = { count: 0, bytes: 0 };

export class MemoryData extends MemoryAccounts implements Data {
  /** What was asked, in order. */
  readonly asked: string[] = [];
  readonly messages: WireLine[] = [];

  async sqlTables(): Promise<SqlTable[]> {
    return [{ name: "builds", about: "one submission", rows: 1 }];
  }

  async sqlSchema(): Promise<SqlTableSchema[]> {
    return [
      {
        name: "builds",
        about: "one submission",
        columns: [{ name: "build", type: "TEXT", about: "the build's id" }],
      },
    ];
  }

  async sqlQuery(sql: string): Promise<SqlAnswer> {
    this.asked.push(sql);
    return { columns: [{ name: "n" }], rows: [[1]], truncated: false, tookMs: 0.1 };
  }

  async statistics({ by }: StatisticsRequest): Promise<StatisticsView> {
    return { by, items: [] };
  }

  async *wire({ peer, kind }: WireRequest, _signal: AbortSignal): AsyncIterable<WireLine> {
    if (kind !== undefined) mustBeKind(kind);
    for (const line of this.messages)
      if ((peer === undefined || line.node === peer) && (kind === undefined || line.kind === kind))
        yield line;
  }

  async wireStats(): Promise<WireStats> {
    const both = { sent: nothing, received: nothing };
    return { sinceMs: 0, atMs: 0, ...both, perSecond: both, byKind: [], byPeer: [], held: 0, heldMax: 0 };
  }

  async wireDensity({ steps = 60 }: DensityRequest): Promise<WireDensity> {
    const both = { sent: nothing, received: nothing };
    return { fromMs: 0, stepMs: 1000, steps: Array.from({ length: steps }, () => both) };
  }
}
