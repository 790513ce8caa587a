/** Whether an action takes part: its condition on variables, on its place in the matrix and on labels that nodes offer. */
import { didYouMean } from "./nearest.ts";
import { compilePattern, isPattern, patternTrouble } from "./patterns.ts";
import type { Trouble } from "./problem.ts";
import type { WhenForm } from "./schema.ts";
import type { Values } from "./values.ts";

type Tests = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `unmet`: why the action is left out. `asksLabels`: the answer depends on what nodes offer. */
export type Judgement =
  | { readonly kind: "met" }
  | { readonly kind: "unmet"; readonly why: string }
  | { readonly kind: "wrong"; readonly path: readonly (string | number)[]; readonly trouble: Trouble };

const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === "string" ? [value] : value;

/** The answer for one action. `labels`: those that some node of the swarm offers. */
export function judge(when: WhenForm, values: Values, labels: ReadonlySet<string>): Judgement {
  const { any, not, ...all } = when;
  const first = judgeAll(all as Tests, values, labels, []);
  if (first.kind !== "met") return first;
  if (not) {
    const inner = judgeAll(not as Tests, values, labels, ["not"]);
    if (inner.kind === "wrong") return inner;
    if (inner.kind === "met") return { kind: "unmet", why: `all of not: holds (${described(not as Tests)})` };
  }
  if (any) {
    const why: string[] = [];
    for (const [i, one] of any.entries()) {
      const inner = judgeAll(one as Tests, values, labels, ["any", i]);
      if (inner.kind === "wrong") return inner;
      if (inner.kind === "met") return inner;
      why.push(inner.why);
    }
    return { kind: "unmet", why: `nothing of any: holds (${why.join("; ")})`.slice(0, 500) };
  }
  return { kind: "met" };
}

/** Whether a condition asks what nodes offer. */
export const asksLabels = (when: WhenForm): boolean =>
  when.labels !== undefined ||
  when.not?.labels !== undefined ||
  (when.any ?? []).some((one) => one.labels !== undefined);

function judgeAll(
  tests: Tests,
  values: Values,
  labels: ReadonlySet<string>,
  at: readonly (string | number)[],
): Judgement {
  for (const [name, test] of Object.entries(tests)) {
    if (test === undefined) continue;
    const wanted = list(test);
    if (name === "labels") {
      if (wanted.some((label) => labels.has(label))) continue;
      return { kind: "unmet", why: `no node offers the label ${wanted.join(" or ")}` };
    }
    const value = values.get(name);
    if (!value) return { kind: "wrong", path: [...at, name], trouble: unknown(name, values) };
    for (const pattern of wanted) {
      const trouble = isPattern(pattern) ? patternTrouble(pattern) : undefined;
      if (trouble) return { kind: "wrong", path: [...at, name], trouble };
    }
    if (!value.some((one) => wanted.some((pattern) => matches(pattern, one))))
      return { kind: "unmet", why: `${name} is ${value.join(", ") || "empty"}, not ${wanted.join(" or ")}` };
  }
  return { kind: "met" };
}

const matches = (pattern: string, value: string): boolean =>
  isPattern(pattern) ? compilePattern(pattern)(value) : pattern === value;

const described = (tests: Tests): string =>
  Object.entries(tests)
    .map(([name, test]) => `${name}: ${list(test).join(" or ")}`)
    .join(", ");

function unknown(name: string, values: Values): Trouble {
  const known = [...values.keys()];
  return {
    message: `when asks for ${name}, which is no variable here`,
    hint:
      didYouMean(name, [...known, "labels", "not", "any"]) ??
      `it knows vars: and the matrix${known.length > 0 ? ` (${known.slice(0, 12).join(", ")})` : ""}; of a foreach, except: takes files away`,
  };
}
