/** The door: who comes in with certificates, who with a ticket, and who is told why not. */
import type { AdmissionReply, Command, Input, MemberOperation } from "../contract.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Event, EventOf } from "../timeline/events.ts";
import type { Ask, JoinRequest, Presentation, Redemption } from "./admission.ts";
import type { Said } from "./cuts.ts";
import type { Former, Members } from "./members.ts";
import { certificateMs, type House, Registrar } from "./registrar.ts";
import { type KnownTicket, Requests } from "./requests.ts";

/** One message that tells of members carries no more. */
const warningBytesMax = 512 << 10;

type Refusal = Extract<AdmissionReply, { ok: false }>;

export class Door {
  private readonly house: House;
  private readonly registrar: Registrar;
  /** Who asks to join. */
  readonly requests: Requests;
  /** Its issuer alone redeems a ticket, so that each is good once even under partition; others know it when they see it. */
  private readonly tickets = new Map<string, KnownTicket>();
  private readonly usedTickets = new Map<string, PeerId>();
  private dirty = false;

  constructor(house: House) {
    this.house = house;
    this.registrar = new Registrar(house);
    this.requests = new Requests(house, this.registrar);
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

  /** What was said of tickets and of those who asked to come in. */
  hears(said: Said, event: Event): void {
    if (event.kind === "ticket.issued") this.issued(said, event);
    if (event.kind === "member.admitted" && event.ticket !== undefined)
      this.used(said, event.ticket, event.peer);
    if (event.kind === "join.denied" && this.house.members.may(event.kind, said))
      this.requests.denied(said.entry.author, event);
  }

  /** Who is a member no more, and who has other roles, is told before all else: what follows is judged by it. */
  warn(peer: PeerId): void {
    let entries: SignedEntry[] = [];
    let bytes = 0;
    const send = (): void => {
      if (entries.length > 0)
        this.house.emit({ kind: "send", to: peer, message: { kind: "entries", entries } });
      entries = [];
      bytes = 0;
    };
    for (const entry of this.house.members.warnings()) {
      entries.push(entry);
      bytes += entry.bytes.length;
      if (bytes >= warningBytesMax) send();
    }
    send();
    this.requests.connected();
  }

  private issued(said: Said, event: EventOf<"ticket.issued">): void {
    if (!this.house.members.may(event.kind, said) || this.tickets.has(event.ticket)) return;
    this.tickets.set(event.ticket, { issuer: said.entry.author, event });
  }

  /** Only the word of an admin counts: anybody may write that he admits somebody by a ticket he has heard of. */
  private used(said: Said, ticket: string, peer: PeerId): void {
    if (this.house.members.may("member.admitted", said) && !this.usedTickets.has(ticket))
      this.usedTickets.set(ticket, peer);
  }

  /** To be called at every beat. */
  tick(): void {
    this.registrar.tick();
    this.requests.tick();
  }

  /** Somebody is at the door, or what was held back for him is on disk. */
  take(input: Extract<Input, { kind: "presented" | "redeemed" | "asked" | "admitted" }>): void {
    const { id, peer } = input;
    if (input.kind === "presented") this.presented(id, peer, input.presentation);
    else if (input.kind === "redeemed") this.redeemed(id, peer, input.redemption, input.source);
    else if (input.kind === "asked") this.asked(id, peer, input.ask, input.source);
    else this.admitted(id, peer);
  }

  /** A ticket as this node knows it. */
  ticketOf(ticket: string): KnownTicket | undefined {
    return this.tickets.get(ticket);
  }

  /** What a person asks. */
  command(id: number, command: Extract<Command, { kind: "invite" | "member" }>): void {
    if (command.kind === "invite") this.invite(id, command);
    else this.govern(id, command.operation, command.reason);
  }

  /** Does what a person asks of members and of those who would be. */
  private govern(id: number, operation: MemberOperation, reason: string | undefined): void {
    const because = reason?.slice(0, 250);
    const { registrar, requests } = this;
    if (operation.op === "approve")
      registrar.answer(id, () => requests.approval(operation.peer, operation.roles, this.tickets));
    else if (operation.op === "deny") registrar.answer(id, () => requests.denial(operation.peer, because));
    else registrar.carryOut(id, operation, because);
  }

  /** A stranger without a ticket is at the door. */
  private asked(id: number, peer: PeerId, ask: Ask, source: string): void {
    const { config, members } = this.house;
    const former = members.former(peer);
    if (ask.swarm !== undefined && ask.swarm !== config.swarm)
      return this.answer(id, {
        ok: false,
        code: "wrong-swarm",
        message: `this node belongs to another swarm, ${members.swarmName}`,
      });
    if (former) return this.answer(id, partingOf(former, members));
    if (members.has(peer)) return this.admitted(id, peer);
    this.answer(id, this.requests.asked(peer, source, ask));
  }

  /** Another member tells of somebody at its door: a ticket of this node's is redeemed, all else waits. */
  told(request: JoinRequest): void {
    const { config, members } = this.house;
    const { ticket, peer, name } = request;
    const known = ticket && this.tickets.get(ticket.ticket);
    if (known?.issuer !== config.self) return this.requests.heard(request);
    if (!members.has(request.via) || members.has(peer)) return;
    if (this.ticketRefusal(peer, ticket!) === undefined) this.redeem(peer, name, known.event);
  }

  private invite(id: number, command: Extract<Command, { kind: "invite" }>): void {
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

  private presented(id: number, peer: PeerId, presentation: Presentation): void {
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
    const former = members.former(peer);
    if (former) return this.answer(id, partingOf(former, members));
    if (!member)
      return this.answer(id, {
        ok: false,
        code: "not-a-member",
        message: "no certificate proves this node a member",
        remedy: "ask an admin for a ticket: swarmd invite",
      });
    const ended = member.notAfterMs < now.wallMs;
    // Expiry is no verdict: whoever was away for long comes back, an admin that sees it renews it.
    if (ended && members.has(config.self, "admin"))
      return this.registrar.renew(peer, [{ kind: "admitted", id, peer }]);
    if (ended) this.requests.expired(peer);
    if (ended)
      return this.answer(id, {
        ok: false,
        code: "not-a-member",
        message: `the certificate ended ${new Date(member.notAfterMs).toISOString()}; this node's clock says ${new Date(now.wallMs).toISOString()}`,
        remedy: "check both clocks; an admin renews it as soon as it sees the node",
      });
    this.answer(id, { ok: true, certificates: members.certificatesOf(config.self) });
  }

  private redeemed(id: number, peer: PeerId, redemption: Redemption, source: string): void {
    const { members, config } = this.house;
    const refusal: Refusal | undefined =
      redemption.swarm !== config.swarm
        ? {
            ok: false,
            code: "wrong-swarm",
            message: `the ticket is for another swarm than this node's, ${members.swarmName}`,
            remedy: "ask an admin of this swarm for a ticket: swarmd invite",
          }
        : this.ticketRefusal(peer, redemption);
    if (refusal) return this.answer(id, refusal);
    const { issuer, event } = this.tickets.get(redemption.ticket)!;
    if (members.has(peer)) return this.admitted(id, peer);
    if (issuer === config.self) return this.redeem(peer, redemption.name, event, id);
    const { ticket, key, nonce, proof, name } = redemption;
    this.answer(id, this.requests.asked(peer, source, { name, roles: [] }, { ticket, key, nonce, proof }));
  }

  /** This node's own ticket lets somebody in, once. */
  private redeem(peer: PeerId, name: string, ticket: EventOf<"ticket.issued">, id?: number): void {
    const { members, now } = this.house;
    this.usedTickets.set(ticket.ticket, peer);
    this.house.say(
      undefined,
      {
        kind: "member.admitted",
        peer,
        name: members.freeName(name, peer),
        roles: ticket.roles,
        notAfterMs: now.wallMs + certificateMs,
        ticket: ticket.ticket,
      },
      { durable: true, urgent: true, after: id === undefined ? [] : [{ kind: "admitted", id, peer }] },
    );
  }

  /** The ticket's admission is on disk: the certificates go out. */
  private admitted(id: number, peer: PeerId): void {
    const { members, config } = this.house;
    const certificates = [...members.certificatesOf(peer), ...members.certificatesOf(config.self)];
    this.answer(id, {
      ok: true,
      certificates: [...new Map(certificates.map((c) => [c.id, c])).values()].slice(0, 64),
    });
  }

  private ticketRefusal(peer: PeerId, redemption: Pick<Redemption, "ticket" | "key">): Refusal | undefined {
    const { now, members } = this.house;
    const former = members.former(peer);
    if (former) return partingOf(former, members);
    const ticket = this.tickets.get(redemption.ticket)?.event;
    if (!ticket)
      return {
        ok: false,
        code: "ticket-invalid",
        message: "this node knows of no such ticket",
        remedy: "join through the node that issued it, or ask for a new one: swarmd invite",
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

  private answer(id: number, reply: AdmissionReply): void {
    this.house.emit({ kind: "admission", id, reply });
  }
}

/** Why one that was a member does not come in. */
function partingOf({ peer, name, parting }: Former, members: Members): Refusal {
  const { why, by, reason, successor } = parting;
  const words = reason === undefined ? "" : `: ${reason}`;
  const because = members.partingOf(peer);
  if (why === "rotated")
    return {
      ok: false,
      code: "not-a-member",
      message: `${name} goes on under another key${successor ? ` (${successor})` : ""}`,
      remedy: "start the daemon on the home that has the new key",
      because,
    };
  return {
    ok: false,
    code: "not-a-member",
    message:
      why === "left"
        ? `${name} has left the swarm${words}`
        : `${name} was revoked by ${members.nameOf(by) ?? by}${words}`,
    remedy: "to come back it needs a key of its own: swarmd join with another --home",
    because,
  };
}
