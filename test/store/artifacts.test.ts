import { chmod, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RemoteBlobs } from "../../node/ports.ts";
import { createArtifacts, type LocalArtifacts } from "../../node/store/artifacts.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { Sources } from "../../node/store/sources.ts";
import { encodeDirectory } from "../../protocol/build/reapi.ts";
import type { Want } from "../../protocol/contract.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Digest, type PeerId, peerIdOf } from "../../protocol/kernel/ids.ts";
import type { Remembered } from "../../protocol/ports.ts";
import type { ActionResult } from "../../protocol/timeline/events.ts";
import { artifactsContract } from "../contract/artifacts.ts";
import { madeBy } from "../contract/chain.ts";
import { patient } from "../patience.ts";

const text = (value: string) => new TextEncoder().encode(value);
const peerOf = (n: number) => peerIdOf(new Uint8Array(32).fill(n));
const [self, a, b] = [peerOf(1), peerOf(2), peerOf(3)] as const;

/** Peers in memory that log what they are asked and may be told to misbehave. */
class Peers implements Omit<RemoteBlobs, "doubt"> {
  readonly held = new Map<PeerId, Map<Digest, Uint8Array>>();
  readonly log: string[] = [];
  readonly down = new Set<PeerId>();
  /** What the DHT says. */
  readonly records = new Map<Digest, PeerId[]>();
  /** Bytes of each transfer that arrive before it breaks, by peer. */
  readonly breaksAfter = new Map<PeerId, number>();
  readonly forged = new Set<PeerId>();
  /** While set, transfers wait for it. */
  gate: Promise<void> | undefined;

  hold(peer: PeerId, bytes: Uint8Array) {
    const held = this.held.get(peer) ?? new Map();
    this.held.set(peer, held.set(digestOf(bytes), bytes));
  }

  async stat(peer: PeerId, digests: readonly Digest[]): Promise<Set<Digest>> {
    this.log.push(`stat ${peer} ${digests.length}`);
    if (this.down.has(peer)) throw new SwarmError("peer-unreachable", "down");
    return new Set(digests.filter((digest) => this.held.get(peer)?.has(digest)));
  }

  sizeOf = () => Promise.reject(new SwarmError("blob-missing", "only whole"));
  /** Who can be sent to whom. */
  readonly roads = new Map<PeerId, readonly PeerId[]>();
  async obtain(peer: PeerId, digest: Digest, from: readonly PeerId[]) {
    this.log.push(`obtain ${peer}`);
    for (const other of from) {
      const bytes = this.roads.get(peer)?.includes(other) && this.held.get(other)?.get(digest);
      if (bytes) return this.hold(peer, bytes);
    }
    throw new SwarmError("blob-missing", "no way");
  }
  pieces = () => Promise.reject(new SwarmError("blob-missing", "only whole"));
  offer = () => Promise.reject(new SwarmError("blob-missing", "only whole"));
  piece = () => Promise.reject(new SwarmError("blob-missing", "only whole"));

  async *get(peer: PeerId, digest: Digest, offset: number): AsyncIterable<Uint8Array> {
    this.log.push(`get ${peer} ${offset}`);
    await this.gate;
    if (this.down.has(peer)) throw new SwarmError("peer-unreachable", "down");
    const bytes = this.held.get(peer)?.get(digest);
    if (!bytes) throw new SwarmError("blob-missing", "not here");
    const limit = this.breaksAfter.get(peer) ?? bytes.length;
    for (let at = offset; at < bytes.length; at += 100) {
      if (at >= limit) throw new SwarmError("peer-unreachable", "broke");
      const chunk = bytes.slice(at, at + 100);
      yield this.forged.has(peer) ? chunk.map((x) => x ^ 1) : chunk;
    }
  }
}

async function setUp() {
  const home = await mkdtemp(path.join(tmpdir(), "swarmd-artifacts-"));
  const blobs = await openBlobStore(path.join(home, "blobs"));
  const peers = new Peers();
  const results = new Map<Digest, Remembered>();
  const artifacts = createArtifacts({
    blobs,
    remote: peers,
    sources: new Sources(),
    watchAskers: () => () => {},
    connected: () => [a, b].filter((peer) => !peers.down.has(peer)),
    locate: async (digest) => peers.records.get(digest) ?? [],
    events: {
      results: (key, done) => queueMicrotask(() => done(results.has(key) ? [results.get(key)!] : [])),
    },
    self,
    log: { debug: () => {} },
  });
  return { home, blobs, peers, results, artifacts };
}

artifactsContract("the node", async () => {
  const { home, blobs, peers, results, artifacts } = await setUp();
  return {
    artifacts,
    self,
    peers: [a, b],
    hold: async (peer, bytes) => {
      if (peer === self) await blobs.put(bytes);
      else peers.hold(peer, bytes);
    },
    know: (key, result, holders) => results.set(key, { result, made: holders.toReversed().map(madeBy) }),
    has: blobs.has,
    settle: (condition) => vi.waitFor(() => expect(condition()).toBe(true), { ...patient, interval: 2 }),
    close: () => rm(home, { recursive: true }),
  };
});

describe("artifacts of a node", () => {
  let home: string;
  let blobs: DiskBlobs;
  let peers: Peers;
  let results: Map<Digest, Remembered>;
  let artifacts: LocalArtifacts;
  beforeEach(async () => {
    ({ home, blobs, peers, results, artifacts } = await setUp());
  });
  afterEach(() => rm(home, { recursive: true }));

  const large = new Uint8Array(1000).map((_, i) => i);
  const fetch = (wants: readonly Want[]) =>
    new Promise<{ missing: Digest[]; fetchedBytes: number }>((resolve) =>
      artifacts.fetch(wants, (missing, fetchedBytes) => resolve({ missing, fetchedBytes })),
    );
  const readTree = (digest: Digest) =>
    new Promise((resolve) => artifacts.readTree({ digest, from: [a] }, resolve));

  it("shares one transfer among all who want the blob at once", async () => {
    peers.hold(a, large);
    const want = { digest: digestOf(large), from: [a] };
    const all = await Promise.all([fetch([want]), fetch([want, want]), fetch([want])]);
    expect(all.map((one) => one.missing)).toEqual([[], [], []]);
    expect(all.reduce((sum, one) => sum + one.fetchedBytes, 0)).toBe(large.length);
    expect(peers.log).toEqual([`get ${a} 0`]);
  });

  it("asks those whom the swarm's records name when nobody named has it", async () => {
    peers.hold(b, large);
    peers.records.set(digestOf(large), [b]);
    expect(await fetch([{ digest: digestOf(large), from: [a] }])).toMatchObject({ missing: [] });
    expect(peers.log).toEqual([`get ${a} 0`, `get ${b} 0`]);
  });

  it("has a blob brought by a member that reaches a holder which this node does not", async () => {
    peers.hold(b, large);
    peers.down.add(b);
    const want = { digest: digestOf(large), from: [b] };
    expect(await fetch([want])).toMatchObject({ missing: [want.digest] });
    peers.roads.set(a, [b]);
    expect(await fetch([want])).toEqual({ missing: [], fetchedBytes: large.length });
    expect(peers.log.slice(-2)).toEqual([`obtain ${a}`, `get ${a} 0`]);
  });

  it("brings a blob for another member only from where it reaches itself", async () => {
    peers.hold(b, large);
    peers.down.add(a);
    const { signal } = new AbortController();
    expect(await artifacts.obtainFor(digestOf(large), [a], signal)).toBe(false);
    expect(await artifacts.obtainFor(digestOf(large), [a, b], signal)).toBe(true);
    expect(blobs.has(digestOf(large))).toBe(true);
    expect(peers.log).toEqual([`get ${b} 0`]);
  });

  it("asks a later wish's own holders when the shared transfer fails", async () => {
    peers.hold(b, large);
    const first = fetch([{ digest: digestOf(large), from: [a] }]);
    const second = fetch([{ digest: digestOf(large), from: [a, b] }]);
    expect((await first).missing).toHaveLength(1);
    expect((await second).missing).toHaveLength(0);
  });

  it("goes on with the next holder where the first one broke off", async () => {
    peers.hold(a, large);
    peers.hold(b, large);
    peers.breaksAfter.set(a, 500);
    const { missing, fetchedBytes } = await fetch([{ digest: digestOf(large), from: [a, b] }]);
    expect(missing).toEqual([]);
    expect(fetchedBytes).toBe(large.length);
    expect(peers.log).toEqual([`get ${a} 0`, `get ${b} 500`]);
  });

  it("starts over when the part it kept was forged", async () => {
    peers.hold(a, large);
    peers.hold(b, large);
    peers.forged.add(a);
    peers.breaksAfter.set(a, 500);
    const { missing } = await fetch([{ digest: digestOf(large), from: [a, b] }]);
    expect(missing).toEqual([]);
    expect(peers.log).toEqual([`get ${a} 0`, `get ${b} 500`, `get ${b} 0`]);
    expect(Buffer.compare(await blobs.read(digestOf(large)), large)).toBe(0);
  });

  it("passes over peers that are down, lack the blob or forge it", async () => {
    const [down, lacks, forges] = [peerOf(4), peerOf(5), peerOf(6)];
    peers.down.add(down);
    peers.forged.add(forges);
    peers.hold(forges, large);
    peers.hold(a, large);
    const from = [down, lacks, forges, a];
    expect((await fetch([{ digest: digestOf(large), from }])).missing).toEqual([]);
    expect(peers.log).toHaveLength(4);
  });

  it("spreads many blobs over all holders, and never asks itself", async () => {
    const wants = Array.from({ length: 40 }, (_, i) => {
      const bytes = text(`blob ${i}`);
      peers.hold(a, bytes);
      peers.hold(b, bytes);
      return { digest: digestOf(bytes), from: [self, a, b] };
    });
    expect((await fetch(wants)).missing).toEqual([]);
    const asked = peers.log.map((line) => line.split(" ")[1]);
    expect(asked.filter((peer) => peer === a).length).toBeGreaterThan(5);
    expect(asked.filter((peer) => peer === b).length).toBeGreaterThan(5);
    expect(asked).not.toContain(self);
  });

  it("bounds the transfers under way", async () => {
    let open = () => {};
    peers.gate = new Promise((resolve) => {
      open = resolve;
    });
    const wants = Array.from({ length: 30 }, (_, i) => {
      peers.hold(a, text(`blob ${i}`));
      return { digest: digestOf(text(`blob ${i}`)), from: [a] };
    });
    const fetched = fetch(wants);
    await vi.waitFor(() => expect(peers.log.length).toBeGreaterThan(0), patient);
    expect(peers.log.length).toBeLessThanOrEqual(8);
    open();
    expect((await fetched).missing).toEqual([]);
    expect(peers.log).toHaveLength(30);
  });

  it("asks each holder once for a whole front of keys", async () => {
    const keys = Array.from({ length: 200 }, (_, i) => {
      const output = text(`output ${i}`);
      const key = digestOf(text(`key ${i}`));
      peers.hold(b, output);
      const result: ActionResult = { outputs: [{ path: "o", digest: digestOf(output), kind: "file" }] };
      results.set(key, { result, made: [madeBy(a), madeBy(b)] });
      return key;
    });
    peers.down.add(a);
    const hits = await new Promise<readonly { key: Digest; from: PeerId }[]>((resolve) =>
      artifacts.lookUp(keys, resolve),
    );
    expect(hits.map((hit) => hit.key)).toEqual(keys);
    expect(new Set(hits.map((hit) => hit.from))).toEqual(new Set([b]));
    expect(peers.log.sort()).toEqual([`stat ${a} 200`, `stat ${b} 200`].sort());
  });

  it("heals a blob of its own that went bad from another holder", async () => {
    const digest = await blobs.put(large);
    const file = blobs.path(digest);
    const { mtime } = await stat(file);
    await chmod(file, 0o644);
    await writeFile(file, new Uint8Array(1000));
    await utimes(file, mtime, mtime);
    peers.hold(a, large);
    const bytes = await new Promise<Uint8Array | null>((resolve) =>
      artifacts.read({ digest, from: [a] }, resolve),
    );
    expect(bytes && Buffer.compare(bytes, large)).toBe(0);
  });

  it("refuses trees that are too deep, have links, or are no trees", async () => {
    let bytes = encodeDirectory({ files: [], directories: [], symlinks: [] });
    for (let depth = 0; depth < 70; depth++) {
      peers.hold(a, bytes);
      bytes = encodeDirectory({
        files: [],
        directories: [{ name: "d", digest: digestOf(bytes) }],
        symlinks: [],
      });
    }
    peers.hold(a, bytes);
    expect(await readTree(digestOf(bytes))).toBeNull();
    const linked = encodeDirectory({ files: [], directories: [], symlinks: [{ name: "l", target: "../x" }] });
    peers.hold(a, linked);
    expect(await readTree(digestOf(linked))).toBeNull();
    peers.hold(a, text("no directory at all"));
    expect(await readTree(digestOf(text("no directory at all")))).toBeNull();
  });

  it("refuses a tree that unfolds to millions of folders", async () => {
    let bytes = encodeDirectory({ files: [], directories: [], symlinks: [] });
    for (let depth = 0; depth < 12; depth++) {
      peers.hold(a, bytes);
      const digest = digestOf(bytes);
      const directories = Array.from({ length: 100 }, (_, i) => ({
        name: String(i).padStart(3, "0"),
        digest,
      }));
      bytes = encodeDirectory({ files: [], directories, symlinks: [] });
    }
    peers.hold(a, bytes);
    expect(await readTree(digestOf(bytes))).toBeNull();
  });
});
