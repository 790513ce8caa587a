/** Bytes that somebody altered: from valid ones by flips, lies about lengths, cuts, doublings, splices; or from nothing at all. */
import type { Dice } from "./dice.ts";

/** Bytes that begin something, end something or count high in the encodings that are read here. */
const telling = [0x00, 0x01, 0x02, 0x17, 0x18, 0x1b, 0x20, 0x3b, 0x40, 0x5b, 0x60, 0x7b, 0x7f, 0x80, 0x9b];
const alsoTelling = [0x9f, 0xa0, 0xa1, 0xbb, 0xbf, 0xc0, 0xd9, 0xf4, 0xf6, 0xf7, 0xf9, 0xfb, 0xfe, 0xff];
const marks = [...telling, ...alsoTelling];

/** What a length may say that is none. */
const lies: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0x00, 0x40, 0x00, 0x00],
  [0x00, 0x00, 0x00, 0x00],
  [0x9a, 0x00, 0xff, 0xff, 0xff],
  [0xba, 0x00, 0xff, 0xff, 0xff],
  [0x5a, 0xff, 0xff, 0xff, 0xff],
  [0x9b, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
];

/** One hostile text of bytes, at most `maxBytes` long. */
export function hostileBytes(dice: Dice, samples: readonly Uint8Array[], maxBytes: number): Uint8Array {
  if (samples.length === 0 || dice.once(12)) return garbage(dice, maxBytes);
  let bytes: Uint8Array = Uint8Array.from(dice.pick(samples));
  for (let left = 1 + dice.below(4); left > 0; left--) bytes = altered(dice, bytes, samples);
  return bytes.subarray(0, maxBytes);
}

/** Noise, or one or two bytes said again and again: nests, empty lists, counts. */
function garbage(dice: Dice, maxBytes: number): Uint8Array {
  const length = dice.once(200) ? maxBytes : dice.size(Math.min(maxBytes, 4096));
  if (dice.once(3)) {
    const pattern = [dice.pick(marks), dice.pick(marks)];
    return Uint8Array.from({ length }, (_, at) => pattern[at & 1]!);
  }
  if (dice.once(2)) return new Uint8Array(length).fill(dice.once(2) ? dice.pick(marks) : dice.below(256));
  return dice.bytes(Math.min(length, 4096));
}

function altered(dice: Dice, bytes: Uint8Array, samples: readonly Uint8Array[]): Uint8Array {
  const { length } = bytes;
  // Fronts hold counts and kinds: they are hit more often than what they count.
  const at = dice.below((dice.once(2) ? Math.min(length, 48) : length) + 1);
  const run = () => dice.size(Math.max(0, length - at));
  switch (dice.below(10)) {
    case 0:
      return set(bytes, at, (bytes[at] ?? 0) ^ (1 << dice.below(8)));
    case 1:
      return set(bytes, at, dice.pick(marks));
    case 2:
      return set(bytes, at, dice.below(256));
    case 3:
      return bytes.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at + run()));
    case 5: {
      const part = bytes.subarray(at, at + run());
      return joined(bytes.subarray(0, at), part, part, bytes.subarray(at));
    }
    case 6:
      return joined(bytes.subarray(0, at), dice.bytes(dice.size(64)), bytes.subarray(at));
    case 7: {
      const lie = Uint8Array.from(dice.pick(lies));
      return joined(bytes.subarray(0, at), lie, bytes.subarray(at + (dice.once(2) ? lie.length : 0)));
    }
    case 8: {
      const other = dice.pick(samples);
      return joined(bytes.subarray(0, at), other.subarray(dice.below(other.length + 1)));
    }
    default: {
      const from = dice.below(length + 1);
      const part = bytes.slice(from, from + run());
      return joined(bytes.subarray(0, at), part, bytes.subarray(at + part.length));
    }
  }
}

function set(bytes: Uint8Array, at: number, value: number): Uint8Array {
  if (at < bytes.length) bytes[at] = value;
  return bytes;
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
