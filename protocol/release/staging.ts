/** What waits to be released: a fold over what builds staged and what was dropped. What a manifest took in waits no longer. */
import { type ActionName, type BuildId, byText, type Digest, type PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Event, EventOf } from "../timeline/events.ts";

export interface Staged {
  readonly build: BuildId;
  readonly set: Digest;
  readonly items: number;
  readonly bytes: number;
  readonly submittedAtMs: number;
  /** Who said so, and has the list. */
  readonly by: PeerId;
  /** This one and those that others made of the same build, who may differ in who made what: one of them is enough. */
  readonly lists: readonly ListOfBuild[];
}

export interface ListOfBuild {
  readonly set: Digest;
  readonly by: PeerId;
}

/** An action of a staged build that came out otherwise when a check ran it again, and where. */
export interface Dispute {
  readonly check: BuildId;
  readonly action: ActionName;
  readonly nodes: readonly PeerId[];
}

interface Said<K extends "release.staged" | "release.dropped" | "release.disputed"> {
  readonly entry: SignedEntry;
  readonly event: EventOf<K>;
}

export class Staging {
  private readonly members: Pick<Members, "may">;
  /** By channel, build and entry. */
  private readonly staged = new Map<string, Map<BuildId, Said<"release.staged">[]>>();
  private readonly drops = new Map<string, Map<BuildId, Said<"release.dropped">[]>>();
  private readonly disputed = new Map<string, Map<BuildId, Said<"release.disputed">[]>>();

  constructor(members: Pick<Members, "may">) {
    this.members = members;
  }

  take(entry: SignedEntry, event: Event): void {
    if (event.kind === "release.staged") note(this.staged, event.channel, event.build, { entry, event });
    else if (event.kind === "release.dropped") note(this.drops, event.channel, event.build, { entry, event });
    else if (event.kind === "release.disputed")
      note(this.disputed, event.channel, event.build, { entry, event });
  }

  channels(): string[] {
    return [...this.staged.keys()].sort(byText);
  }

  /** What a build staged, as the first of those says who may; in the order of entry ids. */
  of(channel: string, build: BuildId): Staged | undefined {
    const said = this.staged
      .get(channel)
      ?.get(build)
      ?.filter(({ entry }) => this.members.may("release.staged", entry))
      .sort((a, b) => byText(a.entry.id, b.entry.id));
    if (!said?.[0]) return undefined;
    const { set, items, bytes, submittedAtMs } = said[0].event;
    const lists = said.map(({ entry, event }) => ({ set: event.set, by: entry.entry.author }));
    return { build, set, items, bytes, submittedAtMs, by: lists[0]!.by, lists };
  }

  /** Every list that anybody said a build staged, whatever their word counts by now. */
  saidOf(channel: string, build: BuildId): ListOfBuild[] {
    const said = this.staged.get(channel)?.get(build) ?? [];
    return said.map(({ entry, event }) => ({ set: event.set, by: entry.entry.author }));
  }

  /** Whether a release was, or is to be, made of a build, in any channel. */
  names(build: BuildId): boolean {
    for (const [channel, builds] of this.staged)
      if (builds.has(build) && this.droppedBecause(channel, build) === undefined) return true;
    return false;
  }

  /** Why a build's artifacts are not to be released; undefined when nobody who may said so. */
  droppedBecause(channel: string, build: BuildId): string | undefined {
    const said = this.drops
      .get(channel)
      ?.get(build)
      ?.filter(({ entry }) => this.members.may("release.dropped", entry))
      .sort((a, b) => byText(a.entry.id, b.entry.id))[0];
    return said?.event.reason;
  }

  /** Channels that a build staged something for. */
  channelsOf(build: BuildId): string[] {
    return this.channels().filter((channel) => this.of(channel, build) !== undefined);
  }

  /** What checks found of a build, as those say who may; by check and action. */
  disputesOf(channel: string, build: BuildId): Dispute[] {
    const found = new Map<string, { check: BuildId; action: ActionName; nodes: Set<PeerId> }>();
    for (const { entry, event } of this.disputed.get(channel)?.get(build) ?? []) {
      if (!this.members.may("release.disputed", entry)) continue;
      for (const { action, nodes } of event.actions) {
        const key = `${event.check} ${action}`;
        const known = found.get(key) ?? { check: event.check, action, nodes: new Set() };
        found.set(key, known);
        for (const node of nodes) known.nodes.add(node);
      }
    }
    return [...found]
      .sort(([a], [b]) => byText(a, b))
      .map(([, { check, action, nodes }]) => ({ check, action, nodes: [...nodes].sort(byText) }));
  }

  /** What waits in a channel, in the order of submission; `taken`: builds that are released. */
  pending(channel: string, taken: ReadonlySet<BuildId>): Staged[] {
    return [...(this.staged.get(channel)?.keys() ?? [])]
      .filter((build) => !taken.has(build) && this.droppedBecause(channel, build) === undefined)
      .flatMap((build) => this.of(channel, build) ?? [])
      .sort((a, b) => a.submittedAtMs - b.submittedAtMs || byText(a.build, b.build));
  }
}

function note<T extends { readonly entry: SignedEntry }>(
  channels: Map<string, Map<BuildId, T[]>>,
  channel: string,
  build: BuildId,
  said: T,
): void {
  const builds = channels.get(channel) ?? new Map<BuildId, T[]>();
  channels.set(channel, builds);
  const known = builds.get(build) ?? [];
  builds.set(build, known);
  if (!known.some((k) => k.entry.id === said.entry.id)) known.push(said);
}
