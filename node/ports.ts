/** The shell's own edges, which the core never sees: blobs on disk, blobs at peers, live log tails. */
import type { ActionName, BuildId, Digest, PeerId } from "../protocol/kernel/ids.ts";
import type { Network } from "../protocol/ports.ts";
import type { Finding } from "./control/api.ts";

/** Content-addressed files. What is in it is complete, hash-correct, read-only and never changes. */
export interface BlobStore {
  has(digest: Digest): boolean;
  /** Where the blob lies, to link or bind; it may be linked, never written. Throws `blob-missing`. */
  path(digest: Digest): string;
  /** Throws `blob-missing`; `blob-corrupt` when the file no longer matches (it is set aside). */
  read(digest: Digest): Promise<Uint8Array>;
  /** From `offset` (bytes) to the end. */
  stream(digest: Digest, offset?: number): AsyncIterable<Uint8Array>;
  put(bytes: Uint8Array): Promise<Digest>;
  /** Stores what comes, verified against `digest`: `blob-corrupt` or `too-large` otherwise, and nothing stays. Resumes a partial one of the same digest: `resumeAt` says from where. */
  putStream(digest: Digest, bytes: AsyncIterable<Uint8Array>, from?: number): Promise<void>;
  /** Bytes of a partial transfer kept for `digest`; 0 when there is none. */
  resumeAt(digest: Digest): number;
  /** Takes a finished regular file into the store (hashed, then linked or copied) and returns its digest. */
  putFile(file: string): Promise<Digest>;
  /** The size of the blob with this sha2-256 (64 hex digits), in bytes; undefined when it is not here. */
  sizeOfHash(hash: string): number | undefined;
  /** Bytes of it that are here, also of one that is still coming. */
  bytesHere(digest: Digest): number;
  /** A large blob in pieces: one that is here, or what is here of one that is being gathered; undefined for anything else. */
  pieced(digest: Digest): Promise<PiecedBlob | undefined>;
}

/** A large blob in pieces, whole or still coming. */
export interface PiecedBlob {
  /** The sha2-256 of every piece, one after the other. Of a whole blob it is right; of one that still comes it is what its sources say. */
  readonly list: Uint8Array;
  readonly whole: boolean;
  has(index: number): boolean;
  /** Throws `blob-missing` for a piece that is not here. */
  read(index: number): Promise<Uint8Array>;
  /** Resolves once another piece is here, or nothing more will come. */
  more(): Promise<void>;
}

/** What a peer says of a large blob. */
export interface PiecesAnswer {
  readonly list: Uint8Array;
  /** It holds all of it; else it is fetching it too. */
  readonly whole: boolean;
  /** Who else asked it for this blob not long ago, and may hold pieces. */
  readonly others: readonly PeerId[];
}

/** Blobs at one peer, over a stream of their own. Every failure is a `SwarmError` (`peer-unreachable`, `blob-missing`, `timed-out`). */
export interface RemoteBlobs {
  /** The size of the blob with this sha2-256 (64 hex digits), in bytes, as the peer says. Throws `blob-missing`. */
  sizeOf(peer: PeerId, hash: string): Promise<number>;
  /** Asks the peer to bring a blob from these members, for one that does not reach them; resolves once it, or its first pieces, can be had from the peer. Throws `blob-missing`. */
  obtain(peer: PeerId, digest: Digest, from: readonly PeerId[]): Promise<void>;
  /** Tells the peer that what it gave away as this blob is something else: it reads its own again. True when that is right. */
  doubt(peer: PeerId, digest: Digest): Promise<boolean>;
  /** How a large blob is cut, if the peer has any of it. Throws `blob-missing`. */
  pieces(peer: PeerId, digest: Digest): Promise<PiecesAnswer>;
  /** Which pieces to ask this peer for: at most `max` of those that `lack` (a bitmap) names, those it gave away least first; none after a moment in which it got none. */
  offer(peer: PeerId, digest: Digest, lack: Uint8Array, max: number): Promise<number[]>;
  /** One piece, written to the beginning of `room` if there is one that is large enough for it; the receiver verifies. Nothing is written there any more once it has settled. */
  piece(peer: PeerId, digest: Digest, index: number, room?: Uint8Array): Promise<Uint8Array>;
  /** Which of these the peer has now. */
  stat(peer: PeerId, digests: readonly Digest[]): Promise<Set<Digest>>;
  /** From `offset` to the end, with back-pressure; the receiver verifies. */
  get(peer: PeerId, digest: Digest, offset: number): AsyncIterable<Uint8Array>;
}

export interface TailRequest {
  readonly build?: BuildId;
  readonly action?: ActionName;
  readonly follow: boolean;
}

/** A piece of the output of something that runs on this node; text, at most 64 KiB. */
export interface TailChunk {
  readonly build: BuildId;
  readonly action: ActionName;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Live output of what runs here: what is buffered (bounded), then, if followed, what comes, until the signal. Slow readers lose the oldest, never block an action. */
export interface TailSource {
  tail(request: TailRequest, signal: AbortSignal): AsyncIterable<TailChunk>;
}

/** Provider records of the swarm: who says it holds a blob. */
export interface Locator {
  /** Tells the swarm that this node holds the blob, now and again before that is forgotten. Throws `peer-unreachable` when nobody took the record. */
  provide(digest: Digest, signal: AbortSignal): Promise<void>;
  /** Does not tell it again; others forget it within two days. */
  withdraw(digest: Digest): Promise<void>;
  /** Peers that said they hold the blob with this sha2-256 (64 hex digits), as answers come in; some may be gone, and none of them is verified. */
  holders(hash: string, signal: AbortSignal): AsyncIterable<PeerId>;
}

/** What one member asks another about how that one stands. */
export type Inquiry =
  /** Whom do you reach? */
  | { readonly kind: "reach" }
  /** Do you reach me at these addresses of mine? */
  | { readonly kind: "dial"; readonly addresses: readonly string[] }
  /** I am at these addresses now. */
  | { readonly kind: "moved"; readonly addresses: readonly string[] }
  /** What does your doctor find? */
  | { readonly kind: "health" };

/** A connection to a member, as one of its ends sees it. */
export interface Way {
  readonly peer: PeerId;
  /** Of a round trip just made; absent: nothing came back in time. */
  readonly latencyMs?: number | undefined;
  /** outbound: it was dialled from here. */
  readonly direction: "inbound" | "outbound";
  /** Of the other end, as the connection shows it. */
  readonly address: string;
}

/** What came of dialling one address: how long it took, or why it failed. */
export interface Try {
  readonly address: string;
  readonly latencyMs?: number | undefined;
  readonly why?: string | undefined;
}

export type InquiryAnswer =
  | { readonly kind: "reach"; readonly ways: readonly Way[] }
  | { readonly kind: "dial"; readonly tries: readonly Try[] }
  | { readonly kind: "moved" }
  | { readonly kind: "health"; readonly findings: readonly Finding[] };

/** Who answers inquiries of other members for this node. */
export interface Inquirable {
  answer(asker: PeerId, inquiry: Inquiry): Promise<InquiryAnswer>;
}

/** The network as the daemon holds it: the core's port and what the shell needs beside it. */
export interface Mesh extends Network {
  readonly remoteBlobs: RemoteBlobs;
  /** Live output of what runs on a peer, through another member where there is no connection to it. Throws `peer-unreachable`. */
  tail(peer: PeerId, request: TailRequest, signal: AbortSignal): AsyncIterable<TailChunk>;
  /** Multiaddrs others can dial, with the peer id at the end. */
  addresses(): string[];
  /** Known addresses per member, from the peer book. */
  addressesOf(peer: PeerId): string[];
  /** The version of the program that a member said it runs when it was last connected; undefined when it did not say. */
  versionOf(peer: PeerId): string | undefined;
  /** Remembers and dials addresses of members; keeps trying with back-off as long as they are admitted. */
  know(peer: PeerId, addresses: readonly string[]): void;
  /** The set of members changed: connections of those no longer admitted are closed, new members are dialled. */
  membersChanged(): void;
  /** Members there is a connection to. */
  connected(): PeerId[];
  /** The connections to members, each tried just now. */
  ways(): Promise<Way[]>;
  /** Asks a member, through another one where there is no connection to it; `via` says through whom. Throws `peer-unreachable`. */
  inquire<K extends Inquiry["kind"]>(
    peer: PeerId,
    inquiry: Extract<Inquiry, { kind: K }>,
  ): Promise<{ readonly answer: Extract<InquiryAnswer, { kind: K }>; readonly via?: PeerId }>;
  /** Who provides blobs, asked of everyone. */
  readonly locator: Locator;
  /** Bytes of blobs received and sent since start. */
  traffic(): { receivedBytes: number; sentBytes: number };
  stop(): Promise<void>;
}
