/** A peer id in short, for people to compare by eye on two machines. */
import { sha256Hex } from "../kernel/digest.ts";
import type { PeerId } from "../kernel/ids.ts";

/** 16 hex digits in groups of four, of the sha2-256 of the peer id: too many to be met by trying keys. */
export const fingerprintOf = (peer: PeerId): string =>
  sha256Hex(`swarmd-fingerprint-1 ${peer}`)
    .slice(0, 16)
    .replace(/(.{4})(?=.)/g, "$1-");
