/** Values as the event store keeps them: with a sum at their end, for a disk may give back other bytes than it was given. */
import { crc32 } from "node:zlib";

const sumBytes = 4;

/** The bytes, and their CRC-32 behind them, big-endian. */
export function summed(bytes: Uint8Array): Uint8Array {
  const value = Buffer.allocUnsafe(bytes.length + sumBytes);
  value.set(bytes);
  value.writeUInt32BE(crc32(bytes), bytes.length);
  return value;
}

/** The bytes of a value, as a bare Uint8Array, which is what Yjs takes; undefined when they are not what was written. */
export function checked(value: Uint8Array): Uint8Array | undefined {
  const length = value.length - sumBytes;
  if (length < 0) return undefined;
  const sum = new DataView(value.buffer, value.byteOffset + length, sumBytes).getUint32(0);
  const bytes = new Uint8Array(value.subarray(0, length));
  return crc32(bytes) === sum ? bytes : undefined;
}
