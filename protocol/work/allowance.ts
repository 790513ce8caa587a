/**
 * How much is kept of what nobody answers for: words of authors that nobody admitted, builds that nobody submitted, and of each member no more than
 * it can have to say. What is over is left out as if it had been lost: whoever has a right to it is asked again, later.
 */
import type { Incarnation, PeerId } from "../kernel/ids.ts";
import type { LedgerUpdate, Message } from "../swarm/message.ts";
import { Pace } from "../swarm/pace.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { knownEvent } from "../timeline/events.ts";
import { buildIdOf } from "./build.ts";
import type { Desk } from "./desk.ts";

/** Of all authors together that are no members, or not yet: their certificates may be under way. */
const strangers = { chains: 1024, entries: 16_384, bytes: 32 << 20 } as const;
/** Builds whose submission is not known, or not yet. */
const ghostsMax = 256;
/** Of one member: what it said while this node was away, and then a pace far above what stewards of large builds say. */
const member = { bytes: 64 << 20, bytesPerSecond: 256 << 10, starts: 4096, startsPerSecond: 1 } as const;

interface Kept {
  readonly starts: Set<Incarnation>;
  entries: number;
  bytes: number;
}

/** What a member may still say. */
interface Left {
  bytes: number;
  starts: number;
  atMonoMs: number;
}

/** The start of an author of which something was kept last, and all of them once there are several. */
interface Known {
  last: Incarnation;
  all: Set<Incarnation> | undefined;
}

const isKnown = (known: Known | undefined, inc: Incarnation): boolean =>
  known?.last === inc || known?.all?.has(inc) === true;

export class Allowance {
  private readonly desk: Desk;
  /** What was kept of authors that were no members then. */
  private readonly unknown = new Map<PeerId, Kept>();
  private readonly left = new Map<PeerId, Left>();
  private readonly starts = new Map<PeerId, Known>();
  private readonly pace = new Pace();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Whether a peer's message is looked at now. */
  hears(from: PeerId, kind: Message["kind"]): boolean {
    return this.pace.admits(from, kind, this.desk.now);
  }

  /** Whether one more entry of an author is taken now. */
  admits({ author, inc }: { readonly author: PeerId; readonly inc: Incarnation }): boolean {
    const { config, members } = this.desk;
    if (author === config.self) return true;
    const known = this.starts.get(author);
    const isNew = !isKnown(known, inc);
    if (members.has(author)) {
      const { bytes, starts } = this.leftOf(author);
      return bytes > 0 && (!isNew || starts >= 1);
    }
    let [chains, entries, bytes] = [isNew ? 1 : 0, 0, 0];
    for (const [peer, kept] of this.unknown) {
      if (members.has(peer)) this.unknown.delete(peer);
      chains += kept.starts.size;
      entries += kept.entries;
      bytes += kept.bytes;
    }
    return chains <= strangers.chains && entries < strangers.entries && bytes < strangers.bytes;
  }

  /** Whether a ledger's update is taken now: its authors may say more, and its build is known, or one of the few that nobody has submitted yet. */
  admitsUpdate({ build, entries }: LedgerUpdate): boolean {
    for (const { entry } of entries) if (!this.admits(entry)) return false;
    const { builds } = this.desk;
    if (builds.has(build) || entries.some((e) => this.submits(e))) return true;
    let ghosts = 0;
    for (const known of builds.values()) if (!known.submission) ghosts++;
    return ghosts < ghostsMax;
  }

  /** An entry was new and is kept. */
  took({ entry, bytes }: SignedEntry): void {
    const { author, inc } = entry;
    const { config, members } = this.desk;
    if (author === config.self) return;
    const known = this.starts.get(author);
    const isNew = !isKnown(known, inc);
    if (!known) this.starts.set(author, { last: inc, all: undefined });
    else if (known.last !== inc) {
      known.all ??= new Set([known.last]);
      known.all.add(inc);
      known.last = inc;
    }
    if (members.has(author)) {
      const left = this.leftOf(author);
      left.bytes -= bytes.length;
      if (isNew) left.starts--;
      return;
    }
    const kept = this.unknown.get(author) ?? { starts: new Set(), entries: 0, bytes: 0 };
    this.unknown.set(author, kept);
    kept.starts.add(inc);
    kept.entries++;
    kept.bytes += bytes.length;
  }

  private submits({ entry }: SignedEntry): boolean {
    const { author, build } = entry;
    return entry.events.some((raw) => {
      const event = knownEvent(raw);
      return (
        event?.kind === "build.submitted" &&
        this.desk.members.has(author, "submitter") &&
        buildIdOf(event.name, author, event.graph, event.nonce) === build
      );
    });
  }

  private leftOf(author: PeerId): Left {
    const { monoMs } = this.desk.now;
    let left = this.left.get(author);
    if (!left) {
      left = { bytes: member.bytes, starts: member.starts, atMonoMs: monoMs };
      this.left.set(author, left);
    }
    if (left.atMonoMs === monoMs) return left;
    const seconds = (monoMs - left.atMonoMs) / 1000;
    left.bytes = Math.min(member.bytes, left.bytes + seconds * member.bytesPerSecond);
    left.starts = Math.min(member.starts, left.starts + seconds * member.startsPerSecond);
    left.atMonoMs = monoMs;
    return left;
  }
}
