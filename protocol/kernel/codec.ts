/**
 * The one encoding of everything we say and store: canonical dag-cbor. Digests, hashes and peer ids, which are text in
 * memory, are bytes on the wire (a tag byte, then the bare value), so that a fact costs what it must and no more.
 */
import * as dagCbor from "@ipld/dag-cbor";
import { SwarmError } from "./errors.ts";
import { type Digest, peerIdOf, publicKeyOf } from "./ids.ts";

const tagBytes = 0;
const tagDigest = 1;
const tagPeer = 2;
const tagHash = 3;

const packable = /^[0-9a-f]{64}(\/(0|[1-9][0-9]{0,15}))?$/;

function packText(text: string): string | Uint8Array {
  if (text.length === 52) {
    const key = publicKeyOf(text);
    if (!key) return text;
    const packed = new Uint8Array(33);
    packed[0] = tagPeer;
    packed.set(key, 1);
    return packed;
  }
  if (text.length < 64 || text.length > 81 || !packable.test(text)) return text;
  const hash = Buffer.from(text.slice(0, 64), "hex");
  if (text.length === 64) {
    const packed = new Uint8Array(33);
    packed[0] = tagHash;
    packed.set(hash, 1);
    return packed;
  }
  let size = Number(text.slice(65));
  if (!Number.isSafeInteger(size)) return text;
  const sizeBytes: number[] = [];
  while (size > 0) {
    sizeBytes.push(size % 256);
    size = Math.floor(size / 256);
  }
  const packed = new Uint8Array(33 + sizeBytes.length);
  packed[0] = tagDigest;
  packed.set(hash, 1);
  packed.set(sizeBytes, 33);
  return packed;
}

function unpackBytes(bytes: Uint8Array): unknown {
  switch (bytes[0]) {
    case tagBytes:
      return Uint8Array.prototype.slice.call(bytes, 1);
    case tagPeer:
      if (bytes.length === 33) return peerIdOf(Uint8Array.prototype.slice.call(bytes, 1));
      break;
    case tagHash:
      if (bytes.length === 33) return Buffer.from(bytes.buffer, bytes.byteOffset + 1, 32).toString("hex");
      break;
    case tagDigest:
      if (
        bytes.length >= 33 &&
        bytes.length <= 40 &&
        (bytes.length === 33 || bytes[bytes.length - 1] !== 0)
      ) {
        let size = 0;
        for (let i = bytes.length - 1; i >= 33; i--) size = size * 256 + bytes[i]!;
        if (Number.isSafeInteger(size))
          return `${Buffer.from(bytes.buffer, bytes.byteOffset + 1, 32).toString("hex")}/${size}` as Digest;
      }
      break;
  }
  throw new SwarmError("malformed", "a packed value has an unknown or wrong form");
}

function pack(value: unknown): unknown {
  if (typeof value === "string") return packText(value);
  if (value instanceof Uint8Array) {
    const packed = new Uint8Array(value.length + 1);
    packed.set(value, 1);
    return packed;
  }
  if (Array.isArray(value)) return value.map(pack);
  if (value !== null && typeof value === "object") {
    const packed: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) if (item !== undefined) packed[key] = pack(item);
    return packed;
  }
  return value;
}

function unpack(value: unknown): unknown {
  if (value instanceof Uint8Array) return unpackBytes(value);
  if (Array.isArray(value)) return value.map(unpack);
  if (value !== null && typeof value === "object") {
    const unpacked: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      if (key === "__proto__") throw new SwarmError("malformed", "a key is named __proto__");
      unpacked[key] = unpack(item);
    }
    return unpacked;
  }
  return value;
}

/** Canonical bytes of a plain value (objects, arrays, text, finite numbers, booleans, null, Uint8Array). Absent and undefined are the same. */
export const encode = (value: unknown): Uint8Array => plain(dagCbor.encode(pack(value)));

/** The same bytes as a bare Uint8Array: the encoder may hand out a Buffer, which Yjs does not take. */
const plain = (bytes: Uint8Array): Uint8Array =>
  bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

/** The value of canonical bytes. Throws `malformed` for bytes that are not the one canonical encoding of a value. */
export function decode(bytes: Uint8Array, maxBytes: number): unknown {
  if (bytes.length > maxBytes)
    throw new SwarmError("too-large", `a value of ${bytes.length} bytes exceeds the bound of ${maxBytes}`);
  try {
    const value = unpack(dagCbor.decode(bytes));
    // The decoder takes keys in any order, and text where a packed name belongs: one value would have many encodings.
    if (Buffer.compare(encode(value), bytes) === 0) return value;
  } catch (cause) {
    throw cause instanceof SwarmError
      ? cause
      : new SwarmError("malformed", "the bytes are not canonical dag-cbor", { cause });
  }
  throw new SwarmError("malformed", "the bytes are not the one encoding of what they say");
}
