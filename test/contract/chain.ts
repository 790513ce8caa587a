/** Entries to store and send in tests: one chain by one author, signed by nobody, each with one note as its event. */
import { sha256 } from "../../protocol/kernel/digest.ts";
import {
  type ActionName,
  type BuildId,
  type Incarnation,
  type PeerId,
  peerIdOf,
} from "../../protocol/kernel/ids.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";

const swarm = "5".repeat(64) as Entry["swarm"];

/** A peer id that stands for `name`; nobody holds its key. */
export const peerNamed = (name: string) => peerIdOf(sha256(Buffer.from(name)));

/** That a member made a result, in some build. */
export const madeBy = (by: PeerId) => ({
  build: "demo-0123456789" as BuildId,
  action: "make" as ActionName,
  by,
});

/** Entry `seq` of the chain of `author` in `inc`; equal arguments give equal entries. */
export function entryAt(
  seq: number,
  {
    author = "ann",
    inc = "1-00000001",
    build,
    note = "",
  }: { author?: string; inc?: string; build?: BuildId; note?: string } = {},
): SignedEntry {
  const entry: Entry = {
    v: 1,
    swarm,
    author: peerNamed(author),
    inc: inc as Incarnation,
    seq,
    prev: null,
    hlc: [seq, 0],
    last: seq - 1,
    ...(build === undefined ? {} : { build }),
    events: [{ kind: "note", text: `${author} ${seq} ${note}` }],
  };
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
}
