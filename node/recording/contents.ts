/** What stands in the sections of a recording, section by section. In prose: specs/recording.md. */
import { z } from "zod";
import { isDigest } from "../../protocol/kernel/digest.ts";
import {
  type ActionName,
  type BuildId,
  type Digest,
  type Incarnation,
  isBuildId,
  isHash,
  isIncarnation,
  isPeerId,
  type PeerId,
  type SwarmId,
} from "../../protocol/kernel/ids.ts";
import { vitalsSchema } from "../../protocol/swarm/vitals.ts";

/** Earlier builds of the same name that an action is held against. */
export const earlierMax = 4;
/** A piece of a blob or of a tape. */
export const pieceBytes = 1 << 20;

const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const inc = z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v));
const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v));
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const action = z.string().min(1).max(512) as unknown as z.ZodType<ActionName>;
const bytes = z.custom<Uint8Array>((v) => v instanceof Uint8Array);
const count = z.int().nonnegative();
/** Later than that there are no dates. */
const ms = z.number().nonnegative().max(8.64e15);
const sum = z.string().regex(/^[0-9a-f]{16}$/);
const orUnknown = z.union([z.number(), z.literal("unknown")]);

export const logChoices = ["failed", "all", "none"] as const;
/** Whose output a recording takes along. */
export type LogChoice = (typeof logChoices)[number];

/** Where it comes from, and what must be in it. The first of `builds` is the one that was asked for. */
export const headSchema = z.strictObject({
  v: z.literal(1),
  swarm: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
  /** Who recorded: its name then, its start, its program's version. */
  by: peer,
  inc,
  node: z.string().max(64),
  program: z.string().max(64),
  /** By its clock. */
  atMs: ms,
  logs: z.enum(logChoices),
  tapes: z.boolean(),
  /** Entries of each, and what their ids add up to. */
  builds: z
    .array(z.strictObject({ build, entries: count, sum }))
    .min(1)
    .max(1 + earlierMax),
  /** How far its author had the chains of all, and what they add up to. */
  frontier: z.array(z.tuple([peer, inc, count, sum])).max(20_000),
  /** Proofs of who contradicts himself. */
  forks: z.array(z.tuple([bytes, bytes])).max(1000),
});
export type Head = z.infer<typeof headSchema>;

/** Signed entries as they were sent, of builds and of the timeline. */
export const entriesSchema = z.array(bytes).max(100_000);
/** A blob, piece by piece, one after the other. */
export const blobSchema = z.strictObject({ digest, at: count, bytes });
/** A recorded stretch of the node's life, piece by piece. */
export const tapeSchema = z.strictObject({ name: z.string().max(128), at: count, bytes });
/** What each node said of itself last. */
export const nodesSchema = z.array(vitalsSchema).max(4096);
/** What nodes said of themselves meanwhile. */
export const readingsSchema = z
  .array(
    z.strictObject({
      peer,
      atMs: ms,
      load: orUnknown,
      temperatureCelsius: orUnknown,
      headroomCelsius: orUnknown,
      slots: count.optional(),
      running: count.optional(),
      limitedBy: z.string().max(128).optional(),
    }),
  )
  .max(20_000);
/** Files of folders that actions made, where they were read. */
export const treesSchema = z
  .array(
    z.strictObject({
      digest,
      files: z
        .array(
          z.strictObject({
            path: z.string().max(4096),
            digest,
            executable: z.boolean(),
            link: z.string().max(4096).optional(),
            folder: z.literal(true).optional(),
          }),
        )
        .max(50_000),
    }),
  )
  .max(20_000);
/** The table of what was known of durations (`protocol/work/history.ts`). */
export const historySchema = bytes;
/** Runs of other builds: build, action, group, key, peer, outcome. */
export const runsSchema = z
  .array(
    z.tuple([
      build,
      action,
      z.string().max(512),
      digest,
      peer,
      z.enum(["done", "deterministic", "infrastructure"]),
    ]),
  )
  .max(10_000);
/** What is not in it, and why. */
export const leftSchema = z
  .array(z.strictObject({ what: z.string().max(1024), why: z.string().max(1024) }))
  .max(10_000);
export type LeftOut = z.infer<typeof leftSchema>[number];
