/** Lets the bytes of a tar pass as they are, and stops at members that the decoder would take for plain files though they are none. */

/** A member that nobody should read as a file: its name and what it is. */
export class OddMember extends Error {
  readonly member: string;
  readonly what: string;
  constructor(member: string, what: string) {
    super(`${member} is ${what}`);
    this.member = member;
    this.what = what;
  }
}

const blockBytes = 512;
/** Of one extended header: it holds some names and numbers. */
const extendedBytesMax = 1 << 20;

const odd: Readonly<Record<string, string>> = {
  S: "a sparse file",
  M: "the rest of a file that begins in another archive",
  D: "a list of an incremental backup",
  V: "the label of a tape",
};

/** Throws `OddMember` before any byte of such a member's header has passed. */
export async function* guarded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const guard = new Guard();
  for await (const chunk of source) {
    guard.see(chunk);
    yield chunk;
  }
}

class Guard {
  private readonly header = Buffer.alloc(blockBytes);
  private headerBytes = 0;
  /** Bytes until the next header. */
  private skipBytes = 0;
  private extended: Buffer[] = [];
  private extendedLeft = 0;
  /** The size that an extended header gives the next member. */
  private sizeBytes: number | undefined;

  see(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.skipBytes > 0) {
        const bytes = Math.min(this.skipBytes, chunk.length - at);
        if (this.extendedLeft > 0) {
          this.extended.push(Buffer.from(chunk.subarray(at, at + Math.min(bytes, this.extendedLeft))));
          this.extendedLeft -= Math.min(bytes, this.extendedLeft);
          if (this.extendedLeft === 0) this.readExtended();
        }
        this.skipBytes -= bytes;
        at += bytes;
        continue;
      }
      const bytes = Math.min(blockBytes - this.headerBytes, chunk.length - at);
      this.header.set(chunk.subarray(at, at + bytes), this.headerBytes);
      this.headerBytes += bytes;
      at += bytes;
      if (this.headerBytes === blockBytes) {
        this.headerBytes = 0;
        this.readHeader();
      }
    }
  }

  private readHeader(): void {
    const { header } = this;
    if (header[0] === 0 && header.every((byte) => byte === 0)) return;
    const type = String.fromCharCode(header[156]!);
    const what = odd[type];
    if (what !== undefined) throw new OddMember(textOf(header.subarray(0, 100)), what);
    const size = numberOf(header.subarray(124, 136));
    const isExtended = type === "x";
    const isPrefix = isExtended || "gLK".includes(type);
    const bytes = isPrefix ? size : (this.sizeBytes ?? size);
    // An extended header speaks of the member behind it, long names may stand between.
    if (!isPrefix) this.sizeBytes = undefined;
    this.extended = [];
    this.extendedLeft = isExtended ? Math.min(bytes, extendedBytesMax) : 0;
    this.skipBytes = Math.ceil(bytes / blockBytes) * blockBytes;
  }

  private readExtended(): void {
    const size = /(?:^|\n)\d+ size=(\d{1,15})\n/.exec(Buffer.concat(this.extended).toString("latin1"))?.[1];
    this.extended = [];
    this.sizeBytes = size === undefined ? undefined : Number(size);
  }
}

const textOf = (field: Uint8Array): string => Buffer.from(field).toString("utf8").split("\0", 1)[0]!;

/** Octal text, or binary where the first bit says so. What is no number is for the decoder to refuse. */
function numberOf(field: Uint8Array): number {
  if ((field[0]! & 0x80) !== 0) return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  const text = textOf(field).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : 0;
}
