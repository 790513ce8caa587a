/**
 * Artifacts: blobs of the swarm brought to this disk, and what the action cache can answer with now. Concurrent requests for one
 * blob share one transfer; a peer that fails is passed over.
 */
import type { InputFile } from "../../protocol/build/graph.ts";
import { leadsTo } from "../../protocol/build/links.ts";
import { pathCharsMax } from "../../protocol/build/path.ts";
import { type Directory, decodeDirectory } from "../../protocol/build/reapi.ts";
import type { CacheHit, Want } from "../../protocol/contract.ts";
import { emptyDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText, type Digest, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Artifacts, EventStore } from "../../protocol/ports.ts";
import type { ActionResult } from "../../protocol/timeline/events.ts";
import { type Offered, offersOf } from "../../protocol/work/offers.ts";
import type { Log } from "../log.ts";
import type { PiecedBlob, RemoteBlobs } from "../ports.ts";
import type { DiskBlobs } from "./blobs.ts";
import { type GatherParts, gatherBlob } from "./gather.ts";
import { isPieced, pieceCountOf } from "./pieces.ts";
import type { Sources } from "./sources.ts";

/** Transfers under way at once, and of them from one peer. */
const transfersMax = 8;
/** Peers asked for one blob before it counts as missing. */
const peersMax = 16;
/** Members that are asked to bring a blob from where this node cannot, and blobs that it brings for others at once. */
const errandsMax = 4;
const begunCheckMs = 50;
const readBytesMax = 64 << 20;
const treeDepthMax = 64;
const treeFilesMax = 1_000_000;
const treeFoldersMax = 100_000;
/** Of all its paths together: a few folders, each in many, make long paths of nothing. */
const treeCharsMax = 64 << 20;
/** Digests in one question to a peer. */
const statMax = 4096;
/** A peer that takes longer to answer is no help to a cache. */
const statTimeoutMs = 2000;
/** A peer that sends nothing for so long is passed over where others can be asked. */
const silenceMsMax = 3000;
/** Directories of one level of a tree that are fetched together. */
const treeWidth = 256;

export interface ArtifactsOptions {
  readonly blobs: DiskBlobs;
  readonly remote: Omit<RemoteBlobs, "doubt">;
  readonly sources: Sources;
  readonly watchAskers: GatherParts["watchAskers"];
  /** Members there is a connection to. */
  readonly connected: () => readonly PeerId[];
  /** Whom the swarm's records name as holders, within a moment. */
  readonly locate: (digest: Digest) => Promise<readonly PeerId[]>;
  readonly events: Pick<EventStore, "results">;
  readonly self: PeerId;
  readonly log: Pick<Log, "debug">;
}

/** The port as the shell holds it. */
export interface LocalArtifacts extends Artifacts {
  /** For a member that does not reach the holders itself: from these alone, nobody else is sent. True once it is here, or its first pieces are on their way. */
  obtainFor(digest: Digest, from: readonly PeerId[], signal: AbortSignal): Promise<boolean>;
}

export function createArtifacts(options: ArtifactsOptions): LocalArtifacts {
  const { blobs, remote, sources, events, self, log } = options;
  /** Blobs under way: who is asked for them, and how many bytes came in the end. */
  const transfers = new Map<Digest, { readonly from: readonly PeerId[]; readonly bytes: Promise<number> }>();
  const waiting: (() => void)[] = [];
  let running = 0;
  /** Blobs that are brought for others. */
  let errands = 0;

  async function withPlace<T>(work: () => Promise<T>): Promise<T> {
    if (running >= transfersMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }

  /** Resolves to the bytes that crossed the network; throws `blob-missing` when nobody asked had it, `disk-full`. */
  function obtain(want: Want): Promise<number> {
    if (blobs.has(want.digest)) return Promise.resolve(0);
    const shared = transfers.get(want.digest);
    if (shared)
      return shared.bytes.then(
        () => 0,
        (cause) => {
          const others = want.from.filter((peer) => !shared.from.includes(peer));
          if (others.length === 0) throw cause;
          return obtain({ digest: want.digest, from: others });
        },
      );
    const bytes = withPlace(() => fromAnywhere(want)).finally(() => transfers.delete(want.digest));
    transfers.set(want.digest, { from: want.from, bytes });
    return bytes;
  }

  /** From those named; else from whom the swarm's records name; else through a member that reaches more than this node does. */
  async function fromAnywhere(want: Want): Promise<number> {
    try {
      return await fromAnyone(want);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      const reached = new Set(options.connected());
      const named = new Set([...want.from, ...(await options.locate(want.digest))]);
      named.delete(self);
      const further = [...named].filter((peer) => !want.from.includes(peer) && reached.has(peer));
      if (further.length > 0)
        try {
          return await fromAnyone({ digest: want.digest, from: further });
        } catch (again) {
          if (!isMissing(again)) throw again;
        }
      const beyond = [...named].filter((peer) => !reached.has(peer));
      if (beyond.length === 0) throw cause;
      const trusted = sources.order(reached).filter((peer) => !sources.of(peer).avoided);
      for (const peer of trusted.slice(0, errandsMax))
        try {
          await remote.obtain(peer, want.digest, beyond);
          return await fromAnyone({ digest: want.digest, from: [peer] });
        } catch (again) {
          log.debug({ peer, digest: want.digest, error: String(again) }, "a member could not bring a blob");
        }
      throw cause;
    }
  }

  async function obtainFor(digest: Digest, from: readonly PeerId[], signal: AbortSignal): Promise<boolean> {
    if (blobs.has(digest)) return true;
    const reached = new Set(options.connected());
    const asked = from.filter((peer) => reached.has(peer));
    if (asked.length === 0 || errands >= errandsMax) return false;
    errands++;
    try {
      const here = direct({ digest, from: asked }).then(
        () => true,
        () => false,
      );
      const late = new Promise<boolean>((resolve) => {
        signal.addEventListener("abort", () => resolve(false), { once: true });
      });
      return await Promise.race([here, late, begun(digest, here)]);
    } finally {
      errands--;
    }
  }

  /** As `obtain`, with no detour: an errand never makes another. */
  function direct(want: Want): Promise<number> {
    const shared = transfers.get(want.digest);
    if (shared) return shared.bytes;
    const bytes = withPlace(() => fromAnyone(want)).finally(() => transfers.delete(want.digest));
    transfers.set(want.digest, { from: want.from, bytes });
    return bytes;
  }

  /** True once pieces of it can be had from here; never if none come. */
  async function begun(digest: Digest, over: Promise<boolean>): Promise<boolean> {
    let open = true;
    void over.finally(() => {
      open = false;
    });
    while (open) {
      const blob = await blobs.pieced(digest).catch(() => undefined);
      if (blob && isBegun(digest, blob)) return true;
      await new Promise((resolve) => setTimeout(resolve, begunCheckMs));
    }
    return await over;
  }

  async function fromAnyone(want: Want): Promise<number> {
    const left = new Set(want.from.filter((peer) => peer !== self).slice(0, peersMax));
    let received = 0;
    if (isPieced(want.digest)) {
      const count = (bytes: number) => {
        received += bytes;
      };
      await gatherBlob({ ...options, received: count }, want.digest, [...left]);
      return received;
    }
    while (left.size > 0) {
      const peer = sources.order(left)[0]!;
      left.delete(peer);
      const done = sources.begin(peer);
      try {
        return received + (await transferFrom(peer, want.digest, left.size > 0));
      } catch (cause) {
        if (cause instanceof Interrupted) received += cause.receivedBytes;
        const error = cause instanceof Interrupted ? cause.cause : cause;
        if (error instanceof SwarmError && error.code === "disk-full") throw error;
        blame(peer, want.digest, error);
        log.debug({ peer, digest: want.digest, error: String(error) }, "a peer did not deliver a blob");
      } finally {
        done();
      }
    }
    throw new SwarmError("blob-missing", `nobody asked has ${want.digest}`);
  }

  function blame(peer: PeerId, digest: Digest, error: unknown) {
    if (!(error instanceof SwarmError)) return;
    if (error.code === "blob-corrupt" || error.code === "too-large") sources.note(peer, "corrupt", digest);
    else if (error.code !== "blob-missing") sources.failed(peer);
  }

  /** Resumes what is kept of it; if the whole then is wrong, the kept part may have been, and it is tried once from the start. */
  async function transferFrom(peer: PeerId, digest: Digest, others: boolean): Promise<number> {
    let received = 0;
    const attempt = async (offset: number) => {
      const counted = async function* () {
        const startMs = performance.now();
        const chunks = remote.get(peer, digest, offset);
        for await (const chunk of others ? unlessSilent(chunks) : chunks) {
          if (received === 0) sources.answered(peer, performance.now() - startMs);
          received += chunk.length;
          yield chunk;
        }
      };
      await blobs.putStream(digest, counted(), offset);
    };
    const offset = blobs.resumeAt(digest);
    try {
      await attempt(offset).catch((cause) => {
        if (offset > 0 && cause instanceof SwarmError && cause.code === "blob-corrupt") return attempt(0);
        throw cause;
      });
      return received;
    } catch (cause) {
      throw new Interrupted(received, cause);
    }
  }

  async function wholeBlob(want: Want): Promise<Uint8Array | null> {
    if (want.digest === emptyDigest) return new Uint8Array();
    if (sizeOf(want.digest) > readBytesMax) return null;
    try {
      await obtain(want);
      return await blobs.read(want.digest);
    } catch (cause) {
      if (!(cause instanceof SwarmError && cause.code === "blob-corrupt")) return null;
    }
    // The own copy was bad and is set aside: once more, from the others.
    return obtain(want)
      .then(() => blobs.read(want.digest))
      .catch(() => null);
  }

  /** Level by level. Null when a part cannot be had, is malformed, or the whole is beyond the bounds. */
  async function wholeTree(want: Want): Promise<InputFile[] | null> {
    const files: InputFile[] = [];
    let folders = 0;
    let chars = 0;
    const known = new Map<Digest, Promise<Directory | null>>();
    const directory = (digest: Digest) => {
      const found = known.get(digest) ?? wholeBlob({ digest, from: want.from }).then(directoryOf);
      known.set(digest, found);
      return found;
    };
    let level = [{ at: "", digest: want.digest }];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > treeDepthMax || level.some((l) => l.at.length > pathCharsMax)) return null;
      const next: typeof level = [];
      for (let start = 0; start < level.length; start += treeWidth) {
        const part = level.slice(start, start + treeWidth);
        const read = await Promise.all(part.map((one) => directory(one.digest)));
        for (const [index, found] of read.entries()) {
          const { at } = part[index]!;
          if (!found) return null;
          for (const { name, target } of found.symlinks) {
            // Whoever made it is not trusted: a link that may lead elsewhere is no part of a result.
            if (leadsTo(at + name, target) === undefined) return null;
            chars += at.length + name.length + target.length;
            files.push({ path: at + name, digest: emptyDigest, executable: false, link: target });
          }
          const isEmpty = found.files.length + found.directories.length + found.symlinks.length === 0;
          if (isEmpty && at !== "")
            files.push({ path: at.slice(0, -1), digest: emptyDigest, executable: false, folder: true });
          for (const { name, digest, executable } of found.files) {
            chars += at.length + name.length;
            files.push({ path: at + name, digest, executable });
          }
          for (const { name, digest } of found.directories) next.push({ at: `${at}${name}/`, digest });
          folders += found.directories.length;
          chars += at.length * found.directories.length;
          if (files.length > treeFilesMax || folders > treeFoldersMax || chars > treeCharsMax) return null;
        }
      }
      level = next;
    }
    return files.sort((a, b) => byText(a.path, b.path));
  }

  /** Everything that a result's outputs stand for, folders with all below them; null when a Directory cannot be had. */
  async function bytesOf(result: ActionResult, holders: readonly PeerId[]): Promise<Digest[] | null> {
    const all = new Set<Digest>();
    for (const output of result.outputs) {
      all.add(output.digest);
      if (output.kind === "file") continue;
      const files = await wholeTree({ digest: output.digest, from: holders });
      if (!files) return null;
      for (const file of files) all.add(file.digest);
    }
    all.delete(emptyDigest);
    return [...all];
  }

  async function lookUp(keys: readonly Digest[]): Promise<CacheHit[]> {
    const known = await Promise.all(
      keys.map(
        (key) =>
          new Promise<readonly Offered[]>((resolve) =>
            events.results(key, (found) => resolve(offersOf(key, found))),
          ),
      ),
    );
    const candidates = await Promise.all(
      known.flat().map(async (one) => ({ ...one, needs: await bytesOf(one.hit.result, one.holders) })),
    );
    // One question to each holder, about all it is said to hold, all at once.
    const questions = new Map<PeerId, Set<Digest>>();
    for (const { holders, needs } of candidates) {
      if (!needs || needs.every((digest) => blobs.has(digest))) continue;
      for (const peer of holders.slice(0, peersMax)) {
        if (peer === self) continue;
        const asked = questions.get(peer) ?? new Set();
        for (const digest of needs) asked.add(digest);
        questions.set(peer, asked);
      }
    }
    const answers = new Map<PeerId, Set<Digest>>();
    await Promise.all(
      [...questions].map(async ([peer, digests]) => answers.set(peer, await ask(peer, [...digests]))),
    );
    const hits = new Map<Digest, CacheHit>();
    for (const { hit, holders, needs } of candidates) {
      if (!needs || hits.has(hit.key)) continue;
      const from = needs.every((digest) => blobs.has(digest))
        ? self
        : holders.find((peer) => {
            const held = answers.get(peer);
            return held !== undefined && needs.every((digest) => held.has(digest));
          });
      if (from !== undefined) hits.set(hit.key, { ...hit, from });
    }
    return keys.flatMap((key) => hits.get(key) ?? []);
  }

  /** What a peer says it holds; what it has not said in time counts as not held. */
  async function ask(peer: PeerId, digests: readonly Digest[]): Promise<Set<Digest>> {
    const held = new Set<Digest>();
    try {
      for (let start = 0; start < digests.length; start += statMax)
        for (const digest of await inTime(
          remote.stat(peer, digests.slice(start, start + statMax)),
          statTimeoutMs,
        ))
          held.add(digest);
    } catch (cause) {
      log.debug({ peer, error: String(cause) }, "a peer did not say what it holds");
    }
    return held;
  }

  return {
    obtainFor,
    fetch(wants, done) {
      const missing: Digest[] = [];
      let fetchedBytes = 0;
      Promise.all(
        wants.map((want) =>
          obtain(want).then(
            (bytes) => {
              fetchedBytes += bytes;
            },
            () => {
              missing.push(want.digest);
            },
          ),
        ),
      ).then(() => done(missing.sort(byText), fetchedBytes));
    },
    read(want, done) {
      wholeBlob(want).then(done);
    },
    put(bytes, done) {
      blobs.put(bytes).then(
        () => done(true),
        (cause) => {
          log.debug({ error: String(cause) }, "a blob of this node's own cannot be kept");
          done(false);
        },
      );
    },
    readTree(want, done) {
      wholeTree(want).then(done);
    },
    lookUp(keys, done) {
      lookUp(keys).then(done);
    },
  };
}

/** What comes, as long as it comes: throws `timed-out` when it pauses for longer than one waits where others can be asked. */
async function* unlessSilent(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]();
  let silent = false;
  try {
    for (;;) {
      const next = await inTime(source.next(), silenceMsMax).catch((cause) => {
        silent = true;
        throw cause;
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // one that hangs would hold up whoever waits for its end
    const end = source.return?.();
    if (silent) end?.catch(() => {});
    else await end;
  }
}

/** Throws `timed-out`. */
async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SwarmError("timed-out", "no answer in time")), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

const isMissing = (cause: unknown): boolean => cause instanceof SwarmError && cause.code === "blob-missing";

function isBegun(digest: Digest, blob: PiecedBlob): boolean {
  if (blob.whole) return true;
  for (let index = 0; index < pieceCountOf(digest); index++) if (blob.has(index)) return true;
  return false;
}

/** A transfer that failed after some bytes had come. */
class Interrupted extends Error {
  readonly receivedBytes: number;

  constructor(receivedBytes: number, cause: unknown) {
    super("a transfer was interrupted", { cause });
    this.receivedBytes = receivedBytes;
  }
}

function directoryOf(bytes: Uint8Array | null): Directory | null {
  try {
    return bytes && decodeDirectory(bytes);
  } catch {
    return null;
  }
}
