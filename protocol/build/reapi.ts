/**
 * Directories, commands, actions and results in the encoding of the Remote Execution API v2, and the digests that follow from it.
 * Own encodings are canonical: fields in tag order, no defaults, no unknown fields, entries sorted by UTF-8 bytes. Bytes of
 * others are never encoded again to learn their digest. Specified in specs/reapi.md.
 */
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { encode } from "../kernel/codec.ts";
import { digestFrom, digestOf, hashOf, isDigest, sha256, sizeOf } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { Digest } from "../kernel/ids.ts";
import {
  ActionResultSchema,
  ActionSchema,
  CommandSchema,
  DigestSchema,
  DirectorySchema,
  PlatformSchema,
  type Digest as WireDigest,
} from "./gen/reapi_pb.ts";
import type { InputFile } from "./graph.ts";
import { isFileName } from "./path.ts";

/** One Directory, Command, Action or ActionResult; a folder of 100,000 entries takes about 12 MB. */
const reapiBytesMax = 16 << 20;

/** One folder, without what is below it. */
export interface Directory {
  readonly files: readonly { readonly name: string; readonly digest: Digest; readonly executable: boolean }[];
  readonly directories: readonly { readonly name: string; readonly digest: Digest }[];
  readonly symlinks: readonly { readonly name: string; readonly target: string }[];
}

/** What decides an action's key, beside its input files. */
export interface KeyedAction {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly outputs: readonly {
    readonly path: string;
    readonly kind: "file" | "folder";
    readonly promised?: readonly string[];
  }[];
  readonly timeoutMs: number;
  readonly cache: boolean;
  /** REAPI platform properties; see `platformOf`. */
  readonly platform: Readonly<Record<string, string>>;
}

/** The result of an action that ended with exit code 0. A folder's digest is that of its root Directory. */
export interface KeyedResult {
  readonly outputs: readonly {
    readonly path: string;
    readonly digest: Digest;
    readonly kind: "file" | "folder";
    readonly executable?: boolean;
  }[];
  readonly stdout?: Digest;
  readonly stderr?: Digest;
}

/** The order of the texts' UTF-8 bytes. It differs from the order of UTF-16 units where a surrogate pair meets U+E000 to U+FFFF. */
export function byUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && x < 0xe000) x += 0x10000;
    if (y >= 0xd800 && y < 0xe000) y += 0x10000;
    return x - y;
  }
  return a.length - b.length;
}

const byName = (a: { name: string }, b: { name: string }): number => byUtf8(a.name, b.name);
const byPath = (a: { path: string }, b: { path: string }): number => byUtf8(a.path, b.path);

const wire = (digest: Digest) => ({ hash: hashOf(digest), sizeBytes: BigInt(sizeOf(digest)) });

function unwire(digest: WireDigest | undefined, what: string): Digest {
  const size = digest === undefined ? -1 : Number(digest.sizeBytes);
  const text = digest === undefined ? "" : digestFrom(digest.hash, size);
  if (!Number.isSafeInteger(size) || !isDigest(text))
    throw new SwarmError("malformed", `${what} has no valid digest`);
  return text;
}

function read<T extends Message>(schema: GenMessage<T>, bytes: Uint8Array, what: string): T {
  if (bytes.length > reapiBytesMax)
    throw new SwarmError("too-large", `a ${what} of ${bytes.length} bytes exceeds ${reapiBytesMax}`);
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new SwarmError("malformed", `the bytes are no ${what}`, { cause });
  }
}

const write = <T extends Message>(schema: GenMessage<T>, message: T): Uint8Array =>
  toBinary(schema, message, { writeUnknownFields: false });

/** Throws `malformed` for a name that is no file name, or that two entries have. */
export function encodeDirectory(directory: Directory): Uint8Array {
  const message = create(DirectorySchema, {
    files: directory.files
      .map((f) => ({ name: f.name, digest: wire(f.digest), isExecutable: f.executable }))
      .sort(byName),
    directories: directory.directories.map((d) => ({ name: d.name, digest: wire(d.digest) })).sort(byName),
    symlinks: directory.symlinks.map((s) => ({ name: s.name, target: s.target })).sort(byName),
  });
  checkNames(message.files, message.directories, message.symlinks);
  return write(DirectorySchema, message);
}

/** Names valid, each list sorted, every name once in all of them. */
function checkNames(...lists: readonly (readonly { name: string }[])[]): void {
  const seen = new Set<string>();
  for (const list of lists) {
    let last = "";
    for (const { name } of list) {
      if (!isFileName(name)) throw new SwarmError("malformed", `no file name: ${JSON.stringify(name)}`);
      if (seen.has(name)) throw new SwarmError("malformed", `a folder has two entries named ${name}`);
      if (byUtf8(last, name) > 0)
        throw new SwarmError("malformed", `a folder's entries are not sorted: ${name}`);
      seen.add(name);
      last = name;
    }
  }
}

/** The folder that bytes of anyone encode. Throws `malformed` (names, order, digests) or `too-large`. */
export function decodeDirectory(bytes: Uint8Array): Directory {
  const message = read(DirectorySchema, bytes, "Directory");
  checkNames(message.files, message.directories, message.symlinks);
  return {
    files: message.files.map((f) => ({
      name: f.name,
      digest: unwire(f.digest, f.name),
      executable: f.isExecutable,
    })),
    directories: message.directories.map((d) => ({ name: d.name, digest: unwire(d.digest, d.name) })),
    symlinks: message.symlinks.map((s) => {
      if (s.target === "" || s.target.includes("\0"))
        throw new SwarmError("malformed", `the link ${s.name} leads nowhere`);
      return { name: s.name, target: s.target };
    }),
  };
}

interface Folder {
  readonly files: { name: string; digest: Digest; executable: boolean }[];
  readonly links: { name: string; target: string }[];
  readonly folders: Map<string, Folder>;
}

/** The Directories of files given in any order, by digest, the root's included. Throws `malformed` for paths that cannot stand together. */
export function buildTree(files: readonly InputFile[]): { root: Digest; blobs: Map<Digest, Uint8Array> } {
  const top: Folder = { files: [], links: [], folders: new Map() };
  const known = new Map<string, Folder>([["", top]]);
  const folderOf = (path: string): Folder => {
    const found = known.get(path);
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const folder: Folder = { files: [], links: [], folders: new Map() };
    folderOf(path.slice(0, Math.max(cut, 0))).folders.set(path.slice(cut + 1), folder);
    known.set(path, folder);
    return folder;
  };
  for (const file of files) {
    const cut = file.path.lastIndexOf("/");
    if (file.path.startsWith("/")) throw new SwarmError("malformed", `not a relative path: ${file.path}`);
    if (file.folder) {
      folderOf(file.path);
      continue;
    }
    const folder = folderOf(cut < 0 ? "" : file.path.slice(0, cut));
    const name = file.path.slice(cut + 1);
    if (file.link !== undefined) folder.links.push({ name, target: file.link });
    else folder.files.push({ name, digest: file.digest, executable: file.executable });
  }
  const blobs = new Map<Digest, Uint8Array>();
  const store = (folder: Folder): Digest => {
    const directories = [...folder.folders].map(([name, below]) => ({ name, digest: store(below) }));
    const bytes = encodeDirectory({ files: folder.files, directories, symlinks: folder.links });
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return digest;
  };
  return { root: store(top), blobs };
}

/**
 * The platform properties of an action: `toolchain:NAME` = fingerprint for each toolchain, `target` where one is named, `secrets`: the names of
 * those it is given, never anything that follows from their values.
 */
export function platformOf(
  toolchains: Readonly<Record<string, string>>,
  target?: string,
  secrets: readonly string[] = [],
): Record<string, string> {
  const platform: Record<string, string> = {};
  for (const [name, fingerprint] of Object.entries(toolchains)) platform[`toolchain:${name}`] = fingerprint;
  if (target !== undefined) platform.target = target;
  if (secrets.length > 0) platform.secrets = secrets.join(",");
  return platform;
}

const properties = (record: Readonly<Record<string, string>>) =>
  Object.entries(record)
    .map(([name, value]) => ({ name, value }))
    .sort(byName);

/** The Command of an action: arguments, sorted environment, sorted output paths. */
export function encodeCommand(action: Pick<KeyedAction, "argv" | "env" | "outputs">): Uint8Array {
  const message = create(CommandSchema, {
    arguments: [...action.argv],
    environmentVariables: properties(action.env),
    outputPaths: action.outputs.map((o) => o.path).sort(byUtf8),
  });
  return write(CommandSchema, message);
}

/**
 * Output paths alone do not say what must become a folder or what is promised to lie in it. Such an action is salted with
 * that, so that no result is taken for it that was not checked against it.
 */
function saltOf(outputs: KeyedAction["outputs"]): Uint8Array | undefined {
  if (!outputs.some((o) => o.kind === "folder")) return undefined;
  const folders = outputs.filter((o) => o.kind === "folder").sort(byPath);
  return sha256(encode(folders.map((o) => [o.path, [...(o.promised ?? [])].sort(byUtf8)])));
}

/** The REAPI action digest over an input root, with the bytes of Command and Action. */
export function actionKey(
  action: KeyedAction,
  inputRoot: Digest,
): { key: Digest; command: Uint8Array; action: Uint8Array } {
  const command = encodeCommand(action);
  const seconds = Math.floor(action.timeoutMs / 1000);
  const message = create(ActionSchema, {
    commandDigest: wire(digestOf(command)),
    inputRootDigest: wire(inputRoot),
    timeout: { seconds: BigInt(seconds), nanos: Math.round((action.timeoutMs - seconds * 1000) * 1e6) },
    doNotCache: !action.cache,
  });
  const salt = saltOf(action.outputs);
  if (salt) message.salt = salt;
  const platform = properties(action.platform);
  if (platform.length > 0) message.platform = create(PlatformSchema, { properties: platform });
  const bytes = write(ActionSchema, message);
  return { key: digestOf(bytes), command, action: bytes };
}

/** The ActionResult of a result, outputs sorted by path. */
export function encodeActionResult(result: KeyedResult): Uint8Array {
  const sorted = [...result.outputs].sort(byPath);
  const message = create(ActionResultSchema, {
    outputFiles: sorted
      .filter((o) => o.kind === "file")
      .map((o) => ({ path: o.path, digest: wire(o.digest), isExecutable: o.executable ?? false })),
    outputDirectories: sorted
      .filter((o) => o.kind === "folder")
      .map((o) => ({ path: o.path, rootDirectoryDigest: wire(o.digest) })),
  });
  if (result.stdout) message.stdoutDigest = create(DigestSchema, wire(result.stdout));
  if (result.stderr) message.stderrDigest = create(DigestSchema, wire(result.stderr));
  return write(ActionResultSchema, message);
}

/** The result that ActionResult bytes speak of, outputs sorted by path. Throws `malformed` (also for an exit code other than 0) or `too-large`. */
export function decodeActionResult(bytes: Uint8Array): KeyedResult {
  const message = read(ActionResultSchema, bytes, "ActionResult");
  if (message.exitCode !== 0)
    throw new SwarmError("malformed", `the result of a failed action (exit code ${message.exitCode})`);
  const outputs = [
    ...message.outputFiles.map((f) => ({
      path: f.path,
      digest: unwire(f.digest, f.path),
      kind: "file" as const,
      ...(f.isExecutable ? { executable: true } : {}),
    })),
    ...message.outputDirectories.map((d) => ({
      path: d.path,
      digest: unwire(d.rootDirectoryDigest, d.path),
      kind: "folder" as const,
    })),
  ].sort(byPath);
  return {
    outputs,
    ...(message.stdoutDigest ? { stdout: unwire(message.stdoutDigest, "stdout") } : {}),
    ...(message.stderrDigest ? { stderr: unwire(message.stderrDigest, "stderr") } : {}),
  };
}
