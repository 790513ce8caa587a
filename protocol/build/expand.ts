/**
 * From a spec's actions to all actions of the build, with their outputs. A `foreach` may run over outputs of other actions,
 * so expansion is repeated over what is known until nothing changes.
 */
import type { ActionName } from "../kernel/ids.ts";
import { type Bindings, type Bound, combinations } from "./element.ts";
import { type GraphOutput, graphActionsMax, type InputFile } from "./graph.ts";
import { Others } from "./others.ts";
import { outputOf } from "./outputs.ts";
import { withoutDot } from "./path.ts";
import { compileExcept, isPattern, patternBase, patternTrouble, unescapePattern } from "./patterns.ts";
import { type Problem, SpecError, type Trouble } from "./problem.ts";
import { countMax } from "./schema.ts";
import { problemAt, type Spec, type SpecAction, type SpecText, type SpecVariable } from "./spec.ts";
import { parseTemplate, referencesOf, renderPattern, withoutReferences } from "./template.ts";
import { lookupIn } from "./values.ts";
import { Workspace } from "./workspace.ts";

/** An action of the build before its inputs are looked up. */
export interface Expanded {
  readonly name: ActionName;
  readonly spec: SpecAction;
  readonly bindings: Bindings;
  readonly outputs: readonly GraphOutput[];
}

export interface Expansion {
  readonly actions: readonly Expanded[];
  readonly workspace: Workspace;
  readonly problems: readonly Problem[];
}

interface Group {
  readonly spec: SpecAction;
  seen: string | undefined;
  elements: readonly Expanded[];
  /** Of the foreach, judged in every round; of the outputs, when the elements change. */
  foreachProblems: Problem[];
  outputProblems: Problem[];
}

/** Every action of the build, groups in the order of the spec. Throws `SpecError` when a foreach feeds on itself. */
export function expand(spec: Spec, files: readonly InputFile[]): Expansion {
  const groups: Group[] = spec.actions.map((action) => ({
    spec: action,
    seen: undefined,
    elements: [],
    foreachProblems: [],
    outputProblems: [],
  }));
  const others = new Others(
    groups.map((group) => [group.spec, group] as const),
    spec.leftOut,
  );
  const inputs = files.map((file) => file.path);
  let workspace = new Workspace(inputs, []);
  for (let round = 0; ; round++) {
    const changed = groups.filter((group) => expandGroup(spec, group, others, workspace));
    const actions = groups.flatMap((group) => group.elements);
    if (actions.length > graphActionsMax)
      throw new SpecError([
        problemAt(spec, ["actions"], { message: `the build has more than ${graphActionsMax} actions` }),
      ]);
    if (changed.length === 0)
      return {
        actions,
        workspace,
        problems: groups.flatMap((g) => [...g.foreachProblems, ...g.outputProblems]),
      };
    // A group waits for at most all others, one round each; what still changes then grows from its own outputs.
    if (round > groups.length)
      throw new SpecError(
        changed.map((group) =>
          problemAt(spec, [...group.spec.at, "foreach"], {
            message: `cycle: the foreach of ${group.spec.name} matches what is made from it (${changed.map((g) => g.spec.name).join(" → ")} → ${changed[0]!.spec.name})`,
            hint: "narrow the pattern, or add what is made to except:",
          }),
        ),
      );
    workspace = new Workspace(
      inputs,
      actions.map((action) => action.outputs),
    );
  }
}

/** Expands one group over what is known; false when its elements stay as they were. */
function expandGroup(spec: Spec, group: Group, others: Others<Group>, workspace: Workspace): boolean {
  const problems: Problem[] = [];
  const action = group.spec;
  const variables = action.variables.map((variable) => ({
    name: variable.name,
    values: valuesOf(spec, action, variable, others, workspace, problems),
  }));
  const seen = variables.map((v) => v.values.map((b) => b.text).join("\0")).join("\0\0");
  group.foreachProblems = problems;
  if (group.seen === seen) return false;
  group.seen = seen;
  group.outputProblems = [];
  if (variables.reduce((n, v) => n * v.values.length, 1) > countMax) {
    problems.push(
      problemAt(spec, [...action.at, "foreach"], {
        message: `foreach makes more than ${countMax} actions`,
        hint: "split the build",
      }),
    );
    group.elements = [];
    return true;
  }
  const rows = variables.length === 0 ? [{ name: "", bindings: new Map() }] : combinations(variables);
  group.elements = rows.map((row) => ({
    name: [action.name, action.cell.name, row.name].filter((part) => part !== "").join("/") as ActionName,
    spec: action,
    bindings: row.bindings,
    outputs: action.out.flatMap((output) =>
      outputOf(spec, action, output, row.bindings, workspace, group.outputProblems),
    ),
  }));
  return true;
}

function valuesOf(
  spec: Spec,
  action: SpecAction,
  variable: SpecVariable,
  others: Others<Group>,
  workspace: Workspace,
  problems: Problem[],
): Bound[] {
  if (variable.values) return variable.values.map((text) => ({ text }));
  const refuse = (path: SpecText["at"], trouble: Trouble) => {
    problems.push(problemAt(spec, path, trouble));
  };
  const taken = new Map<string, Bound>();
  let nothingMeant = false;
  for (const pattern of variable.patterns ?? []) {
    const parts = parseTemplate(pattern.text);
    const references = referencesOf(pattern.text);
    const meant = references.map((reference) => others.meant(action, reference)).find((m) => m !== undefined);
    if (meant && parts.length > 1) {
      refuse(pattern.at, {
        message: `foreach takes patterns, or \${ACTION.out} alone: ${pattern.text}`,
        hint: "name the files by a pattern",
      });
      continue;
    }
    if (meant) {
      // Whom a condition left out makes nothing, and nothing is made of it.
      if (meant.length === 0) nothingMeant = true;
      const base = commonBase(meant);
      for (const output of meant.flatMap((group) => group.elements).flatMap((e) => e.outputs))
        if (!taken.has(output.path)) taken.set(output.path, { text: output.path, base });
      continue;
    }
    const rendered = renderPattern(pattern.text, lookupIn(action.values, "foreach"));
    if ("trouble" in rendered) {
      refuse(pattern.at, {
        message: rendered.trouble.message,
        hint: `${rendered.trouble.hint}; of others, foreach takes \${ACTION.out} alone`,
      });
      continue;
    }
    const text = withoutDot(rendered.value);
    const trouble = patternTrouble(text);
    if (trouble) {
      refuse(pattern.at, trouble);
      continue;
    }
    const isGlob = isPattern(withoutReferences(pattern.text));
    const literal = references.length === 0 ? unescapePattern(text) : text;
    const found = isGlob ? workspace.matching(text) : workspace.at(literal.replace(/\/$/, ""));
    const base = isGlob ? patternBase(text) : parentOf(literal);
    for (const { path } of found) if (!taken.has(path)) taken.set(path, { text: path, base });
    if (found.length === 0) refuse(pattern.at, workspace.whyNothing(text));
  }
  const excepts: ((path: string) => boolean)[] = [];
  for (const pattern of action.except) {
    const rendered = renderPattern(pattern.text, lookupIn(action.values, "except"));
    if ("trouble" in rendered) {
      refuse(pattern.at, rendered.trouble);
      continue;
    }
    const text = withoutDot(rendered.value);
    const trouble = patternTrouble(text);
    if (trouble) refuse(pattern.at, trouble);
    else excepts.push(compileExcept(text));
  }
  const values = [...taken.values()].filter((value) => !excepts.some((except) => except(value.text)));
  if (values.length === 0 && problems.length === 0 && !nothingMeant)
    refuse(variable.at, {
      message: `foreach of ${action.name} is empty: except takes everything away`,
      hint: "narrow except, or widen the pattern",
    });
  return values;
}

const parentOf = (path: string): string => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "");

/** The fixed folder in which outputs lie, so that `.rel` reads well over `${action.out}`. */
function commonBase(groups: readonly Group[]): string {
  const [first, ...others] = groups
    .flatMap((group) => group.elements)
    .flatMap((e) => e.outputs.map((o) => parentOf(o.path)));
  let base = first ?? "";
  for (const other of others)
    while (base !== "" && other !== base && !other.startsWith(`${base}/`)) base = parentOf(base);
  return base;
}
