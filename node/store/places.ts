/** Where things lie in the event store: keys that sort as what they name does, and what an entry is kept as. */
import { stat } from "node:fs/promises";
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { readEntry, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { checked } from "./checked.ts";

/** The number of hex digits (one digit itself), then the digits: sorts as text the way the numbers sort. */
export function orderedText(n: number): string {
  const digits = n.toString(16);
  return digits.length.toString(16) + digits;
}

/** The number of an `orderedText`. */
export const orderedNumber = (text: string): number => Number.parseInt(text.slice(1), 16);

export const versionPlace = "version";
/** The program that wrote here last. */
export const writerPlace = "writer";
/** What the node learned of durations and speeds. */
export const historyPlace = "history";
/** The name of the log of votes, and the folder it was made in. */
export const votesPlace = "votes";

export const votesRecord = (log: string, madeIn: string): Uint8Array => Buffer.from(`${log} ${madeIn}`);

/** The log's name, and the mark of the folder it was made in. */
export function votesIn(record: Uint8Array | undefined): {
  log?: string | undefined;
  madeIn?: string | undefined;
} {
  const [log, madeIn] = record ? Buffer.from(record).toString("latin1").split(" ") : [];
  return { log, madeIn };
}

/** A copy of a folder has another one; a folder that is only called otherwise has the same. */
export const folderMark = async (folder: string): Promise<string> => String((await stat(folder)).ino);

/** Records of ended builds, as a half-open range of keys. */
export const archivePlaces = ["a/", "a0"] as const;
export const archivePlace = (build: BuildId): string => `a/${build}`;

/** What no build carries and what builds carry lie apart, so that a start reads the timeline and not every build ever made. */
export type Shelf = "timeline" | "builds";
const shelves = { timeline: "e", builds: "b" } as const;

/** All entries of the timeline, as a half-open range of keys. */
export const timelinePlaces = ["e/", "e0"] as const;
/** All updates of all live ledgers. */
export const updatePlaces = ["u/", "u0"] as const;

/** A chain on a shelf: by author, then incarnation in order of starts. */
export function chainPlace(shelf: string, author: PeerId, inc: Incarnation): string {
  const [counter, nonce] = inc.split("-");
  return `${shelf}/${author}/${orderedText(Number(counter))}-${nonce}`;
}

/** By chain, then sequence number. */
export const entryPlace = (shelf: Shelf, author: PeerId, inc: Incarnation, seq: number): string =>
  `${chainPlace(shelves[shelf], author, inc)}/${orderedText(seq)}`;

/** Where in which chain an entry lies whose key this is. */
export function entryAt(key: string): { author: PeerId; inc: Incarnation; seq: number; shelf: Shelf } {
  const [shelf, author, start, seq] = key.split("/");
  const [counter, nonce] = start!.split("-");
  return {
    author: author as PeerId,
    inc: `${orderedNumber(counter!)}-${nonce}` as Incarnation,
    seq: orderedNumber(seq!),
    shelf: shelf === shelves.timeline ? "timeline" : "builds",
  };
}

/** Where an entry lies. */
export function placeOf({ entry }: SignedEntry): string {
  return entryPlace(entry.build === undefined ? "timeline" : "builds", entry.author, entry.inc, entry.seq);
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

/** The entry of a value; undefined when the bytes are not what was written, or no longer decode. */
export function entryOf(value: Uint8Array): SignedEntry | undefined {
  try {
    const bytes = checked(value);
    return bytes && readEntry(bytes);
  } catch {
    return undefined;
  }
}
