/** A spec and the files that it includes, each read once, with the variables that hold in it. */
import { SwarmError } from "../kernel/errors.ts";
import { problemsOf } from "./complaints.ts";
import { didYouMean } from "./nearest.ts";
import { type Problem, SpecError, type Trouble } from "./problem.ts";
import { includedSchema, type SpecForm, specSchema } from "./schema.ts";
import { type DataPath, readSource, type Source } from "./source.ts";
import { renderArguments } from "./template.ts";
import { lookupIn, type Values } from "./values.ts";

const filesMax = 64;
const depthMax = 8;
/** Of all files together. */
const charsMax = 4 << 20;

/** The text of an included file, by its path relative to the spec's folder; or why there is none. */
export type Load = (path: string) => { readonly text: string } | Trouble;

/** One file in one place: a file included twice is two parts. */
export interface Part {
  readonly source: Source;
  /** Stands in front of every path into its data: nothing for the spec, its number for an included file. */
  readonly at: DataPath;
  readonly form: Omit<SpecForm, "name" | "priority" | "release">;
  /** The file's folder, relative to that of the spec; empty: the same. */
  readonly folder: string;
  /** Stands in front of the names of its actions. */
  readonly prefix: string;
  readonly vars: Values;
}

export interface Assembly {
  readonly form: SpecForm;
  /** The spec's own text first, then that of each file in the order of inclusion. */
  readonly sources: readonly Source[];
  /** Included ones in front of the one that includes them. */
  readonly parts: readonly Part[];
}

interface Place {
  readonly source: Source;
  readonly at: DataPath;
  readonly folder: string;
  readonly prefix: string;
  readonly given: Values;
  /** Paths of the files around it, the spec's own first. */
  readonly chain: readonly string[];
}

/**
 * Reads a spec and all that it includes. `given`: values for variables of the spec itself. Throws `SpecError` with everything that is wrong
 * in the form of the files, `usage` for a given variable that the spec does not declare.
 */
export function assemble(text: string, file: string, given: Values, load: Load | undefined): Assembly {
  return new Assembler(file, load).assemble(text, given);
}

class Assembler {
  private readonly file: string;
  private readonly load: Load | undefined;
  private readonly problems: Problem[] = [];
  private readonly sources: Source[] = [];
  private readonly parts: Part[] = [];
  private readonly known = new Map<string, number | undefined>();
  private chars = 0;

  constructor(file: string, load: Load | undefined) {
    this.file = file;
    this.load = load;
  }

  assemble(text: string, given: Values): Assembly {
    const source = readSource(text, this.file);
    this.sources.push(source);
    this.chars = text.length;
    const parsed = specSchema.safeParse(source.data);
    if (!parsed.success)
      throw new SpecError(parsed.error.issues.flatMap((issue) => problemsOf(source, issue, [])));
    const form = parsed.data;
    for (const name of given.keys())
      if (!Object.hasOwn(form.vars ?? {}, name)) {
        const declared = Object.keys(form.vars ?? {});
        throw new SwarmError("usage", `${this.file} has no variable ${name}`, {
          remedy:
            declared.length > 0
              ? `it has ${declared.slice(0, 12).join(", ")}`
              : `declare it there: vars: {${name}: …}`,
        });
      }
    this.read(form, { source, at: [], folder: "", prefix: "", given, chain: [baseOf(this.file)] });
    if (this.problems.length > 0) throw new SpecError(this.problems);
    return { form, sources: this.sources, parts: this.parts };
  }

  /** Adds a file and, before it, what it includes; returns the variables that hold in it. */
  private read(form: Part["form"], place: Place): Values {
    const vars = new Map<string, readonly string[]>();
    for (const [name, written] of Object.entries(form.vars ?? {}))
      vars.set(name, place.given.get(name) ?? this.values(written, vars, place, ["vars", name], "vars"));
    const inherited = new Map<string, readonly string[]>();
    const include = form.include === undefined ? [] : [form.include].flat();
    include.forEach((item, i) => {
      const at = typeof form.include === "string" ? ["include"] : ["include", i];
      const { file, as, with: given = {} } = typeof item === "string" ? { file: item } : item;
      const fileAt = typeof item === "string" ? at : [...at, "file"];
      const around = new Map([...inherited, ...vars]);
      const values = new Map(
        Object.entries(given).map(([name, written]) => [
          name,
          this.values(written, around, place, [...at, "with", name], "with"),
        ]),
      );
      const path = resolved(place.folder, file);
      const index = this.open(path, place, fileAt, file);
      if (index === undefined) return;
      const source = this.sources[index]!;
      const parsed = includedSchema.safeParse(source.data);
      if (!parsed.success) {
        for (const issue of parsed.error.issues) this.problems.push(...problemsOf(source, issue, []));
        this.known.set(path, undefined);
        return;
      }
      for (const name of values.keys())
        if (!Object.hasOwn(parsed.data.vars ?? {}, name))
          this.refuse(place, [...at, "with", name], {
            message: `${file} has no variable ${name}`,
            hint:
              didYouMean(name, Object.keys(parsed.data.vars ?? {})) ??
              "declare it there with a default, in vars:",
          });
      const below = this.read(parsed.data, {
        source,
        at: [index],
        folder: folderOf(path),
        prefix: as === undefined ? place.prefix : `${place.prefix}${as}.`,
        given: values,
        chain: [...place.chain, path],
      });
      if (as === undefined) for (const [name, value] of below) inherited.set(name, value);
    });
    const all = new Map([...inherited, ...vars]);
    this.parts.push({
      source: place.source,
      at: place.at,
      form,
      folder: place.folder,
      prefix: place.prefix,
      vars: all,
    });
    return all;
  }

  /** The number of a file's source; undefined, and a problem, when it cannot be had. */
  private open(path: string, place: Place, at: DataPath, written: string): number | undefined {
    const refuse = (message: string, hint?: string): undefined => {
      this.refuse(place, at, hint === undefined ? { message } : { message, hint });
    };
    if (written.startsWith("/"))
      return refuse(`the include ${written} is absolute`, "write it relative to this file");
    if (place.chain.includes(path))
      return refuse(
        `cycle of includes: ${[...place.chain.slice(place.chain.indexOf(path)), path].join(" → ")}`,
        "one of them must do without the other",
      );
    if (place.chain.length > depthMax)
      return refuse(`includes are nested deeper than ${depthMax} files`, "include them from the spec itself");
    if (this.parts.length + place.chain.length > filesMax)
      return refuse(`the spec includes more than ${filesMax} files`, "bring some of them together");
    if (this.known.has(path)) return this.known.get(path);
    const found = this.load?.(path) ?? {
      message: `the included file ${written} cannot be read here`,
      hint: "this reader knows one file alone",
    };
    this.known.set(path, undefined);
    if ("message" in found) return refuse(found.message, found.hint);
    this.chars += found.text.length;
    if (this.chars > charsMax)
      return refuse(`the spec and its includes have more than ${charsMax} characters`, "split the build");
    try {
      const source = readSource(found.text, resolved(folderOf(this.file), path));
      this.known.set(path, this.sources.push(source) - 1);
      return this.sources.length - 1;
    } catch (cause) {
      if (!(cause instanceof SpecError)) throw cause;
      this.problems.push(...cause.problems);
      return undefined;
    }
  }

  private values(
    written: string | readonly string[],
    vars: Values,
    place: Place,
    at: DataPath,
    where: string,
  ): readonly string[] {
    return [written].flat().flatMap((item) => {
      const found = renderArguments(item, lookupIn(vars, where));
      if ("value" in found) return found.value;
      this.refuse(place, at, found.trouble);
      return [];
    });
  }

  private refuse(place: Place, at: DataPath, trouble: Trouble): void {
    this.problems.push(place.source.problem(place.source.placeOf(at), trouble.message, trouble.hint));
  }
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const folderOf = (path: string): string =>
  path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : "";

/** `path` as seen from `folder`, without `.` and without `..` where something is left to leave. */
function resolved(folder: string, path: string): string {
  const rooted = folder.startsWith("/");
  const segments: string[] = [];
  for (const segment of `${folder}/${path}`.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === ".." && segments.length > 0 && segments.at(-1) !== "..") segments.pop();
    else segments.push(segment);
  }
  return (rooted ? "/" : "") + segments.join("/");
}
