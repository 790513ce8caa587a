/** Content addresses: sha2-256 plus size. One of the two doors of the pure room: it may use node:crypto's synchronous hash. */
import { createHash, hash } from "node:crypto";
import { base32 } from "multiformats/bases/base32";
import type { Digest } from "./ids.ts";

const digestText = /^[0-9a-f]{64}\/(0|[1-9][0-9]{0,15})$/;

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** sha2-256 as 64 lower-case hex digits. */
export const sha256Hex = (bytes: Uint8Array | string): string => hash("sha256", bytes, "hex");

export const digestOf = (bytes: Uint8Array): Digest => `${sha256Hex(bytes)}/${bytes.length}` as Digest;

export const digestFrom = (hash: string, sizeBytes: number): Digest => `${hash}/${sizeBytes}` as Digest;

export const isDigest = (text: string): text is Digest => digestText.test(text);

/** The 64 hex digits of a digest. */
export const hashOf = (digest: Digest): string => digest.slice(0, 64);

/** The size a digest speaks of, in bytes. */
export const sizeOf = (digest: Digest): number => Number(digest.slice(65));

/** The empty blob is always present, also if it was never stored (REAPI). */
export const emptyDigest = digestOf(new Uint8Array());

/** The 64 hex digits in a CIDv1 (raw, sha2-256, base32); undefined for anything else. */
export function hashOfCid(text: string): string | undefined {
  if (!/^b[a-z2-7]{58}$/.test(text)) return undefined;
  const bytes = base32.decode(text as `b${string}`);
  if (bytes[0] !== 0x01 || bytes[1] !== 0x55 || bytes[2] !== 0x12 || bytes[3] !== 0x20) return undefined;
  return Buffer.from(bytes.subarray(4)).toString("hex");
}

/** CIDv1 (raw, sha2-256, base32) of the same bytes. */
export function cidOf(digest: Digest): string {
  const hash = hashOf(digest);
  const bytes = new Uint8Array(36);
  bytes.set([0x01, 0x55, 0x12, 0x20]);
  for (let i = 0; i < 32; i++) bytes[4 + i] = Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16);
  return base32.encode(bytes);
}
