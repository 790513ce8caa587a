/** The door: who comes in with certificates, who with a ticket, and who is told why not. */
import type { AdmissionReply, Command, CoreConfig, Effect, Instant } from "../contract.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Event, EventOf } from "../timeline/events.ts";
import type { Presentation, Redemption } from "./admission.ts";
import type { Members } from "./members.ts";

/** A certificate gates connections for so long. */
const certificateMs = 60 * 24 * 3600_000;

/** What the door needs of the house. */
interface House {
  readonly config: CoreConfig;
  readonly members: Members;
  readonly now: Instant;
  emit(effect: Effect): void;
  say(
    build: undefined,
    event: Event,
    options?: { durable?: boolean; urgent?: boolean; after?: readonly Effect[] },
  ): void;
}

type Refusal = Extract<AdmissionReply, { ok: false }>;

export class Door {
  private readonly house: House;
  /** Tickets this node issued: it alone redeems them, so that each is good once even under partition. */
  private readonly tickets = new Map<string, EventOf<"ticket.issued">>();
  private readonly usedTickets = new Map<string, PeerId>();
  private dirty = false;

  constructor(house: House) {
    this.house = house;
  }

  /** Whether the set of members changed since the last call. */
  membersChanged(): boolean {
    const { dirty } = this;
    this.dirty = false;
    return dirty;
  }

  changed(): void {
    this.dirty = true;
  }

  issued(author: PeerId, ticket: EventOf<"ticket.issued">): void {
    if (author === this.house.config.self) this.tickets.set(ticket.ticket, ticket);
  }

  /** Only the issuer's own word counts: anybody may write that he admits somebody by a ticket he has heard of. */
  used(author: PeerId, ticket: string, peer: PeerId): void {
    if (author === this.house.config.self && !this.usedTickets.has(ticket))
      this.usedTickets.set(ticket, peer);
  }

  invite(id: number, command: Extract<Command, { kind: "invite" }>): void {
    const { config, members } = this.house;
    if (!members.has(config.self, "admin")) {
      this.house.emit({
        kind: "reply",
        id,
        reply: {
          ok: false,
          code: "role-missing",
          message: "this node is no admin and cannot invite",
          remedy: "run `swarmd invite` on an admin's machine",
        },
      });
      return;
    }
    const { ticket, key, roles, notAfterMs } = command;
    this.house.say(
      undefined,
      { kind: "ticket.issued", ticket, key, roles: [...roles], notAfterMs },
      { durable: true, urgent: true, after: [{ kind: "reply", id, reply: { ok: true } }] },
    );
  }

  presented(id: number, peer: PeerId, presentation: Presentation): void {
    const { config, members, now } = this.house;
    if (presentation.swarm !== config.swarm)
      return this.answer(id, {
        ok: false,
        code: "wrong-swarm",
        message: "this node belongs to another swarm",
      });
    const taken = members.present(presentation.certificates);
    if (taken.length > 0) {
      this.changed();
      this.house.emit({ kind: "keep", entries: taken });
    }
    const member = members.get(peer);
    if (!member)
      return this.answer(id, {
        ok: false,
        code: "not-a-member",
        message: "no certificate proves this node a member",
        remedy: "ask an admin for a ticket: swarmd invite",
      });
    if (member.notAfterMs < now.wallMs)
      return this.answer(id, {
        ok: false,
        code: "not-a-member",
        message: `the certificate ended ${new Date(member.notAfterMs).toISOString()}; this node's clock says ${new Date(now.wallMs).toISOString()}`,
        remedy: "check both clocks, then ask an admin for a new ticket",
      });
    this.answer(id, { ok: true, certificates: members.certificatesOf(config.self) });
  }

  redeemed(id: number, peer: PeerId, redemption: Redemption): void {
    const refusal = this.refusalOf(peer, redemption);
    if (refusal) return this.answer(id, refusal);
    const { members, now } = this.house;
    const ticket = this.tickets.get(redemption.ticket)!;
    const known = this.usedTickets.get(ticket.ticket) === peer && members.has(peer);
    if (known) return this.answer(id, { ok: true, certificates: members.certificatesOf(peer) });
    this.usedTickets.set(ticket.ticket, peer);
    this.house.say(
      undefined,
      {
        kind: "member.admitted",
        peer,
        name: this.freeName(redemption.name, peer),
        roles: ticket.roles,
        notAfterMs: now.wallMs + certificateMs,
        ticket: ticket.ticket,
      },
      { durable: true, urgent: true, after: [{ kind: "admitted", id, peer }] },
    );
  }

  /** The ticket's admission is on disk: the certificates go out. */
  admitted(id: number, peer: PeerId): void {
    this.answer(id, { ok: true, certificates: this.house.members.certificatesOf(peer) });
  }

  private refusalOf(peer: PeerId, redemption: Redemption): Refusal | undefined {
    const { config, now } = this.house;
    if (redemption.swarm !== config.swarm)
      return { ok: false, code: "wrong-swarm", message: "the ticket is for another swarm than this node's" };
    const ticket = this.tickets.get(redemption.ticket);
    if (!ticket)
      return {
        ok: false,
        code: "ticket-invalid",
        message: "this node issued no such ticket",
        remedy: "a ticket is redeemed by the node that issued it; ask for a new one: swarmd invite",
      };
    if (ticket.key !== redemption.key)
      return { ok: false, code: "ticket-invalid", message: "the ticket's secret is wrong" };
    const user = this.usedTickets.get(ticket.ticket);
    if (user !== undefined && user !== peer)
      return {
        ok: false,
        code: "ticket-used",
        message: "the ticket was used already",
        remedy: "ask for a new one: swarmd invite",
      };
    if (ticket.notAfterMs < now.wallMs)
      return {
        ok: false,
        code: "ticket-expired",
        message: `the ticket ended ${new Date(ticket.notAfterMs).toISOString()}`,
        remedy: "ask for a new one: swarmd invite",
      };
    return undefined;
  }

  /** Names are for people and should tell machines apart. */
  private freeName(name: string, peer: PeerId): string {
    const taken = new Set(
      this.house.members
        .all()
        .filter((m) => m.peer !== peer)
        .map((m) => m.name),
    );
    if (!taken.has(name)) return name;
    for (let n = 2; ; n++) if (!taken.has(`${name.slice(0, 58)}-${n}`)) return `${name.slice(0, 58)}-${n}`;
  }

  private answer(id: number, reply: AdmissionReply): void {
    this.house.emit({ kind: "admission", id, reply });
  }
}
