/** What was said of each build a moment ago, by author: gossip may not have brought it everywhere yet, so it travels with what stands on it. */
import type { BuildId, PeerId } from "../kernel/ids.ts";
import { messageEntriesMax } from "../swarm/message.ts";

/** By then gossip has brought it, or it is lost and a sync will. */
const gossipMs = 1000;
/** A message carries no more of it. */
const carriedBytesMax = 256 << 10;
const carriedEntriesMax = messageEntriesMax / 2;

interface Said {
  readonly atMonoMs: number;
  readonly update: Uint8Array;
  /** How many it carries. */
  readonly entries: number;
  /** Made when it is first sent: most of what is heard is never handed on. */
  sentTo: Set<PeerId> | undefined;
}

export class Recent {
  private readonly said = new Map<BuildId, Map<PeerId, Said[]>>();

  note(build: BuildId, author: PeerId, update: Uint8Array, entries: number, monoMs: number): void {
    let authors = this.said.get(build);
    if (!authors) {
      authors = new Map();
      this.said.set(build, authors);
    }
    const list = authors.get(author);
    if (!list) {
      authors.set(author, [{ atMonoMs: monoMs, update, entries, sentTo: undefined }]);
      return;
    }
    let old = 0;
    while (old < list.length && list[old]!.atMonoMs < monoMs - gossipMs) old++;
    if (old > 0) list.splice(0, old);
    list.push({ atMonoMs: monoMs, update, entries, sentTo: undefined });
  }

  /** The author's words came by another way: what was noted of it before has a gap behind it. */
  skip(build: BuildId, author: PeerId): void {
    this.said.get(build)?.delete(author);
  }

  /** What these authors said lately and was not handed to `to` before, oldest first; it counts as handed over from here on. */
  take(build: BuildId, authors: Iterable<PeerId>, to: PeerId, monoMs: number): Uint8Array[] {
    const updates: Uint8Array[] = [];
    const known = this.said.get(build);
    let bytes = 0;
    let count = 0;
    for (const author of authors)
      for (const said of known?.get(author) ?? []) {
        if (said.atMonoMs < monoMs - gossipMs || said.sentTo?.has(to)) continue;
        bytes += said.update.length;
        count += said.entries;
        if (bytes > carriedBytesMax || count > carriedEntriesMax) return updates;
        said.sentTo ??= new Set();
        said.sentTo.add(to);
        updates.push(said.update);
      }
    return updates;
  }

  forget(build: BuildId): void {
    this.said.delete(build);
  }
}
