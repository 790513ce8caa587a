/**
 * The files that a tool reaches, and what they hold: the exact fingerprint. Of a compiler: its passes, assembler, linker and what those load, its own
 * folder, the start files, libraries and headers of its C and C++ library. Other libraries on the machine belong to a spec's inputs.
 */
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { access, lstat, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { byText } from "../../protocol/kernel/ids.ts";
import { ask, fingerprintChars } from "./probe.ts";
import { findProgram } from "./programs.ts";
import type { Tool } from "./tool-names.ts";

const filesMax = 200_000;
const bytesMax = 16 * 2 ** 30;
const depthMax = 32;
/** Named to the package manager at once. */
const ownersMax = 64;

/** Part of what is read, as it was when it was read. */
export interface FileState {
  /** Size, times and inode: another text when the file, or a folder's list, is another. */
  readonly stamp: string;
  /** sha2-256 of the content; of a folder none. */
  readonly sha256?: string;
}

export type FileStates = ReadonlyMap<string, FileState>;

export interface ExactFiles {
  readonly exact: string;
  /** Everything that was looked at, folders too, for what is added to them. */
  readonly states: FileStates;
}

/** Passes of compilers, in whatever language. */
const passes = [
  "cc1",
  "cc1plus",
  "f951",
  "collect2",
  "lto1",
  "lto-wrapper",
  "as",
  "ld",
  "ld.bfd",
  "ld.gold",
  "ld.lld",
];
/** What the C library brings to a program, where no package manager knows better. */
const startFiles = [
  ...[
    "crt1.o",
    "Scrt1.o",
    "gcrt1.o",
    "rcrt1.o",
    "crti.o",
    "crtn.o",
    "libc.so",
    "libc.so.6",
    "libc.a",
    "libc_nonshared.a",
  ],
  ...[
    "libm.so",
    "libm.so.6",
    "libm.a",
    "libpthread.a",
    "libdl.a",
    "librt.a",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libstdc++.so",
    "libstdc++.a",
  ],
];
/** What packages install that no tool reads. */
const unread = /^\/usr\/share\/(doc|man|info|locale|lintian|bug)\//;

/**
 * Reads what a tool reaches. What `known` holds is not read again as long as its stamp is the same. Undefined where it reaches more than
 * can be read, or something vanishes meanwhile. `said`: the digest of what the tool says, a part of the exact one.
 */
export async function readExact(
  tool: Tool,
  said: string,
  known: (file: string) => FileState | undefined,
): Promise<ExactFiles | undefined> {
  const files = new Set<string>();
  const folders = new Set<string>();
  await reach(tool, files, folders);
  if (files.size > filesMax) return undefined;
  const states = new Map<string, FileState>();
  for (const folder of folders) {
    const stamp = await stampOf(folder);
    if (stamp !== undefined) states.set(folder, { stamp });
  }
  const hash = createHash("sha256").update(said);
  let bytes = 0;
  for (const file of [...files].sort(byText)) {
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) continue;
    bytes += found.size;
    if (bytes > bytesMax) return undefined;
    const stamp = stampText(found);
    const before = known(file);
    const sha256 = before?.stamp === stamp && before.sha256 ? before.sha256 : await digestOf(file);
    if (sha256 === undefined || stamp !== (await stampOf(file))) return undefined;
    states.set(file, { stamp, sha256 });
    hash.update(`\0${file}\0${sha256}`);
  }
  return { exact: hash.digest("hex").slice(0, fingerprintChars), states };
}

/** The first file or folder that is not as it was, or undefined. */
export async function changedAmong(states: FileStates): Promise<string | undefined> {
  for (const [file, { stamp }] of states) if ((await stampOf(file)) !== stamp) return file;
  return undefined;
}

export async function stampOf(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found && stampText(found);
}

/** The same of many at once, without leaving this thread: what others look up for it costs ten times as much. */
export const stampsOf = (files: Iterable<string>): (string | undefined)[] =>
  Array.from(files, (file) => {
    try {
      // many are not there, and an error for each costs more than the look
      const found = statSync(file, { throwIfNoEntry: false });
      return found && stampText(found);
    } catch {
      return undefined;
    }
  });

/** `ctime` too: a file can be written over with its old time. Of a folder only its list counts. */
const stampText = (s: { size: number; mtimeMs: number; ctimeMs: number; ino: number; isFile(): boolean }) =>
  s.isFile() ? `${s.ino} ${s.size} ${s.mtimeMs} ${s.ctimeMs}` : `${s.ino} ${s.mtimeMs}`;

async function reach(tool: Tool, files: Set<string>, folders: Set<string>): Promise<void> {
  const programs = new Set([await realpath(tool.file)]);
  if (tool.prefix !== undefined) await addTree(tool.prefix, files, folders);
  if (tool.compiler) await reachCompiler(tool, programs, files, folders);
  for (const program of programs) {
    files.add(program);
    for (const library of await loadedBy(program)) files.add(library);
  }
  if (tool.compiler || tool.prefix !== undefined) return;
  for (const file of await packageFiles([...programs])) files.add(file);
}

async function reachCompiler(
  tool: Tool,
  programs: Set<string>,
  files: Set<string>,
  folders: Set<string>,
): Promise<void> {
  const file = await realpath(tool.file);
  const say = async (...args: string[]) => (await ask(file, [...tool.flags, ...args]))?.trim();
  for (const pass of passes) {
    const program = await say(`-print-prog-name=${pass}`);
    const found = program?.startsWith("/") ? program : program && findProgram(program);
    if (found && (await isThere(found))) programs.add(await realpath(found));
  }
  const own = [await say("-print-libgcc-file-name"), await say("-print-resource-dir")];
  for (const [i, place] of own.entries())
    if (place?.startsWith("/") && (await isThere(place)))
      await addTree(i === 0 ? path.dirname(place) : place, files, folders);
  const roots: string[] = [];
  for (const folder of libraryFolders((await say("-print-search-dirs")) ?? ""))
    for (const name of startFiles) {
      const start = path.join(folder, name);
      if (await isThere(start)) roots.push(start);
    }
  for (const root of roots) files.add(await realpath(root));
  const headers = await includeFolders(file, tool);
  for (const folder of headers)
    for (const name of ["stdio.h", "linux/types.h", "linux/version.h", "crypt.h"])
      if (await isThere(path.join(folder, name))) roots.push(path.join(folder, name));
  const owned = await packageFiles(roots);
  for (const one of owned) files.add(one);
  for (const folder of headers) {
    // Of the folders that everything on the machine shares, only what the C library put there; without a package manager nobody can tell.
    const shared = /\/include(\/[a-z0-9_]+-linux-[a-z0-9]+)?$/.test(folder);
    if (!shared || owned.length === 0) await addTree(folder, files, folders);
  }
}

const libraryFolders = (said: string): string[] => {
  const line = said.split("\n").find((one) => one.startsWith("libraries: ="));
  const list = (line ?? "").slice("libraries: =".length).split(":");
  return [
    ...new Set(list.filter((folder) => folder.startsWith("/")).map((folder) => path.normalize(folder))),
  ];
};

/** Where the compiler looks for headers, as it says itself. */
async function includeFolders(file: string, tool: Tool): Promise<string[]> {
  const folders = new Set<string>();
  for (const language of ["c", "c++"]) {
    const said = await ask("/bin/sh", [
      "-c",
      'exec "$0" "$@" 2>&1 >/dev/null </dev/null',
      file,
      ...tool.flags,
      "-E",
      "-v",
      "-x",
      language,
      "/dev/null",
    ]);
    const list = /search starts here:\n([\s\S]*?)End of search list/.exec(
      (said ?? "").replace(/#include "\.\.\." search starts here:\n/, ""),
    );
    for (const line of (list?.[1] ?? "").split("\n")) {
      const folder = path.normalize(line.trim());
      if (folder.startsWith("/")) folders.add(folder.replace(/\/$/, ""));
    }
  }
  return [...folders].sort(byText);
}

/** Shared libraries, by the loader's own word. A script or a static program has none. */
async function loadedBy(program: string): Promise<string[]> {
  const ldd = findProgram("ldd");
  const said = ldd && (await ask(ldd, [program]));
  const found: string[] = [];
  for (const [, file] of (said ?? "").matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) found.push(await realpath(file!));
  return found;
}

/** All files of the packages that own these, as far as dpkg knows; empty where there is no dpkg. */
async function packageFiles(files: readonly string[]): Promise<string[]> {
  const query = findProgram("dpkg-query");
  if (!query) return [];
  const names = new Set<string>();
  const asked = new Set<string>();
  for (const file of files) {
    asked.add(file).add(await realpath(file));
    // Where /lib is a link, packages still say /lib.
    for (const one of [...asked]) if (one.startsWith("/usr/lib")) asked.add(one.slice("/usr".length));
  }
  const list = [...asked];
  for (let at = 0; at < list.length; at += ownersMax) {
    const part = list.slice(at, at + ownersMax);
    // It fails when one of them has no owner, and names the others nevertheless.
    const said = await ask("/bin/sh", ["-c", '"$0" -S -- "$@" 2>/dev/null; :', query, ...part]);
    for (const line of (said ?? "").split("\n")) {
      const owners = /^([^/]+): \//.exec(line)?.[1];
      if (owners && !owners.startsWith("diversion")) for (const name of owners.split(", ")) names.add(name);
    }
  }
  const found = new Set<string>();
  for (const name of [...names].sort(byText))
    for (const file of ((await askLong(query, ["-L", name])) ?? "").split("\n"))
      if (file.startsWith("/") && !unread.test(file) && (await lstat(file).catch(() => undefined))?.isFile())
        found.add(await realpath(file));
  return [...found];
}

/** Lists of large packages are longer than what a tool says of itself. */
const askLong = (file: string, args: readonly string[]) => ask(file, args, 16 << 20);

async function addTree(folder: string, files: Set<string>, folders: Set<string>, depth = 0): Promise<void> {
  if (depth > depthMax || files.size > filesMax || folders.has(folder)) return;
  folders.add(folder);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => byText(a.name, b.name))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await addTree(file, files, folders, depth + 1);
    else if (entry.isFile() || entry.isSymbolicLink()) files.add(file);
  }
}

async function digestOf(file: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    return hash.digest("hex");
  } catch {
    return undefined;
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
