/**
 * The wire of a whole world: one gossiped message reaches many hosts as the same array of bytes, and is decoded, judged and
 * verified once for all of them. Changed bytes are another array, and are read anew.
 */
import type { EntryId } from "../protocol/kernel/ids.ts";
import type { Gossip } from "../protocol/swarm/message.ts";
import type { Header, SignedEntry } from "../protocol/timeline/entry.ts";
import { plainWire, type Wire } from "../protocol/wire.ts";

/** A wire that remembers what bytes said, by the identity of their array, which nobody may write to once it was sent. */
export function sharedWire(): Wire {
  const plain = plainWire();
  const gossips = new WeakMap<Uint8Array, Gossip>();
  const updates = new WeakMap<Uint8Array, SignedEntry[]>();
  const genuine = new WeakSet<Header>();
  const entries = new Map<EntryId, SignedEntry>();
  /** One object for all copies of an entry, so that hosts share it and what was learned of it. */
  const known = (entry: SignedEntry): SignedEntry => {
    const first = entries.get(entry.id);
    if (first && Buffer.compare(first.bytes, entry.bytes) === 0) return first;
    if (!first) entries.set(entry.id, entry);
    return entry;
  };
  const share = <T extends object>(message: T): T =>
    "entries" in message ? { ...message, entries: (message.entries as SignedEntry[]).map(known) } : message;
  return {
    ...plain,
    readMessage: (bytes) => share(plain.readMessage(bytes)),
    readGossip(bytes, signer) {
      let message = gossips.get(bytes);
      if (!message) {
        message = share(plain.readGossip(bytes, signer));
        gossips.set(bytes, message);
      }
      return message;
    },
    readUpdate(build, update) {
      let found = updates.get(update);
      if (!found || found.some((e) => e.entry.build !== build)) {
        found = plain.readUpdate(build, update).map(known);
        updates.set(update, found);
      }
      return found;
    },
    holds(entry, signer) {
      if (genuine.has(entry)) return true;
      if (!plain.holds(entry, signer)) return false;
      genuine.add(entry);
      return true;
    },
  };
}
