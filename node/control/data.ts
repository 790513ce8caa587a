/** What the daemon answers when it is asked for data: SQL over what was said, statistics, and the log of messages. All times are milliseconds, all sizes bytes. */

/** A table that may be asked. */
export interface SqlTable {
  readonly name: string;
  /** For people: what one row of it is. */
  readonly about: string;
  readonly rows: number;
}

export interface SqlColumn {
  readonly name: string;
  readonly type: "TEXT" | "INTEGER" | "REAL";
  /** For people, with the unit where the name does not tell it. */
  readonly about: string;
}

export interface SqlTableSchema {
  readonly name: string;
  readonly about: string;
  readonly columns: readonly SqlColumn[];
}

/** Whole numbers beyond 2^53, and what is no number, come as text. */
export type SqlValue = string | number | null;

export interface SqlAnswer {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly SqlValue[])[];
  /** There is more than these rows: a thousand are given, or a mebibyte of them. */
  readonly truncated: boolean;
  /** What the query itself took. */
  readonly tookMs: number;
}

/** Of a query. */
export const sqlBytesMax = 16 << 10;

export const statisticsBy = ["kind", "node", "package"] as const;

export interface StatisticsRequest {
  /** kind: actions of one pattern in builds of one name; package: builds of one name. */
  readonly by: (typeof statisticsBy)[number];
  /** Only runs that ended since. */
  readonly sinceMs?: number;
}

/** Of runs that ended; what was taken from the cache is no run. */
export interface StatisticsRow {
  /** A node or a package; of a kind `PACKAGE/KIND`. */
  readonly name: string;
  readonly runs: number;
  readonly failed: number;
  /** Of runs, 0 to 1. */
  readonly failureRate: number;
  /** Actions whose result was in the cache; of a node, results others took from it. */
  readonly cached: number;
  /** Of runs that ended well; null: none told. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly cpuMs: number;
  readonly fetchedBytes: number;
  /** When the last one ended. */
  readonly lastMs: number | null;
}

export interface StatisticsView {
  readonly by: StatisticsRequest["by"];
  /** At most 1,000, those with the most runs first. */
  readonly items: readonly StatisticsRow[];
}

export type Direction = "in" | "out";

/** A message that this node sent or got: never what stood in it. */
export interface WireLine {
  /** Counts up from 1 since the daemon started. */
  readonly number: number;
  readonly atMs: number;
  readonly direction: Direction;
  /** How it travelled: to or from one member, or to all. */
  readonly way: "message" | "gossip";
  /** As specs/messages.md names them; `unreadable` for what was no message. */
  readonly kind: string;
  /** Its other end: who handed it on, of gossip. Absent: all members. */
  readonly node?: string;
  readonly peerId?: string;
  /** Before it was pressed and sealed for its way. */
  readonly bytes: number;
  readonly build?: string;
  /** How many entries it carries, and the ids of the first. */
  readonly entryCount: number;
  readonly entries: readonly string[];
}

export interface WireRequest {
  /** A name or a peer id. */
  readonly peer?: string;
  readonly kind?: string;
  readonly sinceMs?: number;
  /** The last so many, before those that come. */
  readonly limit?: number;
  readonly follow: boolean;
}

export interface WireCount {
  readonly count: number;
  readonly bytes: number;
}

export interface WireStats {
  /** Since when is counted: the start of the daemon. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly sent: WireCount;
  readonly received: WireCount;
  /** Of the last minute. */
  readonly perSecond: { readonly sent: WireCount; readonly received: WireCount };
  readonly byKind: readonly {
    readonly kind: string;
    readonly way: WireLine["way"];
    readonly sent: WireCount;
    readonly received: WireCount;
  }[];
  readonly byPeer: readonly {
    readonly node: string;
    readonly peerId: string;
    readonly sent: WireCount;
    readonly received: WireCount;
  }[];
  /** Messages that the log holds now, and how many it can. */
  readonly held: number;
  readonly heldMax: number;
}

export interface DensityRequest {
  /** From there on; at most an hour back. Absent: the last ten minutes. */
  readonly sinceMs?: number;
  /** Steps between then and now; 60 if nobody says. */
  readonly steps?: number;
}

/** Messages over time, in steps of equal length, the oldest first. */
export interface WireDensity {
  readonly fromMs: number;
  readonly stepMs: number;
  readonly steps: readonly { readonly sent: WireCount; readonly received: WireCount }[];
}

/** The part of `Control` that gives data. */
export interface Data {
  /** Refuses `timed-out` while what was said is still being read in. */
  sqlTables(): Promise<SqlTable[]>;
  sqlSchema(): Promise<SqlTableSchema[]>;
  /** One SELECT. Refuses `usage` for what is no SQL, with its place; `refused` for what may not be asked; `timed-out`, `too-large`. */
  sqlQuery(sql: string): Promise<SqlAnswer>;
  statistics(request: StatisticsRequest): Promise<StatisticsView>;
  /** The last messages that fit, oldest first, then those that come. */
  wire(request: WireRequest, signal: AbortSignal): AsyncIterable<WireLine>;
  wireStats(): Promise<WireStats>;
  wireDensity(request: DensityRequest): Promise<WireDensity>;
}
