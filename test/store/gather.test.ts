import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Askers } from "../../node/network/askers.ts";
import { Offers } from "../../node/network/offers.ts";
import type { PiecedBlob, PiecesAnswer } from "../../node/ports.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { gatherBlob } from "../../node/store/gather.ts";
import { hashOfPiece, pieceAt, pieceCountOf } from "../../node/store/pieces.ts";
import { type Fault, Sources } from "../../node/store/sources.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Digest, type PeerId, peerIdOf } from "../../protocol/kernel/ids.ts";

const peerOf = (n: number) => peerIdOf(new Uint8Array(32).fill(n));

/** A member with a disk of its own, and how it behaves towards others. */
class Host {
  readonly peer: PeerId;
  readonly blobs: DiskBlobs;
  readonly askers = new Askers();
  readonly offers = new Offers();
  readonly faults: [PeerId, Fault][] = [];
  /** No time passes by their clock: who fell silent stays so. */
  readonly sources = new Sources({
    now: () => 0,
    noted: (peer, fault) => this.faults.push([peer, fault]),
  });
  /** Pieces it gave away. */
  given = 0;
  received = 0;
  down = false;
  /** Pieces after which it falls silent for ever. */
  silentAfter = Number.POSITIVE_INFINITY;
  /** Pieces after which it cannot be reached any more. */
  diesAfter = Number.POSITIVE_INFINITY;
  /** After it gave away each piece at least once, to anyone. */
  diesOnceAllIsOut = false;
  readonly out = new Set<number>();
  /** What it makes of a piece before it gives it away. */
  spoil: ((bytes: Uint8Array, index: number) => Uint8Array) | undefined;
  pieced: ((digest: Digest) => PiecedBlob | undefined) | undefined;
  private readonly lan: Lan;

  constructor(lan: Lan, n: number, blobs: DiskBlobs) {
    this.lan = lan;
    this.peer = peerOf(n);
    this.blobs = blobs;
  }

  find = async (digest: Digest) => this.pieced?.(digest) ?? (await this.blobs.pieced(digest));

  fetch(digest: Digest, from: readonly Host[]): Promise<void> {
    const { lan } = this;
    return gatherBlob(
      {
        blobs: this.blobs,
        remote: {
          pieces: (peer, wanted) => lan.pieces(this.peer, peer, wanted),
          offer: (peer, wanted, lack, max) => lan.offer(peer, wanted, lack, max),
          piece: (peer, wanted, index, room) => lan.piece(peer, wanted, index, room),
        },
        sources: this.sources,
        watchAskers: (wanted, tell) => this.askers.watch(wanted, tell),
        self: this.peer,
        log: { debug: () => {} },
        received: (bytes) => {
          this.received += bytes;
        },
      },
      digest,
      from.map(({ peer }) => peer),
    );
  }
}

class Lan {
  readonly hosts = new Map<PeerId, Host>();

  private at(peer: PeerId): Host {
    const host = this.hosts.get(peer);
    if (!host || host.down) throw new SwarmError("peer-unreachable", "down");
    return host;
  }

  async pieces(from: PeerId, peer: PeerId, digest: Digest): Promise<PiecesAnswer> {
    const host = this.at(peer);
    const others = host.askers.of(digest).filter((other) => other !== from);
    host.askers.note(digest, from);
    const blob = await host.find(digest);
    if (!blob) throw new SwarmError("blob-missing", "not here");
    return { list: blob.list, whole: blob.whole, others };
  }

  async offer(peer: PeerId, digest: Digest, lack: Uint8Array, max: number): Promise<number[]> {
    for (let tries = 0; ; tries++) {
      const host = this.at(peer);
      const blob = await host.find(digest);
      if (!blob) throw new SwarmError("blob-missing", "not here");
      const chosen = host.offers.propose(digest, pieceCountOf(digest), blob, lack, max);
      if (chosen.length > 0 || blob.whole || tries > 100) return chosen;
      await nextTurn();
    }
  }

  async piece(peer: PeerId, digest: Digest, index: number, room?: Uint8Array): Promise<Uint8Array> {
    const host = this.at(peer);
    if (host.given >= host.diesAfter || (host.diesOnceAllIsOut && host.out.size === pieceCountOf(digest))) {
      host.down = true;
      throw new SwarmError("peer-unreachable", "it died");
    }
    if (host.given >= host.silentAfter) await new Promise(() => {});
    host.given++;
    host.out.add(index);
    const bytes = await (await host.find(digest))!.read(index);
    const given = host.spoil?.(bytes, index) ?? bytes;
    room?.set(given.subarray(0, room.length));
    return room && given.length <= room.length ? room.subarray(0, given.length) : given;
  }
}

describe("a large blob in pieces", () => {
  let dir: string;
  let lan: Lan;
  const bytes = randomBytes((12 << 20) + 12_345);
  const digest = digestOf(bytes);
  const pieces = pieceCountOf(digest);

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "swarmd-gather-"));
    lan = new Lan();
  });
  afterEach(() => {
    vi.useRealTimers();
    return rm(dir, { recursive: true, force: true });
  });

  /** From here on no piece takes long, however slow this machine is: what takes long is asked for twice. */
  const timeStands = () => void vi.useFakeTimers({ toFake: ["performance"] });

  const host = async (): Promise<Host> => {
    const n = lan.hosts.size + 1;
    const made = new Host(lan, n, await openBlobStore(path.join(dir, `${n}`)));
    lan.hosts.set(made.peer, made);
    return made;
  };
  const holder = async (): Promise<Host> => {
    const made = await host();
    await made.blobs.put(bytes);
    return made;
  };
  const hasIt = async ({ blobs }: Host) => Buffer.compare(await blobs.read(digest), bytes) === 0;

  it("comes from one holder, each piece once", async () => {
    const [a, b] = [await holder(), await host()];
    timeStands();
    await b.fetch(digest, [a]);
    expect(await hasIt(b)).toBe(true);
    expect(a.given).toBe(pieces);
    expect(b.received).toBe(bytes.length);
    expect(await readdir(path.join(dir, "2", "partial"))).toEqual([]);
  });

  it("reaches all who want it although its holder dies before it gave it to each: they pass on what they have", async () => {
    const [a, ...others] = [await holder(), await host(), await host(), await host()];
    a.diesOnceAllIsOut = true;
    await Promise.all(others.map((one) => one.fetch(digest, [a])));
    for (const one of others) expect(await hasIt(one)).toBe(true);
    expect(a.out.size).toBe(pieces);
  });

  it("goes on where it broke, also in another process, without what is no longer right", async () => {
    const [a, b] = [await holder(), await host()];
    a.diesAfter = 10;
    await expect(b.fetch(digest, [a])).rejects.toMatchObject({ code: "blob-missing" });
    const kept = path.join(dir, "2", "partial");
    const [file] = (await readdir(kept)).filter((name) => name.endsWith(".pieces"));
    // the last piece that came is torn, and something follows it
    await truncate(path.join(kept, file!), 9 * (512 << 10) + 1000);
    await appendFile(path.join(kept, file!), randomBytes(600 << 10));
    a.down = false;
    a.diesAfter = Number.POSITIVE_INFINITY;
    a.given = 0;
    const again = new Host(lan, 2, await openBlobStore(path.join(dir, "2")));
    timeStands();
    await again.fetch(digest, [a]);
    expect(await hasIt(again)).toBe(true);
    expect(a.given).toBeLessThanOrEqual(pieces - 8);
    expect(a.given).toBeGreaterThanOrEqual(pieces - 10);
  });

  it("is fetched elsewhere from the piece on that is not what it should be, and the peer is noted", async () => {
    const [a, b, c] = [await holder(), await holder(), await host()];
    a.spoil = (piece, index) => (index % 5 === 3 ? Uint8Array.from(piece, (x) => x ^ 1) : piece);
    timeStands();
    await c.fetch(digest, [a, b]);
    expect(await hasIt(c)).toBe(true);
    expect(c.faults).toEqual([[a.peer, "corrupt"]]);
    expect(c.received).toBeLessThan(bytes.length * 1.5);
    expect(c.sources.order([a.peer, b.peer])).toEqual([b.peer, a.peer]);
  });

  it("does not come from someone whose list is a lie, who is noted", async () => {
    const [a, b, c] = [await host(), await holder(), await host()];
    const forged = randomBytes(bytes.length);
    const list = Buffer.concat(
      Array.from({ length: pieces }, (_, index) => {
        const { offset, bytes: size } = pieceAt(digest, index);
        return hashOfPiece(forged.subarray(offset, offset + size));
      }),
    );
    a.pieced = () => ({
      list,
      whole: true,
      has: () => true,
      more: () => Promise.resolve(),
      async read(index) {
        const { offset, bytes: size } = pieceAt(digest, index);
        return forged.subarray(offset, offset + size);
      },
    });
    await expect(c.fetch(digest, [a])).rejects.toMatchObject({ code: "blob-missing" });
    expect(c.faults).toEqual([[a.peer, "lied"]]);
    expect(await readdir(path.join(dir, "3", "partial"))).toEqual([]);
    await c.fetch(digest, [a, b]);
    expect(await hasIt(c)).toBe(true);
  });

  it("passes over whoever is down, or falls silent in the middle", async () => {
    const [a, b, c, d] = [await holder(), await holder(), await holder(), await host()];
    a.down = true;
    b.silentAfter = 2;
    await d.fetch(digest, [a, b, c]);
    expect(await hasIt(d)).toBe(true);
    expect(d.sources.of(a.peer).silent).toBe(true);
  });

  it("is not to be had where nobody has all of it", async () => {
    const [a, b] = [await host(), await host()];
    await expect(b.fetch(digest, [a])).rejects.toMatchObject({ code: "blob-missing" });
    await expect(b.fetch(digest, [])).rejects.toMatchObject({ code: "blob-missing" });
  });

  it("keeps a right list of a blob across a restart, and makes a spoilt one anew", async () => {
    const a = await holder();
    const { list } = (await a.blobs.pieced(digest))!;
    const lists = path.join(dir, "1", "lists");
    const [name] = await readdir(lists);
    await truncate(path.join(lists, name!), 40);
    const again = await openBlobStore(path.join(dir, "1"));
    expect(Buffer.compare((await again.pieced(digest))!.list, list)).toBe(0);
  });
});
