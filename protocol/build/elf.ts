/**
 * Reads what an ELF file says of itself: machine, interpreter, sonames, search paths, ISA level, protections. Bytes of anyone: nothing in them
 * is believed before it is checked against the file's size. Sources: the ELF gABI, the x86-64, ARM, RISC-V and PowerPC psABIs.
 */
import { SwarmError } from "../kernel/errors.ts";

/** `length` bytes from `offset`; fewer where the file ends. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

export interface ElfFacts {
  readonly bits: 32 | 64;
  readonly endian: "little" | "big";
  /** `e_machine`. */
  readonly machine: number;
  /** `e_flags`. */
  readonly flags: number;
  readonly kind: "object" | "executable" | "shared" | "core";
  readonly interpreter?: string;
  readonly soname?: string;
  readonly needed: readonly string[];
  /** DT_RPATH and DT_RUNPATH, one folder each. */
  readonly searched: readonly string[];
  /** x86-64: the level its notes say it needs, 1 (baseline) to 4. */
  readonly isaLevel?: number;
  readonly executableStack: boolean;
  readonly textRelocations: boolean;
}

const elfMagic = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);

const kinds: Readonly<Record<number, ElfFacts["kind"]>> = {
  1: "object",
  2: "executable",
  3: "shared",
  4: "core",
};

const segmentsMax = 512;
const dynamicBytesMax = 1 << 16;
const noteBytesMax = 1 << 16;
const nameCharsMax = 4096;
const listMax = 1024;

const ptLoad = 1;
const ptDynamic = 2;
const ptInterp = 3;
const ptNote = 4;
const ptGnuStack = 0x6474e551;
const ptGnuProperty = 0x6474e553;
const isaNeededX86 = 0xc0008002;

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

/** True where a file begins as an ELF file does. */
export const isElf = (head: Uint8Array): boolean => elfMagic.every((byte, i) => head[i] === byte);

/** Throws `malformed` for anything that is no whole ELF file of `sizeBytes` bytes. */
export function readElf(readAt: ReadAt, sizeBytes: number): ElfFacts {
  return new Reader(readAt, sizeBytes).read();
}

const malformed = (what: string) => new SwarmError("malformed", `no sound ELF file: ${what}`);

class Reader {
  private readonly readAt: ReadAt;
  private readonly sizeBytes: number;
  private wide = true;
  private little = true;

  constructor(readAt: ReadAt, sizeBytes: number) {
    this.readAt = readAt;
    this.sizeBytes = sizeBytes;
  }

  read(): ElfFacts {
    const ident = this.bytes(0, 20);
    if (!isElf(new Uint8Array(ident.buffer, ident.byteOffset, 4)))
      throw malformed("it does not begin as one");
    const [bits, data] = [ident.getUint8(4), ident.getUint8(5)];
    if (bits !== 1 && bits !== 2) throw malformed(`class ${bits}`);
    if (data !== 1 && data !== 2) throw malformed(`byte order ${data}`);
    this.wide = bits === 2;
    this.little = data === 1;
    const header = this.bytes(0, this.wide ? 64 : 52);
    const kind = kinds[header.getUint16(16, this.little)];
    if (kind === undefined) throw malformed(`type ${header.getUint16(16, this.little)}`);
    const base: ElfFacts = {
      bits: this.wide ? 64 : 32,
      endian: this.little ? "little" : "big",
      machine: header.getUint16(18, this.little),
      flags: header.getUint32(this.wide ? 48 : 36, this.little),
      kind,
      needed: [],
      searched: [],
      executableStack: false,
      textRelocations: false,
    };
    if (kind === "object") return base;
    const segments = this.segments(header);
    const interpreter = segments.find(({ type }) => type === ptInterp);
    const stack = segments.find(({ type }) => type === ptGnuStack);
    const isaLevel = base.machine === 62 ? this.isaLevel(segments) : undefined;
    return {
      ...base,
      ...(interpreter && { interpreter: this.text(interpreter.offset, interpreter.fileBytes) }),
      ...this.dynamic(segments),
      ...(isaLevel !== undefined && { isaLevel }),
      executableStack: stack !== undefined && (stack.flags & 1) !== 0,
    };
  }

  private segments(header: DataView): Segment[] {
    const offset = this.wide ? this.long(header, 32) : header.getUint32(28, this.little);
    const entryBytes = header.getUint16(this.wide ? 54 : 42, this.little);
    const count = header.getUint16(this.wide ? 56 : 44, this.little);
    if (count === 0) return [];
    if (count > segmentsMax) throw malformed(`${count} program headers`);
    if (entryBytes !== (this.wide ? 56 : 32)) throw malformed(`program headers of ${entryBytes} bytes`);
    const table = this.bytes(offset, count * entryBytes);
    return Array.from({ length: count }, (_, i) => {
      const at = i * entryBytes;
      const segment: Segment = this.wide
        ? {
            type: table.getUint32(at, this.little),
            flags: table.getUint32(at + 4, this.little),
            offset: this.long(table, at + 8),
            address: this.long(table, at + 16),
            fileBytes: this.long(table, at + 32),
          }
        : {
            type: table.getUint32(at, this.little),
            flags: table.getUint32(at + 24, this.little),
            offset: table.getUint32(at + 4, this.little),
            address: table.getUint32(at + 8, this.little),
            fileBytes: table.getUint32(at + 16, this.little),
          };
      if (segment.offset + segment.fileBytes > this.sizeBytes)
        throw malformed("a segment ends behind its end");
      return segment;
    });
  }

  private dynamic(segments: readonly Segment[]): Partial<ElfFacts> {
    const segment = segments.find(({ type }) => type === ptDynamic);
    if (!segment || segment.fileBytes === 0) return {};
    if (segment.fileBytes > dynamicBytesMax) throw malformed("a dynamic section beyond all measure");
    const table = this.bytes(segment.offset, segment.fileBytes);
    const entryBytes = this.wide ? 16 : 8;
    const needed: number[] = [];
    const searched: number[] = [];
    let soname: number | undefined;
    let strings: number | undefined;
    let stringsBytes = 0;
    let textRelocations = false;
    for (let at = 0; at + entryBytes <= segment.fileBytes; at += entryBytes) {
      const tag = this.wide ? this.long(table, at) : table.getUint32(at, this.little);
      const value = this.wide ? this.long(table, at + 8) : table.getUint32(at + 4, this.little);
      if (tag === 0) break;
      if (tag === 1) needed.push(value);
      else if (tag === 5) strings = value;
      else if (tag === 10) stringsBytes = value;
      else if (tag === 14) soname = value;
      else if (tag === 15 || tag === 29) searched.push(value);
      else if (tag === 22 || (tag === 30 && (value & 4) !== 0)) textRelocations = true;
    }
    if (needed.length > listMax) throw malformed(`${needed.length} libraries needed`);
    if (needed.length === 0 && searched.length === 0 && soname === undefined) return { textRelocations };
    const loaded =
      strings === undefined
        ? undefined
        : segments.find(
            ({ type, address, fileBytes }) =>
              type === ptLoad && strings >= address && strings < address + fileBytes,
          );
    if (!loaded || strings === undefined) throw malformed("its names lie nowhere");
    const from = loaded.offset + (strings - loaded.address);
    const room = Math.min(stringsBytes, loaded.address + loaded.fileBytes - strings);
    const name = (offset: number) => {
      if (offset >= room) throw malformed("a name lies outside of its names");
      return this.text(from + offset, room - offset);
    };
    return {
      needed: needed.map(name),
      searched: searched.flatMap((offset) => name(offset).split(":")),
      ...(soname !== undefined && { soname: name(soname) }),
      textRelocations,
    };
  }

  /** GNU_PROPERTY_X86_ISA_1_NEEDED: a bit for each level. */
  private isaLevel(segments: readonly Segment[]): number | undefined {
    let level: number | undefined;
    for (const { type, offset, fileBytes } of segments) {
      if (type !== ptGnuProperty && type !== ptNote) continue;
      const view = this.bytes(offset, Math.min(fileBytes, noteBytesMax));
      for (let at = 0; at + 12 <= view.byteLength; ) {
        const nameBytes = view.getUint32(at, this.little);
        const descBytes = view.getUint32(at + 4, this.little);
        const kind = view.getUint32(at + 8, this.little);
        const desc = at + 12 + aligned(nameBytes, 4);
        const end = desc + descBytes;
        if (end > view.byteLength) break;
        const isGnu = nameBytes === 4 && view.getUint32(at + 12, false) === 0x474e5500;
        if (isGnu && kind === 5)
          for (let p = desc; p + 8 <= end; ) {
            const property = view.getUint32(p, this.little);
            const bytes = view.getUint32(p + 4, this.little);
            if (property === isaNeededX86 && bytes === 4 && p + 12 <= end) {
              const bitsSet = view.getUint32(p + 8, this.little) & 0xf;
              if (bitsSet !== 0) level = Math.max(level ?? 1, 32 - Math.clz32(bitsSet));
            }
            p += 8 + aligned(bytes, this.wide ? 8 : 4);
          }
        at = desc + aligned(descBytes, type === ptGnuProperty && this.wide ? 8 : 4);
      }
    }
    return level;
  }

  /** Text up to its NUL, at most `roomBytes` long. */
  private text(offset: number, roomBytes: number): string {
    const length = Math.min(roomBytes, nameCharsMax, Math.max(0, this.sizeBytes - offset));
    const bytes = this.readAt(offset, length);
    const end = bytes.indexOf(0);
    if (end < 0) throw malformed("a name does not end");
    let text = "";
    for (let i = 0; i < end; i++) text += String.fromCharCode(bytes[i]!);
    return text;
  }

  private bytes(offset: number, length: number): DataView {
    if (offset + length > this.sizeBytes) throw malformed("it ends too early");
    const bytes = this.readAt(offset, length);
    if (bytes.length < length) throw malformed("it ends too early");
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** 64 bits; what a file cannot reach becomes a number that no check passes. */
  private long(view: DataView, at: number): number {
    const value = view.getBigUint64(at, this.little);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_VALUE : Number(value);
  }
}

const aligned = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;
