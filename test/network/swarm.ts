/** Meshes on loopback for tests: a few daemons' networks with a make-believe membership, in one process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { vi } from "vitest";
import { createLogTo } from "../../node/log.ts";
import { Askers } from "../../node/network/askers.ts";
import { createMesh, type MeshOptions } from "../../node/network/mesh.ts";
import type { PiecedBlob, TailChunk, TailRequest } from "../../node/ports.ts";
import { digestOf, hashOf, sha256, sha256Hex } from "../../protocol/kernel/digest.ts";
import { type Digest, type PeerId, peerIdOf, type SwarmId } from "../../protocol/kernel/ids.ts";

export const swarm = sha256Hex("a swarm for tests") as SwarmId;

/** A seed of a key and the peer id that belongs to it. */
export async function key(name: string): Promise<{ seed: Uint8Array; peer: PeerId }> {
  const seed = sha256(Buffer.from(name));
  const { publicKey } = await generateKeyPairFromSeed("Ed25519", seed);
  return { seed, peer: peerIdOf(publicKey.raw) };
}

export const until = async (condition: () => boolean, timeoutMs = 100_000): Promise<void> =>
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error("the condition does not hold");
    },
    { timeout: timeoutMs, interval: 5 },
  );

export interface Member {
  readonly mesh: Awaited<ReturnType<typeof createMesh>>;
  readonly peer: PeerId;
  readonly seed: Uint8Array;
  /** Whom it takes for members; whoever shows the password is added. */
  readonly members: Set<PeerId>;
  readonly received: { from: PeerId; message: Uint8Array }[];
  readonly gossiped: Uint8Array[];
  readonly links: { kind: "connected" | "disconnected"; peer: PeerId }[];
  readonly stored: Map<Digest, Uint8Array>;
  readonly pieced: Map<Digest, PiecedBlob>;
  readonly log: { msg: string; [field: string]: unknown }[];
  obtain: (digest: Digest, from: readonly PeerId[]) => Promise<boolean>;
  doubted: (digest: Digest) => Promise<boolean>;
  tail: (request: TailRequest, signal: AbortSignal) => AsyncIterable<TailChunk>;
  /** Connected peers, by what the handlers heard. */
  connected(): PeerId[];
  store(bytes: Uint8Array): Digest;
}

export interface MemberOptions {
  readonly password?: string;
  readonly members?: readonly PeerId[];
  readonly listen?: readonly string[];
  readonly bookFile?: string;
  readonly admission?: MeshOptions["handlers"]["admission"];
  /** Monotonic milliseconds by which strangers are paced. */
  readonly now?: () => number;
}

/** Waits until all are connected and gossip of each is heard by all others; what does not arrive is said again, in other words. */
export async function gossipReachesAll(members: readonly Member[]): Promise<void> {
  const others = members.length - 1;
  await until(() => members.every((m) => m.connected().length === others));
  const hearers = (author: Member) =>
    members.filter((m) => m.gossiped.some((g) => Buffer.from(g).toString().startsWith(author.peer))).length;
  let round = 0;
  await until(() => {
    round++;
    const unheard = members.filter((author) => hearers(author) < others);
    for (const author of unheard) author.mesh.gossip(Buffer.from(`${author.peer} ${round}`));
    return unheard.length === 0;
  });
}

/** A temp folder and what runs in it, gone after `stop`. */
export class TestSwarm {
  readonly #folder = mkdtemp(path.join(tmpdir(), "swarmd-network-"));
  readonly #running = new Set<Member>();

  async file(name: string): Promise<string> {
    return path.join(await this.#folder, name);
  }

  async start(name: string, options: MemberOptions = {}): Promise<Member> {
    const { seed, peer } = await key(name);
    const password = options.password ?? "open sesame";
    const members = new Set(options.members);
    const state = {
      peer,
      seed,
      members,
      received: [] as Member["received"],
      gossiped: [] as Uint8Array[],
      links: [] as Member["links"],
      stored: new Map<Digest, Uint8Array>(),
      pieced: new Map<Digest, PiecedBlob>(),
      log: [] as Member["log"],
    };
    const presentation = Buffer.from(`password ${password}`);
    const handlers: MeshOptions["handlers"] = {
      knows: (other) => members.has(other),
      admits: (other) => members.has(other),
      presentation: () => presentation,
      admission:
        options.admission ??
        ((other, request, answer) =>
          setImmediate(() => {
            if (Buffer.compare(presentation, request) !== 0) return answer(null);
            members.add(other);
            answer(presentation);
          })),
      connected: (other) => state.links.push({ kind: "connected", peer: other }),
      disconnected: (other) => state.links.push({ kind: "disconnected", peer: other }),
      message: (from, message) => state.received.push({ from, message }),
      gossip: (message) => state.gossiped.push(message),
    };
    const mesh = await createMesh({
      privateKey: seed,
      swarm,
      listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
      bookFile: options.bookFile ?? (await this.file(`${name}.json`)),
      handlers,
      now: options.now,
      blobs: {
        has: (digest) => state.stored.has(digest),
        async *stream(digest, offset = 0) {
          const bytes = state.stored.get(digest)!;
          for (let at = offset; at < bytes.length; at += 64 << 10)
            yield bytes.subarray(at, Math.min(at + (64 << 10), bytes.length));
        },
        sizeOfHash: (hash) => [...state.stored].find(([digest]) => hashOf(digest) === hash)?.[1].length,
        pieced: async (digest) => state.pieced.get(digest),
      },
      askers: new Askers(),
      obtain: (digest, from) => member.obtain(digest, from),
      doubted: (digest) => member.doubted(digest),
      tails: { tail: (request, signal) => member.tail(request, signal) },
      health: async () => [{ check: "name", level: "ok", text: name }],
      log: createLogTo({ write: (line) => state.log.push(JSON.parse(line)) }, "debug"),
    });
    const member: Member = {
      ...state,
      mesh,
      async *tail() {},
      obtain: async () => false,
      doubted: async () => false,
      connected() {
        const last = new Map(state.links.map(({ kind, peer }) => [peer, kind]));
        return [...last].filter(([, kind]) => kind === "connected").map(([peer]) => peer);
      },
      store(bytes) {
        const digest = digestOf(bytes);
        state.stored.set(digest, bytes);
        return digest;
      },
    };
    this.#running.add(member);
    return member;
  }

  /** Two members that know each other's address, connected; `first` is for one of them. */
  async pair(first: MemberOptions = {}): Promise<[Member, Member]> {
    const [a, b] = await Promise.all([this.start("a", first), this.start("b")]);
    this.introduce(a, b);
    await until(() => a.connected().includes(b.peer) && b.connected().includes(a.peer));
    return [a, b];
  }

  /** `from` learns of `to` and dials it. */
  introduce(from: Member, to: Member): void {
    from.members.add(to.peer);
    from.mesh.know(to.peer, to.mesh.addresses());
  }

  async end(member: Member): Promise<void> {
    this.#running.delete(member);
    await member.mesh.stop();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((member) => this.end(member)));
    await rm(await this.#folder, { recursive: true, force: true });
  }
}
