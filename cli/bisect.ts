/** Halving: which of many epochs was the first bad one, when one before it was good. Knows nothing of what they hold. */

export type Judgement = "good" | "bad" | "skip";

/** What is known so far. */
export interface Search {
  /** In order, all different from each other in what matters; the first is good, the last is bad. */
  readonly candidates: readonly number[];
  readonly good: number;
  readonly bad: number;
  /** Of these nothing can be said. */
  readonly skipped: ReadonlySet<number>;
}

export type Step =
  /** This one tells most. */
  | { readonly kind: "try"; readonly epoch: number; readonly left: number }
  /** The first bad one; with skipped ones in between it may also be one of those. */
  | { readonly kind: "found"; readonly epoch: number; readonly or: readonly number[] };

export function nextStep({ candidates, good, bad, skipped }: Search): Step {
  const between = candidates.filter((epoch) => epoch > good && epoch < bad);
  const open = between.filter((epoch) => !skipped.has(epoch));
  if (open.length === 0) return { kind: "found", epoch: bad, or: between };
  return { kind: "try", epoch: open[Math.floor(open.length / 2)]!, left: open.length };
}

export function judged(search: Search, epoch: number, as: Judgement): Search {
  if (as === "good") return { ...search, good: epoch };
  if (as === "bad") return { ...search, bad: epoch };
  return { ...search, skipped: new Set([...search.skipped, epoch]) };
}
