/**
 * Taking the outputs of a finished action into the blob store, from outside and without following links: what an action left
 * behind is not trusted. All its processes are gone by then.
 */
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import path from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { InputFile } from "../../protocol/build/graph.ts";
import { leadsTo } from "../../protocol/build/links.ts";
import { buildTree } from "../../protocol/build/reapi.ts";
import type { ExecuteRequest } from "../../protocol/contract.ts";
import { emptyDigest } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { Output } from "../../protocol/timeline/events.ts";
import type { DiskBlobs } from "../store/blobs.ts";
import { segmentsOf } from "./tree.ts";

export interface OutputLimits {
  readonly bytesMax: number;
  readonly entriesMax: number;
}

const outputLimits: OutputLimits = { bytesMax: 4 * 2 ** 30, entriesMax: 1_000_000 };

const depthMax = 64;
/** Of a path below its output folder: what is longer cannot be named from outside, nor laid out elsewhere. */
const pathBytesMax = 2048;
/** Entries looked at or stored before the event loop gets a turn. */
const entriesPerTurn = 256;

/** What the command did wrong with its outputs, in words. */
class OutputFault extends Error {}

/** The outputs in the order they were declared, all stored; or what is wrong with them, which is the command's own doing. */
export async function collectOutputs(
  declared: ExecuteRequest["outputs"],
  work: string,
  blobs: DiskBlobs,
  limits: OutputLimits = outputLimits,
): Promise<{ readonly outputs: Output[] } | { readonly fault: string }> {
  const budget = { bytes: limits.bytesMax, entries: limits.entriesMax };
  try {
    const outputs: Output[] = [];
    for (const output of declared) {
      const found = locate(work, output.path);
      if (output.kind === "file") {
        if (!found.isFile())
          throw new OutputFault(`the output ${output.path} is ${nameOf(found)}, not a file`);
        admit(found, output.path, budget);
        const digest = await blobs.takeFile(`${work}/${output.path}`);
        outputs.push({
          path: output.path,
          digest,
          kind: "file",
          ...(isExecutable(found) && { executable: true }),
        });
      } else {
        if (!found.isDirectory())
          throw new OutputFault(`the output ${output.path} is ${nameOf(found)}, not a folder`);
        const root = `${work}/${output.path}`;
        const files: FoundFile[] = [];
        requireReadable(found, output.path);
        await walk(root, "", 0, files, budget);
        requirePromised(output, files);
        outputs.push({ path: output.path, digest: await storeFolder(root, files, blobs), kind: "folder" });
      }
    }
    return { outputs };
  } catch (cause) {
    if (cause instanceof OutputFault) return { fault: cause.message };
    throw cause;
  }
}

interface FoundFile {
  /** Relative to the output folder. */
  readonly path: string;
  /** A link that is kept as one: its text. */
  readonly link?: string;
  /** An empty folder. */
  readonly folder?: true;
  /** Relative path of the file whose content it is; another one for a link. */
  readonly content: string;
  readonly executable: boolean;
}

interface Budget {
  bytes: number;
  entries: number;
}

const isExecutable = (stats: Stats) => (stats.mode & 0o100) !== 0;

/** The file at a path below `work`, no part of which is a link. */
function locate(work: string, relative: string): Stats {
  const segments = segmentsOf(relative);
  let at = work;
  for (const [depth, segment] of segments.entries()) {
    at += `/${segment}`;
    const found = lstatSync(at, { throwIfNoEntry: false });
    if (!found) throw new OutputFault(`the command did not make its output ${relative}`);
    if (depth === segments.length - 1) return found;
    if (!found.isDirectory())
      throw new OutputFault(`the way to the output ${relative} leads through ${nameOf(found)}`);
    requireReadable(found, relative);
  }
  throw new OutputFault(`no output path: ${relative}`);
}

/** Root reads everything, others do not; the outcome must not depend on who the daemon is. */
function requireReadable(stats: Stats, name: string) {
  const needed = stats.isDirectory() ? 0o500 : 0o400;
  if ((stats.mode & needed) !== needed)
    throw new OutputFault(`the output ${name} has a mode that forbids reading it`);
}

function admit(stats: Stats, name: string, budget: Budget) {
  requireReadable(stats, name);
  if ((stats.mode & 0o6000) !== 0) throw new OutputFault(`the output ${name} is setuid or setgid`);
  budget.bytes -= stats.size;
  budget.entries -= 1;
  if (budget.bytes < 0) throw new OutputFault(`the outputs are larger than the limit (at ${name})`);
  if (budget.entries < 0) throw new OutputFault(`the outputs have more entries than the limit (at ${name})`);
}

async function walk(root: string, below: string, depth: number, files: FoundFile[], budget: Budget) {
  if (depth > depthMax) throw new OutputFault(`an output folder is deeper than ${depthMax} levels`);
  const names = readdirSync(`${root}/${below}`);
  if (names.length === 0 && below !== "") {
    const path = below.slice(0, -1);
    files.push({ path, content: path, executable: false, folder: true });
  }
  for (const name of names) {
    const relative = below + name;
    if (Buffer.byteLength(relative) > pathBytesMax)
      throw new OutputFault(`an output path is longer than ${pathBytesMax} bytes`);
    if (name.includes("\uFFFD")) throw new OutputFault(`the output name ${relative} is not UTF-8`);
    const found = lstatSync(`${root}/${relative}`);
    if (found.isDirectory()) {
      budget.entries -= 1;
      if (budget.entries < 0)
        throw new OutputFault(`the outputs have more entries than the limit (at ${relative})`);
      requireReadable(found, relative);
      await walk(root, `${relative}/`, depth + 1, files, budget);
    } else if (found.isFile()) {
      admit(found, relative, budget);
      files.push({ path: relative, content: relative, executable: isExecutable(found) });
    } else if (found.isSymbolicLink()) {
      const { content, stats } = follow(root, relative);
      const link = readlinkSync(`${root}/${relative}`);
      if (leadsTo(relative, link) !== undefined && !link.includes("\uFFFD")) {
        budget.entries -= 1;
        if (budget.entries < 0)
          throw new OutputFault(`the outputs have more entries than the limit (at ${relative})`);
        files.push({ path: relative, content: relative, executable: false, link });
      } else {
        if (!stats.isFile()) throw new OutputFault(`the output ${relative} is a link to ${nameOf(stats)}`);
        admit(stats, relative, budget);
        files.push({ path: relative, content, executable: isExecutable(stats) });
      }
    } else throw new OutputFault(`the output ${relative} is ${nameOf(found)}`);
    if (budget.entries % entriesPerTurn === 0) await breathe();
  }
}

/** What a link leads to: a file or a folder inside the same output. */
function follow(root: string, relative: string): { content: string; stats: Stats } {
  let target: string;
  try {
    target = path.relative(realpathSync(root), realpathSync(`${root}/${relative}`));
  } catch {
    throw new OutputFault(`the output ${relative} is a link that leads nowhere`);
  }
  if (target === "" || target === ".." || target.startsWith("../"))
    throw new OutputFault(`the output ${relative} is a link that leads out of its folder`);
  const stats = lstatSync(`${root}/${target}`);
  const around = `${relative}/`.startsWith(`${target}/`);
  if (around || !(stats.isFile() || stats.isDirectory()))
    throw new OutputFault(
      `the output ${relative} is a link to ${around ? "a folder it lies in" : nameOf(stats)}`,
    );
  return { content: target, stats };
}

function requirePromised(output: ExecuteRequest["outputs"][number], files: readonly FoundFile[]) {
  if (!output.promised) return;
  const made = new Set(files.map((file) => `${output.path}/${file.path}`));
  for (const file of files) if (file.folder) made.delete(`${output.path}/${file.path}`);
  const absent = output.promised.find((promised) => !made.has(promised));
  if (absent !== undefined)
    throw new OutputFault(`the command did not make ${absent}, which its output ${output.path} promises`);
}

async function storeFolder(root: string, files: readonly FoundFile[], blobs: DiskBlobs) {
  const inputs: InputFile[] = [];
  const add = async ({ path, executable }: FoundFile, digest: Digest) => {
    if (inputs.push({ path, digest, executable }) % entriesPerTurn === 0) await breathe();
  };
  // Links first: what they lead to is copied while it still lies there.
  for (const { path, link, folder } of files)
    if (link !== undefined) inputs.push({ path, digest: emptyDigest, executable: false, link });
    else if (folder) inputs.push({ path, digest: emptyDigest, executable: false, folder });
  for (const file of files)
    if (file.content !== file.path) await add(file, await blobs.putFile(`${root}/${file.content}`));
  for (const file of files)
    if (file.content === file.path && file.link === undefined && !file.folder)
      await add(file, await blobs.takeFile(`${root}/${file.path}`));
  const tree = buildTree(inputs);
  for (const bytes of tree.blobs.values()) await blobs.put(bytes);
  return tree.root;
}

function nameOf(stats: Stats): string {
  if (stats.isFile()) return "a file";
  if (stats.isDirectory()) return "a folder";
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
