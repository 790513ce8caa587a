/** The toolchains that actions of a spec need together: what must be resolved before there is a graph. */
import { byText } from "../kernel/ids.ts";
import { renderDemands } from "./demands.ts";
import { type Bindings, fieldOf } from "./element.ts";
import { expand } from "./expand.ts";
import type { InputFile, Requirements } from "./graph.ts";
import { SpecError, type Trouble } from "./problem.ts";
import { problemAt, type Spec } from "./spec.ts";
import { type Lookup, referencesOf } from "./template.ts";
import { demandText } from "./toolchain.ts";
import type { Values } from "./values.ts";

/** Tools that one node must have all of, and what else it must have. */
export interface ToolSet {
  /** As `demandText` writes them, sorted. */
  readonly demands: readonly string[];
  readonly requires?: Requirements;
  /** The spec's action that needs them, the first where several do. */
  readonly action: string;
}

/** The sets of a spec, each once, in the order of its actions. Throws `SpecError` where variables stand in them that are not known. */
export function toolSetsOf(spec: Spec, files: readonly InputFile[]): ToolSet[] {
  const varies = spec.actions.some((action) =>
    action.toolchain.some((demand) => referencesOf(demand.text).some((name) => !action.values.has(name))),
  );
  const actions: readonly { spec: Spec["actions"][number]; bindings: Bindings }[] = varies
    ? expanded(spec, files)
    : spec.actions.map((action) => ({ spec: action, bindings: new Map() }));
  const sets = new Map<string, ToolSet>();
  for (const { spec: action, bindings } of actions) {
    if (action.toolchain.length === 0) continue;
    const { demands, troubles } = renderDemands(action.toolchain, demandLookup(bindings, action.values));
    if (troubles.length > 0)
      throw new SpecError(troubles.map(({ at, ...trouble }) => problemAt(spec, at, trouble)));
    const set = {
      demands: demands.map(demandText).sort(byText),
      ...(action.requires ? { requires: action.requires } : {}),
    };
    const key = JSON.stringify(set);
    if (!sets.has(key)) sets.set(key, { ...set, action: action.name });
  }
  return [...sets.values()];
}

function expanded(spec: Spec, files: readonly InputFile[]) {
  const { actions, problems } = expand(spec, files);
  if (problems.length > 0) throw new SpecError(problems);
  return actions;
}

/** In a demand only variables have a value: what an action makes does not say what it is made with. */
export const demandLookup =
  (bindings: Bindings, values: Values): Lookup =>
  (reference) => {
    const field = fieldOf(bindings, reference);
    if (field !== undefined) return typeof field === "string" ? [field] : field;
    const listed = values.get(reference);
    if (listed) return listed;
    const known = [...bindings.keys(), ...values.keys()];
    const trouble: Trouble = {
      message: `\${${reference}} is not known in a toolchain`,
      hint:
        known.length > 0 ? `known: ${known.join(", ")}` : "only variables of foreach, matrix and vars are",
    };
    return trouble;
  };

/** One fingerprint for all demands of a spec, where nobody is asked what there is. */
export const sameForAll = (sets: readonly ToolSet[], fingerprint: string): Record<string, string> =>
  Object.fromEntries(sets.flatMap((set) => set.demands.map((demand) => [demand, fingerprint])));
