/** The room of an action, laid out for a person: its inputs, toolchain and environment as it has them, what it made beside them, and its command to run again. */
import { chmodSync, constants, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import type { InputFile } from "../../protocol/build/graph.ts";
import type { ExecuteRequest } from "../../protocol/contract.ts";
import type { DiskBlobs } from "../store/blobs.ts";
import { executable } from "./programs.ts";
import type { Belongings, Sandbox } from "./sandbox.ts";
import { quoteAll } from "./shell.ts";
import type { Workspace, Workspaces } from "./workspace.ts";

/** What a room is laid out for. */
export type RoomRequest = Pick<ExecuteRequest, "argv" | "env" | "files" | "outputs">;

/** What runs in it. */
export interface RoomUse {
  /** Absent: a shell. */
  readonly command?: string;
  /** There is a terminal of its own, so that the shell may have it. */
  readonly terminal: boolean;
  /** What TERM is. */
  readonly term?: string;
  /** What the shell says of where one is. */
  readonly prompt: string;
}

export interface RoomStart {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Room {
  /** Where the workspace lies for whoever is in it. */
  readonly place: string;
  /** The command that runs the action again, from there. */
  readonly replay: string;
  start(use: RoomUse): RoomStart;
  /** The workspace, complete, is moved there: a folder that is not there yet. */
  keep(folder: string): void;
  close(): void;
}

/** Its workspace belongs to the room from here on. `made`: files of its outputs, at their places. */
export async function openRoom(
  { sandbox, workspaces, blobs }: { sandbox: Sandbox; workspaces: Workspaces; blobs: DiskBlobs },
  request: RoomRequest,
  made: readonly InputFile[],
  more: Belongings,
): Promise<Room> {
  const boxed = sandbox.kind === "bubblewrap";
  // In no box a person could write through a link into the store.
  const workspace = await workspaces.prepare(request, boxed, "copied");
  const work = `${workspace.dir}/work`;
  try {
    for (const file of made) await layOut(blobs, file, work);
  } catch (cause) {
    workspace.release();
    throw cause;
  }
  const taken = new Set([...request.files, ...request.outputs].map((file) => file.path.split("/")[0]));
  const replay = taken.has("replay") ? "swarmd-replay" : "replay";
  writeFileSync(path.join(work, replay), replayScript(request), { mode: 0o755 });
  return {
    place: boxed ? "/work" : work,
    replay: `./${replay}`,
    start: (use) => startOf(sandbox, workspace, request, more, use),
    keep(folder) {
      mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
      // What was bound into the box left empty places.
      for (const { from, to } of workspace.binds)
        cpSync(from, path.join(work, to), { recursive: true, force: true });
      cpSync(work, folder, { recursive: true, verbatimSymlinks: true, errorOnExist: true });
    },
    close() {
      // Never given to another action, whatever it looks like.
      rmSync(path.join(work, replay), { force: true });
      if (!boxed) rmSync(path.join(workspace.dir, "secrets"), { recursive: true, force: true });
      workspace.release();
    },
  };
}

async function layOut(blobs: DiskBlobs, file: InputFile, work: string): Promise<void> {
  const place = path.join(work, file.path);
  if (file.folder) return void mkdirSync(place, { recursive: true });
  mkdirSync(path.dirname(place), { recursive: true });
  if (file.link !== undefined) return symlinkSync(file.link, place);
  const from = await blobs.soundPath(file.digest, file.executable);
  await copyFile(from, place, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  chmodSync(place, file.executable ? 0o755 : 0o644);
}

const replayScript = ({ argv, outputs }: RoomRequest): string =>
  [
    "#!/bin/sh",
    "# Runs the action again as it was run: what it makes goes first.",
    'cd "$(dirname "$0")" || exit',
    ...(outputs.length > 0 ? [`rm -rf -- ${quoteAll(outputs.map((output) => output.path))}`] : []),
    `exec ${quoteAll(argv)}`,
    "",
  ].join("\n");

const shells = [
  {
    file: "/bin/bash",
    argv: ["/bin/bash", "--noprofile", "--norc", "-i"],
    prompt: (where: string) => `[${where}] \\w \\$ `,
  },
  { file: "/bin/sh", argv: ["/bin/sh", "-i"], prompt: (where: string) => `[${where}] $ ` },
];

function startOf(
  sandbox: Sandbox,
  workspace: Workspace,
  { env }: RoomRequest,
  more: Belongings,
  { command, terminal, term, prompt }: RoomUse,
): RoomStart {
  const shell = shells.find(({ file }) => executable(file)) ?? shells[1]!;
  const argv = command === undefined ? shell.argv : ["/bin/sh", "-c", command];
  const shellEnv = {
    ...(term === undefined ? {} : { TERM: term }),
    // A shell would run what stands in a name between signs of its own.
    PS1: shell.prompt(prompt.replaceAll(/[^A-Za-z0-9_./:@+ -]/g, "_")),
  };
  const own = {
    ...env,
    ...(command === undefined ? shellEnv : {}),
  };
  const start = sandbox.start(workspace, argv, own, more);
  const boxed = sandbox.kind === "bubblewrap";
  // A session of its own has no terminal. In one that was opened for this room alone there is nothing to push characters into.
  const prefix = sandbox.prefix.filter((word, at) =>
    boxed ? !(terminal && word === "--new-session") : !(terminal && at === 0),
  );
  return {
    argv: [...prefix, ...start.argv],
    env: start.env ?? {},
    cwd: boxed ? "/" : `${workspace.dir}/work`,
  };
}
