/** Puts fetched files into a folder: each whole or not at all, verified, and never outside of the folder. */
import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, open, realpath, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { codeOf, makeFolder } from "../node/files.ts";
import { leadsTo } from "../protocol/build/links.ts";
import { hashOf, sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest } from "../protocol/kernel/ids.ts";

/** A file, a link or an empty folder of a result, as the daemon lists it. */
export interface Placeable {
  readonly path: string;
  readonly digest: Digest;
  readonly executable: boolean;
  readonly link?: string;
  readonly folder?: true;
}

/**
 * Puts one of a result's entries below `folder`; links are to come last, so that nothing is written through one. `bytes` is asked for files alone.
 * Throws as `placeFile`, and `refused` for a link that leads out.
 */
export async function place(
  folder: string,
  entry: Placeable,
  bytes: (digest: Digest) => AsyncIterable<Uint8Array>,
): Promise<void> {
  const relative = checkedPath(entry.path);
  if (entry.link === undefined && !entry.folder)
    return placeFile(folder, relative, entry.digest, bytes(entry.digest), entry.executable);
  if (entry.link !== undefined && leadsTo(relative, entry.link) === undefined)
    throw new SwarmError("refused", `the link ${relative} leads out of the folder`, {
      remedy: "whoever made this result is not to be trusted; tell the others",
    });
  return explained(folder, () => placeOther(folder, relative, entry.link));
}

async function placeOther(folder: string, relative: string, link: string | undefined): Promise<void> {
  makeFolder(folder);
  const root = await realpath(folder);
  if (link === undefined) {
    await ensureInside(root, relative);
    return;
  }
  const file = path.join(await ensureInside(root, path.dirname(relative)), path.basename(relative));
  const there = await lstat(file).catch(() => undefined);
  if (there?.isDirectory())
    throw new SwarmError("refused", `${file} is a folder`, { remedy: "name another folder: --to DIR" });
  if (there) await rm(file);
  await symlink(link, file);
}

/** Links behind all else. */
export const linksLast = <T extends Placeable>(entries: readonly T[]): T[] => [
  ...entries.filter((entry) => entry.link === undefined),
  ...entries.filter((entry) => entry.link !== undefined),
];

/** Throws `refused` for a path that is no plain relative one: nothing in it may lead upward or elsewhere. */
export function checkedPath(relative: string): string {
  const parts = relative.split("/");
  if (relative.includes("\0") || parts.some((part) => part === "" || part === "." || part === ".."))
    throw new SwarmError("refused", `${JSON.stringify(relative)} is no path inside a folder`, {
      remedy: "whoever made this result is not to be trusted; tell the others",
    });
  return relative;
}

/**
 * Writes `bytes` to `relative` below `folder` (made if it is not there), replacing what was there. Throws `refused` where a link
 * leads out of the folder or a folder stands in the way, `blob-corrupt` when the bytes are others than those of the digest.
 */
export async function placeFile(
  folder: string,
  relative: string,
  digest: Digest,
  bytes: AsyncIterable<Uint8Array>,
  executable: boolean,
): Promise<void> {
  checkedPath(relative);
  return explained(folder, () => writeBelow(folder, relative, digest, bytes, executable));
}

async function writeBelow(
  folder: string,
  relative: string,
  digest: Digest,
  bytes: AsyncIterable<Uint8Array>,
  executable: boolean,
): Promise<void> {
  const file = path.join(folder, relative);
  makeFolder(folder);
  const root = await realpath(folder);
  const parent = await ensureInside(root, path.dirname(relative));
  const there = await lstat(file).catch(() => undefined);
  if (there?.isDirectory())
    throw new SwarmError("refused", `${file} is a folder`, { remedy: "name another folder: --to DIR" });
  const draft = path.join(
    parent,
    `.${path.basename(relative).slice(0, 100)}.${randomBytes(6).toString("hex")}`,
  );
  const handle = await open(draft, "wx", executable ? 0o777 : 0o666);
  try {
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of bytes) {
      hash.update(chunk);
      size += chunk.length;
      await handle.write(chunk);
    }
    if (size !== sizeOf(digest) || hash.digest("hex") !== hashOf(digest))
      throw new SwarmError("blob-corrupt", `what came for ${relative} is not what was built`, {
        remedy: "fetch it again",
      });
    await handle.close();
    await rename(draft, path.join(parent, path.basename(relative)));
  } catch (cause) {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
    throw cause;
  }
}

const refusals = new Set(
  "EACCES EPERM EROFS ENOENT ENOTDIR EEXIST EISDIR ENAMETOOLONG ELOOP ENOSPC EDQUOT EIO".split(" "),
);

/** Writes what comes to `file`, whole or not at all; how many bytes it was. Throws as `placeFile`. */
export async function placeStream(file: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const folder = path.dirname(file);
  return explained(folder, async () => {
    makeFolder(folder);
    if ((await lstat(file).catch(() => undefined))?.isDirectory())
      throw new SwarmError("refused", `${file} is a folder`, { remedy: "name a file in it" });
    const draft = `${file}.${randomBytes(6).toString("hex")}`;
    const handle = await open(draft, "wx", 0o666);
    let size = 0;
    try {
      for await (const chunk of bytes) {
        await handle.writeFile(chunk);
        size += chunk.length;
      }
      await handle.close();
      await rename(draft, file);
      return size;
    } catch (cause) {
      await handle.close().catch(() => {});
      await rm(draft, { force: true });
      throw cause;
    }
  });
}

/** What the file system refuses, said as what it means for the folder. */
async function explained<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === undefined || !refusals.has(code)) throw cause;
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new SwarmError(
      full ? "disk-full" : "refused",
      full ? `there is no room in ${folder}` : `${folder} cannot be written to: ${(cause as Error).message}`,
      { remedy: "name another folder", cause },
    );
  }
}

/** Makes the folders one by one, so that a link on the way is seen before anything is made behind it. */
async function ensureInside(root: string, relative: string): Promise<string> {
  let at = root;
  for (const part of relative === "." ? [] : relative.split("/")) {
    const next = path.join(at, part);
    await mkdir(next).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EEXIST") throw cause;
    });
    const real = await realpath(next);
    if (real !== root && !real.startsWith(`${root}${path.sep}`))
      throw new SwarmError("refused", `${next} leads out of ${root}`, {
        remedy: "remove that link, or name another folder: --to DIR",
      });
    if (!(await lstat(real)).isDirectory())
      throw new SwarmError("refused", `${next} is not a folder`, { remedy: "name another folder: --to DIR" });
    at = real;
  }
  return at;
}
