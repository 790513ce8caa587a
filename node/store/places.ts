/** Where things lie in the event store: keys that sort as what they name does, and the value an entry is kept in. */
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { readEntry, type SignedEntry } from "../../protocol/timeline/entry.ts";

/** The number of hex digits (one digit itself), then the digits: sorts as text the way the numbers sort. */
function orderedText(n: number): string {
  const digits = n.toString(16);
  return digits.length.toString(16) + digits;
}

/** The number of an `orderedText`. */
const orderedNumber = (text: string): number => Number.parseInt(text.slice(1), 16);

export const versionPlace = "version";

/** All entries, as a half-open range of keys. */
export const entryPlaces = ["e/", "e0"] as const;
/** All updates of all live ledgers. */
export const updatePlaces = ["u/", "u0"] as const;

/** By author, incarnation in order of starts, then sequence number. */
export function entryPlace(author: PeerId, inc: Incarnation, seq: number): string {
  const [counter, nonce] = inc.split("-");
  return `e/${author}/${orderedText(Number(counter))}-${nonce}/${orderedText(seq)}`;
}

export const updatePlace = (build: BuildId, n: number): string => `u/${build}/${orderedText(n)}`;

/** The updates of one ledger, as a half-open range of keys. */
export const updatePlacesOf = (build: BuildId) => [`u/${build}/`, `u/${build}0`] as const;

/** The ledger and the number that a key out of `updatePlaces` names. */
export function updateAt(place: string): { build: BuildId; n: number } {
  const at = place.lastIndexOf("/");
  return { build: place.slice(updatePlaces[0].length, at) as BuildId, n: orderedNumber(place.slice(at + 1)) };
}

export const resultPlace = (key: Digest): string => `r/${key}`;

/** The length of the build's name (0: none), the name, then the entry's bytes: its build is known without decoding it. */
export function entryValue({ entry, bytes }: SignedEntry): Uint8Array {
  const build = Buffer.from(entry.build ?? "", "latin1");
  const value = new Uint8Array(1 + build.length + bytes.length);
  value[0] = build.length;
  value.set(build, 1);
  value.set(bytes, 1 + build.length);
  return value;
}

/** The build an entry belongs to, if any. */
export function buildOf(value: Uint8Array): BuildId | undefined {
  const length = value[0] ?? 0;
  if (length === 0) return undefined;
  return Buffer.from(value.buffer, value.byteOffset + 1, length).toString("latin1") as BuildId;
}

/** The entry of a value; undefined when the bytes no longer decode. */
export function entryOf(value: Uint8Array): SignedEntry | undefined {
  try {
    return readEntry(new Uint8Array(value.subarray(1 + (value[0] ?? 0))));
  } catch {
    return undefined;
  }
}
