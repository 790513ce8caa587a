/** A file that comes into being whole or not at all: written beside its place, put there in one step. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { reasonOf } from "../node/files.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

export interface NewFileOptions {
  /** In place of what is there. */
  readonly force: boolean;
  /** Leaves nothing behind when it fires. */
  readonly signal: AbortSignal;
  /** Hears how much was written. */
  readonly progress: (bytes: number) => void;
}

/** Throws `usage` where a file is already, or none can be; `disk-full`; and what `bytes` throws: then nothing is left behind. */
export async function writeNewFile(
  file: string,
  bytes: AsyncIterable<Uint8Array>,
  { force, signal, progress }: NewFileOptions,
): Promise<void> {
  if (!force && (await stat(file).catch(() => undefined)))
    throw new SwarmError("usage", `${file} is there already`, {
      remedy: "name another file, or say --force",
    });
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(4).toString("hex")}`);
  let handle: FileHandle;
  try {
    handle = await open(draft, "wx", 0o600);
  } catch (cause) {
    throw new SwarmError("usage", `${file} cannot be written: ${reasonOf(cause)}`, {
      remedy: "name a file in a folder that is there and yours",
      cause,
    });
  }
  try {
    let written = 0;
    for await (const chunk of bytes) {
      await handle.writeFile(chunk);
      written += chunk.length;
      progress(written);
    }
    await handle.sync();
    await handle.close();
    if (!signal.aborted) await rename(draft, file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
    throw new SwarmError("disk-full", `there is no room for ${file}`, { cause });
  } finally {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
  }
}
