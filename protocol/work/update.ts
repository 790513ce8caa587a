/**
 * The bytes of a Yjs update (version 1) that does nothing but add entries to the ledger's map, written and read. Whatever else Yjs could say is refused where it is
 * met, before anything is made of it: Yjs itself reads counts, nests and documents of any size first. Described in specs/ledger.md.
 */
import { SwarmError } from "../kernel/errors.ts";
import { entryBytesMax } from "../timeline/entry.ts";

const mapName = "entries";

/** `author.inc.seq`, with room to spare. */
const keyBytesMax = 128;
const nameBytesMax = 16;

/** One entry that an update adds. */
export interface Added {
  /** Who writes, in Yjs, and at which place of what it wrote. */
  readonly client: number;
  readonly clock: number;
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** In Yjs an item's first byte: the kind of its content, and which neighbours it names. */
const kindBits = 0x1f;
const binaryContent = 3;
const hasOrigin = 0x80;
const hasRightOrigin = 0x40;
const hasKey = 0x20;
const parentByName = 1;

/** The update that adds one entry, byte by byte what Yjs writes of a key that is set for the first time. */
export function updateOf({ client, clock, key, bytes }: Added): Uint8Array {
  const name = Buffer.from(key, "utf8");
  const head = [1, 1, ...numberOf(client), ...numberOf(clock), binaryContent | hasKey, parentByName];
  head.push(mapName.length, ...Buffer.from(mapName, "latin1"), ...numberOf(name.length), ...name);
  head.push(...numberOf(bytes.length));
  const update = new Uint8Array(head.length + bytes.length + 1); // and nothing is deleted
  update.set(head);
  update.set(bytes, head.length);
  return update;
}

/** Seven bits a byte, the lowest first. */
function numberOf(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push(0x80 | (left % 128));
  bytes.push(left);
  return bytes;
}

/** The entries of an update, in its order. Throws `malformed` for everything that is no such update, `too-large` for more than `maxEntries`. */
export function entriesAdded(update: Uint8Array, maxEntries: number): Added[] {
  const reader = new Reader(update);
  const added: Added[] = [];
  const clients = new Set<number>();
  for (let left = reader.number(); left > 0; left--) {
    const count = reader.number();
    const client = reader.number();
    const first = reader.number();
    if (count === 0 || clients.has(client)) refuse("not a Yjs update");
    if (added.length + count > maxEntries)
      throw new SwarmError("too-large", `an update of more than ${maxEntries} entries`);
    clients.add(client);
    for (let i = 0; i < count; i++) {
      const clock = first + i;
      if (!Number.isSafeInteger(clock + 1)) refuse("not a Yjs update");
      added.push({ client, clock, ...entryAt(reader) });
    }
  }
  if (reader.number() > 0) refuse("the update deletes");
  if (!reader.atEnd) refuse("there is more behind the update");
  return added;
}

function entryAt(reader: Reader): { key: string; bytes: Uint8Array } {
  const info = reader.byte();
  if (info & (hasOrigin | hasRightOrigin)) refuse("the update overwrites an entry");
  if ((info & kindBits) !== binaryContent) refuse("the update holds more than entries");
  if (reader.number() !== parentByName || reader.text(nameBytesMax) !== mapName || !(info & hasKey))
    refuse("the update writes elsewhere than to the entries");
  return { key: reader.text(keyBytesMax), bytes: reader.bytes(entryBytesMax) };
}

function refuse(why: string): never {
  throw new SwarmError("malformed", why);
}

class Reader {
  private readonly source: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get atEnd(): boolean {
    return this.at === this.source.length;
  }

  byte(): number {
    const value = this.source[this.at++];
    return value === undefined ? refuse("the update is cut short") : value;
  }

  /** Seven bits a byte, the lowest first. */
  number(): number {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (!Number.isSafeInteger(value)) refuse("not a Yjs update");
      if (byte < 0x80) return value;
      if (weight > 2 ** 49) refuse("not a Yjs update");
    }
  }

  bytes(maxBytes: number): Uint8Array {
    const length = this.number();
    if (length > maxBytes) refuse("the update holds something that is no entry");
    const from = this.at;
    this.at += length;
    if (this.at > this.source.length) refuse("the update is cut short");
    return new Uint8Array(this.source.subarray(from, this.at));
  }

  text(maxBytes: number): string {
    return Buffer.from(this.bytes(maxBytes)).toString("utf8");
  }
}
