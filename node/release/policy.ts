/** What the owner of this node asks of a release (specs/verify.md). */
import { z } from "zod";
import type { RiskPolicy } from "../../protocol/build/verdict.ts";
import { baseSonames } from "../../protocol/release/targets.ts";

const listMax = 4096;

/** Each a setting of the node, by its name. */
export const riskPolicyShape = {
  /** Distinct members that must have built an artifact alike. */
  releaseBuilders: z.int().min(0).max(16),
  releaseSigned: z.boolean(),
  /** Sonames beside those that every machine has. */
  releaseBase: z.array(z.string().min(1).max(256)).max(listMax),
  releaseForeign: z
    .array(
      z
        .string()
        .max(1024)
        .regex(/^[^/].*\/$/, "a folder inside a package is written as usr/lib/firmware/"),
    )
    .max(listMax),
} as const;

/** The settings as the core takes them. */
export const riskPolicyOf = (settings: z.infer<z.ZodObject<typeof riskPolicyShape>>): RiskPolicy => ({
  builders: settings.releaseBuilders,
  signed: settings.releaseSigned,
  base: [...baseSonames, ...settings.releaseBase],
  foreign: settings.releaseForeign,
});
