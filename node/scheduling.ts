/** The settings of how this node takes work, and what they come to (specs/scheduling.md). */
import { z } from "zod";
import { byText } from "../protocol/kernel/ids.ts";
import {
  copyPolicies,
  defaultScheduling,
  modes,
  policies,
  type Scheduling,
  type ScorePart,
  scoreParts,
} from "../protocol/swarm/policy.ts";

const label = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/,
    "a label is letters, digits, dots, dashes, plus signs and underscores",
  );
const weight = z.number().min(0).max(1000);
const durationMs = z
  .int("a duration is written as 30s, 5m or 1h30m")
  .min(0)
  .max(7 * 86_400_000, "at most seven days");

/** Each a setting of the node, by its name. */
export const schedulingShape = {
  /** How candidates are scored. */
  mode: z.enum(modes),
  /** Of mode `weighted`: parts that are not named keep their own weight. */
  weights: z.strictObject(
    Object.fromEntries(scoreParts.map((part) => [part, weight.optional()])) as Record<
      ScorePart,
      z.ZodOptional<z.ZodNumber>
    >,
  ),
  policy: z.enum(policies),
  labels: z.array(label).max(64),
  fenced: z.boolean(),
  temperatureCelsiusMax: z.number().min(20).max(150),
  pressurePercentMax: z.number().min(1).max(100),
  sustainedMs: durationMs,
  groundingFailures: z.int().min(1).max(1000),
  groundingWindowMs: durationMs.min(1000),
  groundingForMs: durationMs.min(1000),
  standbyHoldOffMs: durationMs,
  /** Whether the owner's work at the machine counts: `yield` leaves `ownerSlots` to the swarm while somebody is at it. */
  owner: z.enum(["ignore", "yield"]),
  ownerIdleMs: durationMs.min(1000),
  ownerSlots: z.int().min(0).max(4096),
  twinAfter: z.number().min(0).max(1000),
  /** Which results of others that are still needed it keeps a second time. */
  copies: z.enum(copyPolicies),
} as const;

type SchedulingSettings = z.infer<z.ZodObject<typeof schedulingShape>>;

/** What holds where nothing is set. */
export const schedulingDefaults = (): SchedulingSettings => ({
  mode: defaultScheduling.mode,
  weights: {},
  policy: defaultScheduling.policy,
  labels: [],
  fenced: defaultScheduling.fenced,
  temperatureCelsiusMax: defaultScheduling.temperatureCelsiusMax,
  pressurePercentMax: defaultScheduling.pressurePercentMax,
  sustainedMs: defaultScheduling.sustainedMs,
  groundingFailures: defaultScheduling.grounding.failures,
  groundingWindowMs: defaultScheduling.grounding.windowMs,
  groundingForMs: defaultScheduling.grounding.forMs,
  standbyHoldOffMs: defaultScheduling.standbyHoldOffMs,
  owner: "ignore",
  ownerIdleMs: 5 * 60_000,
  ownerSlots: defaultScheduling.ownerSlots,
  twinAfter: defaultScheduling.twinAfter,
  copies: defaultScheduling.copies,
});

/** The settings as the core takes them. */
export function schedulingOf(settings: SchedulingSettings): Scheduling {
  const weights = { ...defaultScheduling.weights };
  for (const part of scoreParts) weights[part] = settings.weights[part] ?? weights[part];
  return {
    mode: settings.mode,
    weights,
    policy: settings.policy,
    labels: [...new Set(settings.labels)].sort(byText),
    fenced: settings.fenced,
    temperatureCelsiusMax: settings.temperatureCelsiusMax,
    pressurePercentMax: settings.pressurePercentMax,
    sustainedMs: settings.sustainedMs,
    grounding: {
      failures: settings.groundingFailures,
      windowMs: settings.groundingWindowMs,
      forMs: settings.groundingForMs,
    },
    standbyHoldOffMs: settings.standbyHoldOffMs,
    ownerSlots: settings.ownerSlots,
    twinAfter: settings.twinAfter,
    copies: settings.copies,
  };
}

/** Text of the environment or a flag as what such a setting wants; undefined for a setting that is text; what does not fit is left for the schema to refuse. */
export function schedulingFromText(key: string, text: string): unknown {
  if (key === "labels")
    return text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  if (key === "weights")
    return Object.fromEntries(
      text.split(",").map((item) => {
        const [part = "", weight = ""] = item.split("=");
        return [part.trim(), weight.trim() === "" ? weight : Number(weight)];
      }),
    );
  if (key.endsWith("Ms")) return durationOf(text);
  if (key === "fenced")
    return { 1: true, true: true, yes: true, 0: false, false: false, no: false }[text.toLowerCase()] ?? text;
  const isNumber =
    key.endsWith("Max") || key === "groundingFailures" || key === "ownerSlots" || key === "twinAfter";
  return isNumber && /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
}

/** Milliseconds of a number or of text such as `90s` or `1h30m`. */
function durationOf(text: string): unknown {
  if (/^[0-9]+$/.test(text)) return Number(text);
  if (!/^([0-9]+(ms|s|m|h|d))+$/.test(text)) return text;
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g))
    ms += Number(count) * unitMs[unit as keyof typeof unitMs];
  return ms;
}
