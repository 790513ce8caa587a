/** What is said of members: admins change roles, revoke and renew; a member goes by itself. Each word is refused here before it would be ignored elsewhere. */
import type { CommandReply, CoreConfig, Effect, Instant, MemberOperation } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { PeerId } from "../kernel/ids.ts";
import { type Event, lastWordsMax, roles } from "../timeline/events.ts";
import type { LastWords } from "./last-words.ts";
import type { Liveness } from "./liveness.ts";
import type { Member, Members } from "./members.ts";

/** A certificate gates connections for so long. */
export const certificateMs = 60 * 24 * 3_600_000;
/** An admin renews what ends within this time of a member that it sees. */
const renewBeforeMs = certificateMs / 2;
const renewMsMin = 60_000;
/** How often an admin looks whose certificate nears its end. */
const lookMs = 10_000;

/** What the registrar, and the door, need of the house. */
export interface House {
  readonly config: CoreConfig;
  readonly members: Members;
  readonly lastWords: LastWords;
  readonly now: Instant;
  status(peer: PeerId): Liveness;
  emit(effect: Effect): void;
  say(
    build: undefined,
    event: Event,
    options?: { durable?: boolean; urgent?: boolean; after?: readonly Effect[] },
  ): void;
}

/** What is said of those who are members. */
type Word = Exclude<MemberOperation, { op: "approve" | "deny" }>;

export class Registrar {
  private readonly house: House;
  private lookMonoMs = Number.NEGATIVE_INFINITY;
  private readonly renewedMonoMs = new Map<PeerId, number>();

  constructor(house: House) {
    this.house = house;
  }

  /** Does what a person asks of a member. */
  carryOut(id: number, operation: Word, reason: string | undefined): void {
    this.answer(id, () => this.plan(operation, reason));
  }

  /** Says what a person asked for, and answers once it is on disk; what `plan` throws is the answer otherwise. */
  answer(id: number, plan: () => Event): void {
    try {
      const reply: Effect = { kind: "reply", id, reply: { ok: true } };
      this.house.say(undefined, plan(), { durable: true, urgent: true, after: [reply] });
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      const { code, message, remedy } = error;
      const reply: CommandReply = { ok: false, code, message, ...(remedy ? { remedy } : {}) };
      this.house.emit({ kind: "reply", id, reply });
    }
  }

  /** Admins that are members. */
  admins(): Member[] {
    return this.house.members.all().filter((m) => m.roles.includes("admin"));
  }

  /** To be called at every beat. An admin that sees a member whose certificate nears its end renews it: of several the first that lives. */
  tick(): void {
    const { now, config, members } = this.house;
    if (now.monoMs < this.lookMonoMs) return;
    this.lookMonoMs = now.monoMs + lookMs;
    if (!members.has(config.self, "admin")) return;
    const first = this.admins().find(({ peer }) => this.seen(peer));
    if (first?.peer !== config.self) return;
    for (const member of members.all())
      if (this.seen(member.peer) && member.notAfterMs < now.wallMs + renewBeforeMs) this.renew(member.peer);
  }

  /** Says that a member's connections are good for longer. `after` happens once that is on disk. */
  renew(peer: PeerId, after: readonly Effect[] = []): void {
    const notAfterMs = Math.floor(this.house.now.wallMs + certificateMs);
    this.house.say(
      undefined,
      { kind: "member.renewed", peer, notAfterMs },
      { durable: true, urgent: true, after },
    );
  }

  /** The same once a minute at most, however many ask for it. */
  renewOnce(peer: PeerId): void {
    const { monoMs } = this.house.now;
    if (monoMs < (this.renewedMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY) + renewMsMin) return;
    this.renewedMonoMs.set(peer, monoMs);
    this.renew(peer);
  }

  /** Throws `role-missing` on a node that is no admin. */
  mustBeAdmin(doing: string): void {
    const { config, members } = this.house;
    if (members.has(config.self, "admin")) return;
    const admin = this.admins()[0]?.name;
    throw new SwarmError("role-missing", `this node is no admin and cannot ${doing}`, {
      remedy: admin ? `run it on the machine of an admin: ${admin}` : "see who is one: swarmd member list",
    });
  }

  private seen(peer: PeerId): boolean {
    const status = this.house.status(peer);
    return status === "alive" || status === "suspect";
  }

  private plan(operation: Word, reason: string | undefined): Event {
    const { config, members, lastWords, now } = this.house;
    const because = reason === undefined ? {} : { reason };
    switch (operation.op) {
      case "role": {
        this.mustBeAdmin("change roles");
        const { peer } = operation;
        const member = this.memberOf(peer);
        const wanted = roles.filter((role) => operation.roles.includes(role));
        if (wanted.length === 0)
          throw new SwarmError("usage", `${member.name} would be left without a role`, {
            remedy: "give it one (observer may only look on), or revoke it: swarmd member revoke",
          });
        if (member.roles.includes("admin") && !wanted.includes("admin"))
          this.mustNotBeLast(member, operation.force);
        const serial = members.nextSerial(peer);
        return { kind: "member.role", peer, roles: wanted, serial, since: lastWords.of(peer), ...because };
      }
      case "revoke": {
        this.mustBeAdmin("revoke a member");
        const { peer, disown } = operation;
        const member = this.memberOf(peer);
        if (peer === config.self)
          throw new SwarmError("usage", "a node does not revoke itself", {
            remedy: "let it go: swarmd leave",
          });
        this.mustNotBeLast(member, operation.force);
        return { kind: "member.revoked", peer, last: disown ? [] : lastWords.of(peer), ...because };
      }
      case "taint": {
        this.mustBeAdmin("taint what a node made");
        const { peer, sinceMs } = operation;
        if (members.nameOf(peer) === undefined) this.memberOf(peer);
        const from = operation.from.slice(0, lastWordsMax).map(({ inc, seq }) => ({ inc, seq }));
        return { kind: "member.tainted", peer, from, sinceMs, ...because };
      }
      case "renew": {
        this.mustBeAdmin("renew certificates");
        const { peer } = operation;
        this.memberOf(peer);
        const notAfterMs = Math.floor(now.wallMs + certificateMs);
        return { kind: "member.renewed", peer, notAfterMs };
      }
      case "rename": {
        this.mustBeAdmin("rename a node");
        const { peer, name } = operation;
        const member = this.memberOf(peer);
        if (member.name !== name && members.freeName(name, peer) !== name)
          throw new SwarmError("usage", `there is a node ${name} already`, {
            remedy: "choose another name; those that are taken: swarmd node list",
          });
        return { kind: "member.renamed", peer, name, serial: members.nextNameSerial(peer) };
      }
      case "leave": {
        const member = this.memberOf(config.self);
        if (members.size > 1) this.mustNotBeLast(member, operation.force);
        return { kind: "member.left", ...because };
      }
      case "rotate": {
        this.memberOf(config.self);
        return { kind: "member.rotated", peer: operation.peer };
      }
    }
  }

  private memberOf(peer: PeerId): Member {
    const { members } = this.house;
    const member = members.get(peer);
    if (member) return member;
    const former = members.former(peer);
    throw new SwarmError(
      "not-found",
      former ? `${former.name} is a member no more` : `there is no member ${peer}`,
      {
        remedy: "see the members: swarmd member list",
      },
    );
  }

  private mustNotBeLast(member: Member, force = false): void {
    if (force || !member.roles.includes("admin") || this.admins().length > 1) return;
    throw new SwarmError(
      "refused",
      `${member.name} is the last admin: without one nobody can be admitted any more`,
      {
        remedy: "make another first: swarmd member role NAME +admin (or --force)",
      },
    );
  }
}
