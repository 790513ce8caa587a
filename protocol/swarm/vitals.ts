/** Vitals: the small record each node gossips of itself. Volatile, never part of a fold. */
import { z } from "zod";
import {
  type BuildId,
  type Incarnation,
  isBuildId,
  isIncarnation,
  isPeerId,
  type PeerId,
} from "../kernel/ids.ts";

import { type Policy, policies } from "./policy.ts";

export type Unknown = "unknown";

/** What the node's sensors say of it. A sensor that is not there reads `unknown`. */
export interface LocalVitals {
  readonly cores: number;
  /** One-minute load average. */
  readonly load: number | Unknown;
  /** Share of the last 10 s in which some task waited, in percent (Linux PSI `some avg10`). */
  readonly pressurePercent: { readonly cpu: number; readonly memory: number; readonly io: number } | Unknown;
  readonly temperatureCelsius: number | Unknown;
  /** Degrees left until the hottest sensor's limit. */
  readonly headroomCelsius: number | Unknown;
  readonly memoryTotalBytes: number;
  readonly memoryFreeBytes: number;
  readonly diskTotalBytes: number;
  readonly diskFreeBytes: number;
  readonly sandbox: "bubblewrap" | "none";
  /** Whether the machine's owner uses it now. */
  readonly ownerActive?: boolean;
  /** Cores that programs of others than this node used lately; absent: nobody looks. */
  readonly othersCores?: number;
  /** It runs on a battery, or its lid is closed, so that it may sleep any moment; absent: it does not, or nobody looks. */
  readonly leaving?: "battery" | "lid";
  /** What it builds for without a cross compiler: `x86_64-linux-gnu`. */
  readonly target: string;
  /** Names of the secrets that it may give to actions, sorted; absent: none. */
  readonly secrets?: readonly string[];
  /** `ID` of its os-release, where it has one: `debian`. */
  readonly distribution?: string;
  /** Toolchain name → fingerprint (`protocol/build/toolchain.ts`: version and target stand in its text). */
  readonly toolchains: Readonly<Record<string, string>>;
}

/** One node's beat: its sensors, what it does, and digests of what it knows so that a difference is noticed. */
export interface Vitals extends LocalVitals {
  readonly peer: PeerId;
  readonly inc: Incarnation;
  readonly name: string;
  readonly version: string;
  /** Counts up with each beat of one incarnation. */
  readonly beat: number;
  /** Actions it would run at once now; fewer than it declared while it is hot, in use by its owner, drained or grounded. */
  readonly slots: number;
  /** Slots it has while nothing limits it; absent: `slots`. */
  readonly slotsMax?: number;
  /** Slots taken. */
  readonly running: number;
  /** Why `slots` are fewer than declared: `disk`, `space`, `clone`, `hot`, `pressure`, `owner`, `standby`, `paused`, `drained`, `grounded`, `stopping`. */
  readonly limitedBy?: string;
  readonly labels: readonly string[];
  readonly fenced: boolean;
  readonly policy: Policy;
  /** How fast it warms up (or cools down, below 0), degrees per second, as it measured itself; absent: not known. */
  readonly warmingCelsius?: number;
  /** Memory that its running actions asked for. */
  readonly reservedBytes: number;
  /** Whether it takes work that others submitted. */
  readonly foreign: boolean;
  /** Digest of its timeline frontier and, per live build, of its ledger's state vector. */
  readonly frontier: string;
  readonly ledgers: Readonly<Record<BuildId, string>>;
  /** Live builds whose graph it has not been able to get for a while: it hands out nothing there. */
  readonly blind?: readonly BuildId[];
  /** What the ended builds add up to that are no longer in memory. */
  readonly archive?: string;
  /** What its wall clock reads as it beats. Nobody obeys it: a difference is shown. */
  readonly wallMs?: number;
  /** How much longer it stays awake and beats quickly, milliseconds; absent: it is of a version that always does. */
  readonly awakeMs?: number;
}

/** Of one node, those its owner declared included. */
export const toolchainsMax = 256;

/** Builds that a beat names as out of sight. */
export const blindMax = 64;

const shortText = z.string().max(128);
const count = z.number().nonnegative();
const orUnknown = z.union([z.number(), z.literal("unknown")]);

export const vitalsSchema: z.ZodType<Vitals, unknown> = z.object({
  peer: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  inc: z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v)),
  name: shortText,
  version: shortText,
  beat: z.int().nonnegative(),
  slots: z.int().nonnegative().max(4096),
  slotsMax: z.int().nonnegative().max(4096).optional(),
  running: z.int().nonnegative().max(4096),
  foreign: z.boolean(),
  frontier: shortText,
  limitedBy: shortText.optional(),
  labels: z.array(z.string().max(64)).max(64).default([]),
  fenced: z.boolean().default(false),
  policy: z.enum(policies).default("normal"),
  warmingCelsius: z.number().min(-1000).max(1000).optional(),
  reservedBytes: count.default(0),
  ledgers: z.record(
    z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v)) as z.ZodType<BuildId, string>,
    shortText,
  ),
  blind: z
    .array(z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v)))
    .max(blindMax)
    .optional(),
  archive: shortText.optional(),
  wallMs: count.optional(),
  awakeMs: count.optional(),
  cores: count,
  load: orUnknown,
  pressurePercent: z.union([z.object({ cpu: count, memory: count, io: count }), z.literal("unknown")]),
  temperatureCelsius: orUnknown,
  headroomCelsius: orUnknown,
  memoryTotalBytes: count,
  memoryFreeBytes: count,
  diskTotalBytes: count,
  diskFreeBytes: count,
  sandbox: z.enum(["bubblewrap", "none"]),
  ownerActive: z.boolean().optional(),
  othersCores: count.max(4096).optional(),
  leaving: z.enum(["battery", "lid"]).optional(),
  target: shortText,
  secrets: z.array(z.string().max(64)).max(64).optional(),
  distribution: shortText.optional(),
  toolchains: z
    .record(shortText, shortText)
    .refine((all) => Object.keys(all).length <= toolchainsMax, `more than ${toolchainsMax} toolchains`),
});
