/** The daemon's log: one JSON line per event, values as fields; tickets never reach it. One of pino's doors. */
import { closeSync, fstatSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import path from "node:path";
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import type { Config } from "./config.ts";
import { makeFolder } from "./files.ts";

/** error: stopped; warn: wake someone; info: a change a user sees; debug: a decision. */
export type Log = Logger;

/** A log file that reaches this size is set aside: `.1`, what was that `.2`, and so on. */
const logBytesMax = 16 << 20;
const setAsideMax = 3;
/** What standard error does not take is kept up to this. */
const unwrittenBytesMax = 1 << 20;

/** A ticket lets whoever reads it join, so a log keeps no more of it than its beginning. */
const tickets = /swarmd1[a-z2-7]{8,}/gi;

/** A log at `level` to `file`, or to standard error. Lines are written at once: what was logged before a crash is there. */
export function createLog({
  level,
  file,
  env = process.env,
}: {
  readonly level: Config["logLevel"];
  readonly file?: string;
  /** Where it is said that standard error leads to the journal. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}): Log {
  if (file !== undefined) return createLogTo(rotated(file), level);
  const lines = destination({ dest: 2, sync: true, maxLength: unwrittenBytesMax });
  // Whoever read it is gone: the daemon goes on without.
  lines.on("error", () => {});
  return createLogTo(leadsToJournal(env, 2) ? withPriorities(lines) : lines, level);
}

/** The same log to any sink of lines. */
export function createLogTo(sink: DestinationStream, level: Config["logLevel"]): Log {
  return pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime },
    { write: (line) => sink.write(line.replace(tickets, "swarmd1…")) },
  );
}

/** Lines into a file that is set aside when it has grown. Lines that the disk does not take are lost, the daemon goes on. */
function rotated(file: string): DestinationStream {
  makeFolder(path.dirname(file), 0o700);
  const there = statSync(file, { throwIfNoEntry: false });
  let bytes = there?.size ?? 0;
  // Only a file has a name to set aside: the log may also be a pipe or a device.
  const isFile = there === undefined || there.isFile();
  if (isFile && bytes >= logBytesMax) {
    setAside(file);
    bytes = 0;
  }
  let fd = openSync(file, "a", 0o600);
  let isTorn = false;
  return {
    write(line) {
      try {
        if (isFile && bytes >= logBytesMax && setAside(file)) {
          const fresh = openSync(file, "a", 0o600);
          closeSync(fd);
          fd = fresh;
          bytes = 0;
        }
        const content = Buffer.from(isTorn ? `\n${line}` : line);
        const written = writeSync(fd, content);
        bytes += written;
        isTorn = written < content.length;
      } catch {
        // The disk is full, or worse: the node says so by other ways.
      }
    },
  };
}

/** Each log that was set aside goes one further, the oldest is gone. False when it cannot be done. */
function setAside(file: string): boolean {
  try {
    for (let n = setAsideMax; n > 1; n--)
      if (statSync(`${file}.${n - 1}`, { throwIfNoEntry: false }))
        renameSync(`${file}.${n - 1}`, `${file}.${n}`);
    renameSync(file, `${file}.1`);
    return true;
  } catch {
    return false;
  }
}

/** Whether a descriptor is the journal's stream, as systemd tells its services (systemd.exec(5)). */
export function leadsToJournal(env: Readonly<Record<string, string | undefined>>, fd: number): boolean {
  const { dev, ino } = fstatSync(fd);
  return env.JOURNAL_STREAM === `${dev}:${ino}`;
}

/** The journal takes a line's priority from its beginning: `<4>`. */
export function withPriorities(sink: DestinationStream): DestinationStream {
  return {
    write(line) {
      const level = Number(/^\{"level":([0-9]+)/.exec(line)?.[1] ?? 30);
      sink.write(`<${level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? 6 : 7}>${line}`);
    },
  };
}
