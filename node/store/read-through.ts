/** A file read from end to end through one buffer: of a stream, each piece is one of its own and lies about until it is collected. */
import { type FileHandle, open } from "node:fs/promises";

const bufferBytes = 1 << 20;

/** `take` sees each stretch of the file in turn, until the end or `endBytes`, and must not keep it. */
export async function readThrough(
  file: string | FileHandle,
  take: (bytes: Uint8Array) => void,
  endBytes = Number.POSITIVE_INFINITY,
): Promise<void> {
  const handle = typeof file === "string" ? await open(file, "r") : file;
  try {
    const buffer = Buffer.allocUnsafeSlow(bufferBytes);
    for (let at = 0; at < endBytes; ) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(bufferBytes, endBytes - at), at);
      if (bytesRead === 0) return;
      take(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  } finally {
    if (typeof file === "string") await handle.close();
  }
}
