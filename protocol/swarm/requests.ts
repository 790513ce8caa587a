/**
 * Who asked to come in and waits for an admin's word. Requests are no facts: the member at whose door they came tells all others while the
 * stranger waits there, each remembers them for a while, and all of it is bounded, for strangers may ask for anything.
 */
import type { AdmissionReply, CoreConfig, Effect, Instant } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import { byText, type PeerId } from "../kernel/ids.ts";
import type { Event, EventOf, Role } from "../timeline/events.ts";
import type { Ask, JoinRequest, TicketProof } from "./admission.ts";
import type { Members } from "./members.ts";
import { certificateMs, type Registrar } from "./registrar.ts";

/** A request is forgotten so long after it was last heard of. */
const forgottenMs = 30 * 60_000;
/** A request that is asked again is told to others no more often than this. */
const tellMs = 5_000;
const requestsMax = { all: 128, perMember: 32, perSource: 4 };
/** What one may do who asked for nothing in particular. */
const usualRoles: readonly Role[] = ["submitter", "builder"];

export interface Pending extends JoinRequest {
  /** Where it came from: a host's address, or the member that told of it. */
  readonly source: string;
  /** When it was last heard of, monotonic milliseconds. */
  askedMonoMs: number;
  toldMonoMs: number;
}

/** A ticket as the timeline tells of it. */
export interface KnownTicket {
  readonly issuer: PeerId;
  readonly event: EventOf<"ticket.issued">;
}

/** What requests need of the house. */
interface House {
  readonly config: CoreConfig;
  readonly members: Members;
  readonly now: Instant;
  emit(effect: Effect): void;
}

type Refusal = Extract<AdmissionReply, { ok: false }>;

export class Requests {
  private readonly house: House;
  private readonly registrar: Registrar;
  private readonly pending = new Map<PeerId, Pending>();
  private readonly denials = new Map<PeerId, { readonly by: PeerId; readonly reason: string | undefined }>();
  private tellAgain = false;

  constructor(house: House, registrar: Registrar) {
    this.house = house;
    this.registrar = registrar;
  }

  /** Those that wait, in the order of names. */
  all(): Pending[] {
    return [...this.pending.values()]
      .filter((p) => !p.renewal)
      .sort((a, b) => byText(a.name, b.name) || byText(a.peer, b.peer));
  }

  /** A stranger at this node's door asks to come in, by a ticket of another member or by its name alone. */
  asked(
    peer: PeerId,
    source: string,
    ask: Pick<Ask, "name" | "roles">,
    ticket?: TicketProof,
  ): AdmissionReply {
    const { config, now } = this.house;
    const refusal = this.refusalOf(peer, ask.name);
    if (refusal) return refusal;
    const known = this.pending.get(peer);
    const full = known ? undefined : this.full(source, config.self);
    if (full) return full;
    const { name, roles } = ask;
    const told = known?.via === config.self ? known.toldMonoMs : Number.NEGATIVE_INFINITY;
    const request: Pending = {
      via: config.self,
      peer,
      name,
      roles,
      ...(ticket ? { ticket } : {}),
      source,
      askedMonoMs: now.monoMs,
      toldMonoMs: told,
    };
    this.pending.set(peer, request);
    if (now.monoMs >= told + tellMs) this.tell(request);
    return { ok: "pending" };
  }

  /** A member came whose certificate has ended: admins are told. */
  expired(peer: PeerId): void {
    const { config, members, now } = this.house;
    const member = members.get(peer);
    const known = this.pending.get(peer);
    if (!member || (known && now.monoMs < known.toldMonoMs + tellMs)) return;
    if (!known && this.full(peer, config.self)) return;
    const request: Pending = {
      via: config.self,
      peer,
      name: member.name,
      roles: member.roles,
      renewal: true,
      source: peer,
      askedMonoMs: now.monoMs,
      toldMonoMs: now.monoMs,
    };
    this.pending.set(peer, request);
    this.tell(request);
  }

  /** Another member tells of a request; its signature holds. */
  heard(request: JoinRequest): void {
    const { config, members, now } = this.house;
    const { via, peer } = request;
    if (via === config.self || !members.has(via)) return;
    if (request.renewal) {
      if (members.has(peer) && members.has(config.self, "admin")) this.registrar.renewOnce(peer);
      return;
    }
    const known = this.pending.get(peer);
    if (this.refusalOf(peer, request.name) || (!known && this.full(via, via))) return;
    if (known?.via === config.self && now.monoMs < known.askedMonoMs + tellMs) return;
    this.pending.set(peer, { ...request, source: via, askedMonoMs: now.monoMs, toldMonoMs: now.monoMs });
  }

  /** Somebody came who may not have heard of them. */
  connected(): void {
    this.tellAgain = true;
  }

  denied(by: PeerId, event: EventOf<"join.denied">): void {
    this.denials.set(event.peer, { by, reason: event.reason });
    this.pending.delete(event.peer);
  }

  /** To be called at every beat: forgets what is over, tells newcomers. */
  tick(): void {
    const { now, members, config } = this.house;
    for (const [peer, { askedMonoMs, renewal }] of this.pending)
      if (now.monoMs > askedMonoMs + forgottenMs || (!renewal && members.has(peer)))
        this.pending.delete(peer);
    if (!this.tellAgain) return;
    this.tellAgain = false;
    for (const request of this.pending.values())
      if (request.via === config.self && now.monoMs < request.askedMonoMs + 2 * tellMs) this.tell(request);
  }

  /** What one gets who asked, if nobody says otherwise: what its ticket says, or what it asked for. */
  rolesFor(request: JoinRequest, ticket: KnownTicket | undefined): readonly Role[] {
    return ticket?.event.roles ?? (request.roles.length > 0 ? request.roles : usualRoles);
  }

  /** The event that lets a stranger in. Throws `role-missing`, `not-found`, `already-a-member`. */
  approval(
    peer: PeerId,
    given: readonly Role[] | undefined,
    tickets: ReadonlyMap<string, KnownTicket>,
  ): Event {
    const { members, now } = this.house;
    this.registrar.mustBeAdmin("admit anybody");
    const request = this.requestOf(peer);
    if (members.has(peer)) throw new SwarmError("already-a-member", `${request.name} is a member already`);
    const ticket = request.ticket && tickets.get(request.ticket.ticket);
    const roles = given ?? this.rolesFor(request, ticket);
    return {
      kind: "member.admitted",
      peer,
      name: members.freeName(request.name, peer),
      roles: [...roles],
      notAfterMs: Math.floor(now.wallMs + certificateMs),
      ...(request.ticket ? { ticket: request.ticket.ticket } : {}),
    };
  }

  /** The event that sends a stranger away. Throws `role-missing`, `not-found`. */
  denial(peer: PeerId, reason: string | undefined): Event {
    this.registrar.mustBeAdmin("deny anybody");
    const { name } = this.requestOf(peer);
    return { kind: "join.denied", peer, name, ...(reason === undefined ? {} : { reason }) };
  }

  private requestOf(peer: PeerId): Pending {
    const request = this.pending.get(peer);
    if (request && !request.renewal) return request;
    throw new SwarmError("not-found", `nobody with the id ${peer} asks to join`, {
      remedy: "see who asks: swarmd approve",
    });
  }

  private tell(request: Pending): void {
    request.toldMonoMs = this.house.now.monoMs;
    const { via, peer, name, roles, ticket, renewal } = request;
    this.house.emit({
      kind: "gossip",
      message: {
        kind: "request",
        request: { via, peer, name, roles, ...(ticket ? { ticket } : {}), ...(renewal ? { renewal } : {}) },
      },
    });
  }

  private refusalOf(peer: PeerId, name: string): Refusal | undefined {
    const { members } = this.house;
    const denial = this.denials.get(peer);
    if (denial) {
      const because = denial.reason === undefined ? "" : `: ${denial.reason}`;
      return {
        ok: false,
        code: "refused",
        message: `${members.nameOf(denial.by) ?? "an admin"} does not let this node in${because}`,
        remedy: "talk to them; with a ticket it would be let in: swarmd invite",
      };
    }
    if (members.all().some((m) => m.name === name && m.peer !== peer))
      return {
        ok: false,
        code: "refused",
        message: `a member is named ${name} already`,
        remedy: "ask under another name: swarmd join ADDRESS --name NAME",
      };
    return undefined;
  }

  private full(source: string, via: PeerId): Refusal | undefined {
    const all = [...this.pending.values()];
    const here = all.filter((p) => p.source === source).length;
    if (
      all.length < requestsMax.all &&
      all.filter((p) => p.via === via).length < requestsMax.perMember &&
      (source === via || here < requestsMax.perSource)
    )
      return undefined;
    return {
      ok: false,
      code: "refused",
      message: "too many ask to join already",
      remedy: "try again later, or ask an admin for a ticket: swarmd invite",
    };
  }
}
