/**
 * A mirror's folder: `<channel>/<epoch>/` holds whole epochs, `<channel>/current` is a link to the one that is shown. An epoch is made
 * beside them, on disk to the last byte before it is named, and shown by one rename; so a crash at any point leaves what was shown.
 */

import { constants } from "node:fs";
import {
  access,
  chmod,
  lstat,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import type { PublishStep, Shelved, ShownFile } from "../../protocol/contract.ts";
import { hashOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText, type Digest } from "../../protocol/kernel/ids.ts";
import type { Showcase } from "../../protocol/ports.ts";
import { decodeManifest, type Manifest, type ReleaseItem } from "../../protocol/release/manifest.ts";
import { channelPattern } from "../../protocol/timeline/events.ts";
import { codeOf } from "../files.ts";
import type { DiskBlobs } from "../store/blobs.ts";
import { carryOver } from "./carry.ts";
import type { Format, IndexFile, RefusedFile } from "./formats/format.ts";
import { linkOrCopy } from "./linking.ts";
import { makeFolder, makeFolders } from "./open-folders.ts";

export interface ShowcaseOptions {
  readonly dir: string;
  readonly blobs: Pick<DiskBlobs, "has" | "path" | "executablePath" | "recheck" | "read">;
  /** What each kind of client installs from. */
  readonly formats: readonly Format[];
  /** A signed statement of how a file was made that comes with this epoch, one line; undefined where nobody here knows. */
  readonly provenance?: (
    item: ReleaseItem,
    at: { readonly channel: string; readonly epoch: number },
    /** Where its format serves it with something added. */
    servedAs: readonly { readonly path: string; readonly digest: Digest }[],
  ) => Promise<string | undefined>;
  /** Hears of the files that a format leaves out of its index, and why. */
  readonly onRefused?: (
    at: { readonly channel: string; readonly epoch: number },
    files: readonly RefusedFile[],
  ) => void;
}

const draftOf = (epoch: number): string => `.new-${epoch}`;
const epochName = /^[1-9][0-9]{0,9}$/;

/** Opens (or makes) the folder; what a crash left unfinished is removed, and what is no channel of ours is left alone. Throws `home-invalid`. */
export async function openShowcase(options: ShowcaseOptions): Promise<Showcase> {
  const { dir } = options;
  const found: Shelved[] = [];
  try {
    await makeFolder(dir);
    await access(dir, constants.W_OK);
  } catch (cause) {
    throw new SwarmError("home-invalid", `released epochs cannot be laid out in ${dir}: ${codeOf(cause)}`, {
      remedy: "give the folder to the daemon's user, or name another: binhostPath in config.yaml",
      cause,
    });
  }
  for (const channel of (await readdir(dir)).sort(inOrder)) {
    const folder = path.join(dir, channel);
    if (!channelPattern.test(channel) || !(await lstat(folder)).isDirectory()) continue;
    const names = await readdir(folder);
    for (const name of names)
      if (/^\.(new|old|current)-/.test(name))
        await rm(path.join(folder, name), { recursive: true, force: true });
    const epochs = names.filter((name) => epochName.test(name)).map(Number);
    const shown = await readlink(path.join(folder, "current")).catch(() => "0");
    const current = epochs.includes(Number(shown)) ? Number(shown) : 0;
    found.push({ channel, epochs: epochs.sort((a, b) => a - b), current });
  }
  let turn: Promise<unknown> = Promise.resolve();
  return {
    restored: () => found,
    run(step, done) {
      turn = turn
        .then(() => take(options, step))
        .then(
          () => done(),
          (cause) => {
            const { code, message } = refusalOf(cause);
            done({ code, message });
          },
        );
    },
  };
}

async function take(options: ShowcaseOptions, step: PublishStep): Promise<void> {
  const folder = path.join(options.dir, step.channel);
  const draft = path.join(folder, draftOf(step.epoch));
  const place = path.join(folder, String(step.epoch));
  switch (step.step) {
    case "begin":
      await rm(draft, { recursive: true, force: true });
      await makeFolder(folder);
      await makeFolder(draft);
      return;
    case "fill":
      for (const file of step.files) await lay(options, draft, file);
      return;
    case "index":
      return index(options, draft, step);
    case "keep":
      await rm(place, { recursive: true, force: true });
      await syncFolders(draft);
      await rename(draft, place);
      return syncFolder(folder);
    case "switch": {
      const fresh = path.join(folder, `.current-${step.epoch}`);
      await rm(fresh, { force: true });
      await symlink(String(step.epoch), fresh);
      await rename(fresh, path.join(folder, "current"));
      return syncFolder(folder);
    }
    case "remove": {
      const old = path.join(folder, `.old-${step.epoch}`);
      await rename(place, old).catch((cause) => {
        if (codeOf(cause) !== "ENOENT") throw cause;
      });
      await rm(old, { recursive: true, force: true });
      return;
    }
  }
}

/** One file of the release: verified as it is laid out, and on disk. */
async function lay({ blobs }: ShowcaseOptions, draft: string, file: ShownFile): Promise<void> {
  const place = path.join(draft, file.path);
  await makeFolders(draft, file.path);
  await rm(place, { force: true });
  if (file.link !== undefined) return symlink(file.link, place);
  if (!blobs.has(file.digest)) throw new SwarmError("blob-missing", `${file.path} is not on this disk`);
  if (!(await blobs.recheck(file.digest)))
    throw new SwarmError("blob-corrupt", `${file.path} was no longer what its digest says`);
  const source = file.executable ? await blobs.executablePath(file.digest) : blobs.path(file.digest);
  await linkOrCopy(source, place);
  await chmod(place, file.executable ? 0o555 : 0o444);
  await sync(place);
}

async function index(
  options: ShowcaseOptions,
  draft: string,
  step: Extract<PublishStep, { step: "index" }>,
): Promise<void> {
  const manifest = decodeManifest(await options.blobs.read(step.manifest));
  const { channel, epoch, atMs, header, items } = manifest;
  const format = options.formats.find((f) => f.name === manifest.format);
  if (!format)
    throw new SwarmError("version-unknown", `this program knows no format ${manifest.format}`, {
      remedy: "install a newer swarmd on this mirror",
    });
  const files = items
    .filter((item) => item.link === undefined)
    .map((item) => ({ path: item.path, digest: item.digest, file: path.join(draft, item.path) }));
  const indexed = await format.index({ channel, epoch, atMs, files, ...(header ? { header } : {}) });
  if (indexed.refused.length > 0) options.onRefused?.({ channel, epoch }, indexed.refused);
  for (const { path: name, content } of indexed.files) {
    const place = path.join(draft, name);
    await makeFolders(draft, name);
    await rm(place, { force: true });
    if (content instanceof Uint8Array) {
      await writeFile(place, content);
      await chmod(place, 0o444);
      // Clients ask for what is newer than they have, by this date.
      await utimes(place, atMs / 1000, atMs / 1000);
    } else {
      await linkOrCopy(content.sameAs.file, place);
      await chmod(place, 0o444);
    }
    await sync(place);
  }
  const channelFolder = path.dirname(draft);
  const older = (await readdir(channelFolder))
    .filter((name) => epochName.test(name) && Number(name) < epoch)
    .sort((a, b) => Number(b) - Number(a));
  const folders = older.map((name) => path.join(channelFolder, name));
  await attest(options, draft, folders, manifest, indexed.files);
  await carryOver(draft, folders);
}

/** Beside the files of an epoch stands how each was made; what an older epoch says of the same bytes stays said. */
async function attest(
  { provenance }: ShowcaseOptions,
  draft: string,
  older: readonly string[],
  { channel, epoch, atMs, items }: Manifest,
  served: readonly IndexFile[],
): Promise<void> {
  if (!provenance) return;
  const others = new Map<string, { path: string; digest: Digest }[]>();
  for (const { path: at, content } of served) {
    if (content instanceof Uint8Array) continue;
    const { path: of, digest } = content.sameAs;
    others.set(of, [...(others.get(of) ?? []), { path: at, digest }]);
  }
  // Those of one build after the other: its facts are read back once.
  for (const item of [...items].sort((a, b) => byText(a.build, b.build))) {
    if (item.link !== undefined) continue;
    const servedAs = (others.get(item.path) ?? []).filter(({ digest }) => digest !== item.digest);
    const [name, ...names] = [item, ...servedAs].map(
      ({ digest }) => `provenance/${hashOf(digest)}.intoto.jsonl`,
    ) as [string, ...string[]];
    const place = path.join(draft, name);
    if (await isThere(place)) continue;
    await makeFolders(draft, name);
    const last = names.at(-1) ?? name;
    const before = await firstThere(older, name, last);
    const text = before === undefined ? await provenance(item, { channel, epoch }, servedAs) : undefined;
    if (before !== undefined) await linkOrCopy(before, place);
    else if (text === undefined) continue;
    else {
      await writeFile(place, text);
      await chmod(place, 0o444);
      await utimes(place, atMs / 1000, atMs / 1000);
      await sync(place);
    }
    for (const other of names) await linkOrCopy(place, path.join(draft, other));
  }
}

const isThere = async (place: string): Promise<boolean> =>
  (await lstat(place).catch(() => undefined)) !== undefined;

/** The statement of the first folder that has it under both names. */
async function firstThere(
  folders: readonly string[],
  name: string,
  other: string,
): Promise<string | undefined> {
  for (const folder of folders)
    if ((await isThere(path.join(folder, name))) && (await isThere(path.join(folder, other))))
      return path.join(folder, name);
  return undefined;
}

/** All folders below, the deepest first. */
async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await syncFolders(path.join(folder, entry.name));
  await syncFolder(folder);
}

const syncFolder = (folder: string): Promise<void> => sync(folder);

async function sync(place: string): Promise<void> {
  const handle = await open(place, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refusalOf(cause: unknown): SwarmError {
  if (cause instanceof SwarmError) return cause;
  const code = codeOf(cause);
  const { message } = cause as Error;
  return code === "ENOSPC" || code === "EDQUOT"
    ? new SwarmError("disk-full", "no room on the disk of the releases")
    : new SwarmError("home-invalid", `the folder of the releases cannot be written: ${message}`);
}

const inOrder = (a: string, b: string): number => (a < b ? -1 : 1);
