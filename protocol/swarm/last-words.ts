/** The last entry known of every start of every author: where a revocation cuts. */
import { byText, type Incarnation, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { lastWordsMax } from "../timeline/events.ts";
import { membershipOf } from "./authority.ts";
import type { LastWord } from "./cuts.ts";

interface Words extends LastWord {
  /** It said something about members: others stand on this start. */
  readonly grave: boolean;
}

export class LastWords {
  private readonly byAuthor = new Map<PeerId, Map<Incarnation, Words>>();

  /** An entry was heard, of the timeline or of a ledger, in any order. */
  hear(said: SignedEntry): void {
    const { author, inc, seq } = said.entry;
    const starts = this.byAuthor.get(author) ?? new Map<Incarnation, Words>();
    this.byAuthor.set(author, starts);
    const known = starts.get(inc);
    const grave = known?.grave === true || membershipOf(said).length > 0;
    const later = known === undefined || seq > known.seq || (seq === known.seq && said.id < known.id);
    if (later) starts.set(inc, { inc, seq, id: said.id, grave });
    else if (grave !== known.grave) starts.set(inc, { ...known, grave });
  }

  /** What is known of an author, as a cut names it: of very many starts those others stand on and the newest. */
  of(author: PeerId): LastWord[] {
    return [...(this.byAuthor.get(author)?.values() ?? [])]
      .sort(
        (a, b) =>
          Number(b.grave) - Number(a.grave) ||
          incarnationCounter(b.inc) - incarnationCounter(a.inc) ||
          byText(a.inc, b.inc),
      )
      .slice(0, lastWordsMax)
      .map(({ inc, seq, id }) => ({ inc, seq, id }));
  }
}
