/** Folders that web servers may read, who run as somebody else: whatever the daemon's umask leaves to others. */
import { chmod, stat } from "node:fs/promises";
import path from "node:path";
import { makeFolder as makePrivate } from "../files.ts";

/** As `mkdir -p`, but for what it makes everybody may read. */
export async function makeFolder(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => undefined))?.isDirectory()) return;
  makePrivate(folder, 0o755);
  await chmod(folder, 0o755);
}

/** Every folder above a file below `root`. */
export async function makeFolders(root: string, file: string): Promise<void> {
  const parts = file.split("/");
  for (let depth = 1; depth < parts.length; depth++)
    await makeFolder(path.join(root, ...parts.slice(0, depth)));
}
