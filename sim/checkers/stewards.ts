/** Who hands claims out and takes them back: the acting steward, for what is ready in its own view, from holders that are gone. */
import type { Effect, Input } from "../../protocol/contract.ts";
import type { Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { type EventOf, knownEvent } from "../../protocol/timeline/events.ts";
import type { Build } from "../../protocol/work/build.ts";
import { isOpen } from "../../protocol/work/claim.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";

/** A host that all have heard for so long is alive to everybody. */
const aliveMs = 10_000;
/** Beats after which those not heard since one's own start count as dead. */
const leaseBeats = 3.5;

/** What a daemon has heard since its start. */
interface Start {
  readonly inc: Incarnation;
  readonly monoMs: number;
  readonly synced: Set<PeerId>;
  settled: boolean;
}

export class StewardChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  private readonly starts = new Map<string, Start>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[], input: Input): void {
    if (this.dishonest.has(host.peer)) return;
    this.settles(host, input);
    for (const effect of effects)
      if (effect.kind === "append" && effect.entry.entry.build !== undefined) this.said(host, effect.entry);
  }

  /** A daemon takes part once every builder that it knows of has answered its first sync, at the latest after one lease. */
  private settles(host: Host, input: Input): void {
    const { desk } = host.core;
    const { inc } = desk.config;
    let start = this.starts.get(host.name);
    if (start?.inc !== inc) {
      start = { inc, monoMs: desk.now.monoMs, synced: new Set(), settled: false };
      this.starts.set(host.name, start);
    }
    if (input.kind === "message" && input.message.kind === "sync" && !input.message.reply)
      start.synced.add(input.from);
    if (start.settled || !desk.settled) return;
    start.settled = true;
    if (desk.now.monoMs >= start.monoMs + leaseBeats * desk.peers.beatMs(desk.members.size)) return;
    for (const { peer } of desk.builders())
      if (peer !== host.peer && !start.synced.has(peer))
        this.accuse(
          "grants once synced",
          `${host.name} takes part without ${this.swarm.world.name(peer)}'s word`,
        );
  }

  private said(host: Host, { entry }: SignedEntry): void {
    const build = host.core.desk.builds.get(entry.build!);
    if (!build?.claims) return;
    // What stands in the same entry was not folded when the claim was said.
    const resulted = new Set(entry.events.flatMap((e) => (e.kind === "done" ? [e.claim] : [])));
    for (const raw of entry.events) {
      if (raw.kind !== "claim" && raw.kind !== "expire") continue;
      const event = knownEvent(raw);
      if (event?.kind === "claim") this.granted(host, build, event, resulted);
      else if (event?.kind === "expire") this.expired(host, build, event);
    }
  }

  /** Whether the one has heard the others for long enough that its view does not change with every message. */
  private settled(host: Host): boolean {
    return this.calm.wholeForMs > aliveMs && this.calm.covers(host);
  }

  private granted(host: Host, build: Build, event: EventOf<"claim">, resulted: ReadonlySet<unknown>): void {
    const { desk } = host.core;
    const claims = build.claims!;
    const index = claims.indexOf.get(event.action);
    if (index === undefined || event.twin === true) return;
    if (this.settled(host) && desk.stewardOf(build.id, event.action) !== host.peer)
      this.accuse("grants what is ready", `${host.name} grants ${event.action}, whose steward is another`);
    const other = claims.claimsOf(index).find((c) => c.id !== event.claim && !c.twin && isOpen(c));
    if (other)
      this.accuse(
        "grants what is ready",
        `${host.name} grants ${event.action}, which ${other.id} has in hand`,
      );
    if (claims.resultsOf(index).some((r) => claims.sourcesOf(index, r).some((s) => !resulted.has(s))))
      this.accuse("grants what is ready", `${host.name} grants ${event.action}, which has a result`);
  }

  private expired(host: Host, build: Build, event: EventOf<"expire">): void {
    const claims = build.claims!;
    const claim = claims.claims.get(event.claim);
    if (!claim) return;
    const { name } = claims.action(claim.action);
    if (this.settled(host) && host.core.desk.watcherOf(build.id, name, claim.holder) !== host.peer)
      this.accuse("expires the dead", `${host.name} expires a claim of ${name}, whose steward is another`);
    const holder = this.swarm.hosts.find((h) => h.peer === claim.holder);
    if (!holder?.active || !this.calm.covers(holder)) return;
    // Who is a member no more is nobody's holder.
    if (this.dishonest.has(holder.peer) || !host.core.desk.members.has(holder.peer)) return;
    if (this.settled(host) && holder.incarnations.at(-1) === claim.holderInc)
      this.accuse(
        "expires the dead",
        `${host.name} expires a claim of ${holder.name}, who lives: ${event.reason}`,
      );
  }
}
