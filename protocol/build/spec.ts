/** A spec: what a person submits, read from YAML and checked in its form. What it means over real files is for `resolve.ts`. */

import { byText } from "../kernel/ids.ts";
import { demandTexts } from "./demands.ts";
import { graphActionsMax, type Requirements } from "./graph.ts";
import { type Assembly, assemble, type Load, type Part } from "./include.ts";
import { type Cell, cellsOf } from "./matrix.ts";
import { type Problem, SpecError, type Trouble } from "./problem.ts";
import { durationMs, sizeBytes } from "./quantities.ts";
import type { IndexHeader } from "./released.ts";
import {
  type ActionForm,
  countMax,
  type RequiresForm,
  rendered,
  reservedNames,
  variablePattern,
} from "./schema.ts";
import type { DataPath, Source } from "./source.ts";
import { renderArguments, renderPath } from "./template.ts";
import { lookupIn, type Values } from "./values.ts";
import { asksLabels, judge } from "./when.ts";

const timeoutMsDefault = 30 * 60_000;
const retriesDefault = 2;
/** Kept at most; a matrix may stumble over one line again and again. */
const problemsMax = 1000;
const noLabels: ReadonlySet<string> = new Set();

/** Text of the spec and where it stands there; a path that begins with a number leads into that included file. */
export interface SpecText {
  readonly text: string;
  readonly at: DataPath;
}

export interface SpecInput {
  /** Where it appears in the workspace; a file under this name, a folder's files below it. */
  readonly name: SpecText;
  /** File, folder or pattern, relative to the folder of the file that names it. */
  readonly path: SpecText;
  /** That folder, relative to the spec's; empty: the same. */
  readonly folder: string;
  readonly except: readonly SpecText[];
  /** The path names an archive, whose content is the input. */
  readonly archive?: {
    /** The sha256 it must have, 64 hex digits. */
    readonly digest?: string;
    /** So many parts are taken from the beginning of each path in it. */
    readonly strip: number;
  };
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

/** One action, in one place of its matrix. */
export interface SpecAction {
  /** The same for all of one matrix. */
  readonly name: string;
  readonly at: DataPath;
  /** Stands in front of the names of actions in the same file. */
  readonly prefix: string;
  /** Its place in its matrix; the name of that place stands behind its own. */
  readonly cell: Cell;
  /** The variables of its file and of its place in the matrix. */
  readonly values: Values;
  /** One text for `/bin/sh -e -c`, or the argument list as it stands. */
  readonly run: SpecText | readonly SpecText[];
  readonly in: readonly SpecText[];
  readonly out: readonly SpecOutput[];
  readonly variables: readonly SpecVariable[];
  readonly except: readonly SpecText[];
  /** Demands, each written as `demandText` does unless a variable stands in it. */
  readonly toolchain: readonly SpecText[];
  /** The spec's and its own, the own one first where both name a variable. */
  readonly env: ReadonlyMap<string, SpecText>;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly attemptsMax: number;
  readonly cache: boolean;
  readonly requires?: Requirements;
  /** Names of secrets that it is given, sorted. */
  readonly secrets: readonly string[];
  /** Higher goes first within the build; 0 if nothing is said. */
  readonly priority: number;
}

/** An action that takes no part. */
export interface LeftOut {
  /** With its place in the matrix. */
  readonly name: string;
  readonly group: string;
  readonly cell: Cell;
  readonly why: string;
}

export interface Spec {
  /** Its own text, then those of included files. */
  readonly sources: readonly Source[];
  readonly name: string;
  /** Builds of higher priority go first. */
  readonly priority: number;
  readonly inputs: readonly SpecInput[];
  readonly actions: readonly SpecAction[];
  readonly leftOut: readonly LeftOut[];
  /** Some `when` asks what labels nodes offer. */
  readonly asksLabels: boolean;
  readonly release?: {
    readonly channel: string;
    readonly format: string;
    readonly header?: IndexHeader;
    readonly include: readonly SpecText[];
  };
}

/** What a spec may depend on beside its own text. */
export interface Surroundings {
  /** Values in place of those that the spec's vars give. */
  readonly vars?: Values;
  /** Labels that some node of the swarm offers; absent: not known yet, so that a spec may come out empty for want of them. */
  readonly labels?: readonly string[];
  /** Reads included files; absent: there are none. */
  readonly load?: Load;
}

/**
 * Reads a spec: the one entrance for text of anyone, pure and bounded. `file` is how messages name it. Throws `SpecError` (`spec-invalid`)
 * with everything that is wrong in its form, `usage` for a value of a variable that it does not have.
 */
export function parseSpec(text: string, file: string, around: Surroundings = {}): Spec {
  const assembly = assemble(text, file, around.vars ?? new Map(), around.load);
  return new Reader(assembly, around.labels && new Set(around.labels)).spec();
}

/** A problem at a place in the spec. */
export function problemAt(spec: Pick<Spec, "sources">, at: DataPath, trouble: Trouble, key = false): Problem {
  const [index, path] = typeof at[0] === "number" ? [at[0], at.slice(1)] : [0, at];
  const source = spec.sources[index]!;
  const place = key ? source.placeOfKey(path) : source.placeOf(path);
  return source.problem(place, trouble.message, trouble.hint);
}

class Reader {
  private readonly assembly: Assembly;
  private readonly labels: ReadonlySet<string> | undefined;
  private readonly problems: Problem[] = [];
  /** The demands at the top of each file, read when the first action has none of its own. */
  private readonly common = new Map<Part, readonly SpecText[]>();
  private readonly actions: SpecAction[] = [];
  private readonly leftOut: LeftOut[] = [];
  private asksLabels = false;

  constructor(assembly: Assembly, labels: ReadonlySet<string> | undefined) {
    this.assembly = assembly;
    this.labels = labels;
  }

  spec(): Spec {
    const { form, sources, parts } = this.assembly;
    const inputs = parts.flatMap((part) => this.inputs(part));
    const names = new Map<string, Part>();
    for (const part of parts)
      for (const own of Object.keys(part.form.actions ?? {})) {
        const name = part.prefix + own;
        const other = names.get(name);
        if (other)
          this.refuse([...part.at, "actions", own], {
            message: `there is another action ${name} in ${other.source.file}`,
            hint: "rename one of them, or give the include a name with as:",
          });
        names.set(name, part);
      }
    if (names.size === 0)
      this.refuse(["actions"], { message: "the spec names no action", hint: "write one below actions:" });
    for (const part of parts)
      for (const [own, action] of Object.entries(part.form.actions ?? {}))
        this.action(part, own, action, names);
    const known = this.labels !== undefined || !this.asksLabels;
    if (names.size > 0 && known && this.actions.length === 0 && this.problems.length === 0)
      this.refuse(["actions"], {
        message: "every action is left out by its when",
        hint: this.leftOut[0] && `${this.leftOut[0].name}: ${this.leftOut[0].why}`,
      });
    if (form.release?.header && form.release.format !== "gentoo")
      this.refuse(["release", "header"], {
        message: `the index of the format ${form.release.format} has no header of its own`,
        hint: "leave it out, or release packages for Gentoo: format: gentoo",
      });
    if (this.problems.length > 0) throw new SpecError(this.problems);
    return {
      sources,
      name: form.name,
      priority: form.priority ?? 0,
      inputs,
      actions: this.actions,
      leftOut: this.leftOut,
      asksLabels: this.asksLabels,
      ...(form.release
        ? { release: { ...form.release, include: texts(form.release.include, ["release", "include"]) } }
        : {}),
    };
  }

  private inputs(part: Part): SpecInput[] {
    return Object.entries(part.form.inputs ?? {}).map(([key, input]) => {
      const at = [...part.at, "inputs", key];
      const { path, archive, digest, strip, except } =
        typeof input === "string" ? { path: input, archive: undefined } : input;
      if ((path === undefined) === (archive === undefined))
        this.refuse(at, {
          message: `the input ${key} names ${path === undefined ? "neither path nor" : "both path and"} archive`,
          hint: "name one of them",
        });
      if (archive === undefined && (digest !== undefined || strip !== undefined))
        this.refuse([...at, digest === undefined ? "strip" : "digest"], {
          message: "digest and strip are for archives",
          hint: "name the archive with archive:",
        });
      const written = typeof input === "string" ? at : [...at, archive === undefined ? "path" : "archive"];
      return {
        name: { text: this.one(key, at, part.vars, "the name of an input"), at },
        path: {
          text: this.one(archive ?? path ?? "", written, part.vars, "the path of an input"),
          at: written,
        },
        ...(archive === undefined
          ? {}
          : {
              archive: { strip: strip ?? 0, ...(digest === undefined ? {} : { digest: digest.slice(-64) }) },
            }),
        folder: part.folder,
        except: texts(except, [...at, "except"]),
      };
    });
  }

  /** Adds an action, once for each place in its matrix. */
  private action(part: Part, own: string, action: ActionForm, names: ReadonlyMap<string, Part>): void {
    const { form, prefix } = part;
    const name = prefix + own;
    const at: DataPath = [...part.at, "actions", own];
    const limit = (key: "timeout" | "silence"): number | undefined => {
      const value = action[key] ?? form.defaults?.[key];
      if (value === undefined || value === "none") return undefined;
      const ms = durationMs(value);
      if (ms === undefined)
        this.refuse(action[key] === undefined ? [...part.at, "defaults", key] : [...at, key], {
          message: `${key} must be more than nothing and at most seven days`,
        });
      return ms;
    };
    const env = new Map<string, SpecText>();
    for (const [key, value] of Object.entries(form.env ?? {}))
      env.set(key, text(value, [...part.at, "env", key]));
    for (const [key, value] of Object.entries(action.env ?? {}))
      env.set(key, text(value, [...at, "env", key]));
    const cells = cellsOf(action.matrix, part.vars, (path, trouble) =>
      this.refuse([...at, "matrix", ...path], trouble),
    );
    const common = {
      name,
      at,
      prefix,
      run:
        typeof action.run === "string" ? text(action.run, [...at, "run"]) : texts(action.run, [...at, "run"]),
      in: texts(action.in, [...at, "in"]),
      out: outputs(action.out, [...at, "out"]),
      variables: this.variables(
        action.foreach,
        [...at, "foreach"],
        (name) => names.has(name) || part.vars.has(name) || Object.hasOwn(action.matrix ?? {}, name),
      ),
      except: texts(action.foreach?.except, [...at, "foreach", "except"]),
      toolchain: this.toolchain(part, action.toolchain, at),
      env,
      timeoutMs: limit("timeout") ?? timeoutMsDefault,
      silenceMs: limit("silence") ?? 0,
      attemptsMax: 1 + (action.retries ?? form.defaults?.retries ?? retriesDefault),
      cache: action.cache ?? form.defaults?.cache ?? true,
      priority: action.priority ?? 0,
      secrets: [...new Set([action.secrets ?? []].flat())].sort(byText),
    };
    for (const cell of cells) {
      const values: Values =
        cell.values.size === 0
          ? part.vars
          : new Map([...part.vars, ...[...cell.values].map(([key, value]) => [key, [value]] as const)]);
      if (this.isLeftOut(action, name, cell, values, at)) continue;
      const requires = this.requirements(part, action.requires, values, at);
      if (
        this.actions.push({
          ...common,
          cell,
          values,
          ...(requires ? { requires } : {}),
        }) > graphActionsMax
      )
        throw new SpecError([
          problemAt({ sources: this.assembly.sources }, at, {
            message: `the build has more than ${graphActionsMax} actions`,
          }),
        ]);
    }
  }

  private isLeftOut(action: ActionForm, name: string, cell: Cell, values: Values, at: DataPath): boolean {
    if (!action.when) return false;
    this.asksLabels ||= asksLabels(action.when);
    const judgement = judge(action.when, values, this.labels ?? noLabels);
    if (judgement.kind === "wrong") this.refuse([...at, "when", ...judgement.path], judgement.trouble, true);
    if (judgement.kind === "unmet")
      this.leftOut.push({
        name: cell.name === "" ? name : `${name}/${cell.name}`,
        group: name,
        cell,
        why: judgement.why,
      });
    return judgement.kind !== "met";
  }

  /** What an action asks of a node, as the graph says it; its own words stand in place of the file's defaults. */
  private requirements(
    part: Part,
    own: RequiresForm | undefined,
    values: Values,
    at: DataPath,
  ): Requirements | undefined {
    const defaults = part.form.defaults?.requires;
    if (!own && !defaults) return undefined;
    const placeOf = (key: keyof RequiresForm) =>
      own?.[key] === undefined ? [...part.at, "defaults", "requires", key] : [...at, "requires", key];
    const { cpus, memory, disk, labels, target } = { ...defaults, ...own };
    const wanted = this.names(texts(labels, placeOf("labels")), values, "label");
    const [native] = this.names(texts(target, placeOf("target")), values, "target");
    return {
      ...(cpus === undefined ? {} : { cpus }),
      ...(memory === undefined ? {} : { memoryBytes: sizeBytes(memory) }),
      ...(disk === undefined ? {} : { diskBytes: sizeBytes(disk) }),
      ...(wanted.length === 0 ? {} : { labels: [...new Set(wanted)].sort(byText) }),
      ...(native === undefined ? {} : { target: native }),
    };
  }

  private toolchain(part: Part, own: ActionForm["toolchain"], at: DataPath): readonly SpecText[] {
    if (own !== undefined) return this.demands(own, [...at, "toolchain"]);
    let common = this.common.get(part);
    if (!common) {
      common = this.demands(part.form.toolchain ?? [], [...part.at, "toolchain"]);
      this.common.set(part, common);
    }
    return common;
  }

  private demands(form: NonNullable<ActionForm["toolchain"]>, at: DataPath): readonly SpecText[] {
    const { texts, troubles } = demandTexts(form, at);
    for (const { at, ...trouble } of troubles) this.refuse(at, trouble);
    return texts;
  }

  /** Texts with values put in, held to the form of what they name. */
  private names(written: readonly SpecText[], values: Values, kind: keyof typeof rendered): string[] {
    const { pattern, must } = rendered[kind];
    return written.flatMap(({ text, at }) => {
      const found = renderArguments(text, lookupIn(values, "names"));
      if ("trouble" in found) {
        this.refuse(at, found.trouble);
        return [];
      }
      const wrong = found.value.find((name) => !pattern.test(name));
      if (wrong !== undefined) this.refuse(at, { message: `${wrong}, which ${text} stands for, ${must}` });
      return found.value;
    });
  }

  /** Text with values put in, where there is room for one. */
  private one(written: string, at: DataPath, values: Values, where: string): string {
    const found = renderPath(written, lookupIn(values, where));
    if ("value" in found) return found.value;
    this.refuse(at, found.trouble);
    return written;
  }

  private variables(
    foreach: ActionForm["foreach"],
    at: DataPath,
    taken: (name: string) => boolean,
  ): SpecVariable[] {
    if (!foreach) return [];
    const variables: SpecVariable[] = [];
    for (const [name, each] of Object.entries(foreach)) {
      if (name === "except" || each === undefined) continue;
      const here = [...at, name];
      if (!variablePattern.test(name))
        this.refuse(
          here,
          {
            message: `${name} is no name for a variable`,
            hint: "letters, digits and underscores, such as cc or file",
          },
          true,
        );
      else if (reservedNames.has(name) || taken(name))
        this.refuse(
          here,
          {
            message: `the variable ${name} is also the name of something else`,
            hint: "give it another name",
          },
          true,
        );
      if (typeof each === "string" || Array.isArray(each))
        variables.push({ name, at: here, patterns: texts(each, here) });
      else if ("values" in each) variables.push({ name, at: here, values: each.values });
      else
        variables.push({ name, at: here, values: Array.from({ length: each.count }, (_, i) => String(i)) });
    }
    if (variables.length === 0)
      this.refuse(at, { message: "foreach names no variable", hint: 'write for example {cc: "src/*.cc"}' });
    const product = variables.reduce((n, v) => n * (v.values?.length ?? 1), 1);
    if (product > countMax)
      this.refuse(at, { message: `foreach makes more than ${countMax} actions`, hint: "split the build" });
    return variables;
  }

  private refuse(at: DataPath, trouble: Trouble, key = false): void {
    if (this.problems.length < problemsMax)
      this.problems.push(problemAt({ sources: this.assembly.sources }, at, trouble, key));
  }
}

const text = (value: string, at: DataPath): SpecText => ({ text: value, at });

function texts(value: string | readonly string[] | undefined, at: DataPath): SpecText[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [text(value, at)] : value.map((item, i) => text(item, [...at, i]));
}

function outputs(out: ActionForm["out"], at: DataPath): SpecOutput[] {
  if (out === undefined || typeof out === "string" || Array.isArray(out))
    return texts(out, at).map((path) => ({ path, except: [] }));
  return Object.entries(out).map(([path, promise]) => ({
    path: text(path, [...at, path]),
    ...(promise ? { like: text(promise.like, [...at, path, "like"]) } : {}),
    except: texts(promise?.except, [...at, path, "except"]),
  }));
}
