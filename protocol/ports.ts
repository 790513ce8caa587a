/**
 * The edges of a node, each with its guarantee. Callbacks, not promises, so that the simulator's virtual time and the
 * machine's real one drive the very same runtime. Every port has one contract suite in test/contract/, run on both.
 */

import type { Inspection, PackageFile } from "./build/content.ts";
import type { InputFile } from "./build/graph.ts";
import type {
  CacheHit,
  ExecuteOutcome,
  ExecuteRequest,
  Instant,
  PublishStep,
  Shelved,
  Want,
} from "./contract.ts";
import type { ErrorCode } from "./kernel/errors.ts";
import type { BuildId, ClaimId, Digest, Incarnation, PeerId } from "./kernel/ids.ts";
import type { LocalVitals } from "./swarm/vitals.ts";
import type { SignedEntry } from "./timeline/entry.ts";
import type { ActionResult, Made } from "./timeline/events.ts";
import type { Damage, Place } from "./timeline/places.ts";

export interface Clock {
  /** `monoMs` never goes back; `wallMs` may. */
  now(): Instant;
  /** Calls back once, at or after `monoMs`. There is one timer: a later call replaces it. */
  wake(monoMs: number, callback: () => void): void;
}

export interface Signer {
  readonly self: PeerId;
  /** Ed25519 over the 32 bytes that the id (64 hex digits) names. */
  sign(id: string): Uint8Array;
  /** False for a wrong signature, a wrong key, anything odd; never throws. */
  verify(author: PeerId, id: string, signature: Uint8Array): boolean;
}

/** What one write puts on disk, all or nothing. */
export interface EventBatch {
  readonly entries: readonly SignedEntry[];
  readonly updates: readonly { readonly build: BuildId; readonly update: Uint8Array }[];
  readonly dropped: readonly BuildId[];
  /** Records of ended builds, each in the place of the one before; what lies at these places may be packed. */
  readonly archived?: readonly {
    readonly build: BuildId;
    readonly record: Uint8Array;
    readonly places: readonly Place[];
  }[];
  /** Entries of these builds go, and their records, where no other is given. */
  readonly forgotten?: readonly {
    readonly build: BuildId;
    readonly places: readonly Place[];
    readonly record?: Uint8Array;
  }[];
  /** Takes the place of the one kept before. */
  readonly history?: Uint8Array;
  /** fsync before calling back. */
  readonly durable: boolean;
  /** Nobody waits for it: only a failure need be told. */
  readonly quiet?: boolean;
}

/** What was on disk at the last start. */
export interface Restored {
  /** The entries that belong to no build, in any order. Those of builds whose ledger was dropped are only found by `range`. */
  readonly entries: readonly SignedEntry[];
  readonly ledgers: readonly { readonly build: BuildId; readonly updates: readonly Uint8Array[] }[];
  /** Records of ended builds, in any order. */
  readonly archived?: readonly Uint8Array[];
  /** The one that was kept last. */
  readonly history?: Uint8Array;
}

/** A result that is known of an action key, and who made it where, the latest last. */
export interface Remembered {
  readonly result: ActionResult;
  readonly made: readonly Made[];
}

export interface EventStore {
  /** Atomic. Batches land in call order. After the callback without an error a process crash loses nothing of it. */
  write(batch: EventBatch, done: (error?: { code: ErrorCode; message: string }) => void): void;
  /** Entries of a chain with fromSeq ≤ seq ≤ toSeq in seq order; what is not there is left out. */
  range(
    author: PeerId,
    inc: Incarnation,
    fromSeq: number,
    toSeq: number,
    done: (entries: SignedEntry[]) => void,
  ): void;
  /** The results kept for an action key, the newest last. */
  results(key: Digest, done: (found: readonly Remembered[]) => void): void;
  /** Hears of entries that are no longer what was written, as they are read: they are put aside, and not there any more. */
  watch?(hear: (damages: readonly Damage[]) => void): void;
  /** Adds a maker to what is known of a key, each member once; a different result replaces nothing and is kept beside it. */
  remember(key: Digest, result: ActionResult, made: Made): void;
}

/** What the network asks and tells; given to it once, before it starts. */
export interface NetworkHandlers {
  /** True for current members: the gate in front of every protocol but admission. */
  admits(peer: PeerId): boolean;
  /** True for members, whether or not their certificates have ended: whom to dial. */
  knows(peer: PeerId): boolean;
  /** Our side of a presentation (an encoded `Presentation`). */
  presentation(): Uint8Array;
  /** An admission request, or the other side's presentation in answer to ours; the answer goes back, null closes. `source`: the host it comes from. */
  admission(
    peer: PeerId,
    request: Uint8Array,
    answer: (reply: Uint8Array | null) => void,
    source?: string,
  ): void;
  connected(peer: PeerId): void;
  disconnected(peer: PeerId): void;
  message(from: PeerId, message: Uint8Array): void;
  /** `by`: who handed it on, where that is known; who wrote it stands in it. */
  gossip(message: Uint8Array, by?: PeerId): void;
}

export interface Network {
  /** In order per receiver while connected; dropped without a word when its bounded queue is full. False, and dropped, when not connected. */
  send(to: PeerId, message: Uint8Array): boolean;
  /** To all members, best effort, any order, possibly twice. */
  gossip(message: Uint8Array): void;
  /** Over every connection of a peer that has several, nothing otherwise. Absent where each machine is reached by itself. */
  echo?(to: PeerId, message: () => Uint8Array): void;
}

/** Blobs of the swarm, brought to the own disk. */
export interface Artifacts {
  /** Fetches what is not here, verified: these blobs alone, for a folder's Directory nothing below it. Those named are asked first, others that may hold it or reach a holder may be asked too. Reports what could not be had from anyone asked. */
  fetch(wants: readonly Want[], done: (missing: Digest[], fetchedBytes: number) => void): void;
  /** A whole blob (≤ 64 MiB) from disk or peers; null when nobody has it. */
  read(want: Want, done: (bytes: Uint8Array | null) => void): void;
  /** Keeps a blob of this node's own making on its disk; false when there is no room. */
  put(bytes: Uint8Array, done: (kept: boolean) => void): void;
  /** All files below a Directory, paths relative to it, sorted by path; null when a part cannot be had. */
  readTree(want: Want, done: (files: InputFile[] | null) => void): void;
  /** Action keys whose result is known and whose outputs are all on this disk or with a live member now. */
  lookUp(keys: readonly Digest[], done: (hits: CacheHit[]) => void): void;
}

export interface Executor {
  /** Calls back exactly once, after every process of the action is gone and its outputs are stored. */
  execute(request: ExecuteRequest, done: (outcome: ExecuteOutcome) => void): void;
  /** TERM to all its processes, KILL after 5 s. Unknown claims are ignored. */
  kill(claim: ClaimId, reason: string): void;
  /** Reads the files of tools for exact fingerprints, in its own time; sensors tell them. Names that are no tools are passed over. */
  survey(tools: readonly string[]): void;
}

export interface Sensors {
  /** Calls back at once and then whenever a reading changed enough to matter, at most once a second. Returns what stops it. */
  watch(callback: (vitals: LocalVitals) => void): () => void;
}

/** Where a mirror lays out epochs: what it shows is one whole epoch at every moment, a crash at any point of any step included. */
export interface Showcase {
  /** What was there at the start; unfinished epochs are gone. */
  restored(): readonly Shelved[];
  /** On disk when it calls back without an error; `blob-missing` and `blob-corrupt` name what the disk lacks, `disk-full` leaves all as it was. */
  run(step: PublishStep, done: (error?: { code: ErrorCode; message: string }) => void): void;
}

/** Reads packages, so that a release can be judged. */
export interface Inspector {
  /** In the order of `packages`; null for what is not on the own disk. What is no sound package is told so, with why. */
  inspect(packages: readonly PackageFile[], done: (inspections: (Inspection | null)[]) => void): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly signer: Signer;
  readonly events: EventStore;
  readonly network: Network;
  readonly artifacts: Artifacts;
  readonly executor: Executor;
  readonly showcase: Showcase;
  readonly inspector: Inspector;
}
