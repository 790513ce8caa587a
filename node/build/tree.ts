/** The folders of an action's inputs, each with a key of its content, and where its outputs go among them. */
import type { InputFile } from "../../protocol/build/graph.ts";
import type { ExecuteRequest } from "../../protocol/contract.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText } from "../../protocol/kernel/ids.ts";

export interface Folder {
  readonly files: Map<string, InputFile>;
  readonly folders: Map<string, Folder>;
  /** Equal for folders of equal content, 64 hex digits. */
  key: string;
  /** Files in it and below. */
  count: number;
  /** An output lies in it or below. */
  holdsOutput: boolean;
  /** It is itself an output. */
  output: boolean;
}

/** The segments of a relative path. Throws `malformed` for anything else (absolute, `..`, empty parts, NUL). */
export function segmentsOf(filePath: string): string[] {
  const segments = filePath.split("/");
  for (const segment of segments)
    if (segment === "" || segment === "." || segment === ".." || segment.includes("\0"))
      throw new SwarmError("malformed", `not a relative path: ${JSON.stringify(filePath)}`);
  return segments;
}

const emptyFolder = (): Folder => ({
  files: new Map(),
  folders: new Map(),
  key: "",
  count: 0,
  holdsOutput: false,
  output: false,
});

/** The tree of `files`. Throws `malformed` for paths that are not relative or cannot stand together. */
export function readTree(files: readonly InputFile[], outputs: ExecuteRequest["outputs"]): Folder {
  const top = emptyFolder();
  const known = new Map<string, Folder>([["", top]]);
  const folderAt = (at: string): Folder => {
    const found = known.get(at);
    if (found) return found;
    const cut = at.lastIndexOf("/");
    const name = at.slice(cut + 1);
    segmentsOf(name);
    const above = folderAt(at.slice(0, Math.max(cut, 0)));
    if (above.files.has(name)) throw new SwarmError("malformed", `${at} is both a file and a folder`);
    const made = emptyFolder();
    above.folders.set(name, made);
    known.set(at, made);
    return made;
  };
  for (const file of files) {
    if (file.folder) {
      segmentsOf(file.path);
      folderAt(file.path);
      continue;
    }
    const cut = file.path.lastIndexOf("/");
    if (cut === 0) segmentsOf(file.path);
    const name = file.path.slice(cut + 1);
    segmentsOf(name);
    const folder = folderAt(file.path.slice(0, Math.max(cut, 0)));
    if (folder.files.has(name) || folder.folders.has(name))
      throw new SwarmError("malformed", `two inputs have the path ${file.path}`);
    folder.files.set(name, file);
  }
  seal(top);
  for (const output of outputs) {
    const segments = segmentsOf(output.path);
    let folder: Folder | undefined = top;
    for (const [depth, segment] of segments.entries()) {
      if (!folder) break;
      folder.holdsOutput = true;
      if (folder.files.has(segment))
        throw new SwarmError("malformed", `the output ${output.path} lies where an input is`);
      folder = folder.folders.get(segment);
      if (folder && depth === segments.length - 1) folder.output = true;
    }
  }
  return top;
}

function seal(folder: Folder) {
  folder.count = folder.files.size;
  const lines: string[] = [];
  for (const [name, file] of folder.files)
    lines.push(
      file.link === undefined
        ? `${name}\0${file.executable ? "x" : "f"}${file.digest}`
        : `${name}\0l${file.link}`,
    );
  for (const [name, below] of folder.folders) {
    seal(below);
    folder.count += below.count;
    lines.push(`${name}\0d${below.key}`);
  }
  folder.key = sha256Hex(lines.sort(byText).join("\0\0"));
}
