/** The daemon's log: one JSON line per event, values as fields; tickets never reach it. One of pino's doors. */
import { renameSync, statSync } from "node:fs";
import path from "node:path";
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import type { Config } from "./config.ts";
import { makeFolder } from "./files.ts";

/** error: stopped; warn: wake someone; info: a change a user sees; debug: a decision. */
export type Log = Logger;

/** A log file is set aside (`.1`) when it is opened beyond this size. */
const logBytesMax = 16 << 20;

/** A ticket lets whoever reads it join, so a log keeps no more of it than its beginning. */
const tickets = /swarmd1[a-z2-7]{8,}/gi;

/** A log at `level` to `file`, or to standard error. Lines are written at once: what was logged before a crash is there. */
export function createLog({
  level,
  file,
}: {
  readonly level: Config["logLevel"];
  readonly file?: string;
}): Log {
  if (file !== undefined) makeRoom(file);
  const lines = destination(
    file === undefined ? { dest: 2, sync: true } : { dest: file, sync: true, mode: 0o600 },
  );
  return createLogTo(lines, level);
}

/** The same log to any sink of lines. */
export function createLogTo(sink: DestinationStream, level: Config["logLevel"]): Log {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime },
    { write: (line) => sink.write(line.replace(tickets, "swarmd1…")) },
  );
}

function makeRoom(file: string) {
  makeFolder(path.dirname(file), 0o700);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) renameSync(file, `${file}.1`);
}
