/** What zod found wrong with the form of a spec, in words that a person can act on, at the places in the file. */
import type { z } from "zod";
import { didYouMean } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import { knownKeys } from "./schema.ts";
import type { DataPath, Source } from "./source.ts";

/** Named of one map; more are no slip of the pen. */
const unknownKeysMax = 50;

/** True when a branch of a union was meant: what is wrong lies inside the value, not in its type. */
const meant = (issues: readonly z.core.$ZodIssue[]): boolean =>
  issues.every(
    (issue) =>
      issue.path.length > 0 ||
      (issue.code === "invalid_union" ? issue.errors.some(meant) : issue.code !== "invalid_type"),
  );

/** The problems of one issue; `above`: where the checked value stands. */
export function problemsOf(source: Source, issue: z.core.$ZodIssue, above: DataPath): Problem[] {
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
