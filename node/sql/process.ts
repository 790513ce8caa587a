/** The process that keeps the projection and answers queries over it, for one daemon: whatever a query does to it, the daemon kills it and goes on. */
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { startedFrom } from "../program.ts";
import { Guard } from "./guard.ts";
import { Projection } from "./projection.ts";
import type { Reply, Request } from "./speech.ts";
import { tableNames, tables } from "./tables.ts";

/** Behind the daemon, and yet a query of a moment is answered within its two seconds while builds take all cores. */
const nice = 5;

const [file] = process.argv.slice(2);
if (!file || !process.send) throw new Error("this process is started by a daemon, with its file");

/** Builds go first, and where memory ends this is what goes. */
try {
  setPriority(nice);
  writeFileSync("/proc/self/oom_score_adj", "1000");
} catch {
  // a kindness, no need
}

new Worker(startedFrom("node/sql/guardian"), {
  resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
}).unref();

let projection: Projection | undefined;
let guard: { readonly database: DatabaseSync; readonly guard: Guard } | undefined;
let swarm = "";

function opened(): Projection {
  if (!projection) throw new Error("nothing is open");
  return projection;
}

/** A query has a connection of its own, which can do nothing else. */
function door(): Guard {
  if (!guard) {
    const database = new DatabaseSync(file!, {
      readOnly: true,
      allowExtension: false,
      enableDoubleQuotedStringLiterals: false,
    });
    guard = { database, guard: new Guard(database) };
  }
  return guard.guard;
}

function shut(): void {
  guard?.database.close();
  guard = undefined;
}

function answer(request: Request): Reply {
  switch (request.kind) {
    case "open":
      swarm = request.swarm;
      projection ??= new Projection(file!, swarm);
      projection.call(request.names);
      return { ok: true, chains: projection.known() };
    case "anew":
      shut();
      opened().anew(swarm);
      return { ok: true };
    case "read":
      return { ok: true, stale: opened().read(request.entries, request.nowMs) };
    case "passed":
      opened().passed(request.chains);
      return { ok: true, lacking: opened().lacking() };
    case "graph":
      opened().graph(request.build, request.bytes);
      return { ok: true };
    case "now":
      opened().now(request.present);
      return { ok: true };
    case "query":
      return { ok: true, answer: door().query(request.sql) };
    case "ask":
      return {
        ok: true,
        answer: { ...opened().ask(request.sql, request.values), truncated: false, tookMs: 0 },
      };
    case "tables":
      return {
        ok: true,
        tables: tableNames.map((name) => ({ name, about: tables[name].about, rows: opened().rows(name) })),
      };
  }
}

process.on("message", (request: Request) => {
  let reply: Reply;
  try {
    reply = answer(request);
  } catch (error) {
    // What is no refusal ends the process: the daemon starts another.
    if (!(error instanceof SwarmError)) throw error;
    const { code, message, remedy } = error;
    reply = { ok: false, code, message, ...(remedy === undefined ? {} : { remedy }) };
  }
  process.send!(reply);
});
process.on("disconnect", () => process.exit());
