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

/** The start of an author that was heard last, and all of them once there are several. */
interface Starts {
  last: Words;
  all: Map<Incarnation, Words> | undefined;
}

const wordsOf = ({ last, all }: Starts): Words[] => (all ? [...all.values()] : [last]);

export class LastWords {
  private readonly byAuthor = new Map<PeerId, Starts>();

  /** An entry was heard, of the timeline or of a ledger, in any order. */
  hear(said: SignedEntry): void {
    const { author, inc, seq } = said.entry;
    const starts = this.byAuthor.get(author);
    const known = starts?.last.inc === inc ? starts.last : starts?.all?.get(inc);
    const grave = known?.grave === true || membershipOf(said).length > 0;
    if (!starts || !known) {
      const words = { inc, seq, id: said.id, grave };
      if (starts) {
        starts.all ??= new Map([[starts.last.inc, starts.last]]);
        starts.all.set(inc, words);
        starts.last = words;
      } else this.byAuthor.set(author, { last: words, all: undefined });
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
    return [...this.byAuthor].flatMap(([author, starts]) =>
      wordsOf(starts).map(({ inc, seq }) => ({ author, inc, seq })),
    );
  }

  /** What is known of an author, as a cut names it: of very many starts those others stand on and the newest. */
  of(author: PeerId): LastWord[] {
    const starts = this.byAuthor.get(author);
    return (starts ? wordsOf(starts) : [])
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
