/** Sections of an ELF file, and its headers as parts of their own. Bytes of anyone: nothing is believed before it is checked against the size. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { numbered, type Part } from "./part.ts";

const sectionsMax = 65_536;
const noBits = 8;

/** Throws `malformed` for what is no sound ELF file. */
export function elfParts(bytes: Uint8Array): Part[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = bytes[4] === 2;
  const little = bytes[5] === 1;
  const headerBytes = wide ? 64 : 52;
  if (bytes.length < headerBytes || (!wide && bytes[4] !== 1)) throw malformed("its header is cut off");
  const half = (at: number) => view.getUint16(at, little);
  const word = (at: number) => view.getUint32(at, little);
  const long = (at: number) => (wide ? Number(view.getBigUint64(at, little)) : word(at));
  const table = { at: long(wide ? 40 : 32), size: half(wide ? 58 : 46), count: half(wide ? 60 : 48) };
  const programs = { at: long(wide ? 32 : 28), size: half(wide ? 54 : 42), count: half(wide ? 56 : 44) };
  const within = (at: number, length: number) => at >= 0 && length >= 0 && at + length <= bytes.length;
  if (
    table.count > sectionsMax ||
    !within(table.at, table.size * table.count) ||
    table.size < (wide ? 64 : 40)
  )
    throw malformed("its table of sections does not lie in it");
  const sections = Array.from({ length: table.count }, (_, index) => {
    const at = table.at + index * table.size;
    return {
      name: word(at),
      type: word(at + 4),
      address: long(at + (wide ? 16 : 12)),
      offset: long(at + (wide ? 24 : 16)),
      size: long(at + (wide ? 32 : 20)),
    };
  });
  const names = sections[half(wide ? 62 : 50)];
  const nameOf = (offset: number): string => {
    if (!names || !within(names.offset, names.size) || offset >= names.size) return "?";
    const from = names.offset + offset;
    const end = bytes.indexOf(0, from);
    return Buffer.from(bytes.subarray(from, Math.min(end < 0 ? bytes.length : end, from + 256))).toString(
      "latin1",
    );
  };
  const parts: Part[] = [{ name: "(header)", bytes: bytes.subarray(0, headerBytes), facts: {} }];
  if (programs.count > 0 && within(programs.at, programs.size * programs.count))
    parts.push({
      name: "(program headers)",
      bytes: bytes.subarray(programs.at, programs.at + programs.size * programs.count),
      facts: {},
    });
  for (const { name, type, address, offset, size } of sections) {
    if (type === 0) continue;
    const held = type === noBits ? 0 : size;
    if (!within(offset, held)) throw malformed(`its section ${nameOf(name)} does not lie in it`);
    parts.push({
      name: nameOf(name),
      bytes: bytes.subarray(offset, offset + held),
      facts: { address: `0x${address.toString(16)}`, ...(type === noBits ? { size: String(size) } : {}) },
    });
  }
  return numbered(parts);
}

const malformed = (what: string) => new SwarmError("malformed", `no sound ELF file: ${what}`);
