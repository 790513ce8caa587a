/** Zip files of anything: members of any name, kind and claimed size. */
import { crc32, deflateRawSync } from "node:zlib";

export interface Member {
  readonly name: string;
  readonly body: Uint8Array;
  /** As `stat` has it: kind and rights. */
  readonly mode: number;
  readonly flags: number;
  /** The size it claims to unpack to, in bytes, if not its own. */
  readonly says: number | undefined;
}

const localHeader = 0x04034b50;
const centralHeader = 0x02014b50;
const endOfCentral = 0x06054b50;
const deflated = 8;
const utf8Flag = 0x800;
const byUnix = 3 << 8;

/** The archive, deflated; described in PKWARE's APPNOTE, 4.3. */
export function zipOf(members: readonly Member[]): Uint8Array {
  const files: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, body, mode, flags, says } of members) {
    const bytes = Buffer.from(name);
    const packed = deflateRawSync(body, { level: 1 });
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags | utf8Flag, 2);
    common.writeUInt16LE(deflated, 4);
    common.writeUInt32LE(crc32(body), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(says ?? body.length, 18);
    common.writeUInt16LE(bytes.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    const file = [word(localHeader), common, bytes, packed];
    directory.push(word(centralHeader), half(byUnix | 20), common, rest, bytes);
    files.push(...file);
    offset += file.reduce((sum, part) => sum + part.length, 0);
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, list, word(endOfCentral), end]);
}

function word(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function half(value: number): Uint8Array {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
