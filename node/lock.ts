/**
 * One daemon per home: a lock that the kernel drops when its holder dies, however it dies. It is an SQLite file held in an
 * exclusive transaction, for Node has no flock of its own; nothing is ever written to it.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { readSmallFile, writeFileAtomic } from "./files.ts";
import { type KnownProcess, processOf, processText, readProcess } from "./known-process.ts";

export interface Lock {
  release(): Promise<void>;
}

/** Result codes of SQLite. */
const busy = 5;
const cannotOpen = 14;

/** Takes the lock of a home. Throws `home-locked`, naming the process that holds it. */
export async function lockHome(folder: string): Promise<Lock> {
  // Closing any other descriptor of the locked file would drop the lock (POSIX), so the holder's name has a file of its own.
  const holderFile = holderFileOf(folder);
  const database = openLocked(path.join(folder, "lock"));
  if (!database) {
    const holder = await holderOf(folder);
    throw new SwarmError("home-locked", `${folder} is in use${holder ? ` by process ${holder.pid}` : ""}`, {
      remedy: `stop its daemon: swarmd stop --home ${folder}`,
    });
  }
  await writeFileAtomic(holderFile, processText(processOf(process.pid)));
  let held = true;
  return {
    async release() {
      if (!held) return;
      held = false;
      await rm(holderFile, { force: true });
      database.close();
    },
  };
}

/** The process that holds the lock of a home, as it wrote there; it may be gone, and its number somebody else's. */
export async function holderOf(folder: string): Promise<KnownProcess | undefined> {
  const text = await readSmallFile(holderFileOf(folder), 64).catch(() => undefined);
  return text === undefined ? undefined : readProcess(text);
}

const holderFileOf = (folder: string): string => path.join(folder, "lock.pid");

/** The database in its exclusive transaction; undefined while another holds it. */
function openLocked(file: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database?.close();
    const code = (cause as { errcode?: number }).errcode;
    if (code === busy) return undefined;
    if (code === cannotOpen)
      throw new SwarmError("home-invalid", `${file} cannot be opened`, {
        remedy: "name a folder of your own: --home DIR",
        cause,
      });
    throw cause;
  }
}
