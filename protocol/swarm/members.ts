/**
 * Who belongs to the swarm: a fold over what admins and members say of members. A certificate is nothing but the signed entry that admits;
 * it proves itself by the chain of admissions back to the founding entry, which the swarm's id names.
 */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { byText, type EntryId, type PeerId, type SwarmId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import {
  type EventKind,
  type EventOf,
  knownEvent,
  type Role,
  type Writer,
  writers,
} from "../timeline/events.ts";
import { type Fork, Forks } from "../timeline/forks.ts";
import {
  type Authority,
  authorityOf,
  membershipOf,
  type Parting,
  rolesAt,
  rolesNow,
  type Standing,
} from "./authority.ts";
import { type Said, type Spot, standsBefore } from "./cuts.ts";
import { Taints } from "./taints.ts";

export interface Member {
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Wall milliseconds; gates connections, never facts. */
  readonly notAfterMs: number;
  readonly certificate: SignedEntry;
}

/** One that was a member. */
export interface Former {
  readonly peer: PeerId;
  readonly name: string;
  readonly parting: Parting;
}

/** Whose word counts for what, as a fold asks it. */
export interface Judge {
  /** Whether an entry may say an event of this kind by the roles of its author at that place; who is meant by the event itself is not judged here. */
  may(kind: EventKind, said: Said): boolean;
  /** Whether a peer has this role, or had it once. */
  served(peer: PeerId, role: Role): boolean;
  /** Whether the word of an author counts at this place. */
  counts(said: Spot): boolean;
  /** Whether what an author made counts no more at this place, for an admin tainted it. */
  spoiled(said: Spot): boolean;
}

/** A chain of certificates is no longer. */
const certificatesMax = 64;

/** The id of a swarm: sha2-256 of its root document. */
export const swarmIdOf = (root: { name: string; root: PeerId; nonce: string }): SwarmId =>
  sha256Hex(encode({ v: 1, name: root.name, root: root.root, nonce: root.nonce })) as SwarmId;

export class Members implements Judge {
  readonly swarm: SwarmId;
  /** Whose words count no longer, from where on: of those who contradict themselves. */
  readonly forks = new Forks();
  /** Counts up when something about some member changed. */
  revision = 0;
  private founding:
    | {
        readonly entry: SignedEntry;
        readonly name: string;
        readonly root: PeerId;
        readonly admin: PeerId;
      }
    | undefined;
  /** Everything said about members by those who may say something, or might once more is known. */
  private readonly said = new Map<EntryId, SignedEntry>();
  /** Words about members whose author is not (yet) known: facts may come in any order. */
  private readonly waiting = new Map<EntryId, SignedEntry>();
  private standings: ReadonlyMap<PeerId, Standing> = new Map();
  /** What of members' makings counts no more. */
  taints = new Taints([]);
  private admins: ReadonlyMap<PeerId, SignedEntry> = new Map();
  private heard: ReadonlySet<PeerId> = new Set();
  private byPeer: ReadonlyMap<PeerId, Member> = new Map();
  private sorted: readonly Member[] = [];

  constructor(swarm: SwarmId) {
    this.swarm = swarm;
  }

  get swarmName(): string {
    return this.founding?.name ?? "";
  }

  /** The first admin, whom the founding entry names; undefined before that is known. */
  get founder(): PeerId | undefined {
    return this.founding?.admin;
  }

  /** The key that founded the swarm; undefined before the founding entry is known. */
  get root(): PeerId | undefined {
    return this.founding?.root;
  }

  get size(): number {
    return this.byPeer.size;
  }

  /** In the order of peer ids. */
  all(): readonly Member[] {
    return this.sorted;
  }

  get(peer: PeerId): Member | undefined {
    return this.byPeer.get(peer);
  }

  has(peer: PeerId, role?: Role): boolean {
    const member = this.byPeer.get(peer);
    return member !== undefined && (role === undefined || member.roles.includes(role));
  }

  /** Who was a member and is none any more, and why: of several reasons the first in the order of entry ids. */
  former(peer: PeerId): Former | undefined {
    const standing = this.standings.get(peer);
    const parting = standing?.partings[0];
    return parting && { peer, name: standing.name, parting };
  }

  /** In the order of peer ids. */
  formers(): Former[] {
    return [...this.standings.keys()].sort(byText).flatMap((peer) => this.former(peer) ?? []);
  }

  /** The name of a member, or of one that was; undefined for a stranger. */
  nameOf(peer: PeerId): string | undefined {
    return this.standings.get(peer)?.name;
  }

  /** Whether the word of an author counts at this place: no fork, no revocation and no farewell came before. */
  counts(said: Spot): boolean {
    if (!this.forks.counts(said.entry)) return false;
    const partings = this.standings.get(said.entry.author)?.partings;
    return (
      partings === undefined || partings.length === 0 || partings.every(({ cut }) => standsBefore(cut, said))
    );
  }

  spoiled(said: Spot): boolean {
    return this.taints.cover(said);
  }

  may(kind: EventKind, said: Said): boolean {
    const standing = this.standings.get(said.entry.author);
    const roles = standing && rolesAt(standing, said);
    const allowed: readonly Writer[] = writers[kind];
    for (const writer of allowed) {
      const may =
        writer === "root"
          ? said.entry.author === this.founding?.root
          : writer === "member"
            ? standing !== undefined
            : roles?.includes(writer as Role) === true;
      if (may) return this.counts(said);
    }
    return false;
  }

  served(peer: PeerId, role: Role): boolean {
    const standing = this.standings.get(peer);
    return (
      standing !== undefined &&
      (standing.given.includes(role) || standing.versions.some(({ roles }) => roles.includes(role)))
    );
  }

  /** The name itself, or the first with a number that no other member has: names should tell machines apart. */
  freeName(name: string, peer: PeerId): string {
    const taken = new Set(this.sorted.flatMap((m) => (m.peer === peer ? [] : [m.name])));
    if (!taken.has(name)) return name;
    for (let n = 2; ; n++) if (!taken.has(`${name.slice(0, 58)}-${n}`)) return `${name.slice(0, 58)}-${n}`;
  }

  /** The serial that a further change of a member's roles takes. */
  nextSerial(peer: PeerId): number {
    return (this.standings.get(peer)?.versions[0]?.serial ?? 0) + 1;
  }

  /** The serial that a further name of a member takes. */
  nextNameSerial(peer: PeerId): number {
    return (this.standings.get(peer)?.nameSerial ?? 0) + 1;
  }

  /** A proof that somebody contradicts himself. Returns the fork if something that counted does so no longer. */
  prove(event: EventOf<"fork">): Fork | undefined {
    const fork = this.forks.prove(event);
    if (fork) this.settle();
    return fork;
  }

  /** Folds one entry of the timeline. Returns whether something about members may have changed. */
  consider(entry: SignedEntry): boolean {
    if (!isAboutMembers(entry) || this.said.has(entry.id)) return false;
    if (!this.standsOn(entry)) {
      this.waiting.set(entry.id, entry);
      return false;
    }
    this.said.set(entry.id, entry);
    const founded = foundingOf(entry);
    if (founded) this.founding ??= { entry, name: founded.name, root: founded.root, admin: founded.admin };
    this.settle();
    return true;
  }

  /** Judges anew, with whatever others say that stands on what is known by then. */
  private settle(): void {
    this.judge();
    for (let again = true; again; ) {
      again = false;
      for (const [id, waiting] of this.waiting) {
        if (!this.standsOn(waiting)) continue;
        this.waiting.delete(id);
        this.said.set(id, waiting);
        again = true;
      }
      if (again) this.judge();
    }
  }

  /**
   * Certificates shown at the door, from the founding entry down. Only what proves itself is taken; a stranger cannot leave
   * anything behind. Returns the entries that were new.
   */
  present(certificates: readonly SignedEntry[]): SignedEntry[] {
    const taken: SignedEntry[] = [];
    for (const entry of certificates)
      if (isAboutMembers(entry) && this.standsOn(entry) && this.consider(entry)) taken.push(entry);
    return taken;
  }

  /** The certificates that prove a member, the founding entry first; empty for a stranger. */
  certificatesOf(peer: PeerId): SignedEntry[] {
    const standing = this.standings.get(peer);
    if (!standing || !this.founding) return [];
    const chain = new Map<EntryId, SignedEntry>([[this.founding.entry.id, this.founding.entry]]);
    const prove = (entry: SignedEntry, depth: number): void => {
      if (chain.has(entry.id) || depth > certificatesMax) return;
      const { author } = entry.entry;
      const grounds = this.admins.get(author) ?? this.standings.get(author)?.certificate;
      if (grounds && grounds.id !== entry.id) prove(grounds, depth + 1);
      chain.set(entry.id, entry);
    };
    prove(standing.certificate, 0);
    if (standing.renewal) prove(standing.renewal, 0);
    return [...chain.values()].slice(0, certificatesMax);
  }

  /** What shows that somebody is a member no more: the word itself and what proves its author; empty for everybody else. */
  partingOf(peer: PeerId): SignedEntry[] {
    const parting = this.standings.get(peer)?.partings[0];
    if (!parting) return [];
    const proofs = [
      ...this.certificatesOf(peer),
      ...this.certificatesOf(parting.said.entry.author),
      parting.said,
    ];
    return [...new Map(proofs.map((entry) => [entry.id, entry])).values()].slice(-certificatesMax);
  }

  /** What was said of members that others must hear before all else: who is one no more, and who has other roles. */
  warnings(): SignedEntry[] {
    return [...this.said.values()].filter((said) =>
      membershipOf(said).some((event) => event.kind !== "member.admitted" && event.kind !== "member.renewed"),
    );
  }

  /** Everything said of members that stands, in the order in which it was heard: with the proofs of forks all that words are judged by. */
  words(): SignedEntry[] {
    return [...this.said.values()];
  }

  private standsOn(entry: SignedEntry): boolean {
    const founded = foundingOf(entry);
    if (founded) return swarmIdOf(founded) === this.swarm && founded.root === entry.entry.author;
    const { author } = entry.entry;
    if (this.heard.has(author)) return true;
    return (
      this.standings.has(author) &&
      membershipOf(entry).some(({ kind }) => kind === "member.left" || kind === "member.rotated")
    );
  }

  private judge(): void {
    this.revision++;
    if (!this.founding) return;
    const authority = authorityOf(this.founding.root, this.said.values(), this.forks);
    this.standings = authority.standings;
    this.admins = authority.admins;
    this.heard = authority.heard;
    ({ byPeer: this.byPeer, sorted: this.sorted } = rollOf(authority));
    this.taints = new Taints([...this.said.values()].filter((said) => this.may("member.tainted", said)));
  }
}

interface Roll {
  readonly byPeer: ReadonlyMap<PeerId, Member>;
  /** In the order of peer ids. */
  readonly sorted: readonly Member[];
}

/** Made once for each judgement. */
const rolls = new WeakMap<Authority, Roll>();

/** Who is a member, as it was judged. */
function rollOf(authority: Authority): Roll {
  let roll = rolls.get(authority);
  if (!roll) {
    const byPeer = new Map<PeerId, Member>();
    for (const standing of authority.standings.values()) {
      if (standing.partings.length > 0) continue;
      const { peer, name, notAfterMs, certificate } = standing;
      byPeer.set(peer, { peer, name, roles: rolesNow(standing), notAfterMs, certificate });
    }
    roll = { byPeer, sorted: [...byPeer.values()].sort((a, b) => byText(a.peer, b.peer)) };
    rolls.set(authority, roll);
  }
  return roll;
}

const isAboutMembers = (entry: SignedEntry): boolean =>
  entry.entry.build === undefined &&
  entry.entry.events.some((e) => e.kind.startsWith("member.") || e.kind === "swarm.founded");

function foundingOf(entry: SignedEntry): EventOf<"swarm.founded"> | undefined {
  for (const raw of entry.entry.events) {
    const event = knownEvent(raw);
    if (event?.kind === "swarm.founded") return event;
  }
  return undefined;
}
