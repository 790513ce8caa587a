/**
 * From a spec and the listing of its input files to the graph of the build: every action, what each one takes and makes.
 * Pure: the same spec and files give the same graph everywhere. All that can be wrong is refused here, before anything runs.
 */

import { SwarmError } from "../kernel/errors.ts";
import { type ActionName, byText } from "../kernel/ids.ts";
import { renderDemands } from "./demands.ts";
import { type Bindings, fieldOf } from "./element.ts";
import { type Expanded, expand } from "./expand.ts";
import { FileSets, type Taken } from "./file-sets.ts";
import type { Graph, GraphAction, InputFile } from "./graph.ts";
import { didYouMean } from "./nearest.ts";
import { order } from "./order.ts";
import { Others } from "./others.ts";
import { overlaps } from "./overlaps.ts";
import { pathTrouble, withoutDot } from "./path.ts";
import { isPattern, patternTrouble, unescapePattern } from "./patterns.ts";
import { type Problem, SpecError, type Trouble } from "./problem.ts";
import { reservedBecause } from "./released.ts";
import { problemAt, type Spec, type SpecAction, type SpecText } from "./spec.ts";
import {
  type Lookup,
  type Rendered,
  renderArguments,
  renderCommand,
  renderPattern,
  renderVariable,
  withoutReferences,
} from "./template.ts";
import { demandLookup } from "./tool-sets.ts";
import { type Demand, demandText } from "./toolchain.ts";

/** Listed at most; a thousand elements may all stumble over the same line. */
const problemsMax = 100;

/**
 * The graph of a spec. `files`: all its input files by workspace path; `toolchains`: the fingerprint for each demand of its
 * tool sets. Throws `SpecError` with everything that is wrong, or `no-eligible-node` for a demand without a fingerprint.
 */
export function resolveSpec(
  spec: Spec,
  files: readonly InputFile[],
  toolchains: Readonly<Record<string, string>>,
): Graph {
  return new Resolver(spec, files, toolchains).graph();
}

class Resolver {
  private readonly spec: Spec;
  private readonly files: readonly InputFile[];
  private readonly toolchains: Readonly<Record<string, string>>;
  private readonly problems: Problem[] = [];
  private readonly actions: readonly Expanded[];
  private readonly sets: FileSets;
  private readonly groups = new Map<string, number[]>();
  private readonly read = new Map<readonly SpecText[], readonly Demand[]>();
  private readonly others: Others<SpecAction>;
  private readonly made = new Map<SpecAction, number[]>();
  private readonly references = new Map<string, Taken>();

  constructor(spec: Spec, files: readonly InputFile[], toolchains: Readonly<Record<string, string>>) {
    this.spec = spec;
    this.files = [...files].sort((a, b) => byText(a.path, b.path));
    this.toolchains = toolchains;
    const expansion = expand(spec, this.files);
    this.problems.push(...expansion.problems);
    this.actions = expansion.actions;
    this.sets = new FileSets(
      expansion.workspace,
      this.actions.map((action) => action.name),
    );
    this.actions.forEach((action, i) => {
      const group = this.groups.get(action.spec.name);
      if (group) group.push(i);
      else this.groups.set(action.spec.name, [i]);
      const own = this.made.get(action.spec);
      if (own) own.push(i);
      else this.made.set(action.spec, [i]);
    });
    this.others = new Others(
      spec.actions.map((action) => [action, action] as const),
      spec.leftOut,
    );
  }

  graph(): Graph {
    this.problems.push(...overlaps(this.spec, this.files, this.actions));
    this.stopIfWrong();
    const actions: GraphAction[] = [];
    for (const action of this.actions) {
      actions.push(this.action(action));
      if (this.problems.length > problemsMax) break;
    }
    const include = this.included();
    this.stopIfWrong();
    const ordered = order(actions, this.sets.list);
    if (!Array.isArray(ordered)) {
      const first = this.actions.find((action) => action.name === ordered.cycle[0])!;
      const path = [...ordered.cycle, ordered.cycle[0]].join(" → ");
      throw new SpecError([
        problemAt(this.spec, first.spec.at, {
          message: `cycle: ${path} (each takes an output of the next)`,
          hint: "one of them must do without the output of the other",
        }),
      ]);
    }
    return {
      version: 1,
      name: this.spec.name,
      files: this.files,
      sets: this.sets.list,
      actions: ordered,
      ...(this.spec.release ? { release: { ...this.spec.release, include } } : {}),
    };
  }

  private stopIfWrong(): void {
    if (this.problems.length > 0) throw new SpecError(this.problems);
  }

  private refuse(at: SpecText["at"], trouble: Trouble): void {
    this.problems.push(problemAt(this.spec, at, trouble));
  }

  private action(action: Expanded): GraphAction {
    const { spec, bindings, outputs } = action;
    const inputs = new Set<number>();
    for (const bound of bindings.values())
      if (bound.base !== undefined) for (const set of this.sets.at(bound.text).sets) inputs.add(set);

    const known: Lookup = (reference) => {
      const field = fieldOf(bindings, reference);
      if (field !== undefined) return typeof field === "string" ? [field] : field;
      const value = spec.values.get(reference);
      if (value) return value;
      if (reference === "cpus") return [String(spec.requires?.cpus ?? 1)];
      const made = this.outputsOf(spec, reference);
      if (!made) return this.unknown(action, reference);
      for (const set of made.sets) inputs.add(set);
      return made.paths;
    };
    const taken: string[] = [];
    for (const item of spec.in) {
      const found = this.input(item, known);
      for (const set of found.sets) inputs.add(set);
      taken.push(...found.paths);
    }
    const lookup: Lookup = (reference) => {
      if (reference === "in") return [...new Set(taken)];
      if (reference !== "out") return known(reference);
      if (outputs.length > 0) return outputs.map((output) => output.path);
      return {
        message: `\${out} stands in ${spec.name}, which has no out`,
        hint: "declare what it makes with out:",
      };
    };
    const run = spec.run;
    const argv =
      "text" in run
        ? ["/bin/sh", "-e", "-c", this.rendered(run, renderCommand(run.text, lookup), "")]
        : run.flatMap((item) => this.rendered(item, renderArguments(item.text, lookup), []));
    if (argv.length === 0) this.refuse(spec.at, { message: `the run of ${spec.name} comes out empty` });
    const env: Record<string, string> = {};
    for (const [name, value] of spec.env)
      env[name] = this.rendered(value, renderVariable(value.text, lookup), "");
    const toolchains: Record<string, string> = {};
    const demands: Record<string, string> = {};
    for (const demand of this.demands(spec, bindings)) {
      const text = demandText(demand);
      const fingerprint = this.toolchains[text];
      if (fingerprint === undefined)
        throw new SwarmError("no-eligible-node", `no fingerprint is known for the toolchain ${text}`, {
          remedy: `install ${demand.name} on a member, or take it out of toolchain:`,
        });
      toolchains[demand.name] = fingerprint;
      if (text !== demand.name) demands[demand.name] = text;
    }
    return {
      name: action.name,
      group: spec.name,
      argv,
      env,
      inputs: [...inputs],
      outputs,
      toolchains,
      ...(Object.keys(demands).length === 0 ? {} : { demands }),
      timeoutMs: spec.timeoutMs,
      silenceMs: spec.silenceMs,
      attemptsMax: spec.attemptsMax,
      cache: spec.cache,
      ...(spec.requires ? { requires: spec.requires } : {}),
      ...(spec.secrets.length === 0 ? {} : { secrets: spec.secrets }),
      ...(spec.priority === 0 ? {} : { priority: spec.priority }),
    };
  }

  /** The toolchains of one action; those without variables are read once for all. */
  private demands({ toolchain: items, values }: SpecAction, bindings: Bindings): readonly Demand[] {
    const known = this.read.get(items);
    if (known) return known;
    const { demands, troubles } = renderDemands(items, demandLookup(bindings, values));
    for (const { at, ...trouble } of troubles) this.refuse(at, trouble);
    if (items.every((item) => withoutReferences(item.text) === item.text)) this.read.set(items, demands);
    return demands;
  }

  /** What one item of `in` takes. */
  private input(item: SpecText, lookup: Lookup): { sets: readonly number[]; paths: readonly string[] } {
    const nothing = { sets: [], paths: [] };
    const literal = withoutReferences(item.text);
    if (literal === "") {
      const found = renderArguments(item.text, lookup);
      if ("trouble" in found) {
        this.refuse(item.at, found.trouble);
        return nothing;
      }
      const each = found.value.map((path) => this.sets.at(path));
      return { sets: each.flatMap((e) => e.sets), paths: found.value };
    }
    const rendered = renderPattern(item.text, lookup);
    if ("trouble" in rendered) {
      this.refuse(item.at, rendered.trouble);
      return nothing;
    }
    const text = withoutDot(rendered.value);
    if (isPattern(literal)) {
      const trouble = patternTrouble(text);
      const found = trouble ? nothing : this.sets.matching(text);
      if (trouble) this.refuse(item.at, trouble);
      else if (found.paths.length === 0) this.refuse(item.at, this.sets.workspace.whyNothing(text));
      return found;
    }
    const path = (literal === item.text ? unescapePattern(text) : text).replace(/\/$/, "");
    const trouble = pathTrouble(path, `the input ${path}`);
    const found = trouble ? nothing : this.sets.at(path);
    if (trouble) this.refuse(item.at, trouble);
    else if (found.paths.length === 0) this.refuse(item.at, this.sets.workspace.whyMissing(path));
    return found;
  }

  /** The outputs that `${ACTION.out}` stands for; undefined when it is no such reference. */
  private outputsOf(asker: SpecAction, reference: string): Taken | undefined {
    // What it means depends on the file and the place in the matrix, and on nothing else of the one who asks.
    const key = [reference, asker.prefix, asker.cell.name].join("\0");
    const known = this.references.get(key);
    if (known) return known;
    const meant = this.others.meant(asker, reference);
    if (!meant) return undefined;
    const makers = meant.flatMap((action) => this.made.get(action) ?? []);
    const taken = this.sets.outputsOf(
      makers.map((i) => this.actions[i]!.outputs),
      makers,
    );
    this.references.set(key, taken);
    return taken;
  }

  private unknown(action: Expanded, reference: string): Trouble {
    const variables = [...action.bindings.keys(), ...action.spec.values.keys()];
    const known = [
      ...variables,
      "in",
      "out",
      "cpus",
      ...[...this.groups.keys()].map((name) => `${name}.out`),
    ];
    const message = `\${${reference}} is not known here`;
    if (action.spec.env.has(reference))
      return { message, hint: `environment variables are the shell's own: write $${reference}` };
    if (this.groups.has(reference)) return { message, hint: `its outputs are \${${reference}.out}` };
    return {
      message,
      hint: `${didYouMean(reference, known) ?? `known: ${known.slice(0, 12).join(", ")}`}; for the shell's own write $NAME or $$\{…}`,
    };
  }

  private rendered<T>(item: SpecText, rendered: Rendered<T>, otherwise: T): T {
    if ("value" in rendered) return rendered.value;
    this.refuse(item.at, rendered.trouble);
    return otherwise;
  }

  private included(): ActionName[] {
    const names = new Map(this.actions.map((action) => [action.name as string, action.name]));
    const include = new Set<ActionName>();
    for (const item of this.spec.release?.include ?? []) {
      const group = this.groups.get(item.text);
      const single = names.get(item.text);
      const found = group
        ? group.map((i) => this.actions[i]!)
        : this.actions.filter((a) => a.name === single);
      // What a condition left out of the build is left out of the release.
      if (found.length === 0 && this.spec.leftOut.some((l) => l.group === item.text || l.name === item.text))
        continue;
      if (found.length === 0)
        this.refuse(item.at, {
          message: `the release includes ${item.text}, which is no action`,
          hint:
            didYouMean(item.text, [...this.groups.keys(), ...names.keys()]) ?? "name an action of this spec",
        });
      else if (found.every((a) => a.outputs.length === 0))
        this.refuse(item.at, {
          message: `the release includes ${item.text}, which makes nothing`,
          hint: "declare its outputs with out:",
        });
      for (const action of found) {
        include.add(action.name);
        for (const { path } of action.outputs) {
          const why = reservedBecause(path);
          if (why !== undefined)
            this.refuse(item.at, {
              message: `the release includes ${path} of ${action.name}, which cannot be released: ${why}`,
              hint: "let the action write it to another path",
            });
        }
      }
    }
    return [...include];
  }
}
