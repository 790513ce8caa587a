/**
 * Channels that stay on their epoch until somebody lets them go: a fold over words that name those they answer. Of several that nobody answered
 * a pin holds.
 */
import { byText, type EntryId, type PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Event, EventOf } from "../timeline/events.ts";

export interface Pin {
  readonly epoch: number;
  readonly by: PeerId;
  readonly reason: string | undefined;
}

interface Said {
  readonly entry: SignedEntry;
  readonly event: EventOf<"release.pinned">;
}

export class Pins {
  private readonly members: Pick<Members, "may">;
  private readonly said = new Map<string, Map<EntryId, Said>>();

  constructor(members: Pick<Members, "may">) {
    this.members = members;
  }

  take(entry: SignedEntry, event: Event): void {
    if (event.kind !== "release.pinned") return;
    const words = this.said.get(event.channel) ?? new Map<EntryId, Said>();
    this.said.set(event.channel, words);
    words.set(entry.id, { entry, event });
  }

  /** What the next word answers: entries that nobody answered, in their order. */
  heads(channel: string): EntryId[] {
    return this.open(channel).map(({ entry }) => entry.id);
  }

  /** Of several pins that of the lowest entry id. */
  of(channel: string): Pin | undefined {
    for (const { entry, event } of this.open(channel))
      if (event.epoch !== undefined)
        return { epoch: event.epoch, by: entry.entry.author, reason: event.reason };
    return undefined;
  }

  private open(channel: string): Said[] {
    const words = [...(this.said.get(channel)?.values() ?? [])].filter(({ entry }) =>
      this.members.may("release.pinned", entry),
    );
    const answered = new Set(words.flatMap(({ event }) => event.answers));
    return words
      .filter(({ entry }) => !answered.has(entry.id))
      .sort((a, b) => byText(a.entry.id, b.entry.id));
  }
}
