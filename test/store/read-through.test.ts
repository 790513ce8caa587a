/** A file through one buffer: all of it, in turn, and not one byte more than was asked for. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readThrough } from "../../node/store/read-through.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-through-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const mebibyte = 1 << 20;
const sumOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The sum of what is seen, and the buffers that it was seen in. */
async function seen(...about: [Parameters<typeof readThrough>[0], number?]) {
  const hash = createHash("sha256");
  const buffers = new Set<ArrayBufferLike>();
  await readThrough(
    about[0],
    (bytes) => {
      hash.update(bytes);
      buffers.add(bytes.buffer);
    },
    about[1],
  );
  return { sum: hash.digest("hex"), buffers: buffers.size };
}

test.each([
  ["nothing", 0, 0],
  ["a byte", 1, 1],
  ["what fills the buffer", mebibyte, 1],
  ["what goes on beyond it", 3 * mebibyte + 7, 1],
])("of %s all is seen, in one buffer", async (_, size, buffers) => {
  const bytes = randomBytes(size);
  const file = path.join(dir, "file");
  await writeFile(file, bytes);
  expect(await seen(file)).toEqual({ sum: sumOf(bytes), buffers });
});

test.each([0, 5, mebibyte, mebibyte + 5])(
  "no more than %d bytes are seen, and a file that was open stays so",
  async (end) => {
    const bytes = randomBytes(2 * mebibyte);
    const file = path.join(dir, "file");
    await writeFile(file, bytes);
    const handle = await open(file, "r");
    try {
      expect((await seen(handle, end)).sum).toBe(sumOf(bytes.subarray(0, end)));
      expect((await handle.stat()).size).toBe(bytes.length);
    } finally {
      await handle.close();
    }
  },
);
