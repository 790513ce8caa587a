/** Blobs and live output between members. */
import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PiecedBlob, TailChunk } from "../../node/ports.ts";
import { hashOfPiece, pieceAt, pieceCountOf } from "../../node/store/pieces.ts";
import { digestOf, emptyDigest, hashOf } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Digest } from "../../protocol/kernel/ids.ts";
import { key, type Member, TestSwarm, until } from "./swarm.ts";

let swarm: TestSwarm;
let a: Member;
let b: Member;
beforeEach(async () => {
  swarm = new TestSwarm();
  [a, b] = await swarm.pair();
});
afterEach(async () => await swarm.stop());

const gather = async (pieces: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(pieces));
const get = (digest: Digest, offset = 0) => gather(a.mesh.remoteBlobs.get(b.peer, digest, offset));

describe("blobs of another member", () => {
  it("come whole, from none to many bytes, and are counted on both sides", async () => {
    const sizes = [0, 1, 1_000, 256 << 10, (256 << 10) + 1, 5_000_000];
    for (const size of sizes) {
      const bytes = randomBytes(size);
      expect(Buffer.compare(await get(b.store(bytes)), bytes)).toBe(0);
    }
    const total = sizes.reduce((sum, size) => sum + size);
    expect(a.mesh.traffic()).toEqual({ receivedBytes: total, sentBytes: 0 });
    expect(b.mesh.traffic()).toEqual({ receivedBytes: 0, sentBytes: total });
  });

  it("go on from any offset", async () => {
    const bytes = randomBytes(2_000_000);
    const digest = b.store(bytes);
    for (const offset of [1, 65_536, 1_999_999, 2_000_000])
      expect(Buffer.compare(await get(digest, offset), bytes.subarray(offset))).toBe(0);
    await expect(get(digest, 2_000_001)).rejects.toMatchObject({ code: "malformed" });
  });

  it("come many at a time, each to its asker", async () => {
    const blobs = Array.from({ length: 500 }, (_, i) => Buffer.from(`blob ${i} ${"z".repeat(i * 7)}`));
    const digests = blobs.map((bytes) => b.store(bytes));
    const got = await Promise.all(digests.map((digest) => get(digest)));
    got.forEach((bytes, i) => {
      expect(Buffer.compare(bytes, blobs[i]!)).toBe(0);
    });
  });

  it("are told to be missing one by one, without harm to those around", async () => {
    const here = b.store(Buffer.from("here"));
    const gone = digestOf(Buffer.from("gone"));
    const large = `${"0".repeat(64)}/10000000` as Digest;
    const outcomes = await Promise.allSettled([
      get(here),
      get(gone),
      get(here),
      get(large),
      get(emptyDigest),
    ]);
    expect(outcomes.map((o) => (o.status === "fulfilled" ? o.value.toString() : o.reason.code))).toEqual([
      "here",
      "blob-missing",
      "here",
      "blob-missing",
      "blob-missing",
    ]);
  });

  it("end with an error when they turn out shorter than their digest says", async () => {
    for (const size of [1_000, 1_000_000]) {
      const digest = b.store(randomBytes(size));
      b.stored.set(digest, b.stored.get(digest)!.subarray(1));
      await expect(get(digest)).rejects.toMatchObject({ code: "blob-missing" });
    }
    expect((await get(b.store(Buffer.from("fine")))).toString()).toBe("fine");
  });

  it("wait in the sender for a slow receiver, and do not hold up small ones", async () => {
    const bytes = randomBytes(20 << 20);
    const digest = b.store(bytes);
    const small = b.store(Buffer.from("small"));
    const slow = a.mesh.remoteBlobs.get(b.peer, digest, 0)[Symbol.asyncIterator]();
    const pieces = [(await slow.next()).value as Uint8Array];
    let sent = -1;
    while (sent !== b.mesh.traffic().sentBytes) {
      sent = b.mesh.traffic().sentBytes;
      for (let i = 0; i < 200; i++) await nextTurn();
    }
    expect(sent).toBeLessThan(8 << 20);
    expect((await get(small)).toString()).toBe("small");
    for (let next = await slow.next(); !next.done; next = await slow.next()) pieces.push(next.value);
    expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0);
  });

  it("may be left in the middle, and the next one comes all the same", async () => {
    const digest = b.store(randomBytes(4 << 20));
    for (let i = 0; i < 20; i++) for await (const _ of a.mesh.remoteBlobs.get(b.peer, digest, 0)) break;
    expect((await get(digest)).length).toBe(4 << 20);
  });

  it("are asked for by the thousand", async () => {
    const digests = Array.from({ length: 10_050 }, (_, i) => digestOf(Buffer.from(`${i}`)));
    const held = digests.filter((_, i) => i % 3 === 0);
    for (const digest of held) b.stored.set(digest, new Uint8Array());
    expect(await a.mesh.remoteBlobs.stat(b.peer, digests)).toEqual(new Set(held));
    expect(await a.mesh.remoteBlobs.stat(b.peer, [])).toEqual(new Set());
  });

  it("cannot be had from who is not connected, nor when the connection goes", async () => {
    const { peer } = await key("nobody");
    await expect(a.mesh.remoteBlobs.stat(peer, [emptyDigest])).rejects.toMatchObject({
      code: "peer-unreachable",
    });
    const digest = b.store(randomBytes(20 << 20));
    const transfer = a.mesh.remoteBlobs.get(b.peer, digest, 0)[Symbol.asyncIterator]();
    await transfer.next();
    await swarm.end(b);
    await expect(
      (async () => {
        while (!(await transfer.next()).done);
      })(),
    ).rejects.toMatchObject({ code: "peer-unreachable" });
  });
});

describe("pieces of a large blob at another member", () => {
  const bytes = randomBytes((5 << 20) + 1);
  const digest = digestOf(bytes);
  /** The blob as one that has some of its pieces. */
  const hold = (has: (index: number) => boolean): PiecedBlob => {
    const cut = (index: number) => {
      const { offset, bytes: size } = pieceAt(digest, index);
      return bytes.subarray(offset, offset + size);
    };
    const list = Buffer.concat(Array.from({ length: pieceCountOf(digest) }, (_, i) => hashOfPiece(cut(i))));
    return { list, whole: false, has, read: async (index) => cut(index), more: () => new Promise(() => {}) };
  };
  const all = Uint8Array.of(0xff, 0x07);

  it("come by their numbers, those that were given away least first", async () => {
    b.pieced.set(
      digest,
      hold((index) => index !== 2),
    );
    const { remoteBlobs } = a.mesh;
    expect(await remoteBlobs.pieces(b.peer, digest)).toMatchObject({ whole: false, others: [] });
    expect(await remoteBlobs.offer(b.peer, digest, all, 3)).toEqual([0, 1, 3]);
    expect(await remoteBlobs.offer(b.peer, digest, all, 8)).toEqual([4, 5, 6, 7, 8, 9, 10, 0]);
    const pieces = await Promise.all([10, 0].map((index) => remoteBlobs.piece(b.peer, digest, index)));
    expect(pieces.map((piece) => piece.length)).toEqual([1, 512 << 10]);
    expect(Buffer.compare(pieces[1]!, bytes.subarray(0, 512 << 10))).toBe(0);
    expect(a.mesh.traffic().receivedBytes).toBe((512 << 10) + 1);
  });

  it("are not offered when they are not here, after a moment", async () => {
    b.pieced.set(
      digest,
      hold(() => false),
    );
    expect(await a.mesh.remoteBlobs.offer(b.peer, digest, all, 3)).toEqual([]);
  });

  it("of a blob that is not here cannot be had, and the others come all the same", async () => {
    const { remoteBlobs } = a.mesh;
    for (const asked of [
      remoteBlobs.pieces(b.peer, digest),
      remoteBlobs.offer(b.peer, digest, all, 3),
      remoteBlobs.piece(b.peer, digest, 3),
    ])
      await expect(asked).rejects.toMatchObject({ code: "blob-missing" });
    b.pieced.set(
      digest,
      hold(() => true),
    );
    expect((await remoteBlobs.piece(b.peer, digest, 3)).length).toBe(512 << 10);
  });

  it("of a blob that has none end the stream of whoever asks", async () => {
    const small = b.store(randomBytes(1000));
    await expect(a.mesh.remoteBlobs.pieces(b.peer, small)).rejects.toMatchObject({
      code: "peer-unreachable",
    });
    await expect(
      a.mesh.remoteBlobs.offer(b.peer, digest, Uint8Array.of(1, 2, 3, 4), 1),
    ).rejects.toMatchObject({ code: "peer-unreachable" });
  });
});

describe("errands", () => {
  it("are run by a member that reaches more", async () => {
    const asked: unknown[] = [];
    const digest = digestOf(Buffer.from("far away"));
    b.obtain = async (...wanted) => asked.push(wanted) === 1;
    const { peer } = await key("far away");
    await a.mesh.remoteBlobs.obtain(b.peer, digest, [peer]);
    expect(asked).toEqual([[digest, [peer]]]);
    await expect(a.mesh.remoteBlobs.obtain(b.peer, digest, [peer])).rejects.toMatchObject({
      code: "blob-missing",
    });
  });

  it("tell a member that what it gave away is wrong", async () => {
    const digest = b.store(randomBytes(100));
    const doubted: Digest[] = [];
    b.doubted = async (one) => doubted.push(one) === 1;
    expect(await a.mesh.remoteBlobs.doubt(b.peer, digest)).toBe(true);
    expect(await a.mesh.remoteBlobs.doubt(b.peer, digest)).toBe(false);
    expect(doubted).toEqual([digest, digest]);
  });

  it("tell the size of a blob of which only the hash is known", async () => {
    const digest = b.store(randomBytes(12_345));
    expect(await a.mesh.remoteBlobs.sizeOf(b.peer, hashOf(digest))).toBe(12_345);
    await expect(a.mesh.remoteBlobs.sizeOf(b.peer, "0".repeat(64))).rejects.toMatchObject({
      code: "blob-missing",
    });
  });
});

describe("live output of another member", () => {
  const chunk = (text: string): TailChunk => ({
    build: "leveldb-0123456789" as BuildId,
    action: "compile/db_impl" as ActionName,
    stream: "stdout",
    text,
  });

  it("comes in order until its source ends, for what was asked", async () => {
    b.tail = async function* (request) {
      yield chunk(JSON.stringify(request));
      for (let i = 0; i < 100; i++) yield chunk(`${i} ${"ü".repeat(60_000)}`);
    };
    const request = { build: chunk("").build, action: chunk("").action, follow: false };
    const chunks = await Array.fromAsync(a.mesh.tail(b.peer, request, new AbortController().signal));
    expect(JSON.parse(chunks[0]!.text)).toEqual(request);
    expect(chunks.slice(1).map(({ text }) => Number.parseInt(text, 10))).toEqual([...Array(100).keys()]);
  });

  it("ends at both sides when the watcher leaves", async () => {
    const ended: string[] = [];
    b.tail = async function* (_, signal) {
      try {
        yield chunk("first");
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      } finally {
        ended.push("source");
      }
    };
    const leave = new AbortController();
    for await (const { text } of a.mesh.tail(b.peer, { follow: true }, leave.signal)) {
      expect(text).toBe("first");
      leave.abort();
    }
    await until(() => ended.length === 1);
    for await (const _ of a.mesh.tail(b.peer, { follow: true }, new AbortController().signal)) break;
    await until(() => ended.length === 2);
  });

  it("says when the other is gone", async () => {
    b.tail = async function* (_, signal) {
      yield chunk("first");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    };
    const watched = a.mesh
      .tail(b.peer, { follow: true }, new AbortController().signal)
      [Symbol.asyncIterator]();
    await watched.next();
    const next = expect(watched.next()).rejects.toMatchObject({ code: "peer-unreachable" });
    await swarm.end(b);
    await next;
  });
});
