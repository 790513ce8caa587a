/** A channel on disk as a mirror shows it, filled by a format; for tests that read it as its clients do. */
import { createHash } from "node:crypto";
import { link, mkdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Format, Indexed, ReleasedFile } from "../../node/release/formats/format.ts";
import { digestFrom } from "../../protocol/kernel/digest.ts";

export const atMs = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Puts these beside each other, as blobs of a release. */
export async function released(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<ReleasedFile[]> {
  await mkdir(folder, { recursive: true });
  const out: ReleasedFile[] = [];
  for (const [name, bytes] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const hash = createHash("sha256").update(bytes).digest("hex");
    const file = path.join(folder, hash);
    await writeFile(file, bytes);
    out.push({ path: name, file, digest: digestFrom(hash, bytes.length) });
  }
  return out;
}

/** Lays out one epoch in `folder`. */
export async function layOut(
  format: Format,
  folder: string,
  files: readonly ReleasedFile[],
  { epoch = 1, at = atMs, channel = "stable", header = {} } = {},
): Promise<Indexed> {
  const indexed = await format.index({ channel, epoch, atMs: at, header, files });
  for (const { path: name, content } of indexed.files) {
    const place = path.join(folder, name);
    await mkdir(path.dirname(place), { recursive: true });
    if (content instanceof Uint8Array) await writeFile(place, content);
    else await link(content.sameAs.file, place);
    await utimes(place, at / 1000, at / 1000);
  }
  return indexed;
}
