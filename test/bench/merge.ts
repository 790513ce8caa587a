/**
 * Merge of many entries of many authors, in a process of its own: `merge.ts merged COUNT AUTHORS` takes them out of order into a timeline that knows none,
 * `merge.ts verified COUNT AUTHORS` reads and verifies real signed bytes, as they come from a peer, and merges them. One line of JSON.
 */
import { verify } from "node:crypto";
import { createSigner, keyOf } from "../../node/signer.ts";
import { sha256, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { EntryId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { Signer } from "../../protocol/ports.ts";
import { Chains } from "../../protocol/timeline/chain.ts";
import {
  type Entry,
  readEntry,
  type SignedEntry,
  sealEntry,
  signedEntry,
} from "../../protocol/timeline/entry.ts";
import { plainWire } from "../../protocol/wire.ts";

const [what = "merged", countText = "1000000", authorsText = "16"] = process.argv.slice(2);
const count = Number(countText);
const authors = Number(authorsText);
const inc = "1-00000001" as Incarnation;
const swarm = "5".repeat(64) as Entry["swarm"];
/** Entries of one chain that come at once: as a sync brings them, before those of the next author. */
const batch = 256;

const signers = Array.from({ length: authors }, (_, n) => createSigner(sha256(Buffer.from(`author ${n}`))));
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function entryOf(author: PeerId, seq: number): Entry {
  return {
    v: 1,
    swarm,
    author,
    inc,
    seq,
    prev: null,
    hlc: [1_764_000_000_000 + seq, 0],
    last: seq - 1,
    events: [{ kind: "node.down", reason: "asked" }],
  };
}

function signed(signer: Signer, seq: number): SignedEntry {
  const entry = entryOf(signer.self, seq);
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, signer.sign(id));
}

/** As read from bytes, with a name of its own; nobody looks at the bytes. */
const unsigned = (author: PeerId, seq: number): SignedEntry => ({
  entry: entryOf(author, seq),
  id: sha256Hex(`${author} ${seq}`) as EntryId,
  bytes: nothing,
  sig: nothing,
});
const nothing = new Uint8Array();

/** Of each author a stretch, in turn; every other pair of stretches the wrong way round, and every fourth twice. */
function* stretches(): Generator<{ readonly author: number; readonly from: number; readonly to: number }> {
  const each = Math.ceil(count / authors);
  for (let from = 0; from < each; from += 2 * batch)
    for (let author = 0; author < authors; author++) {
      const two = [
        { author, from, to: Math.min(each, from + batch) },
        { author, from: Math.min(each, from + batch), to: Math.min(each, from + 2 * batch) },
      ];
      yield* author % 2 === 0 ? two : two.reverse();
      if (author % 4 === 0) yield two[0]!;
    }
}

/** Signature bytes do not matter to the merge; they are checked before it. */
function merged() {
  const chains = new Chains();
  let whole = 0;
  let taken = 0;
  let spentMs = 0;
  let mostBytes = 0;
  for (const { author, from, to } of stretches()) {
    const entries: SignedEntry[] = [];
    for (let seq = from; seq < to; seq++) entries.push(unsigned(signers[author]!.self, seq));
    const begun = cpuMs();
    for (const entry of entries) whole += chains.take(entry).whole.length;
    taken += entries.length;
    spentMs += cpuMs() - begun;
    mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
  }
  chains.digest();
  return { whole, taken, perCpuSecond: (taken * 1000) / spentMs, residentMiB: mostBytes / 2 ** 20 };
}

function verified() {
  const all: { readonly bytes: Uint8Array; readonly signer: Signer }[] = [];
  for (const { author, from, to } of stretches())
    for (let seq = from; seq < to; seq++) {
      const signer = signers[author]!;
      all.push({ bytes: signed(signer, seq).bytes, signer });
    }
  const timed = (run: () => void) => {
    const begun = cpuMs();
    run();
    return (all.length * 1000) / (cpuMs() - begun);
  };
  const entries: SignedEntry[] = [];
  const readPerSecond = timed(() => {
    for (const { bytes } of all) entries.push(readEntry(bytes));
  });
  const keys = new Map(signers.map(({ self }) => [self, keyOf(self)!]));
  const rawPerSecond = timed(() => {
    for (const { id, sig, entry } of entries)
      if (!verify(null, Buffer.from(id, "hex"), keys.get(entry.author)!, sig)) throw new Error("no");
  });
  const wire = plainWire();
  const chains = new Chains();
  const togetherPerSecond = timed(() => {
    for (const { bytes, signer } of all) {
      const entry = readEntry(bytes);
      if (!wire.holds(entry, signer)) throw new Error("a signature does not hold");
      chains.take(entry);
    }
  });
  return { entries: all.length, readPerSecond, rawPerSecond, togetherPerSecond };
}

process.stdout.write(`${JSON.stringify(what === "merged" ? merged() : verified())}\n`);
