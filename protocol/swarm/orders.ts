/**
 * What people told nodes to do, folded from `node.control`: each order names those it answers, unanswered heads count, drain beats
 * pause beats resume. A pure function of the set of entries and of who is an admin; nothing here reads a clock or an order of arrival.
 */
import { byText, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type EventOf, knownEvent } from "../timeline/events.ts";
import type { Members } from "./members.ts";

/** paused: takes nothing new; drained: gives back too what it has not begun. */
export type Order = "paused" | "drained";

interface Said {
  /** The place where it was said: ids are chosen by who speaks, and could collide. */
  readonly place: string;
  readonly entry: SignedEntry;
  readonly event: EventOf<"node.control">;
}

/** An order answers at most so many others. */
const answersMax = 256;

export class Orders {
  private readonly members: Pick<Members, "has" | "may" | "counts">;
  private readonly said = new Map<PeerId, Map<string, Said>>();
  /** Nobody asks anew what has not changed. */
  private readonly known = new Map<PeerId, Order | undefined>();
  /** Counts up when some node may be under another order. */
  revision = 0;

  constructor(members: Pick<Members, "has" | "may" | "counts">) {
    this.members = members;
  }

  /** Folds one entry of the timeline; the nodes it speaks of. Known entries do nothing. */
  take(entry: SignedEntry): PeerId[] {
    const touched: PeerId[] = [];
    entry.entry.events.forEach((raw, index) => {
      if (raw.kind !== "node.control") return;
      const event = knownEvent(raw);
      if (event?.kind !== "node.control") return;
      const place = `${entry.id}#${index}`;
      const said = this.said.get(event.peer) ?? new Map<string, Said>();
      this.said.set(event.peer, said);
      if (said.has(place)) return;
      said.set(place, { place, entry, event });
      this.known.delete(event.peer);
      this.revision++;
      touched.push(event.peer);
    });
    return touched;
  }

  /** Members changed: whose word counts may have changed with them. */
  refold(): void {
    this.known.clear();
    this.revision++;
  }

  /** The order a node is under. */
  of(peer: PeerId): Order | undefined {
    if (!this.said.has(peer)) return undefined;
    if (this.known.has(peer)) return this.known.get(peer);
    const ops = new Set(this.heads(peer).map((e) => e.op));
    const order = ops.has("drain") ? "drained" : ops.has("pause") ? "paused" : undefined;
    this.known.set(peer, order);
    return order;
  }

  /** How often people forgave the node's failures: whoever counts failures starts anew when this grows. */
  ungrounded(peer: PeerId): number {
    return this.valid(peer).filter((s) => s.event.op === "unground").length;
  }

  /** Whether a word of `author` about a node would count from here on. */
  mayOrder(author: PeerId, peer: PeerId): boolean {
    return author === peer || this.members.has(author, "admin");
  }

  /** The event that gives an order, answering every unanswered one known here. */
  event(
    op: EventOf<"node.control">["op"],
    peer: PeerId,
    id: string,
    reason: string | undefined,
  ): EventOf<"node.control"> {
    // Those in force come first: more than fit can only be the work of one who may order anyway.
    const heads = op === "unground" ? [] : this.heads(peer);
    heads.sort((a, b) => Number(a.op === "resume") - Number(b.op === "resume") || byText(a.id, b.id));
    return {
      kind: "node.control",
      op,
      peer,
      id,
      answers: [...new Set(heads.map((h) => h.id))].slice(0, answersMax),
      ...(reason === undefined ? {} : { reason: reason.slice(0, 250) }),
    };
  }

  private heads(peer: PeerId): EventOf<"node.control">[] {
    const orders = this.valid(peer).map((s) => s.event);
    const answered = new Set(orders.flatMap((e) => e.answers));
    return orders.filter((e) => e.op !== "unground" && !answered.has(e.id));
  }

  private valid(peer: PeerId): Said[] {
    return [...(this.said.get(peer)?.values() ?? [])].filter(({ entry, event }) =>
      entry.entry.author === peer ? this.members.counts(entry) : this.members.may(event.kind, entry),
    );
  }
}
