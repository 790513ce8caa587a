/** Reads a Gentoo binary package of the older kind (xpak(5); `.xpak`, `.tbz2`): a packed tar of the image with the metadata behind it. */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { compressionOf, decompressed } from "../../build/decompress.ts";
import { type GentooPackage, metadataOf } from "./gpkg.ts";
import { inspectContent } from "./inspect.ts";
import { metadataBytesMax, type PackageLimits, packageLimits, tarLimits } from "./package-limits.ts";
import { malformed, shown, tarMembers } from "./tar-members.ts";

/** `XPAKSTOP`, the length of all before it, `STOP`. */
const tailBytes = 16;
/** `XPAKPACK`, two lengths. */
const frontBytes = 16;
const valuesMax = 1024;

/** As `readGpkg`. The format has no sums of its own and no signature. */
export async function readXpak(
  file: string,
  scratch: string,
  limits: PackageLimits = packageLimits,
): Promise<GentooPackage> {
  const handle = await open(file, "r");
  let image: { sizeBytes: number; head: Buffer };
  let values: ReadonlyMap<string, Uint8Array>;
  try {
    const { size } = await handle.stat();
    const segment = await segmentOf(handle, size);
    values = readSegment(segment);
    const sizeBytes = size - segment.length - 8;
    if (sizeBytes <= 0) throw malformed("it holds no image");
    image = { sizeBytes, head: await bytesAt(handle, 0, Math.min(6, sizeBytes)) };
  } finally {
    await handle.close();
  }
  const { metadata, lines } = metadataOf(values);
  const packed = createReadStream(file, { end: image.sizeBytes - 1, highWaterMark: 1 << 18 });
  const members = tarMembers(
    decompressed(packed, compressionOf(image.head)),
    tarLimits(limits, image.sizeBytes),
  );
  return { kind: "xpak", metadata, content: await inspectContent(members, { also: lines, scratch }) };
}

/** From `XPAKPACK` to `XPAKSTOP`; eight bytes follow it to the end of the file. */
async function segmentOf(handle: FileHandle, size: number): Promise<Buffer> {
  if (size < tailBytes + frontBytes) throw malformed("it is too short for an xpak");
  const tail = await bytesAt(handle, size - tailBytes, tailBytes);
  if (tail.toString("latin1", 0, 8) !== "XPAKSTOP" || tail.toString("latin1", 12) !== "STOP")
    throw malformed("it does not end as an xpak");
  const length = tail.readUInt32BE(8);
  if (length < frontBytes + 8 || length > size - 8) throw malformed("its metadata are longer than itself");
  if (length > metadataBytesMax) throw malformed("its metadata are beyond all measure");
  return bytesAt(handle, size - 8 - length, length);
}

/** Names and values of a segment from `XPAKPACK` to `XPAKSTOP`. Throws `malformed`. */
export function readSegment(segment: Buffer): Map<string, Uint8Array> {
  if (segment.length < frontBytes + 8 || segment.toString("latin1", 0, 8) !== "XPAKPACK")
    throw malformed("its metadata do not begin as such");
  const indexBytes = segment.readUInt32BE(8);
  const dataBytes = segment.readUInt32BE(12);
  if (frontBytes + indexBytes + dataBytes + 8 !== segment.length)
    throw malformed("the lengths in its metadata do not add up");
  const index = segment.subarray(frontBytes, frontBytes + indexBytes);
  const data = segment.subarray(frontBytes + indexBytes, frontBytes + indexBytes + dataBytes);
  const values = new Map<string, Uint8Array>();
  for (let at = 0; at < index.length; ) {
    if (at + 4 > index.length) throw malformed("the list of its metadata is cut");
    const nameBytes = index.readUInt32BE(at);
    const end = at + 4 + nameBytes + 8;
    if (nameBytes === 0 || nameBytes > 255 || end > index.length)
      throw malformed("the list of its metadata is cut");
    const name = index.toString("utf8", at + 4, at + 4 + nameBytes);
    const offset = index.readUInt32BE(end - 8);
    const length = index.readUInt32BE(end - 4);
    if (offset + length > data.length) throw malformed(`${shown(name)} lies outside of its metadata`);
    if (values.has(name)) throw malformed(`${shown(name)} is in its metadata twice`);
    if (values.size >= valuesMax) throw malformed("its metadata are beyond all measure");
    values.set(name, data.subarray(offset, offset + length));
    at = end;
  }
  return values;
}

async function bytesAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead < length) throw malformed("it is cut");
  return bytes;
}
