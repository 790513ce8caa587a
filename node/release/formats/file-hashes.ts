/** The hashes that package indices name, all in one pass over the file. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

export interface FileHashes {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha1: string;
  readonly sha256: string;
}

/** Reads `file` once, in pieces. */
export async function hashesOf(file: string): Promise<FileHashes> {
  const hashes = { md5: createHash("md5"), sha1: createHash("sha1"), sha256: createHash("sha256") };
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    for (const hash of Object.values(hashes)) hash.update(chunk);
  }
  return {
    sizeBytes,
    md5: hashes.md5.digest("hex"),
    sha1: hashes.sha1.digest("hex"),
    sha256: hashes.sha256.digest("hex"),
  };
}
