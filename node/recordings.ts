/** The recorded stretches of a home, for reading: each a saved core and the inputs after it. */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import type { TapeStep } from "../protocol/explain/tape.ts";
import { decode } from "../protocol/kernel/codec.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type Incarnation, isIncarnation, isPeerId, type PeerId } from "../protocol/kernel/ids.ts";

export const stretchSuffix = ".tape";
const frameBytesMax = 1 << 30;

const headSchema = z.object({
  v: z.literal(1),
  /** Of the program: the same inputs give the same effects in the same program. */
  program: z.string().max(64),
  node: z.string().max(64),
  peer: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  inc: z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v)),
  atMs: z.number().nonnegative(),
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

/** A stretch as it was written; one whose end was torn off ends before that. Throws `malformed` for what is none. */
export async function readStretch(
  file: string,
): Promise<{ head: Stretch; steps: Iterable<TapeStep>; torn: boolean }> {
  const bytes = await readFile(file);
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) break;
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const [first, ...rest] = frames;
  const head = headSchema.safeParse(first && opened(first, file));
  if (!head.success) throw new SwarmError("malformed", `${file} is no recording`);
  return { head: head.data, steps: stepsIn(rest, file), torn: at < bytes.length };
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
