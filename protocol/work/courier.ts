/** What must not wait for gossip: grants to their holders, results and what is given back to the stewards who can go on with it. */
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { LedgerUpdate } from "../swarm/message.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { knownEvent } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { Recent } from "./recent.ts";

/** The id of a grant that nobody asked for. */
export const unasked = "-";

export interface Grant {
  readonly to: PeerId;
  /** Of the ask it answers, or `unasked`. */
  readonly id: string;
  readonly claims: readonly ClaimId[];
}

export class Courier {
  private readonly desk: Desk;
  private readonly recent = new Recent();
  /** Grants said in this step: the entry that carries them is also their answer. */
  private readonly grants: Grant[] = [];

  constructor(desk: Desk) {
    this.desk = desk;
  }

  grant(grant: Grant): void {
    this.grants.push(grant);
  }

  /** What others said of a build. */
  heard({ build, update, entries }: LedgerUpdate): void {
    const [first] = entries;
    if (first && entries.length === 1)
      return this.recent.note(build, first.entry.author, update, 1, this.desk.now.monoMs);
    const authors = new Set(entries.map((e) => e.entry.author));
    // Of an update of several, some may lack what lies between: merged, it would show a gap.
    for (const author of authors)
      if (authors.size === 1) this.recent.note(build, author, update, entries.length, this.desk.now.monoMs);
      else this.recent.skip(build, author);
  }

  /** An own entry of a build is written and folded: it goes to those who wait for it. */
  said(build: Build, entry: SignedEntry, update: Uint8Array): void {
    const { config, now } = this.desk;
    this.recent.note(build.id, config.self, update, 1, now.monoMs);
    const claimed = new Set<unknown>();
    const to = new Set<PeerId>();
    for (const raw of entry.entry.events) {
      const event = knownEvent(raw);
      if (event?.kind === "claim") claimed.add(event.claim);
      else if (event?.kind === "done") this.waitFor(build, event.claim, to);
      else if (event?.kind === "abandon" || event?.kind === "fail")
        this.stewardOf(build, build.claims?.claims.get(event.claim)?.action, to);
      else if (event?.kind === "cached") this.dependents(build, build.claims?.indexOf.get(event.action), to);
    }
    for (let at = 0; at < this.grants.length; ) {
      const grant = this.grants[at]!;
      if (!grant.claims.some((c) => claimed.has(c))) {
        at++;
        continue;
      }
      this.grants.splice(at, 1);
      to.delete(grant.to);
      const carried = this.carry(build, grant.to, this.authors(build, grant.claims));
      if (carried)
        this.desk.emit({ kind: "send", to: grant.to, message: { kind: "grant", id: grant.id, ...carried } });
    }
    to.delete(config.self);
    for (const peer of to) {
      const carried = this.carry(build, peer, [config.self]);
      if (carried) this.desk.emit({ kind: "send", to: peer, message: { kind: "ledger", ...carried } });
    }
  }

  forget(build: BuildId): void {
    this.recent.forget(build);
  }

  private carry(build: Build, to: PeerId, authors: Iterable<PeerId>): LedgerUpdate | undefined {
    const updates = this.recent.take(build.id, authors, to, this.desk.now.monoMs);
    if (updates.length === 0) return undefined;
    return { build: build.id, update: build.ledger.together(updates), entries: [] };
  }

  /** Who said what a holder must know to begin: this node, and those whose results its actions take. */
  private authors(build: Build, granted: readonly ClaimId[]): Set<PeerId> {
    const authors = new Set<PeerId>([this.desk.config.self]);
    const claims = build.claims!;
    for (const id of granted) {
      const claim = claims.claims.get(id);
      for (const dependency of claim ? claims.dependencies[claim.action]! : [])
        for (const [source, holder] of claims.resultOf(dependency)?.sources ?? []) {
          authors.add(holder);
          authors.add(source.slice(0, source.indexOf(".")) as PeerId);
        }
    }
    return authors;
  }

  private waitFor(build: Build, claim: ClaimId, to: Set<PeerId>): void {
    this.dependents(build, build.claims?.claims.get(claim)?.action, to);
    if (build.claims?.settled) {
      const sealer = this.desk.stewardOf(build.id, "");
      if (sealer !== undefined) to.add(sealer);
    }
  }

  /** Stewards of what may run next: all that an action still lacks is in somebody's hands, whose word may be under way. */
  private dependents(build: Build, action: number | undefined, to: Set<PeerId>): void {
    const { claims } = build;
    if (!claims || action === undefined) return;
    for (const dependent of claims.dependents[action]!) {
      const state = claims.actions.get(dependent);
      const soon =
        state === "ready" ||
        (state === "waiting" &&
          claims.dependencies[dependent]!.every((d) =>
            ["done", "running", "claimed"].includes(claims.actions.get(d)),
          ));
      if (soon) this.stewardOf(build, dependent, to);
    }
  }

  private stewardOf(build: Build, action: number | undefined, to: Set<PeerId>): void {
    if (action === undefined) return;
    const steward = this.desk.stewardOf(build.id, build.claims!.action(action).name);
    if (steward !== undefined) to.add(steward);
  }
}
