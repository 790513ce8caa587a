/** Who wrote what: every honest author writes one unbroken chain per start, and nobody keeps what an author never wrote. */
import { chainOf, type EntryId, type Incarnation, type PeerId } from "../../protocol/kernel/ids.ts";
import { entryKey, type SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Accuse } from "./violation.ts";

/** One start of one node. */
export interface Writer {
  readonly name: string;
  readonly peer: PeerId;
  readonly inc: Incarnation;
}

export class AuthorChecker {
  private readonly nameOf: (peer: string) => string;
  /** They may say anything: what they wrote in their own name is theirs. */
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  /** Every entry an honest author wrote, and which one stands at which place of its chain. */
  private readonly written = new Set<EntryId>();
  private readonly places = new Map<string, EntryId>();
  /** The end of each chain, by author and incarnation. */
  private readonly ends = new Map<string, { readonly seq: number; readonly id: EntryId }>();

  constructor(nameOf: (peer: string) => string, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.nameOf = nameOf;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  /** It was written before anybody watched. */
  allow(id: EntryId): void {
    this.written.add(id);
  }

  /** A writer wrote this, after all it had written before. */
  wrote(writer: Writer, { entry, id }: SignedEntry): void {
    const { name, peer, inc } = writer;
    if (entry.author !== peer || entry.inc !== inc)
      this.accuse("own prefix", `${name} appends as ${this.nameOf(entry.author)} ${entry.inc}`);
    const place = entryKey(entry);
    const stands = this.places.get(place);
    if (stands !== undefined && stands !== id)
      this.accuse("no honest fork", `${name} writes ${entry.inc} ${entry.seq} twice`);
    const chain = chainOf(entry.author, entry.inc);
    const end = this.ends.get(chain);
    if (entry.seq !== (end ? end.seq + 1 : 0) || (end && entry.prev !== end.id))
      this.accuse(
        "no honest fork",
        `${name} writes ${entry.inc} ${entry.seq} after ${end?.seq ?? "nothing"}`,
      );
    this.ends.set(chain, { seq: entry.seq, id });
    this.places.set(place, id);
    this.written.add(id);
  }

  /** Somebody keeps this, or found it on its disk. */
  kept(keeper: string, { id, entry }: SignedEntry): void {
    if (this.written.has(id) || this.dishonest.has(entry.author)) return;
    const author = this.nameOf(entry.author);
    this.accuse("own prefix", `${keeper} keeps an entry of ${author} that ${author} never wrote`);
  }
}
