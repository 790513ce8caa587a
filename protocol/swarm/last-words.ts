/** The last entry known of every start of every author: where a revocation cuts. */
import { byText, type EntryId, type Incarnation, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { lastWordsMax } from "../timeline/events.ts";
import { membershipOf } from "./authority.ts";
import type { LastWord } from "./cuts.ts";

interface Words {
  readonly inc: Incarnation;
  seq: number;
  id: EntryId;
  /** It said something about members: others stand on this start. */
  grave: boolean;
}

/** All starts of one author, and the one that was heard last. */
interface Starts {
  readonly words: Map<Incarnation, Words>;
  last: Words | undefined;
}

export class LastWords {
  private readonly byAuthor = new Map<PeerId, Starts>();

  /** An entry was heard, of the timeline or of a ledger, in any order. */
  hear(said: SignedEntry): void {
    const { author, inc, seq } = said.entry;
    let starts = this.byAuthor.get(author);
    if (!starts) {
      starts = { words: new Map(), last: undefined };
      this.byAuthor.set(author, starts);
    }
    const known = starts.last?.inc === inc ? starts.last : starts.words.get(inc);
    const grave = known?.grave === true || membershipOf(said).length > 0;
    if (!known) {
      starts.last = { inc, seq, id: said.id, grave };
      starts.words.set(inc, starts.last);
      return;
    }
    starts.last = known;
    known.grave = grave;
    if (seq < known.seq || (seq === known.seq && said.id >= known.id)) return;
    known.seq = seq;
    known.id = said.id;
  }

  /** The last place known of every chain. */
  all(): { readonly author: PeerId; readonly inc: Incarnation; readonly seq: number }[] {
    return [...this.byAuthor].flatMap(([author, { words }]) =>
      [...words.values()].map(({ inc, seq }) => ({ author, inc, seq })),
    );
  }

  /** What is known of an author, as a cut names it: of very many starts those others stand on and the newest. */
  of(author: PeerId): LastWord[] {
    return [...(this.byAuthor.get(author)?.words.values() ?? [])]
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
