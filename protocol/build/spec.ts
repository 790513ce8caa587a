/** A spec: what a person submits, read from YAML and checked in its form. What it means over real files is for `resolve.ts`. */
import type { z } from "zod";
import { byText } from "../kernel/ids.ts";
import { demandTexts } from "./demands.ts";
import type { Requirements } from "./graph.ts";
import { didYouMean } from "./nearest.ts";
import { type Problem, SpecError, type Trouble } from "./problem.ts";
import { countMax, knownKeys, type SpecForm, specSchema, variablePattern } from "./schema.ts";
import { type DataPath, readSource, type Source } from "./source.ts";

const timeoutMsDefault = 30 * 60_000;
const retriesDefault = 2;
/** Named of one map; more are no slip of the pen. */
const unknownKeysMax = 50;
const durationMsMax = 7 * 24 * 3600_000;

/** Text of the spec and where it stands there. */
export interface SpecText {
  readonly text: string;
  readonly at: DataPath;
}

export interface SpecInput {
  /** Where it appears in the workspace; a file under this name, a folder's files below it. */
  readonly name: SpecText;
  /** File, folder or pattern, relative to the spec's folder. */
  readonly path: SpecText;
  readonly except: readonly SpecText[];
}

export interface SpecOutput {
  /** As written: a trailing slash means a folder. */
  readonly path: SpecText;
  readonly like?: SpecText;
  readonly except: readonly SpecText[];
}

export interface SpecVariable {
  readonly name: string;
  readonly at: DataPath;
  readonly patterns?: readonly SpecText[];
  readonly values?: readonly string[];
}

export interface SpecAction {
  readonly name: string;
  readonly at: DataPath;
  /** One text for `/bin/sh -e -c`, or the argument list as it stands. */
  readonly run: SpecText | readonly SpecText[];
  readonly in: readonly SpecText[];
  readonly out: readonly SpecOutput[];
  readonly variables: readonly SpecVariable[];
  readonly except: readonly SpecText[];
  /** Demands, each written as `demandText` does unless a `foreach` variable stands in it. */
  readonly toolchain: readonly SpecText[];
  /** The spec's and its own, the own one first where both name a variable. */
  readonly env: ReadonlyMap<string, SpecText>;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly attemptsMax: number;
  readonly cache: boolean;
  readonly requires?: Requirements;
}

export interface Spec {
  readonly source: Source;
  readonly name: string;
  /** Builds of higher priority go first. */
  readonly priority: number;
  readonly inputs: readonly SpecInput[];
  readonly actions: readonly SpecAction[];
  readonly release?: {
    readonly channel: string;
    readonly format: string;
    readonly include: readonly SpecText[];
  };
}

/** Milliseconds of a text such as `90s`, `1h30m`; undefined over seven days or for nothing at all. */
function durationMs(text: string): number | undefined {
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g))
    ms += Number(count) * unitMs[unit as keyof typeof unitMs];
  return ms > 0 && ms <= durationMsMax ? ms : undefined;
}

/** Bytes of a text such as `512M` or `1.5G`, in powers of 1024. */
function sizeBytes(text: string): number {
  const [, number, unit] = /^([0-9.]+)([KMGT]?)$/.exec(text)!;
  return Math.round(Number(number) * 1024 ** " KMGT".indexOf(unit || " "));
}

/** What an action asks of a node, as the graph says it. */
function requirements({
  cpus,
  memory,
  disk,
  labels,
  target,
}: NonNullable<SpecForm["actions"][string]["requires"]>): Requirements {
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memoryBytes: sizeBytes(memory) }),
    ...(disk === undefined ? {} : { diskBytes: sizeBytes(disk) }),
    ...(labels === undefined
      ? {}
      : { labels: typeof labels === "string" ? [labels] : [...new Set(labels)].sort(byText) }),
    ...(target === undefined ? {} : { target }),
  };
}

/** Reads a spec. `file` is how messages name it. Throws `SpecError` (`spec-invalid`) with everything that is wrong in its form. */
export function parseSpec(text: string, file: string): Spec {
  const source = readSource(text, file);
  const parsed = specSchema.safeParse(source.data);
  if (!parsed.success)
    throw new SpecError(parsed.error.issues.flatMap((issue) => problemsOf(source, issue, [])));
  return new Reader(source).spec(parsed.data);
}

/** A problem at a place in the spec. */
export const problemAt = (spec: Spec, at: DataPath, trouble: Trouble): Problem =>
  spec.source.problem(spec.source.placeOf(at), trouble.message, trouble.hint);

class Reader {
  private readonly source: Source;
  private readonly problems: Problem[] = [];
  /** The demands at the top of the spec, read when the first action has none of its own. */
  private common: readonly SpecText[] | undefined;

  constructor(source: Source) {
    this.source = source;
  }

  spec(form: SpecForm): Spec {
    const names = new Set(Object.keys(form.actions));
    const spec: Spec = {
      source: this.source,
      name: form.name,
      priority: form.priority ?? 0,
      inputs: Object.entries(form.inputs ?? {}).map(([name, input]) => ({
        name: { text: name, at: ["inputs", name] },
        path:
          typeof input === "string"
            ? text(input, ["inputs", name])
            : text(input.path, ["inputs", name, "path"]),
        except: typeof input === "string" ? [] : texts(input.except, ["inputs", name, "except"]),
      })),
      actions: Object.entries(form.actions).map(([name, action]) => this.action(form, name, action, names)),
      ...(form.release
        ? { release: { ...form.release, include: texts(form.release.include, ["release", "include"]) } }
        : {}),
    };
    if (this.problems.length > 0) throw new SpecError(this.problems);
    return spec;
  }

  private action(
    form: SpecForm,
    name: string,
    action: SpecForm["actions"][string],
    names: ReadonlySet<string>,
  ): SpecAction {
    const at: DataPath = ["actions", name];
    const limit = (key: "timeout" | "silence"): number | undefined => {
      const own = action[key];
      const value = own ?? form.defaults?.[key];
      if (value === undefined || value === "none") return undefined;
      const ms = durationMs(value);
      if (ms === undefined)
        this.refuse(
          own === undefined ? ["defaults", key] : [...at, key],
          `${key} must be more than nothing and at most seven days`,
        );
      return ms;
    };
    const env = new Map<string, SpecText>();
    for (const [key, value] of Object.entries(form.env ?? {})) env.set(key, text(value, ["env", key]));
    for (const [key, value] of Object.entries(action.env ?? {}))
      env.set(key, text(value, [...at, "env", key]));
    const toolchain = this.toolchain(form, action.toolchain, at);
    return {
      name,
      at,
      run:
        typeof action.run === "string" ? text(action.run, [...at, "run"]) : texts(action.run, [...at, "run"]),
      in: texts(action.in, [...at, "in"]),
      out: outputs(action.out, [...at, "out"]),
      variables: this.variables(action.foreach, [...at, "foreach"], names),
      except: texts(action.foreach?.except, [...at, "foreach", "except"]),
      toolchain,
      env,
      timeoutMs: limit("timeout") ?? timeoutMsDefault,
      silenceMs: limit("silence") ?? 0,
      attemptsMax: 1 + (action.retries ?? form.defaults?.retries ?? retriesDefault),
      cache: action.cache ?? form.defaults?.cache ?? true,
      ...(action.requires ? { requires: requirements(action.requires) } : {}),
    };
  }

  private toolchain(form: SpecForm, own: SpecForm["toolchain"], at: DataPath): readonly SpecText[] {
    if (own !== undefined) return this.demands(own, [...at, "toolchain"]);
    this.common ??= this.demands(form.toolchain ?? [], ["toolchain"]);
    return this.common;
  }

  private demands(form: NonNullable<SpecForm["toolchain"]>, at: DataPath): readonly SpecText[] {
    const { texts, troubles } = demandTexts(form, at);
    for (const { at, message, hint } of troubles) this.refuse(at, message, hint);
    return texts;
  }

  private variables(
    foreach: SpecForm["actions"][string]["foreach"],
    at: DataPath,
    names: ReadonlySet<string>,
  ): SpecVariable[] {
    if (!foreach) return [];
    const variables: SpecVariable[] = [];
    for (const [name, each] of Object.entries(foreach)) {
      if (name === "except" || each === undefined) continue;
      const here = [...at, name];
      if (!variablePattern.test(name))
        this.refuse(
          here,
          `${name} is no name for a variable`,
          "letters, digits and underscores, such as cc or file",
          true,
        );
      else if (name === "in" || name === "out" || names.has(name))
        this.refuse(
          here,
          `the variable ${name} is also the name of something else`,
          "give it another name",
          true,
        );
      if (typeof each === "string" || Array.isArray(each))
        variables.push({ name, at: here, patterns: texts(each, here) });
      else if ("values" in each) variables.push({ name, at: here, values: each.values });
      else
        variables.push({ name, at: here, values: Array.from({ length: each.count }, (_, i) => String(i)) });
    }
    if (variables.length === 0)
      this.refuse(at, "foreach names no variable", 'write for example {cc: "src/*.cc"}');
    const product = variables.reduce((n, v) => n * (v.values?.length ?? 1), 1);
    if (product > countMax) this.refuse(at, `foreach makes more than ${countMax} actions`, "split the build");
    return variables;
  }

  private refuse(at: DataPath, message: string, hint?: string, key = false): void {
    const place = key ? this.source.placeOfKey(at) : this.source.placeOf(at);
    this.problems.push(this.source.problem(place, message, hint));
  }
}

const text = (value: string, at: DataPath): SpecText => ({ text: value, at });

function texts(value: string | readonly string[] | undefined, at: DataPath): SpecText[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [text(value, at)] : value.map((item, i) => text(item, [...at, i]));
}

function outputs(out: SpecForm["actions"][string]["out"], at: DataPath): SpecOutput[] {
  if (out === undefined || typeof out === "string" || Array.isArray(out))
    return texts(out, at).map((path) => ({ path, except: [] }));
  return Object.entries(out).map(([path, promise]) => ({
    path: text(path, [...at, path]),
    ...(promise ? { like: text(promise.like, [...at, path, "like"]) } : {}),
    except: texts(promise?.except, [...at, path, "except"]),
  }));
}

/** True when a branch of a union was meant: what is wrong lies inside the value, not in its type. */
const meant = (issues: readonly z.core.$ZodIssue[]): boolean =>
  issues.every(
    (issue) =>
      issue.path.length > 0 ||
      (issue.code === "invalid_union" ? issue.errors.some(meant) : issue.code !== "invalid_type"),
  );

/** What zod found, in words that a person can act on, at the places in the file. */
function problemsOf(source: Source, issue: z.core.$ZodIssue, above: DataPath): Problem[] {
  const path = [...above, ...(issue.path as (string | number)[])];
  const name = path.length === 0 ? "the spec" : path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys
      .slice(0, unknownKeysMax)
      .map((key) =>
        source.problem(
          source.placeOfKey([...path, key]),
          `unknown key "${key}"`,
          didYouMean(key, known) ?? (known.length > 0 ? `known here: ${known.join(", ")}` : undefined),
        ),
      );
  }
  if (issue.code === "invalid_key") {
    const why = issue.issues[0]?.message ?? "is wrong";
    return [source.problem(source.placeOfKey(path), `the name "${path.at(-1)}" ${why}`)];
  }
  if (issue.code === "invalid_union") {
    const branch = issue.errors.find(meant);
    if (branch) return branch.flatMap((inner) => problemsOf(source, inner, path));
  }
  return [source.problem(source.placeOf(path), `${name} ${issue.message}`, hintFor(source, issue, path))];
}

function hintFor(source: Source, issue: z.core.$ZodIssue, path: DataPath): string | undefined {
  let value: unknown = source.data;
  for (const step of path) value = (value as Record<string | number, unknown> | null | undefined)?.[step];
  if (value === null) return "write a value, or remove the key";
  const text =
    issue.code === "invalid_union" || (issue.code === "invalid_type" && issue.expected === "string");
  return text && (typeof value === "number" || typeof value === "boolean")
    ? `put text in quotes: "${value}"`
    : undefined;
}
