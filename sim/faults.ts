/** The vocabulary of faults: everything a simulated world can do to a host, as data that scenarios write and sweeps draw. */
import { z } from "zod";

const ms = z
  .number()
  .nonnegative()
  .max(7 * 86_400_000);
const share = z.number().min(0).max(1);
const host = z.string().min(1).max(63);
const hosts = z.array(host).min(1).max(4096);

/** When it begins, counted from the moment it is applied. */
const at = { atMs: ms.default(0) };
/** Without `forMs` it lasts until somebody mends it. */
const lasting = { ...at, forMs: ms.optional() };

export const byzantineWays = [
  /** Says `done` at once, with digests of outputs that it never made. */
  "forged-results",
  /** Answers whoever looks for a result with one that nobody made: under others' names, without proof, or by its own word. */
  "forged-answers",
  /** Signs two entries for one place of its chain and shows each to one half of the swarm. */
  "equivocation",
  /** Sends entries, asks and vitals at a high rate. */
  "flooding",
  /** Sends entries under others' names, and its own unsigned or wrongly signed. */
  "foreign-keys",
  /** Takes work and never runs it. */
  "never-runs",
  /** Swallows what it is asked for. */
  "never-answers",
] as const;
export type ByzantineWay = (typeof byzantineWays)[number];

export const versionWays = [
  /** Speaks of things that others have no word for. */
  "newer",
  /** Does not know the newest kinds of events: stores them, folds nothing. */
  "older",
  /** Does not know the fold that the builds name. */
  "other-fold",
] as const;
export type VersionWay = (typeof versionWays)[number];

const kinds = [
  /** SIGKILL of the daemon. */
  z.strictObject({ kind: z.literal("crash"), host, backAfterMs: ms.optional(), ...at }),
  /** A power cut: what the disk had not synced may be gone or torn. */
  z.strictObject({ kind: z.literal("power"), host, backAfterMs: ms.optional(), ...at }),
  /** SIGSTOP of the daemon: its clocks and its actions go on. */
  z.strictObject({ kind: z.literal("pause"), host, ...lasting }),
  /** The machine sleeps: monotonic time, actions and connections stand still or break; wall time goes on. */
  z.strictObject({ kind: z.literal("suspend"), host, ...lasting }),
  z.strictObject({ kind: z.literal("disk-full"), host, ...lasting }),
  /** `write`, `read`: EIO while it lasts. `rot`: a share of what is stored at that moment is no longer what it was. */
  z.strictObject({
    kind: z.literal("disk-error"),
    host,
    on: z.enum(["write", "read", "rot"]),
    share: share.default(0.2),
    ...lasting,
  }),
  /** The wall clock alone. */
  z.strictObject({
    kind: z.literal("clock-jump"),
    host,
    byMs: z
      .number()
      .min(-7 * 86_400_000)
      .max(7 * 86_400_000),
    ...at,
  }),
  /** Both clocks run faster (or slower) than the world's. */
  z.strictObject({
    kind: z.literal("clock-drift"),
    host,
    ppm: z.number().min(-500_000).max(500_000),
    ...lasting,
  }),
  /** Nothing comes through from these to those (all others, when left out). */
  z.strictObject({
    kind: z.literal("cut"),
    from: hosts,
    to: hosts.optional(),
    oneWay: z.boolean().default(false),
    ...lasting,
  }),
  /** Cut and healed again and again. */
  z.strictObject({
    kind: z.literal("flap"),
    from: hosts,
    to: hosts.optional(),
    oneWay: z.boolean().default(false),
    downMs: ms.min(1).default(2000),
    upMs: ms.min(1).default(2000),
    ...lasting,
  }),
  /** These hosts (all, when left out) are cut off one after another, and come back in another order. */
  z.strictObject({ kind: z.literal("swizzle"), hosts: hosts.optional(), ...lasting, forMs: ms.min(1) }),
  /** Links of these hosts (all, when left out) work worse. Shares: of gossip lost, doubled and late; of all messages and blobs corrupt; of unicasts that break their connection. */
  z.strictObject({
    kind: z.literal("network"),
    hosts: hosts.optional(),
    loss: share.optional(),
    twice: share.optional(),
    late: share.optional(),
    lateMs: ms.optional(),
    corrupt: share.optional(),
    reset: share.optional(),
    delayMs: ms.optional(),
    jitterMs: ms.optional(),
    bytesPerSecond: z.number().min(1).optional(),
    gossipDelayMs: ms.optional(),
    ...lasting,
  }),
  /** A share of the runs that begin takes `factor` times as long. */
  z.strictObject({
    kind: z.literal("stragglers"),
    hosts: hosts.optional(),
    share: share.default(0.02),
    factor: z.number().min(1).max(1000).default(8),
    ...lasting,
  }),
  /** A share of the runs that begin never ends by itself and says nothing. */
  z.strictObject({
    kind: z.literal("hang"),
    hosts: hosts.optional(),
    share: share.default(0.05),
    ...lasting,
  }),
  /** A share of the runs that begin fails, by the node's doing or by the command's. */
  z.strictObject({
    kind: z.literal("break"),
    hosts: hosts.optional(),
    share: share.default(0.1),
    cause: z.enum(["infrastructure", "deterministic"]).default("infrastructure"),
    ...lasting,
  }),
  /** Every run fails by the node's doing within 10 ms. */
  z.strictObject({ kind: z.literal("black-hole"), host, ...lasting }),
  /** The whole machine works at this share of its speed. */
  z.strictObject({
    kind: z.literal("slow"),
    host,
    factor: z.number().min(0.001).max(1).default(0.25),
    ...lasting,
  }),
  z.strictObject({ kind: z.literal("byzantine"), host, how: z.enum(byzantineWays), ...lasting }),
  /** The disk's image starts on a second machine, under the same identity. */
  z.strictObject({ kind: z.literal("clone"), host, ...lasting }),
  /** A backup is taken; `ageMs` later the disk is set back to it, and the daemon starts from that. */
  z.strictObject({ kind: z.literal("restore"), host, ageMs: ms.default(5000), ...at }),
  /** The daemon comes back as another version. */
  z.strictObject({ kind: z.literal("mixed-version"), host, how: z.enum(versionWays), ...lasting }),
  /** It is no member and asks to come in, until an admin lets it. */
  z.strictObject({ kind: z.literal("join"), host, ...at }),
  /** An admin revokes it. */
  z.strictObject({ kind: z.literal("revoke"), host, ...at }),
  /** An admin gives it other roles: it may only look on. */
  z.strictObject({ kind: z.literal("demote"), host, ...at }),
  /** It leaves the swarm. */
  z.strictObject({ kind: z.literal("leave"), host, ...at }),
  /** Per minute this share of the hosts (or of those named) crashes and comes back. */
  z.strictObject({
    kind: z.literal("churn"),
    hosts: hosts.optional(),
    sharePerMinute: z.number().positive().max(60).default(0.05),
    backAfterMs: ms.default(10_000),
    ...lasting,
  }),
  /** The air around these hosts (all, when left out) is so much warmer. */
  z.strictObject({
    kind: z.literal("hot"),
    hosts: hosts.optional(),
    byCelsius: z.number().min(0).max(200),
    ...lasting,
  }),
  /** The owner of the machine uses this share of it. */
  z.strictObject({ kind: z.literal("owner"), host, share: share.default(0.5), ...lasting }),
] as const;

/** One fault. Strict: an unknown key is refused. Times in milliseconds, `atMs` counted from when it is applied. */
export const faultSchema = z.discriminatedUnion("kind", kinds);
export type Fault = z.infer<typeof faultSchema>;
/** As people and generators write it: what has a default may be left out. */
export type FaultInput = z.input<typeof faultSchema>;
export type FaultKind = Fault["kind"];
export const faultKinds: readonly FaultKind[] = kinds.map((k) => k.shape.kind.value);
