/** What was said of each build a moment ago, by author: gossip may not have brought it everywhere yet, so it travels with what stands on it. */
import type { BuildId, PeerId } from "../kernel/ids.ts";
import { messageEntriesMax } from "../swarm/message.ts";

/** By then gossip has brought it, or it is lost and a sync will. */
const gossipMs = 1000;
/** A message carries no more of it. */
const carriedBytesMax = 256 << 10;
const carriedEntriesMax = messageEntriesMax / 2;

/** What was said of one build within that time, oldest first; older ones stand before `first`. */
interface Said {
  first: number;
  readonly atMonoMs: number[];
  /** Undefined: it is not handed on. */
  readonly authors: (PeerId | undefined)[];
  readonly updates: Uint8Array[];
  /** How many entries each carries. */
  readonly counts: number[];
  /** Made when it is first sent: most of what is heard is never handed on. */
  readonly sentTo: (Set<PeerId> | undefined)[];
}

/** So many old ones are left where they are before room is made. */
const oldMax = 64;

export class Recent {
  private readonly said = new Map<BuildId, Said>();

  note(build: BuildId, author: PeerId, update: Uint8Array, entries: number, monoMs: number): void {
    let said = this.said.get(build);
    if (!said) {
      said = { first: 0, atMonoMs: [], authors: [], updates: [], counts: [], sentTo: [] };
      this.said.set(build, said);
    }
    const { atMonoMs, authors, updates, counts, sentTo } = said;
    while (said.first < atMonoMs.length && atMonoMs[said.first]! < monoMs - gossipMs) said.first++;
    if (said.first > oldMax && 2 * said.first > atMonoMs.length) {
      for (const list of [atMonoMs, authors, updates, counts, sentTo]) list.splice(0, said.first);
      said.first = 0;
    }
    atMonoMs.push(monoMs);
    authors.push(author);
    updates.push(update);
    counts.push(entries);
    sentTo.push(undefined);
  }

  /** The author's words came by another way: what was noted of it before has a gap behind it. */
  skip(build: BuildId, author: PeerId): void {
    const said = this.said.get(build);
    for (let at = said?.first ?? 0; said && at < said.authors.length; at++)
      if (said.authors[at] === author) said.authors[at] = undefined;
  }

  /** What these authors said lately and was not handed to `to` before, each one's oldest first; it counts as handed over from here on. */
  take(build: BuildId, authors: Iterable<PeerId>, to: PeerId, monoMs: number): Uint8Array[] {
    const updates: Uint8Array[] = [];
    const said = this.said.get(build);
    if (!said) return updates;
    let bytes = 0;
    let count = 0;
    for (const author of authors)
      for (let at = said.first; at < said.authors.length; at++) {
        if (said.authors[at] !== author || said.atMonoMs[at]! < monoMs - gossipMs) continue;
        if (said.sentTo[at]?.has(to)) continue;
        const update = said.updates[at]!;
        bytes += update.length;
        count += said.counts[at]!;
        if (bytes > carriedBytesMax || count > carriedEntriesMax) return updates;
        said.sentTo[at] ??= new Set();
        said.sentTo[at]!.add(to);
        updates.push(update);
      }
    return updates;
  }

  forget(build: BuildId): void {
    this.said.delete(build);
  }
}
