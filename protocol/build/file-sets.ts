/** The file sets of a graph while it is made: what is taken together is listed once and shared by index. */
import type { ActionName } from "../kernel/ids.ts";
import type { FileSet, GraphOutput } from "./graph.ts";
import type { Found, Workspace } from "./workspace.ts";

/** What one reference of a spec takes: the sets that hold it, and the paths it stands for. */
export interface Taken {
  readonly sets: readonly number[];
  readonly paths: readonly string[];
}

export class FileSets {
  readonly workspace: Workspace;
  readonly list: FileSet[] = [];
  private readonly names: readonly ActionName[];
  private readonly indexes = new Map<string, number>();
  private readonly taken = new Map<string, Taken>();

  /** `names[i]` is the action that the workspace knows as maker i. */
  constructor(workspace: Workspace, names: readonly ActionName[]) {
    this.workspace = workspace;
    this.names = names;
  }

  /** What stands at a path: a file, or a folder with all that is known in it. */
  at(path: string): Taken {
    return this.once(`path ${path}`, () => this.workspace.at(path), [path]);
  }

  /** All files that a pattern matches. */
  matching(pattern: string): Taken {
    return this.once(`pattern ${pattern}`, () => this.workspace.matching(pattern));
  }

  /** All outputs of some actions; `outputs[i]` are those of maker `makers[i]`. */
  outputsOf(outputs: readonly (readonly GraphOutput[])[], makers: readonly number[]): Taken {
    return this.once(`outputs ${makers.join(" ")}`, () =>
      outputs.flatMap((list, i) =>
        list.map((output) => ({ path: output.path, maker: { action: makers[i]!, output }, whole: true })),
      ),
    );
  }

  private once(key: string, find: () => readonly Found[], paths?: readonly string[]): Taken {
    const known = this.taken.get(key);
    if (known) return known;
    const found = find();
    const taken = {
      sets: this.setsOf(found),
      paths: found.length === 0 ? [] : (paths ?? found.map((f) => f.path)),
    };
    this.taken.set(key, taken);
    return taken;
  }

  /** Submitted files together in one set; of each output one set, of a folder that is not taken whole with the files taken. */
  private setsOf(found: readonly Found[]): number[] {
    const submitted: string[] = [];
    const outputs = new Map<string, { set: FileSet; paths: string[] | undefined }>();
    for (const { path, maker, whole } of found) {
      if (!maker) {
        submitted.push(path);
        continue;
      }
      const output = maker.output.path;
      const known = outputs.get(output);
      if (whole || maker.output.kind === "file")
        outputs.set(output, { set: { from: this.names[maker.action]!, output }, paths: undefined });
      else if (known) known.paths?.push(path);
      else outputs.set(output, { set: { from: this.names[maker.action]!, output }, paths: [path] });
    }
    const sets = [...outputs.values()].map(({ set, paths }) => this.index(paths ? { ...set, paths } : set));
    return submitted.length === 0 ? sets : [this.index({ paths: submitted }), ...sets];
  }

  private index(set: FileSet): number {
    const key = [set.from ?? "", set.output ?? "", ...(set.paths ?? [])].join("\0");
    const known = this.indexes.get(key);
    if (known !== undefined) return known;
    this.indexes.set(key, this.list.length);
    return this.list.push(set) - 1;
  }
}
