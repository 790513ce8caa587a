/** The combinations of an action's matrix, less those that it excludes. */
import { combinations } from "./element.ts";
import { didYouMean } from "./nearest.ts";
import type { Trouble } from "./problem.ts";
import { countMax, type MatrixForm, reservedNames, variablePattern } from "./schema.ts";
import { renderArguments } from "./template.ts";
import { lookupIn, type Values } from "./values.ts";

/** One combination: what stands behind the action's name, and the value of each variable. */
export interface Cell {
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
}

type Refuse = (path: readonly (string | number)[], trouble: Trouble) => void;
type Entries = Readonly<Record<string, string | readonly string[]>>;

const list = (value: string | readonly string[]): readonly string[] =>
  typeof value === "string" ? [value] : value;

/** All combinations, the last variable changing fastest; one without a name where there is no matrix. Problems go to `refuse`. */
export function cellsOf(form: MatrixForm | undefined, vars: Values, refuse: Refuse): Cell[] {
  if (!form) return [{ name: "", values: new Map() }];
  const { exclude = [], ...variables } = form as { exclude?: readonly Entries[] } & Entries;
  const axes = Object.entries(variables as Entries).map(([name, written]) => ({
    name,
    values: valuesOf(name, written, vars, refuse),
  }));
  if (axes.length === 0) {
    refuse([], { message: "the matrix names no variable", hint: "write for example {target: [a, b]}" });
    return [];
  }
  if (axes.reduce((product, axis) => product * axis.values.length, 1) > countMax) {
    refuse([], { message: `the matrix makes more than ${countMax} actions`, hint: "split the build" });
    return [];
  }
  exclude.forEach((entry, i) => {
    for (const [name, excluded] of Object.entries(entry)) {
      const axis = axes.find((a) => a.name === name);
      const known = axis?.values.map((v) => v.text) ?? [];
      const wrong = list(excluded).find((value) => !known.includes(value));
      if (!axis)
        refuse(["exclude", i, name], {
          message: `exclude names ${name}, which is no variable of the matrix`,
          hint:
            didYouMean(
              name,
              axes.map((a) => a.name),
            ) ?? `it has ${axes.map((a) => a.name).join(", ")}`,
        });
      else if (wrong !== undefined)
        refuse(["exclude", i, name], {
          message: `exclude names ${wrong}, which is no value of ${name}`,
          hint: didYouMean(wrong, known) ?? `it has ${known.slice(0, 12).join(", ")}`,
        });
    }
  });
  const cells = combinations(axes)
    .map(({ name, bindings }) => ({
      name,
      values: new Map([...bindings].map(([variable, bound]) => [variable, bound.text])),
    }))
    .filter(({ values }) => !exclude.some((entry) => covers(entry, values)));
  if (cells.length === 0 && axes.every((axis) => axis.values.length > 0))
    refuse(["exclude"], { message: "exclude takes every combination away", hint: "narrow it" });
  return cells;
}

const covers = (entry: Entries, values: ReadonlyMap<string, string>): boolean =>
  Object.entries(entry).every(([name, excluded]) => list(excluded).includes(values.get(name) ?? ""));

function valuesOf(name: string, written: string | readonly string[], vars: Values, refuse: Refuse) {
  if (!variablePattern.test(name) || reservedNames.has(name))
    refuse([name], {
      message: `${name} is no name for a variable`,
      hint: "letters, digits and underscores, such as target",
    });
  else if (vars.has(name))
    refuse([name], { message: `the variable ${name} is also one of vars:`, hint: "give it another name" });
  const values = new Set<string>();
  list(written).forEach((item, i) => {
    const path = typeof written === "string" ? [name] : [name, i];
    const found = renderArguments(item, lookupIn(vars, "the matrix"));
    if ("trouble" in found) refuse(path, found.trouble);
    else
      for (const value of found.value)
        if (values.has(value)) refuse(path, { message: `${value} stands twice in ${name}` });
        else values.add(value);
  });
  if (values.size === 0) refuse([name], { message: `${name} has no values`, hint: "name at least one" });
  return [...values].map((text) => ({ text }));
}
