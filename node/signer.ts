/** Ed25519 through node:crypto: the key of this node, and the verification of everybody else's signatures. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { type PeerId, peerIdOf, publicKeyOf } from "../protocol/kernel/ids.ts";
import type { Signer } from "../protocol/ports.ts";

/** PKCS #8 and SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): fixed bytes, then the 32 of the key. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** Native keys kept; making one costs about as much as a verification. */
const keysMax = 4096;

/** 32 bytes of the system's randomness. */
export const newSeed = (): Uint8Array => new Uint8Array(randomBytes(32));

/** The private key that a 32-byte seed stands for. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`);
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
}

/** The 32-byte seed of an Ed25519 private key; undefined for a key of another kind. */
export function seedOf(key: KeyObject): Uint8Array | undefined {
  if (key.asymmetricKeyType !== "ed25519" || key.type !== "private") return undefined;
  return new Uint8Array(key.export({ format: "der", type: "pkcs8" }).subarray(pkcs8Prefix.length));
}

const keys = new Map<string, KeyObject>();

/** The native key of an author; undefined where the id is none of an Ed25519 key. */
export function keyOf(author: PeerId): KeyObject | undefined {
  const known = keys.get(author);
  if (known) return known;
  const raw = publicKeyOf(author);
  if (!raw) return undefined;
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
  if (keys.size >= keysMax) keys.clear();
  keys.set(author, key);
  return key;
}

/** The 32-byte public key that belongs to a 32-byte seed. */
export const publicHalfOf = (seed: Uint8Array): Uint8Array => rawOf(createPublicKey(privateKeyOf(seed)));

const rawOf = (key: KeyObject) =>
  new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length));

/** As the port says it: of any author, without a key of one's own. */
export const verifySignature: Signer["verify"] = (author, id, signature) => {
  try {
    const key = keyOf(author);
    return key !== undefined && signature.length === 64 && verify(null, hashBytes(id), key, signature);
  } catch {
    return false;
  }
};

/** Signs with the key of `seed` (32 bytes); verifies for any author. */
export function createSigner(seed: Uint8Array): Signer {
  const privateKey = privateKeyOf(seed);
  return {
    self: peerIdOf(rawOf(createPublicKey(privateKey))),
    sign: (id) => new Uint8Array(sign(null, hashBytes(id), privateKey)),
    verify: verifySignature,
  };
}

function hashBytes(id: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new RangeError("an id is 64 hex digits");
  return Buffer.from(id, "hex");
}
