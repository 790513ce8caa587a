/** Small files that must never be seen half written: written beside their place, fsynced, then put there in one step. */
import { randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { chown, link, open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { SwarmError } from "../protocol/kernel/errors.ts";

/** Replaces `file` (or makes it) with `content`, durably. `mode` as in open(2). Throws `disk-full`: then it is as it was. */
export async function writeFileAtomic(file: string, content: string | Uint8Array, mode = 0o600) {
  const draft = await writeDraft(file, content, mode);
  await rename(draft, file);
  await syncFolder(path.dirname(file));
}

/** Makes `file` durably; false, and nothing is touched, when it exists. Throws `disk-full`. */
export async function writeFileOnce(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<boolean> {
  const draft = await writeDraft(file, content, mode);
  try {
    await link(draft, file);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw cause;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(path.dirname(file));
  return true;
}

/**
 * Makes `folder` and those above it that are missing; what is there stays as it is. Not Node's own `recursive`: where the system says that
 * something is missing though all above it is there (as below /proc), that one tries again for ever.
 */
export function makeFolder(folder: string, mode = 0o777): void {
  try {
    return mkdirSync(folder, { mode });
  } catch (cause) {
    const above = path.dirname(folder);
    if (codeOf(cause) !== "ENOENT" || above === folder) return unlessThere(cause);
    makeFolder(above, mode);
  }
  try {
    mkdirSync(folder, { mode });
  } catch (cause) {
    unlessThere(cause);
  }

  /** Somebody else may have made it meanwhile. */
  function unlessThere(cause: unknown) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw cause;
  }
}

/** What root made in a folder of somebody else, as the home of a service is, becomes theirs: a daemon must read what it is told. */
export async function giveToOwnerOf(folder: string, ...made: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  if (uid !== 0) for (const file of made) await chown(file, uid, gid);
}

/** The text of a small file; undefined when there is none. Throws `too-large` over `maxBytes`. */
export async function readSmallFile(file: string, maxBytes: number): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes)
      throw new SwarmError("too-large", `${file} has ${size} bytes; at most ${maxBytes} are read`);
    return await readFile(file, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

/** The system's error code (`ENOENT`) of what was thrown, if it has one. */
export const codeOf = (thrown: unknown): string | undefined =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;

/** Why the system would not open, read or make a file, without its path and its call. */
export function reasonOf(cause: unknown): string {
  switch ((cause as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return "no such file or folder";
    case "ENOTDIR":
      return "a part of the path is no folder";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EROFS":
      return "the disk is read-only";
    case "EISDIR":
      return "it is a folder";
    case "ELOOP":
      return "its links go in a circle";
    default:
      return (cause as Error).message;
  }
}

async function writeDraft(file: string, content: string | Uint8Array, mode: number): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(draft, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return draft;
  } catch (cause) {
    await rm(draft, { force: true });
    const code = codeOf(cause);
    if (code !== "ENOSPC" && code !== "EDQUOT") throw cause;
    throw new SwarmError("disk-full", `no room on the disk to write ${file}`, {
      remedy: "free some disk space",
      cause,
    });
  }
}

/** What was put into a folder, renamed in it or taken out of it stays so. */
export async function syncFolder(folder: string) {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
