/** Whose word counts: tells everybody of members that contradict themselves, and this node itself when it may no longer speak. */
import type { Ending } from "../contract.ts";
import { type Entry, entryKey, readEntry, type SignedEntry } from "../timeline/entry.ts";
import type { EventOf } from "../timeline/events.ts";
import { proofOf } from "../timeline/forks.ts";
import type { Desk } from "./desk.ts";

const reasons = {
  cloned: "a newer start of this node lives",
  behind: "its disk was set back",
} as const;

export class Witness {
  private readonly desk: Desk;
  /** Places of forks that this node told of. */
  private readonly told = new Set<string>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Somebody said something, perhaps another start of this very identity. */
  hears({ author, inc, hlc }: Entry): void {
    const { config, now, rivals, voice } = this.desk;
    voice.hear(hlc, now.wallMs);
    if (author === config.self) rivals.said(inc, now.monoMs);
  }

  /** Two entries were heard at one place of a chain: whoever hears both tells everybody. */
  heard(one: SignedEntry, other: SignedEntry): void {
    const { author, inc } = one.entry;
    const place = entryKey(one.entry);
    const proof = proofOf(one, other);
    if (!proof || this.told.has(place) || this.desk.members.forks.has(author, inc)) return;
    this.told.add(place);
    this.desk.say(undefined, proof, { urgent: true });
  }

  /** A proof came in. Returns whether something that counted does so no longer. */
  proved(event: EventOf<"fork">): boolean {
    if (!this.desk.members.prove(event)) return false;
    const { author, inc } = readEntry(event.entries[0]).entry;
    this.desk.chains.fork(author, inc);
    return true;
  }

  /** Takes no work while another start of this identity has the same right to it, or a better one; says when this one must end. */
  verdict(): { readonly ending: Ending; readonly reason: string } | undefined {
    const { desk } = this;
    const { standing } = desk;
    if (standing !== "alone") desk.settled = false;
    if (standing !== "cloned" && standing !== "behind") return undefined;
    return { ending: standing, reason: reasons[standing] };
  }

  /** When time alone tells whether another start of this identity lives. */
  deadline(): number {
    const { rivals, peers, members, stopping } = this.desk;
    return stopping ? Number.POSITIVE_INFINITY : rivals.decidedMonoMs(peers.leaseMs(members.size));
  }
}
