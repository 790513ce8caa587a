/** What a package may come to, by its size: more is no honest package. */
import type { TarLimits } from "./tar-members.ts";

export interface PackageLimits {
  readonly membersMax: number;
  readonly unpackedBytesMax: number;
  /** Bytes unpacked for each byte of the package … */
  readonly ratioMax: number;
  /** … once there are more than these. */
  readonly freeBytes: number;
}

export const packageLimits: PackageLimits = {
  membersMax: 300_000,
  unpackedBytesMax: 32 * 2 ** 30,
  ratioMax: 200,
  freeBytes: 64 << 20,
};

/** What may come out of `packedBytes`. */
export const tarLimits = (limits: PackageLimits, packedBytes: number): TarLimits => ({
  membersMax: limits.membersMax,
  bytesMax: Math.min(limits.unpackedBytesMax, Math.max(limits.freeBytes, limits.ratioMax * packedBytes)),
});

/** Of one value of a package's own description, and of all of them. */
export const valueBytesMax = 1 << 20;
export const metadataBytesMax = 32 << 20;
