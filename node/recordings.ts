/** The recorded stretches of a home, for reading: each a saved core and the inputs after it. */
import { open, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import type { TapeStep } from "../protocol/explain/tape.ts";
import { decode } from "../protocol/kernel/codec.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type Incarnation, isIncarnation, isPeerId, type PeerId } from "../protocol/kernel/ids.ts";

const decompress = promisify(zstdDecompress);

export const stretchSuffix = ".tape";
const frameBytesMax = 1 << 30;

const headSchema = z.object({
  v: z.literal(1),
  /** Of the program: the same inputs give the same effects in the same program. */
  program: z.string().max(64),
  node: z.string().max(64),
  peer: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  inc: z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v)),
  /** Later than that there are no dates. */
  atMs: z.number().nonnegative().max(8.64e15),
  core: z.instanceof(Uint8Array),
});
/** What stands at the begin of a stretch. */
export type Stretch = z.infer<typeof headSchema>;

export interface RecordedFile {
  readonly file: string;
  /** Wall milliseconds, of its last write. */
  readonly toMs: number;
  readonly bytes: number;
}

/** All stretches of a folder, the oldest first; none where there is no such folder. */
export async function recordedIn(dir: string): Promise<RecordedFile[]> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const files = await Promise.all(
    names
      .filter((name) => name.endsWith(stretchSuffix))
      .map(async (name): Promise<RecordedFile> => {
        const file = path.join(dir, name);
        const { mtimeMs, size } = await stat(file);
        return { file, toMs: mtimeMs, bytes: size };
      }),
  );
  return files.sort((a, b) => a.toMs - b.toMs || (a.file < b.file ? -1 : 1));
}

/** A stretch that was read. */
export interface ReadStretch {
  readonly head: Stretch;
  readonly steps: Iterable<TapeStep>;
  readonly torn: boolean;
}

/** As `stretchIn`, of a file. */
export const readStretch = async (file: string): Promise<ReadStretch> =>
  stretchIn(await readFile(file), file);

/** When the stretch of a file began, wall milliseconds, read from its head alone. Throws `malformed` where that cannot be told, and what the disk throws. */
export async function beginOf({ file, bytes }: RecordedFile): Promise<number> {
  const handle = await open(file);
  try {
    const { buffer: length } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const frameBytes = Math.min(length.readUInt32BE(0), bytes);
    const { buffer: frame } = await handle.read(Buffer.alloc(frameBytes), 0, frameBytes, 4);
    return headOf(frame, path.basename(file)).atMs;
  } finally {
    await handle.close();
  }
}

/** A stretch as it was written; one whose end was torn off ends before that. Throws `malformed` for what is none. `file`: its name, for people. */
export function stretchIn(bytes: Buffer, file: string): ReadStretch {
  const { frames, torn } = framesOf(bytes);
  const [first, ...rest] = frames;
  return { head: headOf(first, file), steps: stepsIn(rest, file), torn };
}

function headOf(frame: Buffer | undefined, file: string): Stretch {
  const head = headSchema.safeParse(frame && opened(frame, file));
  if (!head.success) throw new SwarmError("malformed", `${file} is no recording`);
  return head.data;
}

/** Whether what was written can be read, a torn end aside; told off this thread. */
export async function isSound(bytes: Buffer): Promise<boolean> {
  const { frames } = framesOf(bytes);
  try {
    for (const frame of frames) await decompress(frame, { maxOutputLength: frameBytesMax });
    // Empty: the daemon died before its first write.
    return frames.length > 0 || bytes.length === 0;
  } catch {
    return false;
  }
}

function framesOf(bytes: Buffer): { readonly frames: Buffer[]; readonly torn: boolean } {
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) break;
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { frames, torn: at < bytes.length };
}

function* stepsIn(frames: readonly Buffer[], file: string): Iterable<TapeStep> {
  for (const frame of frames) yield* opened(frame, file) as TapeStep[];
}

function opened(frame: Buffer, file: string): unknown {
  try {
    const bytes = zstdDecompressSync(frame, { maxOutputLength: frameBytesMax });
    return decode(new Uint8Array(bytes), frameBytesMax, Number.POSITIVE_INFINITY);
  } catch (cause) {
    throw new SwarmError("malformed", `${file} cannot be read: it was damaged`, { cause });
  }
}
