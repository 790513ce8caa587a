/**
 * The text of a peer id: base58 of a fixed length. A message names thousands of peers, so it is reckoned in groups of digits, several times
 * as fast as digit by digit.
 */

/** Identity multihash of a protobuf { type: Ed25519, 32 bytes }, behind its first byte, which is zero and stands as the digit `1`. */
const ed25519Prefix = [0x24, 0x0801, 0x1220];
const digits58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const codesOf58 = Uint8Array.from(digits58, (digit) => digit.charCodeAt(0));
const valuesOf58 = new Uint8Array(128).fill(58);
for (const [value, code] of codesOf58.entries()) valuesOf58[code] = value;
/** So many digits are reckoned at once: their value times 2^16 is still exact. */
const group = 5;
const groupBase = 58 ** group;

/** Places of 16 bits, the highest first, of the number that is written out. */
const places = new Float64Array(19);
const letters = Buffer.alloc(52, digits58[0]);

/** The text of a peer id, 52 digits, from the 32 bytes of an Ed25519 public key. */
export function toBase58(key: Uint8Array): string {
  if (key.length !== 32) throw new Error(`a key of ${key.length} bytes names no peer`);
  places.set(ed25519Prefix);
  for (let i = 0; i < 16; i++) places[3 + i] = key[2 * i]! * 256 + key[2 * i + 1]!;
  let from = 0;
  for (let end = letters.length; end > 1; end -= group) {
    let rest = 0;
    for (let i = from; i < places.length; i++) {
      const value = rest * 65536 + places[i]!;
      const quotient = Math.floor(value / groupBase);
      places[i] = quotient;
      rest = value - quotient * groupBase;
    }
    while (from < places.length && places[from] === 0) from++;
    for (let at = end - 1; at >= Math.max(1, end - group); at--) {
      letters[at] = codesOf58[rest % 58]!;
      rest = Math.floor(rest / 58);
    }
  }
  return letters.toString("latin1");
}

/** The key in a text of 52 digits; undefined where there is none. */
export function fromBase58(text: string): Uint8Array | undefined {
  if (text.length !== letters.length || text[0] !== digits58[0]) return undefined;
  places.fill(0);
  for (let at = 1; at < letters.length; ) {
    // The first group is the short one.
    const end = at + ((letters.length - at) % group || group);
    let carry = 0;
    for (; at < end; at++) {
      const value = valuesOf58[text.charCodeAt(at)] ?? 58;
      if (value === 58) return undefined;
      carry = carry * 58 + value;
    }
    for (let i = places.length - 1; i >= 0; i--) {
      const value = places[i]! * groupBase + carry;
      carry = Math.floor(value / 65536);
      places[i] = value - carry * 65536;
    }
    if (carry > 0) return undefined;
  }
  if (ed25519Prefix.some((place, i) => places[i] !== place)) return undefined;
  const key = new Uint8Array(32);
  for (let i = 0; i < 16; i++) {
    key[2 * i] = places[3 + i]! >> 8;
    key[2 * i + 1] = places[3 + i]! & 0xff;
  }
  return key;
}
