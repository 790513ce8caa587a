/** The spec and its input files, read from disk: which files they are, what is in them, and where each content lies. */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  createReadStream,
  type Dirent,
  fstatSync,
  openSync,
  readSync,
  rmSync,
} from "node:fs";
import { mkdtemp, readdir, readFile, realpath, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve as resolvePath } from "node:path";
import type { InputFile } from "../../protocol/build/graph.ts";
import { didYouMean } from "../../protocol/build/nearest.ts";
import { pathTrouble } from "../../protocol/build/path.ts";
import {
  compileExcept,
  compilePattern,
  isPattern,
  patternBase,
  patternTrouble,
  unescapePattern,
} from "../../protocol/build/patterns.ts";
import { type Problem, SpecError, type Trouble } from "../../protocol/build/problem.ts";
import { specBytesMax } from "../../protocol/build/source.ts";
import {
  parseSpec,
  problemAt,
  type Spec,
  type SpecInput,
  type Surroundings,
} from "../../protocol/build/spec.ts";
import { digestFrom, hashOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText, type Digest } from "../../protocol/kernel/ids.ts";
import { reasonOf } from "../files.ts";
import { ArchiveFault, unpackArchive } from "./archive.ts";

const inputFilesMax = 200_000;
const foldersMax = 100_000;
/** Links to folders that are followed; a few dozen that lead to each other would else multiply without end. */
const folderLinksMax = 1000;
const depthMax = 64;
const problemsMax = 100;
const readersMax = 8;
/** Up to this a file is hashed in one piece; above, it is streamed. */
const wholeBytesMax = 1 << 20;

/**
 * The spec in a file, with all that it includes. `shown` is how messages name it. Throws `not-found`, `too-large`, `usage` or `SpecError`.
 */
export async function readSpec(
  specFile: string,
  shown: string = specFile,
  around: Omit<Surroundings, "load"> = {},
): Promise<Spec> {
  let text: string;
  try {
    text = readText(specFile, shown);
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause;
    throw new SwarmError("not-found", `the spec ${shown} cannot be read: ${reasonOf(cause)}`, {
      cause,
      remedy: "name a spec file, such as specs/examples/hello.yaml",
    });
  }
  const folder = dirname(resolvePath(specFile));
  return parseSpec(text, shown, {
    ...around,
    load(path) {
      try {
        return { text: readText(join(folder, path), path) };
      } catch (cause) {
        if (cause instanceof SwarmError) return { message: cause.message, hint: "split it" };
        return {
          message: `the included file ${path} cannot be read: ${reasonOf(cause)}`,
          hint: "includes are relative to the file that names them",
        };
      }
    },
  });
}

/** A text file of bounded size; waits for nobody, whatever stands there. */
function readText(file: string, shown: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = fstatSync(fd);
    if (!status.isFile())
      throw new SwarmError("not-found", `${shown} is no regular file`, { remedy: "name a YAML file" });
    if (status.size > specBytesMax)
      throw new SwarmError(
        "too-large",
        `${shown} has ${status.size} bytes; a spec has at most ${specBytesMax}`,
      );
    const bytes = Buffer.alloc(status.size);
    return new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(fd);
  }
}

/** What `readInputs` found. */
export interface Inputs {
  /** By workspace path, sorted. */
  readonly files: InputFile[];
  /** Where each content lies on this disk. */
  readonly sources: Map<Digest, string>;
  /** Removes what archives were unpacked to: `sources` may lead there. */
  dispose(): void;
}

/**
 * Every input file of a spec, paths relative to the folder of `specFile`. A link is read as what it leads to, if that lies in
 * the same input. Throws `SpecError` naming what is missing, leads outside, or is no file.
 */
export async function readInputs(specFile: string, spec: Spec): Promise<Inputs> {
  const base = dirname(resolvePath(specFile));
  const walk: Walk = { found: [], problems: [], folders: 0, folderLinks: 0, unpacked: [] };
  const dispose = () => {
    for (const folder of walk.unpacked.splice(0)) rmSync(folder, { recursive: true, force: true });
  };
  // Also for a program that ends before it is asked to.
  process.once("exit", dispose);
  try {
    return { ...(await readAll(base, spec, walk)), dispose };
  } catch (cause) {
    dispose();
    throw cause;
  } finally {
    if (walk.unpacked.length === 0) process.removeListener("exit", dispose);
  }
}

async function readAll(base: string, spec: Spec, walk: Walk): Promise<Omit<Inputs, "dispose">> {
  const archives = new Map<string, string>();
  for (const input of spec.inputs) {
    const refuse = (trouble: Trouble, at = input.path.at) => {
      walk.problems.push(problemAt(spec, at, trouble));
    };
    const from = join(base, input.folder);
    if (input.archive) await readArchive(from, input, walk, refuse, archives);
    else await readInput(from, input, walk, refuse);
    if (walk.found.length > inputFilesMax)
      throw new SpecError([
        problemAt(spec, input.path.at, {
          message: `the inputs hold more than ${inputFilesMax} files`,
          hint: "name narrower folders, or leave files out with except:",
        }),
      ]);
  }
  if (walk.problems.length > 0) throw new SpecError(walk.problems);
  const found = walk.found.sort((a, b) => byText(a.path, b.path));
  const files = new Array<InputFile>(found.length);
  const sources = new Map<Digest, string>();
  let next = 0;
  const reader = async () => {
    for (let i = next++; i < found.length; i = next++) {
      const { path, disk, executable, sizeBytes } = found[i]!;
      const digest = await digestOfFile(disk, sizeBytes, path);
      files[i] = { path, digest, executable };
      sources.set(digest, disk);
    }
  };
  await Promise.all(Array.from({ length: Math.min(readersMax, found.length) }, reader));
  return { files, sources };
}

interface Walk {
  readonly found: { path: string; disk: string; executable: boolean; sizeBytes: number }[];
  readonly problems: Problem[];
  folders: number;
  folderLinks: number;
  /** Folders that archives were unpacked to. */
  readonly unpacked: string[];
}

type Refuse = (trouble: Trouble, at?: SpecInput["path"]["at"]) => void;

/** Checks that hold for every input; nothing, and a refusal, where it cannot be read at all. */
function prepare(
  input: SpecInput,
  refuse: Refuse,
): { name: string; excepts: ((path: string) => boolean)[] } | undefined {
  const name = input.name.text.replace(/\/$/, "");
  const nameTrouble = pathTrouble(name, `the name of the input ${name}`);
  if (nameTrouble) {
    refuse(nameTrouble, input.name.at);
    return undefined;
  }
  if (input.path.text.startsWith("/")) {
    refuse({
      message: `the input ${input.path.text} is absolute`,
      hint: "write it relative to the spec's folder",
    });
    return undefined;
  }
  const excepts: ((path: string) => boolean)[] = [];
  for (const except of input.except) {
    const trouble = patternTrouble(except.text);
    if (trouble) refuse(trouble, except.at);
    else excepts.push(compileExcept(except.text));
  }
  return { name, excepts };
}

/** Unpacks an archive, once for all inputs that take it so, and takes its files as those of a folder. */
async function readArchive(
  base: string,
  input: SpecInput,
  walk: Walk,
  refuse: Refuse,
  archives: Map<string, string>,
): Promise<void> {
  const prepared = prepare(input, refuse);
  if (!prepared) return;
  const { digest, strip } = input.archive!;
  const shown = input.path.text;
  const file = join(base, shown);
  try {
    const key = `${strip} ${await realpath(file)}`;
    let root = archives.get(key);
    if (digest !== undefined) {
      const found = hashOf(await digestOfFile(file, Number.POSITIVE_INFINITY, shown));
      if (found !== digest)
        return refuse({
          message: `the archive ${shown} has the sha256 ${found}`,
          hint: `the spec wants ${digest}: fetch that one, or correct digest:`,
        });
    }
    if (root === undefined) {
      root = await realpath(await mkdtemp(join(tmpdir(), "swarmd-archive-")));
      walk.unpacked.push(root);
      archives.set(key, root);
      await unpackArchive(file, root, strip);
    }
    const before = walk.found.length;
    const { name, excepts } = prepared;
    const excluded = (relative: string) => excepts.some((except) => except(relative));
    await walkFolder(walk, refuse, { root, shown, mount: name, wanted: () => true, excluded });
    if (walk.found.length === before && walk.problems.length === 0)
      refuse({ message: `the archive ${shown} holds no files`, hint: "check strip: and except:" });
  } catch (cause) {
    if (cause instanceof ArchiveFault)
      return refuse({
        message: `the archive ${shown} cannot be taken: ${cause.trouble.message}`,
        ...(cause.trouble.hint === undefined ? {} : { hint: cause.trouble.hint }),
      });
    if (cause instanceof SwarmError || (cause as NodeJS.ErrnoException).code === undefined) throw cause;
    refuse({
      message: `the archive ${shown} cannot be read: ${reasonOf(cause)}`,
      hint: await whyNotThere(base, shown),
    });
  }
}

async function readInput(base: string, input: SpecInput, walk: Walk, refuse: Refuse): Promise<void> {
  const written = input.path.text;
  const prepared = prepare(input, refuse);
  if (!prepared) return;
  const { name, excepts } = prepared;
  const pattern = isPattern(written);
  const trouble = pattern ? patternTrouble(written) : undefined;
  if (trouble) return refuse(trouble);
  const fixed = pattern ? patternBase(written) : unescapePattern(written);
  const top = join(base, fixed);
  let root: string;
  let isFolder: boolean;
  try {
    root = await realpath(top);
    isFolder = (await stat(root)).isDirectory();
  } catch (cause) {
    return refuse({
      message: `the input ${written} cannot be read: ${reasonOf(cause)}`,
      hint: await whyNotThere(base, fixed),
    });
  }
  const before = walk.found.length;
  if (!isFolder) {
    if (pattern) return refuse({ message: `${fixed} is a file, so ${written} matches nothing` });
    await addFile(walk, name, root, written, refuse);
    return;
  }
  const depth = fixed === "" ? 0 : fixed.split("/").length;
  const rest = written.split("/").slice(depth).join("/");
  const test = pattern ? compilePattern(rest) : () => true;
  const excluded = (relative: string) => excepts.some((except) => except(relative));
  await walkFolder(walk, refuse, { root, shown: fixed || ".", mount: name, wanted: test, excluded });
  if (walk.found.length === before && walk.problems.length === 0)
    refuse({
      message: `the input ${written} holds no files`,
      hint: "check the path, the pattern and except:",
    });
}

interface Root {
  /** Without links. */
  readonly root: string;
  /** How messages name it. */
  readonly shown: string;
  /** Its place in the workspace. */
  readonly mount: string;
  /** Whether a file is taken; paths are relative to the root. */
  readonly wanted: (relative: string) => boolean;
  /** Whether a file or a folder with all that is in it is left out. */
  readonly excluded: (relative: string) => boolean;
}

/** Adds the files below a root that are wanted. Links are followed as long as they stay below it. */
async function walkFolder(walk: Walk, refuse: Refuse, top: Root): Promise<void> {
  const { wanted } = top;
  const below = async (folder: string, relative: string, depth: number): Promise<void> => {
    if (depth > depthMax)
      return refuse({ message: `${top.shown}/${relative} lies deeper than ${depthMax} folders` });
    if (++walk.folders > foldersMax)
      return refuse({
        message: `${top.shown} holds more than ${foldersMax} folders`,
        hint: "name a narrower folder",
      });
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (cause) {
      return refuse({ message: `the folder ${top.shown}/${relative} cannot be read: ${reasonOf(cause)}` });
    }
    for (const entry of entries.sort((a, b) => byText(a.name, b.name))) {
      if (walk.found.length > inputFilesMax || walk.problems.length > problemsMax) return;
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (top.excluded(path)) continue;
      const disk = join(folder, entry.name);
      const shown = `${top.shown}/${path}`;
      if (entry.name.includes("\ufffd")) {
        if (wanted(path)) refuse({ message: `the name of ${shown} is not UTF-8`, hint: "rename it" });
      } else if (entry.isDirectory()) await below(disk, path, depth + 1);
      else if (!entry.isSymbolicLink()) {
        if (wanted(path)) await addFile(walk, `${top.mount}/${path}`, disk, shown, refuse);
      } else await link(disk, path, shown, depth);
    }
  };
  const link = async (disk: string, path: string, shown: string, depth: number): Promise<void> => {
    let target: string;
    let isFolder: boolean;
    try {
      target = await realpath(disk);
      isFolder = (await stat(target)).isDirectory();
    } catch (cause) {
      if (wanted(path))
        refuse({
          message: `the link ${shown} leads nowhere: ${reasonOf(cause)}`,
          hint: "mend it, or leave it out with except:",
        });
      return;
    }
    if (!isFolder && !wanted(path)) return;
    if (target !== top.root && !target.startsWith(`${top.root}/`))
      return refuse({
        message: `the link ${shown} leads out of the input`,
        hint: "declare what it leads to as an input of its own, or leave it out with except:",
      });
    if (!isFolder) return addFile(walk, `${top.mount}/${path}`, target, shown, refuse);
    if (`${dirname(disk)}/`.startsWith(`${target}/`))
      return refuse({
        message: `the link ${shown} leads to a folder it lies in`,
        hint: "leave it out with except:",
      });
    if (++walk.folderLinks > folderLinksMax)
      return refuse({
        message: `${top.shown} holds more than ${folderLinksMax} links to folders`,
        hint: "leave them out with except:",
      });
    await below(target, path, depth + 1);
  };
  await below(top.root, "", 0);
}

async function addFile(walk: Walk, path: string, disk: string, shown: string, refuse: Refuse): Promise<void> {
  const status = await stat(disk);
  if (!status.isFile())
    return refuse({ message: `${shown} is no regular file`, hint: "leave it out with except:" });
  walk.found.push({ path, disk, executable: (status.mode & 0o100) !== 0, sizeBytes: status.size });
}

/** The digest of what is in the file now, which may be more or less than `expectedBytes`. */
async function digestOfFile(disk: string, expectedBytes: number, path: string): Promise<Digest> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    if (expectedBytes <= wholeBytesMax) {
      const bytes = await readFile(disk);
      hash.update(bytes);
      sizeBytes = bytes.length;
    } else
      for await (const chunk of createReadStream(disk, { highWaterMark: wholeBytesMax })) {
        hash.update(chunk as Buffer);
        sizeBytes += (chunk as Buffer).length;
      }
  } catch (cause) {
    throw new SwarmError("not-found", `the input file ${path} cannot be read: ${reasonOf(cause)}`, {
      cause,
      remedy: "make it readable for you, or leave it out with except:",
    });
  }
  return digestFrom(hash.digest("hex"), sizeBytes);
}

/** What to do about a path that is not there: the first part that is missing decides. */
async function whyNotThere(base: string, path: string): Promise<string> {
  let folder = base;
  for (const segment of path.split("/")) {
    const entries = await readdir(folder).catch(() => undefined);
    if (segment === "." || segment === ".." || entries?.includes(segment)) {
      folder = join(folder, segment);
      continue;
    }
    if (path.includes("node_modules"))
      return `${segment} is not there: run npm ci in a clone of the project that the spec belongs to`;
    return didYouMean(segment, entries ?? []) ?? "paths are relative to the folder of the spec";
  }
  return "paths are relative to the folder of the spec";
}
