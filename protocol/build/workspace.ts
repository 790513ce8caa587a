/** All paths that actions may read: submitted files and declared outputs, found by name, by folder or by pattern. */
import { byText } from "../kernel/ids.ts";
import type { GraphOutput } from "./graph.ts";
import { didYouMean } from "./nearest.ts";
import { compilePattern, isPattern, patternBase } from "./patterns.ts";
import type { Trouble } from "./problem.ts";

/** Who makes a path. */
export interface Maker {
  /** Index of the action, in the order of expansion. */
  readonly action: number;
  readonly output: GraphOutput;
}

/** A path with its maker; none for a submitted file. `whole`: a folder that is taken as it comes. */
export interface Found {
  readonly path: string;
  readonly maker?: Maker;
  readonly whole?: boolean;
}

export class Workspace {
  /** Files, sorted: submitted ones, file outputs, promised files. */
  private readonly files: readonly Found[];
  /** Folder outputs by path. */
  private readonly folders: ReadonlyMap<string, Found>;
  private readonly opaque: readonly string[];
  private readonly matches = new Map<string, readonly Found[]>();

  /** `inputs`: workspace paths of the submitted files; `outputs[i]`: what action i makes. */
  constructor(inputs: readonly string[], outputs: readonly (readonly GraphOutput[])[]) {
    const files: Found[] = inputs.map((path) => ({ path }));
    const folders = new Map<string, Found>();
    outputs.forEach((list, action) => {
      for (const output of list) {
        const maker = { action, output };
        if (output.kind === "file") files.push({ path: output.path, maker });
        else folders.set(output.path, { path: output.path, maker, whole: true });
        for (const path of output.promised ?? []) files.push({ path, maker });
      }
    });
    this.files = files.sort((a, b) => byText(a.path, b.path));
    this.folders = folders;
    this.opaque = [...folders.values()].filter((f) => !f.maker?.output.promised).map((f) => f.path);
  }

  /** What stands at a path: a file, a folder output as a whole, else all that is known below it. Empty: nothing. */
  at(path: string): readonly Found[] {
    const folder = this.folders.get(path);
    if (folder) return [folder];
    const from = this.firstAt(path);
    const file = this.files[from];
    if (file?.path === path) return [file];
    const below = this.below(path);
    const folders = [...this.folders.values()].filter(
      (f) => f.path.startsWith(`${path}/`) && !f.maker?.output.promised,
    );
    return [...below, ...folders.sort((a, b) => byText(a.path, b.path))];
  }

  /** Files that a pattern matches, sorted. */
  matching(pattern: string): readonly Found[] {
    const known = this.matches.get(pattern);
    if (known) return known;
    const base = patternBase(pattern);
    const test = compilePattern(pattern);
    const found = (base === "" ? this.files : this.below(base)).filter((file) => test(file.path));
    this.matches.set(pattern, found);
    return found;
  }

  /** The folder output around or at a path whose files are only known after its action has run. */
  private opaqueAround(path: string): string | undefined {
    return this.opaque.find((folder) => path === folder || path.startsWith(`${folder}/`));
  }

  /** Why nothing stands at a path, and what may have been meant. */
  whyMissing(path: string): Trouble {
    const opaque = this.opaqueAround(path);
    if (opaque !== undefined) return this.whyNothing(path);
    const paths = [...this.files.map((file) => file.path), ...this.folders.keys()];
    const file = path.slice(path.lastIndexOf("/") + 1);
    const elsewhere = paths.find((known) => known.endsWith(`/${file}`));
    return {
      message: `nothing makes ${path}, and no input holds it`,
      hint:
        didYouMean(path, paths) ??
        (elsewhere === undefined
          ? "add it to inputs:, or to the out: of an action"
          : `did you mean "${elsewhere}"?`),
    };
  }

  /** Why a pattern found nothing. */
  whyNothing(pattern: string): Trouble {
    const base = isPattern(pattern) ? patternBase(pattern) : pattern.replace(/\/$/, "");
    const opaque = this.opaqueAround(base);
    if (opaque !== undefined)
      return {
        message: `${pattern} looks into ${opaque}/, whose files are only known after the run`,
        hint: `take the whole of it (${opaque}/), or let its out say what it will hold (like:)`,
      };
    return {
      message: `${pattern} matches nothing`,
      hint: "patterns match files of inputs: and outputs of other actions, by their paths in the workspace",
    };
  }

  private below(folder: string): readonly Found[] {
    const prefix = `${folder}/`;
    const from = this.firstAt(prefix);
    let to = from;
    while (to < this.files.length && this.files[to]!.path.startsWith(prefix)) to++;
    return this.files.slice(from, to);
  }

  /** Index of the first file whose path is not before `path`. */
  private firstAt(path: string): number {
    let low = 0;
    let high = this.files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.files[middle]!.path < path) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
