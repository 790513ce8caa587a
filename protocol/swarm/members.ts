/**
 * Who belongs to the swarm: a fold over admissions. A certificate is nothing but the signed entry that admits; it proves
 * itself by the chain of admissions back to the founding entry, which the swarm's id names.
 */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { byText, type EntryId, type PeerId, type SwarmId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type EventOf, knownEvent, type Role } from "../timeline/events.ts";
import { type Fork, Forks } from "../timeline/forks.ts";

export interface Member {
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Wall milliseconds; gates connections, never facts. */
  readonly notAfterMs: number;
  readonly certificate: SignedEntry;
}

/** The id of a swarm: sha2-256 of its root document. */
export const swarmIdOf = (root: { name: string; root: PeerId; nonce: string }): SwarmId =>
  sha256Hex(encode({ v: 1, name: root.name, root: root.root, nonce: root.nonce })) as SwarmId;

export class Members {
  readonly swarm: SwarmId;
  /** Whose words count no longer, from where on: of those who contradict themselves. */
  readonly forks = new Forks();
  /** Counts up when somebody is admitted, or admitted anew. */
  revision = 0;
  private founding: { entry: SignedEntry; name: string; root: PeerId } | undefined;
  private sorted: Member[] | undefined;
  /**
   * Whoever was ever admitted as an admin: what an admin said stays said, whichever of the entries about him came first. With the
   * entry that was known first: those chains lead to the founding entry, while later ones may lead in a circle.
   */
  private readonly admins = new Map<PeerId, SignedEntry>();
  private readonly byPeer = new Map<PeerId, Member>();
  /** Admissions whose author is not (yet) known as an admin: facts may come in any order. */
  private readonly waiting = new Map<EntryId, SignedEntry>();

  constructor(swarm: SwarmId) {
    this.swarm = swarm;
  }

  get swarmName(): string {
    return this.founding?.name ?? "";
  }

  get size(): number {
    return this.byPeer.size;
  }

  /** In the order of peer ids. */
  all(): readonly Member[] {
    this.sorted ??= [...this.byPeer.values()].sort((a, b) => byText(a.peer, b.peer));
    return this.sorted;
  }

  get(peer: PeerId): Member | undefined {
    return this.byPeer.get(peer);
  }

  has(peer: PeerId, role?: Role): boolean {
    const member = this.byPeer.get(peer);
    return member !== undefined && (role === undefined || member.roles.includes(role));
  }

  /** A proof that somebody contradicts himself. Returns the fork if something that counted does so no longer. */
  prove(event: EventOf<"fork">): Fork | undefined {
    const fork = this.forks.prove(event);
    if (fork) this.revision++;
    return fork;
  }

  /** Folds one entry of the timeline. Returns whether the set of members changed. */
  consider(entry: SignedEntry): boolean {
    if (!isAdmission(entry)) return false;
    if (!this.fold(entry)) {
      if (!this.standsOn(entry)) this.waiting.set(entry.id, entry);
      return false;
    }
    for (let again = true; again; ) {
      again = false;
      for (const [id, waiting] of this.waiting)
        if (this.standsOn(waiting)) {
          this.waiting.delete(id);
          this.fold(waiting);
          again = true;
        }
    }
    return true;
  }

  /**
   * Certificates shown at the door, from the founding entry down. Only what proves itself is taken; a stranger cannot leave
   * anything behind. Returns the entries that were new.
   */
  present(certificates: readonly SignedEntry[]): SignedEntry[] {
    const taken: SignedEntry[] = [];
    for (const entry of certificates)
      if (isAdmission(entry) && this.standsOn(entry) && this.consider(entry)) taken.push(entry);
    return taken;
  }

  /** The certificates that prove a member, the founding entry first; empty for a stranger. */
  certificatesOf(peer: PeerId): SignedEntry[] {
    const own = this.byPeer.get(peer)?.certificate;
    const chain = own ? [own] : [];
    for (let at = own; at && chain.length < 64; ) {
      at = this.admins.get(at.entry.author);
      if (!at || chain.some((c) => c.id === at!.id)) break;
      chain.unshift(at);
    }
    if (this.founding && chain.length > 0 && chain[0]!.id !== this.founding.entry.id)
      chain.unshift(this.founding.entry);
    return chain;
  }

  private standsOn(entry: SignedEntry): boolean {
    const founded = foundingOf(entry);
    if (founded) return swarmIdOf(founded) === this.swarm && founded.root === entry.entry.author;
    return this.admins.has(entry.entry.author);
  }

  private fold(entry: SignedEntry): boolean {
    if (!this.standsOn(entry)) return false;
    const founded = foundingOf(entry);
    let changed = false;
    if (founded && this.founding === undefined) {
      this.founding = { entry, name: founded.name, root: founded.root };
      changed = true;
    }
    for (const raw of entry.entry.events) {
      const event = knownEvent(raw);
      if (event?.kind !== "member.admitted") continue;
      if (event.roles.includes("admin") && !this.admins.has(event.peer)) {
        this.admins.set(event.peer, entry);
        changed = true;
      }
      const known = this.byPeer.get(event.peer);
      const later =
        known === undefined ||
        event.notAfterMs > known.notAfterMs ||
        (event.notAfterMs === known.notAfterMs && entry.id < known.certificate.id);
      if (!later) continue;
      const { peer, name, roles, notAfterMs } = event;
      this.sorted = undefined;
      this.revision++;
      this.byPeer.set(peer, { peer, name, roles, notAfterMs, certificate: entry });
      changed = true;
    }
    return changed;
  }
}

function isAdmission(entry: SignedEntry): boolean {
  return (
    entry.entry.build === undefined &&
    entry.entry.events.some((e) => e.kind === "member.admitted" || e.kind === "swarm.founded")
  );
}

function foundingOf(entry: SignedEntry): EventOf<"swarm.founded"> | undefined {
  for (const raw of entry.entry.events) {
    const event = knownEvent(raw);
    if (event?.kind === "swarm.founded") return event;
  }
  return undefined;
}
