/**
 * Between bytes and what they say, for one runtime: encodes, decodes, judges signatures. Everything here follows from the bytes
 * alone, so whoever hands the same bytes to many (the simulator) may give them a wire that remembers.
 */
import type { BuildId, EntryId } from "./kernel/ids.ts";
import type { Signer } from "./ports.ts";
import {
  encodeGossip,
  encodeMessage,
  type Gossip,
  type Message,
  readGossip,
  readMessage,
} from "./swarm/message.ts";
import type { Header, SignedEntry } from "./timeline/entry.ts";
import { readUpdate, readVector } from "./work/ledger.ts";

/** Signatures known to hold, by entry id: gossip and sync bring entries twice. */
const verifiedMax = 100_000;

export interface Wire {
  encodeMessage(message: Message): Uint8Array;
  /** Vitals get the signer's own signature. */
  encodeGossip(message: Gossip, signer: Signer): Uint8Array;
  /** Throws `malformed` or `too-large`. Signatures of entries are not checked here. */
  readMessage(bytes: Uint8Array): Message;
  /** Throws `malformed`, `too-large`, or `unauthentic` for vitals whose signature does not hold. */
  readGossip(bytes: Uint8Array, signer: Signer): Gossip;
  /** The entries of a stored or carried update of a build's ledger. Throws `malformed`. */
  readUpdate(build: BuildId, update: Uint8Array): SignedEntry[];
  /** Whether the signature of an entry, or of its header alone, is its author's. */
  holds(entry: Header, signer: Signer): boolean;
}

/** The wire of a daemon: decodes what it gets; of signatures that hold it remembers the latest. */
export function plainWire(): Wire {
  const verified = new Map<EntryId, Uint8Array>();
  return {
    encodeMessage,
    encodeGossip: (message, signer) => encodeGossip(message, (hash) => signer.sign(hash)),
    readMessage: (bytes) => {
      const message = readMessage(bytes, readUpdate);
      if (message.kind === "sync") for (const { vector } of message.ledgers) readVector(vector);
      return message;
    },
    readGossip: (bytes, signer) =>
      readGossip(bytes, readUpdate, (author, hash, sig) => signer.verify(author, hash, sig)),
    readUpdate,
    holds({ id, entry, sig }, signer) {
      const known = verified.get(id);
      // The id does not cover the signature: what is known to be good vouches for these very bytes alone.
      if (known && Buffer.compare(known, sig) === 0) return true;
      if (!signer.verify(entry.author, id, sig)) return false;
      if (verified.size >= verifiedMax) verified.clear();
      verified.set(id, sig);
      return true;
    },
  };
}
