/**
 * The projection: what was said, as rows of tables in a database file of its own. It takes entries in any order, each once, holds a bounded past, and may be
 * thrown away at any moment: everything in it can be read in again.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { decodeGraph } from "../../protocol/build/graph.ts";
import { familyOf } from "../../protocol/explain/families.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { type BuildId, chainOf, type Incarnation, type PeerId } from "../../protocol/kernel/ids.ts";
import { type AnyEvent, type Entry, readEntry } from "../../protocol/timeline/entry.ts";
import { knownEvent, membershipKinds } from "../../protocol/timeline/events.ts";
import type { SqlValue } from "../control/data.ts";
import { Facts } from "./facts.ts";
import { marked } from "./marked.ts";
import type { Chain, Fed, Present } from "./speech.ts";
import { statements, type TableName, tables } from "./tables.ts";

/** Counts up when the same tables are filled otherwise. */
const filling = 1;
const format = sha256Hex(JSON.stringify([filling, statements])).slice(0, 16);
const pastMsMax = 90 * 86_400_000;
const eventsMaxUsual = 400_000;
const fileBytesMax = 512 << 20;
const vitalsMax = 100_000;
const eventBytesMax = 16 << 10;
/** Of so many builds the latest graphs are asked for. */
const lackingMax = 64;

const privateStatements = [
  "CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
  "CREATE TABLE chains (author TEXT, inc TEXT, runs TEXT, PRIMARY KEY (author, inc)) WITHOUT ROWID",
  "CREATE TABLE early (claim TEXT, author TEXT, at_ms INTEGER, event TEXT)",
  "CREATE INDEX early_by_claim ON early (claim)",
  "CREATE TABLE holders (claim TEXT PRIMARY KEY, holder TEXT) WITHOUT ROWID",
  "CREATE TABLE graphs (build TEXT PRIMARY KEY, graph TEXT) WITHOUT ROWID",
];

/** What changes who may say what. */
const judging: ReadonlySet<string> = new Set([...membershipKinds, "member.tainted", "fork", "swarm.founded"]);

export class Projection {
  private readonly file: string;
  private readonly eventsMax: number;
  private database: DatabaseSync;
  private facts: Facts;
  private insertEvent: StatementSync;
  private chains = new Map<string, { author: PeerId; inc: Incarnation; runs: number[] }>();
  private names: ReadonlyMap<PeerId, string> = new Map();
  /** All there was has been read in once: what changes who may say what comes too late from here on. */
  private isWhole = false;
  private events = 0;
  /** Builds whose actions are to be looked at once all that is there was read in. */
  private readonly touched = new Set<BuildId>();

  /** Makes the file where there is none that fits. */
  constructor(file: string, swarm: string, eventsMax = eventsMaxUsual) {
    this.file = file;
    this.eventsMax = eventsMax;
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const known = opened(file, swarm);
    this.database = known ?? made(file, swarm);
    this.facts = new Facts(this.database, (peer) => this.nameOf(peer));
    this.insertEvent = this.prepareEvents();
    this.restore();
  }

  /** All there is is thrown away. */
  anew(swarm: string): void {
    this.database.close();
    this.database = made(this.file, swarm);
    this.facts = new Facts(this.database, (peer) => this.nameOf(peer));
    this.insertEvent = this.prepareEvents();
    this.restore();
  }

  known(): Chain[] {
    return [...this.chains.values()].map(({ author, inc, runs }) => ({ author, inc, runs: [...runs] }));
  }

  call(names: Present["names"]): void {
    this.names = new Map(names);
  }

  /** True: what was read in before may have been judged otherwise than it would be now. */
  read(entries: readonly Fed[], nowMs: number): boolean {
    let isStale = false;
    this.within(() => {
      for (const { bytes, counts } of entries) {
        const { entry, id } = readEntry(new Uint8Array(bytes));
        if (!this.mark(entry)) continue;
        isStale ||= this.isWhole && entry.events.some(({ kind }) => judging.has(kind));
        if (entry.hlc[0] < nowMs - pastMsMax) continue;
        if (entry.build !== undefined) this.touched.add(entry.build);
        for (const [place, event] of entry.events.entries())
          this.take(entry, id, place, event, counts[place] === true);
      }
    });
    return isStale;
  }

  /** These places were looked up; what was not there is a gap for good, or is named again. */
  passed(chains: readonly Chain[]): void {
    this.within(() => {
      this.facts.settle(this.touched);
      this.touched.clear();
      this.isWhole = true;
      this.put("whole", "1");
      const save = this.database.prepare("INSERT OR REPLACE INTO chains VALUES (?, ?, ?)");
      for (const { author, inc } of chains) {
        const chain = this.chains.get(chainOf(author, inc));
        if (chain) save.run(author, inc, JSON.stringify(chain.runs));
      }
    });
    this.bound();
  }

  /** Builds whose graph was not given yet, the latest first. */
  lacking(): [BuildId, string][] {
    const rows = this.database
      .prepare(
        `SELECT build, graph FROM builds WHERE graph IS NOT NULL AND build NOT IN (SELECT build FROM graphs)
         ORDER BY submitted_ms DESC LIMIT ${lackingMax}`,
      )
      .all() as { build: BuildId; graph: string }[];
    return rows.map(({ build, graph }) => [build, graph]);
  }

  graph(build: BuildId, bytes: Uint8Array | null): void {
    this.within(() => {
      // That of a build that goes on may still come.
      this.database
        .prepare(
          "INSERT OR IGNORE INTO graphs SELECT build, graph FROM builds WHERE build = ?1 AND (?2 OR ended_ms IS NOT NULL)",
        )
        .run(build, bytes ? 1 : 0);
      if (bytes) this.facts.open(build, decodeGraph(new Uint8Array(bytes)));
    });
  }

  now({ names, nodes, vitals, releases, builds }: Present): void {
    this.call(names);
    this.within(() => {
      this.replace("nodes", nodes);
      this.replace("releases", releases);
      this.insert("vitals", vitals);
      for (const { build, state, wallMs, actions } of builds)
        this.facts.standing(build, state, wallMs, actions);
    });
  }

  rows(table: TableName): number {
    return this.count(table);
  }

  ask(sql: string, values: readonly SqlValue[]): { columns: { name: string }[]; rows: SqlValue[][] } {
    const statement = this.database.prepare(sql);
    statement.setReturnArrays(true);
    const rows = statement.all(...values) as unknown as SqlValue[][];
    return { columns: statement.columns().map(({ name }) => ({ name })), rows };
  }

  close(): void {
    this.database.close();
  }

  private take(entry: Entry, id: string, place: number, raw: AnyEvent, counts: boolean): void {
    const [atMs] = entry.hlc;
    const event = knownEvent(raw);
    const { action, claim } = raw as { action?: unknown; claim?: unknown };
    const { changes } = this.insertEvent.run(
      atMs,
      this.nameOf(entry.author),
      entry.author,
      entry.inc,
      entry.seq,
      place,
      id,
      entry.build ?? null,
      familyOf(raw.kind, entry.build !== undefined),
      raw.kind,
      typeof action === "string" ? action : null,
      typeof claim === "string" ? claim : null,
      counts ? 1 : 0,
      textOf(raw),
    );
    this.events += Number(changes);
    if (event && counts && entry.build !== undefined)
      this.facts.take(event, { build: entry.build, author: entry.author, atMs });
  }

  /** False: it was read in before. */
  private mark({ author, inc, seq }: Entry): boolean {
    const key = chainOf(author, inc);
    let chain = this.chains.get(key);
    if (!chain) {
      chain = { author, inc, runs: [] };
      this.chains.set(key, chain);
    }
    return marked(chain.runs, seq);
  }

  private nameOf(peer: PeerId): string {
    return this.names.get(peer) ?? peer.slice(-8);
  }

  private restore(): void {
    this.chains = new Map();
    for (const row of this.database.prepare("SELECT author, inc, runs FROM chains").all()) {
      const { author, inc, runs } = row as { author: PeerId; inc: Incarnation; runs: string };
      this.chains.set(chainOf(author, inc), { author, inc, runs: JSON.parse(runs) as number[] });
    }
    this.isWhole = this.database.prepare("SELECT 1 FROM marks WHERE name = 'whole'").get() !== undefined;
    this.events = this.count("events");
  }

  private prepareEvents(): StatementSync {
    return this.database.prepare(
      `INSERT OR IGNORE INTO events VALUES (${Object.keys(tables.events.columns).map(() => "?")})`,
    );
  }

  /** What is oldest goes. */
  private bound(): void {
    const bytes = this.pragma("page_count") * this.pragma("page_size");
    const free = this.pragma("freelist_count") * this.pragma("page_size");
    const kept = bytes - free > fileBytesMax ? Math.floor(this.events * 0.8) : this.eventsMax;
    if (this.events > kept) {
      const row = this.database
        .prepare("SELECT at_ms FROM events ORDER BY at_ms DESC LIMIT 1 OFFSET ?")
        .get(Math.floor(kept * 0.9)) as { at_ms: number } | undefined;
      if (row) this.within(() => this.forget(row.at_ms));
    }
    if (this.count("vitals") > vitalsMax)
      this.database.exec(
        `DELETE FROM vitals WHERE at_ms < (SELECT at_ms FROM vitals ORDER BY at_ms DESC LIMIT 1 OFFSET ${vitalsMax >> 1})`,
      );
  }

  private forget(beforeMs: number): void {
    const run = (sql: string, ...values: SQLInputValue[]) => this.database.prepare(sql).run(...values);
    run("DELETE FROM events WHERE at_ms < ?", beforeMs);
    run("DELETE FROM vitals WHERE at_ms < ?", beforeMs);
    run("DELETE FROM builds WHERE submitted_ms < ? AND ended_ms IS NOT NULL", beforeMs);
    for (const table of ["actions", "attempts", "decisions", "artifacts", "graphs"])
      run(`DELETE FROM ${table} WHERE build NOT IN (SELECT build FROM builds)`);
    run("DELETE FROM early WHERE at_ms < ?", beforeMs);
    run("DELETE FROM holders WHERE claim NOT IN (SELECT claim FROM attempts)");
    this.events = this.count("events");
  }

  private count(table: TableName): number {
    return (this.database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  }

  private pragma(name: string): number {
    return Object.values(this.database.prepare(`PRAGMA ${name}`).get()!)[0] as number;
  }

  private put(name: string, value: string): void {
    this.database.prepare("INSERT OR REPLACE INTO marks VALUES (?, ?)").run(name, value);
  }

  private replace(table: TableName, rows: readonly (readonly SqlValue[])[]): void {
    this.database.exec(`DELETE FROM ${table}`);
    this.insert(table, rows);
  }

  private insert(table: TableName, rows: readonly (readonly SqlValue[])[]): void {
    if (rows.length === 0) return;
    const insert = this.database.prepare(
      `INSERT OR REPLACE INTO ${table} VALUES (${Object.keys(tables[table].columns).map(() => "?")})`,
    );
    for (const row of rows) insert.run(...row);
  }

  private within(work: () => void): void {
    this.database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.database.exec("COMMIT");
    } catch (error) {
      this.database.exec("ROLLBACK");
      this.restore();
      throw error;
    }
  }
}

/** The file as it lies there; undefined where it is of another swarm or format, broke off, or is no database. */
function opened(file: string, swarm: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    const marks = new Map(
      database
        .prepare("SELECT name, value FROM marks")
        .all()
        .map(({ name, value }) => [name, value]),
    );
    if (marks.get("format") === format && marks.get("swarm") === swarm && marks.has("whole")) return database;
  } catch {
    // whatever it is, it is no use
  }
  database?.close();
  return undefined;
}

function made(file: string, swarm: string): DatabaseSync {
  for (const one of [file, `${file}-wal`, `${file}-shm`]) rmSync(one, { force: true });
  const database = new DatabaseSync(file);
  chmodSync(file, 0o600);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  database.exec(`BEGIN; ${[...privateStatements, ...statements].join(";\n")}; COMMIT`);
  const put = database.prepare("INSERT INTO marks VALUES (?, ?)");
  put.run("format", format);
  put.run("swarm", swarm);
  return database;
}

/** As JSON, bytes as base64; of what is too long the kind alone. */
function textOf(event: AnyEvent): string {
  const text = JSON.stringify(event, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  );
  return text.length <= eventBytesMax ? text : JSON.stringify({ kind: event.kind, bytes: text.length });
}
