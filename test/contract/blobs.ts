/** What every BlobStore keeps to. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../../node/ports.ts";
import { digestFrom, digestOf, emptyDigest, hashOf, sha256 } from "../../protocol/kernel/digest.ts";

export interface BlobFixture {
  readonly blobs: BlobStore;
  /** An empty folder on the same disk. */
  readonly scratch: string;
  close(): Promise<void>;
}

async function* chunked(bytes: Uint8Array, size: number, failAfter = Number.POSITIVE_INFINITY) {
  for (let at = 0; at < bytes.length; at += size) {
    if (at >= failAfter) throw new Error("the line broke");
    yield bytes.subarray(at, at + size);
  }
}

async function gather(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

export function blobContract(name: string, make: () => Promise<BlobFixture>): void {
  describe(`${name} keeps the blob store's contract`, () => {
    let fixture: BlobFixture;
    let blobs: BlobStore;
    beforeEach(async () => {
      fixture = await make();
      blobs = fixture.blobs;
    });
    afterEach(() => fixture.close());
    const small = new TextEncoder().encode("a small blob\n");
    const large = new Uint8Array(700_000).map((_, i) => (i * 31) % 251);

    it("gives back what was put, under its digest", async () => {
      for (const bytes of [small, large]) {
        const digest = await blobs.put(bytes);
        expect(digest).toBe(digestOf(bytes));
        expect(blobs.has(digest)).toBe(true);
        expect(Buffer.compare(await blobs.read(digest), bytes)).toBe(0);
        expect(Buffer.compare(await gather(blobs.stream(digest)), bytes)).toBe(0);
        expect(await readFile(blobs.path(digest))).toEqual(Buffer.from(bytes));
      }
    });

    it("always has the empty blob", async () => {
      expect(blobs.has(emptyDigest)).toBe(true);
      expect(await blobs.read(emptyDigest)).toHaveLength(0);
      expect(await gather(blobs.stream(emptyDigest))).toHaveLength(0);
    });

    it("streams from an offset", async () => {
      const digest = await blobs.put(large);
      expect(Buffer.compare(await gather(blobs.stream(digest, 699_990)), large.subarray(699_990))).toBe(0);
    });

    it("refuses what it does not have", async () => {
      const absent = digestOf(new Uint8Array([1, 2, 3]));
      expect(blobs.has(absent)).toBe(false);
      expect(() => blobs.path(absent)).toThrow(expect.objectContaining({ code: "blob-missing" }));
      await expect(blobs.read(absent)).rejects.toMatchObject({ code: "blob-missing" });
      await expect(gather(blobs.stream(absent))).rejects.toMatchObject({ code: "blob-missing" });
    });

    it("does not have a blob under a wrong size", async () => {
      const digest = await blobs.put(small);
      expect(blobs.has(digestFrom(hashOf(digest), small.length + 1))).toBe(false);
    });

    it("stores a stream that is what its digest says", async () => {
      const digest = digestOf(large);
      await blobs.putStream(digest, chunked(large, 65_536));
      expect(Buffer.compare(await blobs.read(digest), large)).toBe(0);
    });

    it("keeps nothing of a stream with wrong, too few or too many bytes", async () => {
      const digest = digestOf(large);
      const wrong = large.slice();
      wrong[5]! ^= 1;
      await expect(blobs.putStream(digest, chunked(wrong, 65_536))).rejects.toMatchObject({
        code: "blob-corrupt",
      });
      await expect(blobs.putStream(digest, chunked(large.subarray(1), 65_536))).rejects.toMatchObject({
        code: "blob-corrupt",
      });
      await expect(
        blobs.putStream(digest, chunked(Buffer.concat([large, small]), 65_536)),
      ).rejects.toMatchObject({ code: "too-large" });
      expect(blobs.has(digest)).toBe(false);
      expect(blobs.resumeAt(digest)).toBe(0);
    });

    it("resumes a stream that broke", async () => {
      const digest = digestOf(large);
      await expect(blobs.putStream(digest, chunked(large, 65_536, 300_000))).rejects.toThrow(
        "the line broke",
      );
      const kept = blobs.resumeAt(digest);
      expect(kept).toBeGreaterThan(0);
      expect(blobs.has(digest)).toBe(false);
      await blobs.putStream(digest, chunked(large.subarray(kept), 65_536), kept);
      expect(Buffer.compare(await blobs.read(digest), large)).toBe(0);
      expect(blobs.resumeAt(digest)).toBe(0);
    });

    it("refuses to resume where nothing is kept", async () => {
      const digest = digestOf(large);
      await expect(blobs.putStream(digest, chunked(large.subarray(9), 65_536), 9)).rejects.toMatchObject({
        code: "refused",
      });
    });

    it("takes the same blob twice at once", async () => {
      const digest = digestOf(large);
      await Promise.all([
        blobs.putStream(digest, chunked(large, 10_000)),
        blobs.putStream(digest, chunked(large, 65_536)),
        blobs.put(large),
      ]);
      expect(Buffer.compare(await blobs.read(digest), large)).toBe(0);
    });

    it("says how much of a blob is here, and its size by its hash alone", async () => {
      const digest = digestOf(large);
      expect(blobs.bytesHere(digest)).toBe(0);
      expect(blobs.sizeOfHash(hashOf(digest))).toBeUndefined();
      await expect(blobs.putStream(digest, chunked(large, 65_536, 300_000))).rejects.toThrow();
      expect(blobs.bytesHere(digest)).toBe(blobs.resumeAt(digest));
      expect(blobs.sizeOfHash(hashOf(digest))).toBeUndefined();
      await blobs.put(large);
      expect(blobs.bytesHere(digest)).toBe(large.length);
      expect(blobs.sizeOfHash(hashOf(digest))).toBe(large.length);
    });

    it("gives a large blob in pieces that are those of its list, and no other", async () => {
      const huge = Buffer.concat(Array.from({ length: 6 }, () => Buffer.from(large))).subarray(
        0,
        (4 << 20) + 7,
      );
      const digest = await blobs.put(huge);
      const pieced = (await blobs.pieced(digest))!;
      expect(pieced.whole).toBe(true);
      const pieces = await Promise.all(Array.from({ length: 9 }, (_, index) => pieced.read(index)));
      expect(Buffer.compare(Buffer.concat(pieces), huge)).toBe(0);
      expect(Buffer.concat(pieces.map(sha256))).toEqual(Buffer.from(pieced.list));
      expect([0, 8, 9].map((index) => pieced.has(index))).toEqual([true, true, false]);
      expect(await blobs.pieced(await blobs.put(small))).toBeUndefined();
      expect(await blobs.pieced(digestFrom(hashOf(digest), (4 << 20) + 8))).toBeUndefined();
    });

    it("takes a copy of a file and leaves the file its owner's", async () => {
      const file = path.join(fixture.scratch, "file");
      await writeFile(file, large);
      const digest = await blobs.putFile(file);
      expect(digest).toBe(digestOf(large));
      await writeFile(file, "changed since");
      expect(Buffer.compare(await blobs.read(digest), large)).toBe(0);
    });
  });
}
