/**
 * The workspace of one action: its declared inputs, room for its outputs, and scratch space. In a box, folders without an output are
 * staged once per content and bound read-only, so that a hundred compiles share one staged set of headers; without one, every
 * input is a hard link to its blob.
 */
import {
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { InputFile } from "../../protocol/build/graph.ts";
import type { ExecuteRequest } from "../../protocol/contract.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { blobTimeSeconds, type DiskBlobs } from "../store/blobs.ts";
import { type Folder, readTree } from "./tree.ts";

/** Beyond this many files a folder is split so that the parts that others share are staged once. */
const wholeFilesMax = 128;
/** Each bind costs a start about 0.1 ms; beyond this, folders are bound whole and single files copied. */
const bindsMax = 32;
/** Files in staged folders that are kept for later actions. */
const stagedFilesMax = 200_000;
/** Empty workspaces that are kept. */
const spareMax = 16;
/** Links made before the event loop gets a turn. */
const linksPerTurn = 128;

export interface Workspace {
  /** Absolute. `work/` is the action's folder, `tmp/` its temporary one where it has no box. */
  readonly dir: string;
  /** Read-only: host path → path in the workspace. */
  readonly binds: readonly { readonly from: string; readonly to: string }[];
  /** Nothing uses it any more: it is removed, or, when the action left nothing in it, given to a later one. */
  release(): void;
}

export interface Workspaces {
  /** Lays out a request's inputs. Throws `blob-missing`, `blob-corrupt` (it is missing then), `malformed` (paths that cannot stand together), `disk-full` or what the disk says. */
  prepare(
    request: Pick<ExecuteRequest, "files" | "outputs">,
    boxed: boolean,
    /** Whoever is in it may write what it likes: outside of a box nothing in it is a link into the store. */
    inputs?: "linked" | "copied",
  ): Promise<Workspace>;
}

interface Stage {
  readonly dir: Promise<string>;
  readonly files: number;
  users: number;
}

/** Workspaces below `dir`, which is theirs alone; `discard` removes folders that are no longer needed, some time. */
export function createWorkspaces(
  blobs: DiskBlobs,
  dir: string,
  discard: (folder: string) => void,
): Workspaces {
  const stageDir = path.join(dir, "stage");
  mkdirSync(stageDir, { recursive: true });
  /** By content, least recently used first. */
  const stages = new Map<string, Stage>();
  const spare: string[] = [];
  let stagedFiles = 0;
  let counter = 0;
  let links = 0;

  const sourceOf = (file: InputFile) => blobs.soundPath(file.digest, file.executable);

  async function link(file: InputFile, place: string) {
    if (file.link !== undefined) symlinkSync(file.link, place);
    else linkSync(await sourceOf(file), place);
    if (++links % linksPerTurn === 0) await breathe();
  }

  async function copy(file: InputFile, place: string) {
    if (file.link !== undefined) return symlinkSync(file.link, place);
    await copyFile(await sourceOf(file), place, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    utimesSync(place, blobTimeSeconds, blobTimeSeconds);
  }

  async function fill(folder: Folder, place: string, put: (file: InputFile, place: string) => Promise<void>) {
    mkdirSync(place, { recursive: true });
    for (const [name, file] of folder.files) await put(file, `${place}/${name}`);
    for (const [name, below] of folder.folders) await fill(below, `${place}/${name}`, put);
  }

  async function makeStage(folder: Folder): Promise<string> {
    const place = path.join(stageDir, `s${counter++}`);
    try {
      await fill(folder, place, link);
    } catch (cause) {
      discard(place);
      throw cause;
    }
    return place;
  }

  async function stage(folder: Folder, used: Stage[]): Promise<string> {
    let found = stages.get(folder.key);
    if (found) stages.delete(folder.key);
    else {
      found = { dir: makeStage(folder), files: folder.count, users: 0 };
      stagedFiles += folder.count;
      evict();
    }
    stages.set(folder.key, found);
    found.users++;
    used.push(found);
    try {
      return await found.dir;
    } catch (cause) {
      if (stages.get(folder.key) === found) {
        stages.delete(folder.key);
        stagedFiles -= found.files;
      }
      throw cause;
    }
  }

  function evict() {
    for (const [key, old] of stages) {
      if (stagedFiles <= stagedFilesMax) return;
      if (old.users > 0) continue;
      stages.delete(key);
      stagedFiles -= old.files;
      old.dir.then(discard, () => {});
    }
  }

  async function layBoxed(tree: Folder, dir: string, used: Stage[]) {
    const binds: { from: string; to: string }[] = [];
    /** A folder that outputs go into, or that lies on the way there. */
    const open = async (folder: Folder, at: string, copied: boolean) => {
      if (at !== "") mkdirSync(`${dir}/work/${at}`);
      const bindable = !copied && folder.files.size + binds.length <= bindsMax;
      for (const [name, file] of folder.files)
        if (bindable && file.link === undefined) binds.push({ from: await sourceOf(file), to: at + name });
        else await copy(file, `${dir}/work/${at}${name}`);
      for (const [name, below] of folder.folders) await place(below, `${at}${name}`, copied);
    };
    const place = async (folder: Folder, at: string, copied: boolean) => {
      if (folder.output) return open(folder, `${at}/`, true);
      if (copied || folder.holdsOutput) return open(folder, `${at}/`, copied);
      const split =
        folder.count > wholeFilesMax &&
        !stages.has(folder.key) &&
        folder.folders.size > 0 &&
        folder.files.size + folder.folders.size + binds.length <= bindsMax;
      if (split) return open(folder, `${at}/`, false);
      binds.push({ from: await stage(folder, used), to: at });
    };
    await open(tree, "", false);
    return binds;
  }

  function openWorkspace(boxed: boolean): string {
    const kept = spare.pop();
    if (kept !== undefined) return kept;
    const workspace = path.join(dir, `a${counter++}`);
    mkdirSync(workspace);
    mkdirSync(`${workspace}/work`, { mode: 0o755 });
    if (!boxed) mkdirSync(`${workspace}/tmp`, { mode: 0o755 });
    return workspace;
  }

  function closeWorkspace(workspace: string, boxed: boolean) {
    const isEmpty =
      spare.length < spareMax && isPristine(`${workspace}/work`) && (boxed || isPristine(`${workspace}/tmp`));
    if (isEmpty && hasNoLogs(workspace)) spare.push(workspace);
    else discard(workspace);
  }

  return {
    async prepare(request, boxed, inputs = "linked") {
      const tree = readTree(request.files, request.outputs);
      const used: Stage[] = [];
      let workspace: string | undefined;
      const release = () => {
        for (const one of used) one.users--;
        used.length = 0;
        if (workspace !== undefined) closeWorkspace(workspace, boxed);
        workspace = undefined;
      };
      try {
        workspace = openWorkspace(boxed);
        let binds: Workspace["binds"] = [];
        if (boxed) binds = await layBoxed(tree, workspace, used);
        else await fill(tree, `${workspace}/work`, inputs === "copied" ? copy : link);
        for (const output of request.outputs) {
          const cut = output.path.lastIndexOf("/");
          if (cut > 0) mkdirSync(`${workspace}/work/${output.path.slice(0, cut)}`, { recursive: true });
        }
        return { dir: workspace, binds, release };
      } catch (cause) {
        release();
        const code = (cause as NodeJS.ErrnoException).code;
        if (code === "ENOSPC" || code === "EDQUOT")
          throw new SwarmError("disk-full", "no room on the disk for a workspace", { cause });
        throw cause;
      }
    },
  };
}

/** Whoever still reads the old output must not see the next one's in the same file. False where it stays: it may be no file, or the disk takes nothing any more. */
function hasNoLogs(workspace: string): boolean {
  try {
    for (const log of ["out", "err"]) rmSync(`${workspace}/${log}`, { force: true });
    return true;
  } catch {
    return false;
  }
}

/** A real folder with its first mode and nothing in it. */
function isPristine(folder: string): boolean {
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && (found.mode & 0o7777) === 0o755 && readdirSync(folder).length === 0;
  } catch {
    return false;
  }
}
