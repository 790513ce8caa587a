/** ELF files made by hand, of any machine: a header, segments, names and notes as a linker would write them, without code. */

export interface ElfParts {
  readonly bits?: 32 | 64;
  readonly endian?: "little" | "big";
  /** `e_machine`; 62 is x86-64. */
  readonly machine?: number;
  readonly flags?: number;
  /** `e_type`; 3 is shared. */
  readonly type?: number;
  readonly interpreter?: string | null;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly runpath?: string;
  /** Bits of GNU_PROPERTY_X86_ISA_1_NEEDED. */
  readonly isaNeeded?: number;
  readonly executableStack?: boolean;
  readonly textRelocations?: boolean;
}

const base = 0x10000;

export function elfOf(parts: ElfParts = {}): Uint8Array {
  const { bits = 64, endian = "little", machine = 62, flags = 0, type = 3 } = parts;
  const {
    interpreter = "/lib64/ld-linux-x86-64.so.2",
    needed = ["libc.so.6"],
    executableStack = false,
  } = parts;
  const wide = bits === 64;
  const bytes = Buffer.alloc(4096);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = endian === "little";
  const put16 = (at: number, value: number) => view.setUint16(at, value, little);
  const put32 = (at: number, value: number) => view.setUint32(at, value, little);
  const putWord = (at: number, value: number) =>
    wide ? view.setBigUint64(at, BigInt(value), little) : put32(at, value);
  const word = wide ? 8 : 4;

  let end = 1024;
  const place = (content: Uint8Array): { offset: number; fileBytes: number } => {
    const offset = end;
    bytes.set(content, offset);
    end = Math.ceil((offset + content.length) / 16) * 16;
    return { offset, fileBytes: content.length };
  };
  let strings = "\0";
  const name = (text: string): number => {
    const at = strings.length;
    strings += `${text}\0`;
    return at;
  };
  const tags: [number, number][] = needed.map((one) => [1, name(one)]);
  if (parts.soname !== undefined) tags.push([14, name(parts.soname)]);
  if (parts.runpath !== undefined) tags.push([29, name(parts.runpath)]);
  if (parts.textRelocations) tags.push([22, 0]);
  const stringsAt = place(Buffer.from(strings, "latin1"));
  tags.push([5, base + stringsAt.offset], [10, strings.length], [0, 0]);
  const dynamic = place(new Uint8Array(tags.length * 2 * word));
  for (const [i, [tag, value]] of tags.entries()) {
    putWord(dynamic.offset + i * 2 * word, tag);
    putWord(dynamic.offset + i * 2 * word + word, value);
  }
  const segments: { type: number; flags: number; offset: number; fileBytes: number }[] = [
    { type: 2, flags: 6, ...dynamic },
    { type: 0x6474e551, flags: executableStack ? 7 : 6, offset: 0, fileBytes: 0 },
  ];
  if (interpreter !== null) segments.push({ type: 3, flags: 4, ...place(Buffer.from(`${interpreter}\0`)) });
  if (parts.isaNeeded !== undefined) {
    const note = place(new Uint8Array(16 + 16));
    const { offset } = note;
    put32(offset, 4);
    put32(offset + 4, 16);
    put32(offset + 8, 5);
    bytes.write("GNU\0", offset + 12, "latin1");
    put32(offset + 16, 0xc0008002);
    put32(offset + 20, 4);
    put32(offset + 24, parts.isaNeeded);
    segments.push({ type: 0x6474e553, flags: 4, ...note });
  }
  segments.push({ type: 1, flags: 5, offset: 0, fileBytes: end });

  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  put16(16, type);
  put16(18, machine);
  put32(20, 1);
  const headerBytes = wide ? 64 : 52;
  const segmentBytes = wide ? 56 : 32;
  putWord(wide ? 32 : 28, headerBytes);
  put32(wide ? 48 : 36, flags);
  put16(wide ? 52 : 40, headerBytes);
  put16(wide ? 54 : 42, segmentBytes);
  put16(wide ? 56 : 44, segments.length);
  for (const [i, segment] of segments.entries()) {
    const at = headerBytes + i * segmentBytes;
    put32(at, segment.type);
    put32(at + (wide ? 4 : 24), segment.flags);
    putWord(at + (wide ? 8 : 4), segment.offset);
    putWord(at + (wide ? 16 : 8), base + segment.offset);
    putWord(at + (wide ? 32 : 16), segment.fileBytes);
  }
  return new Uint8Array(bytes.subarray(0, end));
}
