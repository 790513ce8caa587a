/**
 * The container of a recording: a line that says what it is, sections with their lengths and digests, and a seal, signed over all of them. Any bit that is
 * not as it was written is found before anything is made of it. In prose: specs/recording.md.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { sha256, sha256Hex } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isHash, isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Signer } from "../../protocol/ports.ts";

const compress = promisify(zstdCompress);

const format = 1 as const;
const magicWord = "swarmd recording";
const magic = Buffer.from(`${magicWord} ${format}\n`);
/** Of a section before it is made smaller. */
const sectionBytesMax = 4 << 20;
/** A byte on the wire may be many in memory. */
const sectionValuesMax = 1 << 20;
const storedBytesMax = sectionBytesMax + (1 << 16);
const sectionsMax = 1 << 20;
const recordingBytesMax = 4 * 2 ** 30;
/** Of all sections before they were made smaller. */
const plainBytesMax = 8 * 2 ** 30;
/** Kind, stored bytes, plain bytes, sha2-256 of the stored bytes. */
const headBytes = 1 + 4 + 4 + 32;

/** What stands in a section, by the number in its head; `seal` is the last of every file. */
export const sectionKinds = {
  head: 1,
  entries: 2,
  blob: 3,
  tape: 4,
  nodes: 5,
  readings: 6,
  trees: 7,
  history: 8,
  runs: 9,
  left: 10,
  seal: 255,
} as const;
export type SectionKind = keyof typeof sectionKinds;
const kindOf = new Map<number, SectionKind>(
  Object.entries(sectionKinds).map(([kind, n]) => [n, kind as SectionKind]),
);

export interface Section {
  readonly kind: Exclude<SectionKind, "seal">;
  /** Anything that the codec can say, at most `sectionBytesMax` of it. */
  readonly body: unknown;
}

/** Where a section stands in a file. */
export interface Placed {
  readonly kind: SectionKind;
  readonly at: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly sum: string;
}

/** Bytes of a file, wherever they are. */
export interface Source {
  readonly name: string;
  readonly bytes: number;
  read(at: number, bytes: number): Promise<Uint8Array>;
}

/** Pieces of a file as it is to be written: nothing is held but the section at hand. */
export async function* written(
  sections: AsyncIterable<Section>,
  signer: Pick<Signer, "self" | "sign">,
): AsyncIterable<Uint8Array> {
  const sum = createHash("sha256").update(magic);
  let count = 0;
  const put = async (kind: SectionKind, body: unknown) => {
    const plain = encode(body);
    if (plain.length > sectionBytesMax)
      throw new SwarmError("too-large", `a section of ${plain.length} bytes exceeds ${sectionBytesMax}`);
    const stored = await compress(plain);
    const head = Buffer.alloc(headBytes);
    head.writeUInt8(sectionKinds[kind], 0);
    head.writeUInt32BE(stored.length, 1);
    head.writeUInt32BE(plain.length, 5);
    head.set(sha256(stored), 9);
    sum.update(head);
    count++;
    return Buffer.concat([head, stored]);
  };
  for await (const { kind, body } of sections) {
    // What is refused is refused before anything was written.
    if (count === 0) yield magic;
    yield await put(kind, body);
  }
  const of = { v: format, by: signer.self, sections: count, sum: sum.copy().digest("hex") };
  yield await put("seal", { ...of, sig: signer.sign(signedOf(of)) });
}

const sealSchema = z.strictObject({
  v: z.literal(format),
  by: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  sections: z.int().nonnegative(),
  sum: z.string().refine(isHash),
  sig: z.instanceof(Uint8Array),
});
type Seal = z.infer<typeof sealSchema>;

/** What is signed is no entry's id: it begins otherwise. */
const signedOf = ({ v, by, sections, sum }: Omit<Seal, "sig">): string =>
  sha256Hex(encode(["swarmd-recording", v, by, sections, sum]));

/** A file whose seal holds. */
export class Container {
  readonly sections: readonly Placed[];
  /** Who sealed it. Whether that is a member is for the reader of its entries to say. */
  readonly by: PeerId;
  private readonly source: Source;

  private constructor(source: Source, sections: readonly Placed[], by: PeerId) {
    this.source = source;
    this.sections = sections;
    this.by = by;
  }

  /**
   * Reads a file once, from its begin to its end. Throws `malformed` for what is no recording, torn off or longer than its seal says, `blob-corrupt` for one
   * that was altered, `unauthentic` for a seal that does not hold, `version-unknown`, `too-large`.
   */
  static async open(source: Source, verify: Signer["verify"]): Promise<Container> {
    const { name, bytes } = source;
    if (bytes > recordingBytesMax)
      throw new SwarmError(
        "too-large",
        `${name} has ${bytes} bytes; a recording has at most ${recordingBytesMax}`,
      );
    await checkMagic(source);
    const sum = createHash("sha256").update(magic);
    const sections: Placed[] = [];
    let before = sum.copy().digest("hex");
    let plain = 0;
    for (let at = magic.length; at < bytes; ) {
      const { head, placed } = await placedAt(source, at, sections.length);
      plain += placed.plainBytes;
      if (sections.length >= sectionsMax || plain > plainBytesMax)
        throw new SwarmError("too-large", `${name} would be ${plain} bytes or more when opened`);
      const stored = await source.read(placed.at, placed.storedBytes);
      if (sha256Hex(stored) !== placed.sum) throw altered(source, at, sections.length);
      before = sum.copy().digest("hex");
      sum.update(head);
      sections.push(placed);
      at = placed.at + placed.storedBytes;
      if (placed.kind === "seal" && at < bytes)
        throw new SwarmError("malformed", `${name} goes on for ${bytes - at} bytes behind its seal`, {
          remedy: again,
        });
    }
    const last = sections.pop();
    if (last?.kind !== "seal") throw torn(source, bytes);
    const seal = sealSchema.safeParse(await opened(source, last));
    if (!seal.success)
      throw new SwarmError("malformed", `${name} has a seal that is none`, { remedy: again });
    const { by, sig } = seal.data;
    if (seal.data.sum !== before || seal.data.sections !== sections.length)
      throw new SwarmError("unauthentic", `${name} has the seal of another recording`, { remedy: again });
    if (!verify(by, signedOf(seal.data), sig))
      throw new SwarmError(
        "unauthentic",
        `${name} says that ${by} sealed it, and the signature does not hold`,
        {
          remedy: again,
        },
      );
    return new Container(source, sections, by);
  }

  /** What a section says. Throws `blob-corrupt` when the file changed since it was opened, `malformed`. */
  async body(section: Placed): Promise<unknown> {
    return opened(this.source, section);
  }

  get name(): string {
    return this.source.name;
  }
}

const again = "get the file again from whoever made it: swarmd export BUILD out.swarm";

async function checkMagic(source: Source): Promise<void> {
  const { name, bytes } = source;
  const found = Buffer.from(await source.read(0, Math.min(bytes, magic.length)));
  if (found.equals(magic)) return;
  const [, version] = /^swarmd recording ([0-9]{1,2})\n/.exec(found.toString("latin1")) ?? [];
  if (version !== undefined)
    throw new SwarmError(
      "version-unknown",
      `${name} is a recording of format ${version}; this version reads ${format}`,
      {
        remedy: "read it with the version that made it, or a later one",
      },
    );
  if (bytes > 0 && magic.subarray(0, found.length).equals(found)) throw torn(source, bytes);
  throw new SwarmError("malformed", `${name} is no recording of swarmd`, {
    remedy: "make one: swarmd export BUILD out.swarm",
  });
}

async function placedAt(
  source: Source,
  at: number,
  nth: number,
): Promise<{ head: Uint8Array; placed: Placed }> {
  const { bytes, name } = source;
  if (at + headBytes > bytes) throw torn(source, at);
  const head = Buffer.from(await source.read(at, headBytes));
  const kind = kindOf.get(head.readUInt8(0));
  const storedBytes = head.readUInt32BE(1);
  const plainBytes = head.readUInt32BE(5);
  if (kind === undefined || storedBytes > storedBytesMax || plainBytes > sectionBytesMax)
    throw new SwarmError("malformed", `section ${nth + 1} of ${name}, at byte ${at}, is none`, {
      remedy: again,
    });
  if (at + headBytes + storedBytes > bytes) throw torn(source, at);
  const sum = head.subarray(9).toString("hex");
  return { head, placed: { kind, at: at + headBytes, storedBytes, plainBytes, sum } };
}

async function opened(source: Source, { at, storedBytes, plainBytes, sum }: Placed): Promise<unknown> {
  const stored = await source.read(at, storedBytes);
  if (sha256Hex(stored) !== sum)
    throw new SwarmError("blob-corrupt", `${source.name} changed while it was read`, {
      remedy: "read it again",
    });
  let plain: Uint8Array;
  try {
    plain = zstdDecompressSync(stored, { maxOutputLength: Math.max(1, plainBytes) });
  } catch (cause) {
    throw new SwarmError(
      "malformed",
      `a section of ${source.name} at byte ${at} does not open, or to more than it says`,
      {
        remedy: again,
        cause,
      },
    );
  }
  if (plain.length !== plainBytes)
    throw new SwarmError(
      "malformed",
      `a section of ${source.name} at byte ${at} opens to less than it says`,
      {
        remedy: again,
      },
    );
  return decode(new Uint8Array(plain), sectionBytesMax, sectionValuesMax);
}

const torn = ({ name, bytes }: Source, at: number): SwarmError =>
  new SwarmError(
    "malformed",
    `${name} is torn off: it ends at byte ${bytes}, in what began at ${at}, without its seal`,
    {
      remedy: again,
    },
  );

const altered = ({ name }: Source, at: number, nth: number): SwarmError =>
  new SwarmError(
    "blob-corrupt",
    `${name} was altered or damaged in section ${nth + 1}, which begins at byte ${at}`,
    {
      remedy: again,
    },
  );
