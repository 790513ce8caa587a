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
  suspendPolicies,
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
  /** What becomes of its actions where the machine would sleep. */
  suspend: z.enum(suspendPolicies),
} as const;

type SchedulingSettings = z.infer<z.ZodObject<typeof schedulingShape>>;

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
    suspend: settings.suspend,
  };
}
