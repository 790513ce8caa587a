/**
 * The one encoding of everything we say and store: canonical dag-cbor. Digests, hashes and peer ids, which are text in
 * memory, are bytes on the wire (a tag byte, then the bare value), so that a fact costs what it must and no more.
 */
import { SwarmError } from "./errors.ts";
import { type Digest, peerIdOf, publicKeyOf } from "./ids.ts";

/** Canonical bytes of a plain value (objects, arrays, text, finite numbers, booleans, null, Uint8Array). Absent and undefined are the same. */
export function encode(value: unknown): Uint8Array {
  return encodeParts(() => put(value), copied);
}

/**
 * As `encode`, of what `write` puts part by part, so that there need be no value in one piece. `take` is given where the bytes are, and must have done with them
 * when it returns.
 */
export function encodeParts<T>(write: () => void, take: (bytes: Buffer, from: number, to: number) => T): T {
  // What is put may itself ask for encodings of parts: those stand behind, and are gone when they are taken.
  const from = end;
  const depthBefore = putDepth;
  putDepth = 0;
  try {
    write();
    return take(out, from, end);
  } finally {
    end = from;
    putDepth = depthBefore;
    if (from === 0 && out.length > outBytesKept) out = Buffer.allocUnsafeSlow(outBytesKept);
  }
}

export const copied = (bytes: Buffer, from: number, to: number): Uint8Array =>
  new Uint8Array(bytes.subarray(from, to));

/** Within `encodeParts`: a plain value. */
export const putValue = (value: unknown): void => put(value);

/** Within `encodeParts`: so many values that come next are a list. */
export const putListOf = (count: number): void => head(list, count);

/** Within `encodeParts`: a list of what `write` puts; it answers how many that are. */
export function putList(write: () => number): void {
  const from = end;
  reserve(headBytesMax);
  end += headBytesMax;
  const count = write();
  closeGap(from, headBytesMax, () => head(list, count));
}

/** Within `encodeParts`: the bytes of what `write` puts, as a byte string. */
export function putBytes(write: () => void): void {
  const from = end;
  const gap = headBytesMax + 1;
  reserve(gap);
  end += gap;
  write();
  const length = end - from - gap;
  closeGap(from, gap, () => tagged(tagBytes, length));
}

/** What was put behind a gap comes right behind what `before` puts into it. */
function closeGap(from: number, gap: number, before: () => void): void {
  const to = end;
  end = from;
  before();
  out.copyWithin(end, from + gap, to);
  end += to - from - gap;
}

/** Lists and maps within each other: how deep a stack goes must not decide what is valid. */
const depthMax = 64;
/** Values in one encoding: a byte on the wire may be sixty in memory. */
const valuesMaxDefault = 1 << 18;
/** What a peer counts for: its text is reckoned, not copied. */
const valuesPerPeer = 32;

/**
 * The value of canonical bytes. Throws `malformed` for bytes that are not the one canonical encoding of a value nested at most `depthMax`
 * deep, `too-large` for more bytes or values than the bounds; a peer counts for many.
 */
export function decode(bytes: Uint8Array, maxBytes: number, maxValues = valuesMaxDefault): unknown {
  if (bytes.length > maxBytes)
    throw new SwarmError("too-large", `a value of ${bytes.length} bytes exceeds the bound of ${maxBytes}`);
  source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  at = 0;
  valuesLeft = maxValues;
  depth = 0;
  try {
    const value = take();
    if (at !== bytes.length) refuse("there are more behind the value");
    return value;
  } catch (cause) {
    throw cause instanceof SwarmError
      ? cause
      : new SwarmError("malformed", "the bytes are not canonical dag-cbor", { cause });
  } finally {
    source = nothing;
  }
}

const tagBytes = 0;
const tagDigest = 1;
const tagPeer = 2;
const tagHash = 3;

const [unsigned, negative, byteString, textString, list, map] = [0, 1, 2, 3, 4, 5].map((n) => n << 5) as [
  number,
  number,
  number,
  number,
  number,
  number,
];
const [falseByte, trueByte, nullByte, doubleByte] = [0xf4, 0xf5, 0xf6, 0xfb];

const packable = /^[0-9a-f]{64}(\/(0|[1-9][0-9]{0,15}))?$/;

/** Bytes of what is being encoded; nothing else runs meanwhile. */
const outBytesKept = 1 << 20;
/** A kind and a count. */
const headBytesMax = 9;
let out = Buffer.allocUnsafeSlow(outBytesKept);
let end = 0;
let putDepth = 0;

function reserve(bytes: number): void {
  if (end + bytes <= out.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * out.length, end + bytes));
  out.copy(larger, 0, 0, end);
  out = larger;
}

function head(major: number, count: number): void {
  reserve(headBytesMax);
  if (count < 24) out[end++] = major | count;
  else if (count < 0x100) {
    out[end++] = major | 24;
    out[end++] = count;
  } else if (count < 0x10000) {
    out[end++] = major | 25;
    end = out.writeUInt16BE(count, end);
  } else if (count < 0x100000000) {
    out[end++] = major | 26;
    end = out.writeUInt32BE(count, end);
  } else {
    out[end++] = major | 27;
    end = out.writeUInt32BE(Math.floor(count / 0x100000000), end);
    end = out.writeUInt32BE(count % 0x100000000, end);
  }
}

function put(value: unknown): void {
  if (typeof value === "string") putText(value);
  else if (typeof value === "number") putNumber(value);
  else if (value === null || typeof value === "boolean") {
    reserve(1);
    out[end++] = value === null ? nullByte : value ? trueByte : falseByte;
  } else if (value instanceof Uint8Array) {
    tagged(tagBytes, value.length);
    out.set(value, end);
    end += value.length;
  } else if (typeof value === "object") {
    if (++putDepth > depthMax) throw new Error(`a nest deeper than ${depthMax} has no encoding`);
    if (Array.isArray(value)) {
      head(list, value.length);
      for (const item of value) put(item);
    } else putMap(value as Record<string, unknown>);
    putDepth--;
  } else throw new Error(`a ${typeof value} has no encoding`);
}

function putNumber(value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value >= 0) head(unsigned, value);
    else head(negative, -1 - value);
    return;
  }
  if (!Number.isFinite(value)) throw new Error(`${value} has no encoding`);
  reserve(9);
  out[end++] = doubleByte;
  end = out.writeDoubleBE(value, end);
}

function putText(text: string): void {
  const { length } = text;
  if (length === 52 || (length >= 64 && length <= 81)) {
    const key = length === 52 ? publicKeyOf(text) : undefined;
    if (key) {
      tagged(tagPeer, 32);
      out.set(key, end);
      end += 32;
      return;
    }
    if (length >= 64 && packable.test(text) && putPacked(text)) return;
  }
  putPlain(text);
}

/** A hash or a digest; false for one whose size nobody can count to. */
function putPacked(text: string): boolean {
  let size = text.length === 64 ? 0 : Number(text.slice(65));
  if (!Number.isSafeInteger(size)) return false;
  let sizeBytes = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) sizeBytes++;
  tagged(text.length === 64 ? tagHash : tagDigest, 32 + sizeBytes);
  out.write(text, end, 32, "hex");
  end += 32;
  for (; size > 0; size = Math.floor(size / 256)) out[end++] = size % 256;
  return true;
}

function tagged(tag: number, length: number): void {
  head(byteString, length + 1);
  reserve(length + 1);
  out[end++] = tag;
}

function putPlain(text: string): void {
  const { length } = text;
  const bytes = length < 24 && isAscii(text) ? length : Buffer.byteLength(text);
  head(textString, bytes);
  reserve(bytes);
  if (bytes === length && length < 24) for (let i = 0; i < length; i++) out[end++] = text.charCodeAt(i);
  else end += out.write(text, end, "utf8");
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Keys stand by the length of their bytes, then by their bytes. */
function putMap(value: Record<string, unknown>): void {
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  keys.sort(byBytes);
  head(map, keys.length);
  for (const key of keys) {
    putPlain(key);
    put(value[key]);
  }
}

function byBytes(a: string, b: string): number {
  if (isAscii(a) && isAscii(b)) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
  return Buffer.byteLength(a) - Buffer.byteLength(b) || Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** What is being decoded, and how far. */
const nothing = Buffer.alloc(0);
let source: Buffer = nothing;
let at = 0;
let valuesLeft = 0;
let depth = 0;

function refuse(why: string): never {
  throw new SwarmError("malformed", `the bytes are not the one encoding of what they say: ${why}`);
}

function byte(): number {
  const value = source[at++];
  if (value === undefined) refuse("they are cut short");
  return value;
}

/** The number behind a first byte; only the shortest form of it. */
function count(info: number): number {
  if (info < 24) return info;
  if (info > 27) refuse("a length is left open");
  const width = 1 << (info - 24);
  if (at + width > source.length) refuse("they are cut short");
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + source[at++]!;
  const least = width === 1 ? 24 : 2 ** (4 * width);
  if (value < least) refuse("a number is longer than it must be");
  if (value > Number.MAX_SAFE_INTEGER) refuse("a number is too large");
  return value;
}

function take(): unknown {
  if (valuesLeft-- <= 0)
    throw new SwarmError("too-large", "the bytes hold more values than anything that is said");
  const first = byte();
  const major = first & 0xe0;
  switch (major) {
    case unsigned:
      return count(first & 31);
    case negative: {
      const value = -1 - count(first & 31);
      return value < Number.MIN_SAFE_INTEGER ? refuse("a number is too large") : value;
    }
    case byteString:
      return unpack(skip(count(first & 31)));
    case textString: {
      const text = takeText(skip(count(first & 31)));
      const packed = text.length === 52 ? publicKeyOf(text) !== undefined : isPacked(text);
      return packed ? refuse("a name is written out") : text;
    }
    case list:
      return takeList(count(first & 31));
    case map:
      return takeMap(count(first & 31));
    default:
      return takeSimple(first);
  }
}

const isPacked = (text: string): boolean =>
  text.length >= 64 &&
  text.length <= 81 &&
  packable.test(text) &&
  (text.length === 64 || Number.isSafeInteger(Number(text.slice(65))));

function takeSimple(first: number): unknown {
  if (first === falseByte) return false;
  if (first === trueByte) return true;
  if (first === nullByte) return null;
  if (first !== doubleByte) refuse("there is a kind of value that is never said");
  const value = source.readDoubleBE(skip(8));
  if (!Number.isFinite(value) || Number.isSafeInteger(value)) refuse("a number has another form");
  return value;
}

/** Steps over so many bytes; where they begin. */
function skip(length: number): number {
  const from = at;
  if (from + length > source.length) refuse("they are cut short");
  at += length;
  return from;
}

/** The text from there to where the reading stands. */
function takeText(from: number): string {
  const text = source.toString("utf8", from, at);
  // What is no text comes out as this character; so does the character itself.
  if (text.includes("\ufffd") && Buffer.compare(Buffer.from(text), source.subarray(from, at)) !== 0)
    refuse("a text is none");
  return text;
}

function goDown(): void {
  if (++depth > depthMax) refuse(`they are nested deeper than ${depthMax}`);
}

function takeList(length: number): unknown[] {
  goDown();
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) items.push(take());
  depth--;
  return items;
}

function takeMap(length: number): Record<string, unknown> {
  goDown();
  const value: Record<string, unknown> = {};
  let before = -1;
  let beforeEnd = -1;
  for (let i = 0; i < length; i++) {
    const first = byte();
    if ((first & 0xe0) !== textString) refuse("a key is no text");
    const from = skip(count(first & 31));
    const longer = before < 0 ? 1 : at - from - (beforeEnd - before);
    if (longer < 0 || (longer === 0 && source.compare(source, before, beforeEnd, from, at) <= 0))
      refuse("keys are out of order");
    before = from;
    beforeEnd = at;
    const key = takeKey(from);
    if (key === "__proto__") refuse("a key is named __proto__");
    value[key] = take();
  }
  depth--;
  return value;
}

/** Keys met before, in the place their bytes lead to: most are the same few. */
const keysMet = new Array<string>(1024).fill("");

function takeKey(from: number): string {
  let spread = 0;
  for (let i = from; i < at; i++) spread = Math.imul(spread ^ source[i]!, 0x01000193);
  const place = (spread ^ (spread >>> 15)) & 1023;
  const met = keysMet[place]!;
  if (met.length === at - from && isAt(met, from)) return met;
  const key = takeText(from);
  if (key.length === at - from && isAscii(key)) keysMet[place] = key;
  return key;
}

function isAt(text: string, from: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== source[from + i]) return false;
  return true;
}

/** What a byte string from there to where the reading stands says, by its tag. */
function unpack(from: number): unknown {
  const length = at - from;
  switch (source[from]) {
    case tagBytes:
      if (length > 0) return new Uint8Array(source.subarray(from + 1, at));
      break;
    case tagPeer:
      valuesLeft -= valuesPerPeer;
      if (length === 33) return peerIdOf(new Uint8Array(source.subarray(from + 1, at)));
      break;
    case tagHash:
      if (length === 33) return source.toString("hex", from + 1, at);
      break;
    case tagDigest:
      if (length >= 33 && length <= 40 && (length === 33 || source[at - 1] !== 0)) {
        let size = 0;
        for (let i = at - 1; i >= from + 33; i--) size = size * 256 + source[i]!;
        if (Number.isSafeInteger(size))
          return `${source.toString("hex", from + 1, from + 33)}/${size}` as Digest;
      }
      break;
  }
  return refuse("a packed value has an unknown or wrong form");
}
