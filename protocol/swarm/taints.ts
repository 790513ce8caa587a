/** Which of a member's makings count no more: those from certain places of its chains on. Nothing else that it said is touched. */
import { byText, type Incarnation, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { knownEvent } from "../timeline/events.ts";
import type { Spot } from "./cuts.ts";

/** One word of an admin. */
export interface Taint {
  readonly peer: PeerId;
  /** Start → the first place that is tainted. */
  readonly from: ReadonlyMap<Incarnation, number>;
  readonly sinceMs: number;
  readonly reason: string | undefined;
  readonly by: PeerId;
  readonly said: SignedEntry;
}

export class Taints {
  private readonly byPeer = new Map<PeerId, Taint[]>();

  /** `entries`: of authors who may say so. */
  constructor(entries: Iterable<SignedEntry>) {
    for (const said of entries)
      for (const raw of said.entry.events) {
        const event = raw.kind === "member.tainted" ? knownEvent(raw) : undefined;
        if (event?.kind !== "member.tainted") continue;
        const { peer, sinceMs, reason } = event;
        const taint: Taint = {
          peer,
          from: new Map(event.from.map(({ inc, seq }) => [inc, seq])),
          sinceMs,
          reason,
          by: said.entry.author,
          said,
        };
        const known = this.byPeer.get(peer);
        if (known) known.push(taint);
        else this.byPeer.set(peer, [taint]);
      }
  }

  /** In the order of entry ids. */
  all(): Taint[] {
    return [...this.byPeer.values()].flat().sort((a, b) => byText(a.said.id, b.said.id));
  }

  get any(): boolean {
    return this.byPeer.size > 0;
  }

  has(peer: PeerId): boolean {
    return this.byPeer.has(peer);
  }

  /** Whether what its author made at this place counts no more. */
  cover({ entry }: Spot): boolean {
    return (
      this.byPeer.get(entry.author)?.some(({ from }) => {
        const seq = from.get(entry.inc);
        return seq !== undefined && entry.seq >= seq;
      }) === true
    );
  }
}
