/**
 * What the words about members come to: a pure function of the set of entries, in any order. Admins are judged from the founder down: whom a
 * more senior admin has cut off has nothing more to say; what juniors said of seniors binds them too, but for what they say of others.
 * The rules in prose are in specs/membership.md.
 */
import { byText, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import {
  type EventOf,
  knownEvent,
  type MembershipKind,
  membershipKinds,
  type Role,
} from "../timeline/events.ts";
import type { Forks } from "../timeline/forks.ts";
import { type Cut, namedCut, type Said, standsBefore, untilEntry } from "./cuts.ts";

/** Why a node ends that is a member no more. */
export const partings = {
  left: "it left the swarm",
  revoked: "it was revoked",
  rotated: "it goes on under another key",
} as const;

/** Why somebody is a member no more. */
export interface Parting {
  readonly why: "revoked" | "left" | "rotated";
  readonly by: PeerId;
  readonly reason: string | undefined;
  /** Of one that rotated: who goes on in its place. */
  readonly successor: PeerId | undefined;
  readonly cut: Cut;
  readonly said: SignedEntry;
}

interface Version {
  readonly roles: readonly Role[];
  readonly serial: number;
  readonly since: Cut;
  readonly said: SignedEntry;
}

/** What is known of one who was ever admitted. */
export interface Standing {
  readonly peer: PeerId;
  /** As admitted, or as renamed since. */
  readonly name: string;
  /** Of the renaming that holds; 0 before the first. */
  readonly nameSerial: number;
  /** Wall milliseconds, with renewals. */
  readonly notAfterMs: number;
  /** The entry that admits it. */
  readonly certificate: SignedEntry;
  /** The renewal that reaches furthest, if one reaches further than the certificate. */
  readonly renewal: SignedEntry | undefined;
  /** As admitted; what admissions ever gave, for what was said meanwhile stays said. */
  readonly admitted: readonly Role[];
  readonly given: readonly Role[];
  /** Later changes of roles, the one that holds first. */
  readonly versions: readonly Version[];
  /** Empty for a member. */
  readonly partings: readonly Parting[];
}

export interface Authority {
  readonly standings: ReadonlyMap<PeerId, Standing>;
  /** Those whose making as an admin counts, with the entry that did it: those chains lead to the founding entry. */
  readonly admins: ReadonlyMap<PeerId, SignedEntry>;
  /** Whoever was ever called an admin by one of these, cut off or not: their words are worth keeping. */
  readonly heard: ReadonlySet<PeerId>;
}

type MembershipEvent = { [K in MembershipKind]: EventOf<K> }[MembershipKind];

interface Act {
  readonly said: SignedEntry;
  readonly event: MembershipEvent;
}

/** The roles that a standing gives at a place of its chains. */
export function rolesAt(standing: Pick<Standing, "given" | "versions">, said: Said): readonly Role[] {
  for (const version of standing.versions) if (!standsBefore(version.since, said)) return version.roles;
  return standing.given;
}

/** The roles it has for what it says from here on. */
export const rolesNow = (standing: Standing): readonly Role[] =>
  standing.versions[0]?.roles ?? standing.admitted;

/** The events about members that an entry of the timeline carries. */
export function membershipOf(said: SignedEntry): MembershipEvent[] {
  if (said.entry.build !== undefined) return [];
  return said.entry.events.flatMap((raw) => {
    const event = (membershipKinds as readonly string[]).includes(raw.kind) ? knownEvent(raw) : undefined;
    return event ? [event as MembershipEvent] : [];
  });
}

/**
 * `root`: the key that founded the swarm. Every entry given is signed by its author; those of others than admins do nothing here. `forks`:
 * whose word ends where he contradicts himself. The root key alone is above that: it signs by hand, and without it there is no swarm.
 */
export function authorityOf(
  root: PeerId,
  entries: Iterable<SignedEntry>,
  forks: Pick<Forks, "counts">,
): Authority {
  const standing = [...entries]
    .filter(({ entry }) => entry.author === root || forks.counts(entry))
    .sort(byPlace);
  let verdict = verdicts.find((v) => v.root === root && same(v.entries, standing));
  if (!verdict) {
    verdict = { root, entries: standing, authority: new Court(root, standing).judge() };
    verdicts.push(verdict);
    if (verdicts.length > verdictsMax) verdicts.shift();
  }
  return verdict.authority;
}

/** Judgements of late, which nobody changes: in a world of many hosts all judge the same words. */
const verdicts: {
  readonly root: PeerId;
  readonly entries: readonly SignedEntry[];
  readonly authority: Authority;
}[] = [];
const verdictsMax = 16;

const same = (a: readonly SignedEntry[], b: readonly SignedEntry[]): boolean =>
  a.length === b.length && a.every((entry, i) => entry === b[i]);

class Court {
  private readonly root: PeerId;
  private readonly acts = new Map<PeerId, Act[]>();
  private readonly ranks = new Map<PeerId, number>();
  /** What each said of its own end. */
  private readonly ends = new Map<PeerId, Parting[]>();
  private readonly revocations = new Map<PeerId, Parting[]>();
  private readonly versions = new Map<PeerId, Version[]>();
  /** Who counts as an admin, found in the order of seniority. */
  private readonly seated = new Set<PeerId>();

  /** `entries`: in the order of their places. */
  constructor(root: PeerId, entries: readonly SignedEntry[]) {
    this.root = root;
    for (const said of entries) {
      const { author } = said.entry;
      for (const event of membershipOf(said)) {
        // Who revoked somebody does not take it back: a key that was revoked stays so.
        const revoked = this.acts
          .get(author)
          ?.some((a) => a.event.kind === "member.revoked" && isOf(a.event, event));
        if (event.kind === "member.revoked" || !revoked) push(this.acts, author, { said, event });
      }
    }
  }

  judge(): Authority {
    this.rank();
    this.end();
    const seniority = [...this.ranks]
      .sort(([a, one], [b, other]) => one - other || byText(a, b))
      .map(([peer]) => peer);
    const places = new Map(seniority.map((peer, at) => [peer, at]));
    for (const admin of seniority) {
      if (this.grantOf(admin, places)) this.seated.add(admin);
      if (this.seated.has(admin)) this.strike(admin);
    }
    // Now that all cuts are known: who is an admin for what he admits.
    this.seated.clear();
    const admins = new Map<PeerId, SignedEntry>();
    for (const admin of seniority) {
      const grant = this.grantOf(admin, places);
      if (!grant) continue;
      this.seated.add(admin);
      if (grant !== "root") admins.set(admin, grant);
    }
    for (const [peer, versions] of this.versions) {
      const holding = versions.filter(
        ({ said, roles }) => (!roles.includes("admin") && this.ranks.has(peer)) || this.valid(said),
      );
      this.versions.set(peer, holding);
    }
    return { standings: this.standings(), admins, heard: new Set(seniority) };
  }

  /** How far each admin is from the founder, by whoever made him one; cuts play no part in it. */
  private rank(): void {
    this.ranks.set(this.root, 0);
    for (let again = true; again; ) {
      again = false;
      for (const [author, acts] of this.acts) {
        const rank = this.ranks.get(author);
        if (rank === undefined) continue;
        for (const { event } of acts) {
          if (!makesAdmin(event) || (this.ranks.get(event.peer) ?? Number.POSITIVE_INFINITY) <= rank + 1)
            continue;
          this.ranks.set(event.peer, rank + 1);
          again = true;
        }
      }
    }
  }

  private end(): void {
    for (const [author, acts] of this.acts)
      for (const { said, event } of acts) {
        if (event.kind !== "member.left" && event.kind !== "member.rotated") continue;
        push(this.ends, author, {
          why: event.kind === "member.left" ? "left" : "rotated",
          by: author,
          reason: event.kind === "member.left" ? event.reason : undefined,
          successor: event.kind === "member.rotated" ? event.peer : undefined,
          cut: untilEntry(said),
          said,
        });
      }
  }

  /** The entry by which somebody more senior made this one an admin, if that counts as far as is known by now. */
  private grantOf(admin: PeerId, places: ReadonlyMap<PeerId, number>): SignedEntry | "root" | undefined {
    if (admin === this.root) return "root";
    const place = places.get(admin)!;
    let best: { readonly said: SignedEntry; readonly at: number } | undefined;
    for (const [author, acts] of this.acts) {
      const at = places.get(author);
      if (at === undefined || at >= place || (best && best.at <= at) || !this.seated.has(author)) continue;
      const found = acts.find(
        ({ said, event }) =>
          makesAdmin(event) &&
          event.peer === admin &&
          (event.kind === "member.rotated" ? this.speaks(said) : this.valid(said)),
      );
      if (found) best = { said: found.said, at };
    }
    return best?.said;
  }

  /** Takes in what an admin says against others, as far as nobody more senior has cut him off before. */
  private strike(admin: PeerId): void {
    for (const { said, event } of this.acts.get(admin) ?? []) {
      if (event.kind === "member.role") {
        if (!this.valid(said)) continue;
        const { roles, serial } = event;
        const versions = [
          ...(this.versions.get(event.peer) ?? []),
          { roles, serial, since: namedCut(event.since), said },
        ];
        versions.sort((a, b) => b.serial - a.serial || byText(a.said.id, b.said.id));
        this.versions.set(event.peer, versions);
      } else if (event.kind === "member.revoked") {
        const cut = this.valid(said) ? namedCut(event.last) : this.answer(said, event.peer);
        if (!cut) continue;
        const { reason } = event;
        push(this.revocations, event.peer, {
          why: "revoked",
          by: admin,
          reason,
          successor: undefined,
          cut,
          said,
        });
      }
    }
  }

  /**
   * Two admins that revoke each other both go. What the junior says too late against the one who revoked him ends that one's word with that
   * very revocation: no earlier, whatever he would like.
   */
  private answer(said: SignedEntry, target: PeerId): Cut | undefined {
    const against = (this.revocations.get(said.entry.author) ?? []).find(
      ({ by, cut }) => by === target && !standsBefore(cut, said),
    );
    return against && untilEntry(against.said);
  }

  /** Whether an entry counts at all, as far as cuts are known. */
  private speaks(said: SignedEntry): boolean {
    const { author } = said.entry;
    return (
      (this.revocations.get(author) ?? []).every(({ cut }) => standsBefore(cut, said)) &&
      (this.ends.get(author) ?? []).every(({ cut }) => standsBefore(cut, said))
    );
  }

  /** Whether an entry is the word of an admin. */
  private valid(said: SignedEntry): boolean {
    const { author } = said.entry;
    if (!this.seated.has(author)) return false;
    if (author === this.root) return true;
    return (
      this.speaks(said) &&
      rolesAt({ given: ["admin"], versions: this.versions.get(author) ?? [] }, said).includes("admin")
    );
  }

  private standings(): Map<PeerId, Standing> {
    const admissions = new Map<
      PeerId,
      { readonly said: SignedEntry; readonly event: EventOf<"member.admitted"> }[]
    >();
    const renewals = new Map<PeerId, { readonly said: SignedEntry; readonly notAfterMs: number }[]>();
    const renamings = new Map<
      PeerId,
      { readonly said: SignedEntry; readonly event: EventOf<"member.renamed"> }[]
    >();
    const successions: { readonly said: SignedEntry; readonly peer: PeerId }[] = [];
    for (const acts of this.acts.values())
      for (const { said, event } of acts) {
        if (event.kind === "member.rotated" && this.speaks(said))
          successions.push({ said, peer: event.peer });
        if (event.kind === "member.admitted" && this.valid(said))
          push(admissions, event.peer, { said, event });
        if (event.kind === "member.renewed" && this.valid(said))
          push(renewals, event.peer, { said, notAfterMs: event.notAfterMs });
        if (event.kind === "member.renamed" && this.valid(said)) push(renamings, event.peer, { said, event });
      }
    const standings = new Map<PeerId, Standing>();
    const partingsOf = (peer: PeerId) =>
      [...(this.revocations.get(peer) ?? []), ...(this.ends.get(peer) ?? [])].sort(
        (a, b) => Number(this.speaks(b.said)) - Number(this.speaks(a.said)) || byText(a.said.id, b.said.id),
      );
    const add = (
      peer: PeerId,
      base: Pick<Standing, "name" | "notAfterMs" | "certificate" | "admitted" | "given">,
    ): void => {
      let { notAfterMs } = base;
      let renewal: SignedEntry | undefined;
      for (const one of renewals.get(peer) ?? []) {
        if (one.notAfterMs <= notAfterMs) continue;
        ({ notAfterMs, said: renewal } = one);
      }
      const versions = this.versions.get(peer) ?? [];
      const [renaming] = (renamings.get(peer) ?? []).sort(
        (a, b) => b.event.serial - a.event.serial || byText(a.said.id, b.said.id),
      );
      const name = renaming?.event.name ?? base.name;
      const nameSerial = renaming?.event.serial ?? 0;
      standings.set(peer, {
        ...base,
        peer,
        name,
        nameSerial,
        notAfterMs,
        renewal,
        versions,
        partings: partingsOf(peer),
      });
    };
    for (const [peer, given] of admissions) {
      const [first] = given.sort(
        (a, b) => b.event.notAfterMs - a.event.notAfterMs || byText(a.said.id, b.said.id),
      );
      const { said, event } = first!;
      add(peer, {
        name: event.name,
        notAfterMs: event.notAfterMs,
        certificate: said,
        admitted: event.roles,
        given: [...new Set(given.flatMap((one) => one.event.roles))],
      });
    }
    for (let again = true; again; ) {
      again = false;
      for (const { said, peer } of successions) {
        const before = standings.get(said.entry.author);
        if (!before || standings.has(peer)) continue;
        const roles = rolesAt(before, said);
        const { name, notAfterMs } = before;
        add(peer, { name, notAfterMs, certificate: said, admitted: roles, given: roles });
        again = true;
      }
    }
    return standings;
  }
}

/** The order of each author's own words. */
const byPlace = ({ entry: a, id: one }: SignedEntry, { entry: b, id: other }: SignedEntry): number =>
  byText(a.author, b.author) ||
  incarnationCounter(a.inc) - incarnationCounter(b.inc) ||
  byText(a.inc, b.inc) ||
  a.seq - b.seq ||
  byText(one, other);

const isOf = (revocation: EventOf<"member.revoked">, event: MembershipEvent): boolean =>
  "peer" in event && event.peer === revocation.peer;

const makesAdmin = (
  event: MembershipEvent,
): event is Extract<MembershipEvent, { kind: "member.admitted" | "member.role" | "member.rotated" }> =>
  event.kind === "member.rotated" ||
  ((event.kind === "member.admitted" || event.kind === "member.role") && event.roles.includes("admin"));

function push<T>(lists: Map<PeerId, T[]>, peer: PeerId, item: T): void {
  const list = lists.get(peer);
  if (list) list.push(item);
  else lists.set(peer, [item]);
}
