/** What is known by name before any file is looked at: the variables of a file, and an action's place in its matrix. */
import { didYouMean } from "./nearest.ts";
import type { Trouble } from "./problem.ts";
import type { Lookup } from "./template.ts";

/** Each name with its value; a list has several, or none. */
export type Values = ReadonlyMap<string, readonly string[]>;

/** Values alone, where files and outputs of others are not known yet. `where` is how a refusal names the place. */
export const lookupIn =
  (values: Values, where: string): Lookup =>
  (reference) =>
    values.get(reference) ?? unknownValue(values, reference, where);

/** Why a name stands for nothing. */
function unknownValue(values: Values, name: string, where: string): Trouble {
  const known = [...values.keys()];
  return {
    message: `\${${name}} is not known in ${where}`,
    hint:
      didYouMean(name, known) ??
      (known.length > 0 ? `known: ${known.slice(0, 12).join(", ")}` : "declare it in vars: or in the matrix"),
  };
}
