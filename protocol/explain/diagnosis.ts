/** Rules for errors that are known: what an action printed, or how it ended, and what that means. Specified in specs/diagnosis/README.md. */
import { z } from "zod";

/** What a cause is laid on. */
export const blamed = ["package", "node", "input", "toolchain"] as const;
export type Blamed = (typeof blamed)[number];

const rulesMax = 500;
const patternsMax = 32;
/** Of one failure. */
const toldMax = 3;
/** Lines of the output that are looked at, the last ones, and characters of each. */
const linesMax = 400;
const lineCharsMax = 1000;

const pattern = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => {
    try {
      return Boolean(new RegExp(text));
    } catch {
      return false;
    }
  }, "is no regular expression");

const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "lower-case words with dashes")
      .max(64),
    output: z.array(pattern).min(1).max(patternsMax).optional(),
    reason: z.array(pattern).min(1).max(patternsMax).optional(),
    exitCode: z.array(z.int().min(0).max(255)).min(1).max(64).optional(),
    signal: z
      .array(z.string().regex(/^SIG[A-Z0-9+-]+$/, "is no signal"))
      .min(1)
      .max(32)
      .optional(),
    cause: z.string().min(1).max(300),
    remedy: z.string().min(1).max(600),
    blame: z.enum(blamed),
    command: z.array(z.string().min(1).max(200)).min(1).max(16).optional(),
  })
  .refine((rule) => rule.output || rule.reason || rule.exitCode || rule.signal, "says nothing to go by");

/** The form of a file of rules. */
export const rulesSchema = z.strictObject({ rules: z.array(ruleSchema).max(rulesMax) });
export type Rule = z.infer<typeof ruleSchema>;

/** A run that failed, and what it printed last. */
export interface Failed {
  readonly reason: string;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly output: string;
}

export interface Diagnosis {
  readonly rule: string;
  readonly cause: string;
  readonly remedy: string;
  readonly blame: Blamed;
  /** The line that says so. */
  readonly evidence: string;
  readonly command?: readonly string[];
}

/** What the rules say of a failure, in the order of the rules; none where no rule fits. */
export function diagnose(rules: readonly Rule[], failed: Failed): Diagnosis[] {
  const lines = failed.output.split("\n").slice(-linesMax);
  const found: Diagnosis[] = [];
  for (const rule of rules) {
    if (found.length >= toldMax) break;
    // That it ended like this says nothing more where what it printed is known.
    if (!rule.output && !rule.reason && found.length > 0) continue;
    const evidence = evidenceFor(rule, failed, lines);
    if (!evidence) continue;
    const [line, caught] = evidence;
    // What one rule explains a more general one would only repeat.
    if (found.some((one) => one.evidence === line)) continue;
    const filled = (text: string) =>
      text.replace(/\$([1-9])/g, (_, n: string) => caught[Number(n)]?.trim() ?? "");
    found.push({
      rule: rule.name,
      cause: filled(rule.cause),
      remedy: filled(rule.remedy),
      blame: rule.blame,
      evidence: line,
      ...(rule.command ? { command: rule.command } : {}),
    });
  }
  return found;
}

const expressions = new Map<string, RegExp>();

/** Made once: every failure is held against every rule. */
function expressionOf(text: string): RegExp {
  let expression = expressions.get(text);
  if (!expression) {
    if (expressions.size >= rulesMax * patternsMax) expressions.clear();
    expression = new RegExp(text);
    expressions.set(text, expression);
  }
  return expression;
}

/** The line that a rule fits, and what it caught there. */
function evidenceFor(
  rule: Rule,
  failed: Failed,
  lines: readonly string[],
): [string, readonly string[]] | undefined {
  if (rule.exitCode && !rule.exitCode.includes(failed.exitCode ?? -1)) return undefined;
  if (rule.signal && !rule.signal.includes(failed.signal ?? "")) return undefined;
  for (const text of rule.reason ?? []) {
    const found = expressionOf(text).exec(failed.reason.slice(0, lineCharsMax));
    if (found) return [failed.reason, found];
  }
  for (const text of rule.output ?? []) {
    const expression = expressionOf(text);
    for (const line of lines) {
      const found = expression.exec(line.slice(0, lineCharsMax));
      if (found) return [line.slice(0, lineCharsMax).trim(), found];
    }
  }
  return rule.reason || rule.output ? undefined : [failed.reason, []];
}
