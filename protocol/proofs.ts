/** Finds the entries in which makers said what they came to, for answers that others need not take on trust. */
import type { CacheHit } from "./contract.ts";
import { chainOf, type Incarnation, type PeerId } from "./kernel/ids.ts";
import type { EventStore } from "./ports.ts";
import { entryKey, type SignedEntry } from "./timeline/entry.ts";

/** Entries that lie so near each other in a chain are read in one go. */
const nearEntries = 16;

interface Run {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly fromSeq: number;
  toSeq: number;
}

/** Reads the entries that `made` of each hit speaks of; calls back with the hits that one of them proves. */
export function prove(
  hits: readonly CacheHit[],
  events: Pick<EventStore, "range">,
  done: (proven: CacheHit[]) => void,
): void {
  const runs = runsOf(hits);
  const entries = new Map<string, SignedEntry>();
  let left = runs.length;
  const end = () =>
    done(
      hits.flatMap((hit) => {
        for (const { by, at } of hit.made) {
          const proof = at && entries.get(entryKey({ author: by, ...at }));
          if (proof) return [{ ...hit, proof }];
        }
        return [];
      }),
    );
  if (left === 0) return end();
  for (const { author, inc, fromSeq, toSeq } of runs)
    events.range(author, inc, fromSeq, toSeq, (found) => {
      for (const entry of found) entries.set(entryKey(entry.entry), entry);
      if (--left === 0) end();
    });
}

/** The places to read, each chain in order, what lies near together as one. */
function runsOf(hits: readonly CacheHit[]): Run[] {
  const chains = new Map<string, { author: PeerId; inc: Incarnation; seqs: Set<number> }>();
  for (const { by: author, at } of hits.flatMap((hit) => hit.made)) {
    if (!at) continue;
    const key = chainOf(author, at.inc);
    const chain = chains.get(key) ?? { author, inc: at.inc, seqs: new Set() };
    chains.set(key, chain);
    chain.seqs.add(at.seq);
  }
  const runs: Run[] = [];
  for (const { author, inc, seqs } of chains.values()) {
    let run: Run | undefined;
    for (const seq of [...seqs].sort((a, b) => a - b)) {
      if (run && seq <= run.toSeq + nearEntries) {
        run.toSeq = seq;
        continue;
      }
      run = { author, inc, fromSeq: seq, toSeq: seq };
      runs.push(run);
    }
  }
  return runs;
}
