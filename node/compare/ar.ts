/** Members of an `ar` archive (static libraries, deb packages), with the long names of GNU and BSD. Bytes of anyone: every length is checked. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { numbered, type Part, partsMax } from "./part.ts";

const magic = "!<arch>\n";
const headerBytes = 60;

export const isAr = (bytes: Uint8Array): boolean => latin(bytes, 0, magic.length) === magic;

/** Throws `malformed`. */
export function arParts(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  let names = "";
  for (let at = magic.length; at < bytes.length; ) {
    if (latin(bytes, at + 58, 2) !== "`\n" || parts.length >= partsMax)
      throw new SwarmError("malformed", `no member of an ar archive at byte ${at}`);
    const field = (offset: number, length: number) => latin(bytes, at + offset, length).trim();
    const sizeText = field(48, 10);
    const size = /^[0-9]{1,10}$/.test(sizeText) ? Number(sizeText) : -1;
    const begin = at + headerBytes;
    if (size < 0 || begin + size > bytes.length)
      throw new SwarmError("malformed", `a member of ${sizeText} bytes does not fit at byte ${at}`);
    const short = latin(bytes, at, 16).trimEnd();
    let body = bytes.subarray(begin, begin + size);
    let name = short.endsWith("/") && short.length > 1 && short !== "//" ? short.slice(0, -1) : short;
    if (short === "//") names = latin(bytes, begin, size);
    const long = /^\/([0-9]{1,9})$/.exec(short)?.[1];
    if (long !== undefined) name = names.slice(Number(long)).split("/\n", 1)[0] ?? short;
    const inline = /^#1\/([0-9]{1,4})$/.exec(short)?.[1];
    if (inline !== undefined) {
      name = latin(body, 0, Number(inline)).replace(/\0+$/, "");
      body = body.subarray(Number(inline));
    }
    const facts = { mtime: field(16, 12), uid: field(28, 6), gid: field(34, 6), mode: field(40, 8) };
    parts.push({ name: shownName(name), bytes: body, facts });
    at = begin + size + (size % 2);
  }
  return numbered(parts);
}

/** What an archive has beside its members goes by a name in words. */
const shownName = (name: string): string =>
  name === "/" || name === "/SYM64" ? "(symbols)" : name === "//" ? "(long names)" : name;

const latin = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", at, at + length);
