/** The steward's side: finds the key of each runnable action, looks in the cache, grants claims, expires dead ones, seals the build. */

import type { CacheHit } from "../contract.ts";
import {
  type ActionName,
  type BuildId,
  type ClaimId,
  type Digest,
  incarnationCounter,
  type PeerId,
} from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Why } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claims.ts";
import type { Desk } from "./desk.ts";
import { inputsOf, pinsOf } from "./inputs.ts";
import { reportLost } from "./lost.ts";
import { ineligible } from "./score.ts";

/** A claim whose holder has not said `start` after this long is taken back. A holder says it within `startSaidMs`. */
const startMsMax = 15_000;

interface Prepared {
  phase: "trees" | "looking" | "miss" | "hit";
  key: Digest | undefined;
}

/** A granted claim with the message that tells its holder; the holder is this node itself when there is none. */
export type Granted = readonly ClaimId[];

type Ask = Extract<Message, { kind: "ask" }>;

export class Granter {
  private readonly desk: Desk;
  private readonly prepared = new Map<BuildId, Map<number, Prepared>>();
  private readonly cursors = new Map<BuildId, number>();
  private readonly claimSeenMonoMs = new Map<ClaimId, number>();
  private readonly toLookUp = new Set<Digest>();
  /** Blobs the sealer is fetching, per build. */
  private readonly gathering = new Map<BuildId, Set<Digest>>();
  /** Action keys that were not granted because the same action runs in another build, and the build that waits. */
  private readonly elsewhereKeys = new Map<Digest, BuildId>();
  private aliveRevision = -1;
  /** Claims said in this step, not yet folded. */
  private readonly said = new Set<string>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  begin(): void {
    this.said.clear();
  }

  /** Notes what became runnable and prepares what this node is steward of. */
  prepare(): void {
    if (!this.desk.settled) return;
    const everything = this.aliveRevision !== this.desk.aliveRevision;
    this.aliveRevision = this.desk.aliveRevision;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      const { journal } = claims.actions;
      const prepared = this.preparedOf(build.id);
      const from = this.cursors.get(build.id) ?? 0;
      for (let at = from; at < journal.length; at++) prepared.delete(journal[at]!.action);
      this.cursors.set(build.id, journal.length);
      if (claims.cancelled) continue;
      const fresh =
        everything || from === 0 ? claims.actions.ready() : journal.slice(from).map((t) => t.action);
      for (const index of fresh)
        if (claims.actions.get(index) === "ready" && !prepared.has(index))
          this.prepareOne(build, index, prepared);
    }
    this.lookAgain();
    if (this.toLookUp.size > 0) {
      this.desk.emit({ kind: "look-up", keys: [...this.toLookUp] });
      this.toLookUp.clear();
    }
  }

  /** A folder that was asked for is here: what waited for it goes on. Or nobody has it: then it is lost. */
  treeRead(digest: Digest, found: boolean): void {
    for (const build of this.desk.liveBuilds()) {
      if (!found) reportLost(this.desk, build, new Set([digest]));
      const prepared = this.preparedOf(build.id);
      for (const [index, p] of prepared)
        if (p.phase === "trees") {
          prepared.delete(index);
          this.prepareOne(build, index, prepared);
        }
    }
  }

  lookedUp(keys: readonly Digest[], hits: readonly CacheHit[]): void {
    const asked = new Set(keys);
    const found = new Map(hits.map((h) => [h.key, h]));
    for (const build of this.desk.liveBuilds())
      for (const [index, p] of this.preparedOf(build.id)) {
        if (p.phase !== "looking" || !p.key || !asked.has(p.key)) continue;
        const hit = found.get(p.key);
        const name = build.claims!.action(index).name;
        // What one of us could not get from there it would not get now: said again, it would be lost again, for ever.
        if (!hit || build.claims!.lostAt(index).has(hit.from)) {
          p.phase = "miss";
          continue;
        }
        p.phase = "hit";
        const pins = pinsOf(build.claims!, index);
        this.desk.say(build.id, {
          kind: "cached",
          action: name,
          key: hit.key,
          result: hit.result,
          from: hit.from,
          ...(pins.length > 0 ? { pins } : {}),
        });
      }
  }

  /** An ask of another node, or of this one. Grants what it can; says why not when it can do nothing. */
  ask(from: PeerId, ask: Ask): { granted: Granted } | { denied: string; steward?: PeerId } {
    const build = this.desk.builds.get(ask.build);
    if (!build?.claims) return { denied: "unknown build" };
    if (!build.live) return { denied: "sealed" };
    if (!this.desk.settled) return { denied: "catching up" };
    if (build.claims.paused || build.claims.cancelled) return { denied: build.claims.state };
    const vitals = this.desk.vitalsOf(from);
    if (!vitals || !this.desk.members.has(from, "builder")) return { denied: "no vitals" };
    const submitter = build.submission!.author;
    const granted: ClaimId[] = [];
    let denied = "not ready";
    let steward: PeerId | undefined;
    for (const name of ask.actions) {
      if (granted.length >= ask.count) break;
      const index = build.claims.indexOf.get(name);
      if (index === undefined) continue;
      const acting = this.desk.stewardOf(build.id, name);
      if (acting !== this.desk.config.self) {
        denied = "ask the steward";
        steward = acting;
        continue;
      }
      const p = this.preparedOf(build.id).get(index);
      if (build.claims.actions.get(index) !== "ready" || this.said.has(`${build.id}\n${index}`)) continue;
      if (p?.phase !== "miss" || !p.key) {
        denied = "preparing";
        continue;
      }
      const reason = ineligible(vitals, build.claims.action(index), submitter);
      if (reason !== undefined) {
        denied = reason.slice(0, 100);
        continue;
      }
      if (build.claims.failedAt(index, from) && this.elsewhere(build, index, from)) {
        denied = "it failed here before";
        continue;
      }
      if (this.claimedInAnotherBuild(build.id, p.key)) {
        denied = "the same action runs in another build";
        this.elsewhereKeys.set(p.key, build.id);
        continue;
      }
      granted.push(
        this.grant(build, index, p.key, from, granted.length, granted.length === 0 ? ask.why : undefined),
      );
    }
    if (granted.length === 0) return { denied, ...(steward ? { steward } : {}) };
    return { granted };
  }

  /** Whether an eligible node is left that this action has not failed on. */
  elsewhere(build: Build, index: number, besides: PeerId): boolean {
    return this.desk.alive().some((peer) => {
      const vitals = this.desk.vitalsOf(peer);
      return (
        peer !== besides &&
        vitals !== undefined &&
        !build.claims!.failedAt(index, peer) &&
        ineligible(vitals, build.claims!.action(index), build.submission!.author) === undefined
      );
    });
  }

  /** Takes back what dead, restarted or silent holders had; only the acting steward of the action does. */
  expire(): void {
    if (!this.desk.settled) return;
    const { self } = this.desk.config;
    for (const build of this.desk.liveBuilds()) {
      for (const claim of build.claims!.openClaims) {
        const reason = this.expiryOf(claim);
        if (reason === undefined) continue;
        if (this.desk.stewardOf(build.id, build.claims!.action(claim.action).name) !== self) continue;
        if (this.said.has(claim.id)) continue;
        this.said.add(claim.id);
        this.desk.say(build.id, { kind: "expire", claim: claim.id, reason }, { urgent: true });
      }
    }
  }

  /**
   * Ends a build that has nothing left to do. The sealer first brings the results that nobody consumed to its own disk, so that each
   * lies on two members, and asks for those again whose bytes are gone.
   */
  seal(): void {
    if (!this.desk.settled) return;
    const { self } = this.desk.config;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      if (!claims.settled || this.desk.stewardOf(build.id, "") !== self || this.said.has(build.id)) continue;
      if (!this.gather(build)) continue;
      this.said.add(build.id);
      this.desk.say(
        build.id,
        {
          kind: "sealed",
          state: claims.state as "complete" | "failed" | "cancelled",
          wallMs: Math.max(0, Math.round(this.desk.now.wallMs - build.submission!.wallMs)),
        },
        { urgent: true },
      );
    }
  }

  /** The bytes the sealer asked for; those missing are reported lost, and their actions run again. */
  gathered(build: BuildId, missing: readonly Digest[]): void {
    const wants = this.gathering.get(build);
    const known = this.desk.builds.get(build);
    if (!wants || !known) return;
    for (const digest of wants) if (!missing.includes(digest)) this.desk.noteLocal(digest);
    this.gathering.delete(build);
    if (missing.length > 0) reportLost(this.desk, known, new Set(missing));
  }

  /** When something here must be looked at again. */
  deadline(): number {
    return this.desk.liveBuilds().length > 0 ? this.desk.now.monoMs + 500 : Number.POSITIVE_INFINITY;
  }

  /** True once every result that nobody consumed lies on this disk. */
  private gather(build: Build): boolean {
    if (this.gathering.has(build.id)) return false;
    const claims = build.claims!;
    if (claims.cancelled) return true;
    const wants = new Map<Digest, PeerId[]>();
    const released = new Set(build.graph!.release?.include ?? []);
    for (let index = 0; index < claims.actions.size; index++) {
      const result = claims.resultOf(index);
      const isRoot = claims.dependents[index]!.length === 0 || released.has(claims.action(index).name);
      if (!result || !isRoot || claims.actions.get(index) !== "done") continue;
      const holders = claims.holdersOf(index, result);
      for (const output of result.result.outputs) {
        if (output.kind === "file") {
          wants.set(output.digest, holders);
          continue;
        }
        const tree = this.desk.trees.get(output.digest);
        if (!tree) {
          this.desk.askTree(output.digest, holders);
          return false;
        }
        for (const file of tree) wants.set(file.digest, holders);
      }
    }
    for (const digest of wants.keys()) if (this.desk.isLocal(digest)) wants.delete(digest);
    if (wants.size === 0) return true;
    this.gathering.set(build.id, new Set(wants.keys()));
    this.desk.emit({
      kind: "fetch",
      id: `gather:${build.id}`,
      wants: [...wants].map(([digest, holders]) => ({ digest, from: this.desk.preferred(holders) })),
    });
    return false;
  }

  private expiryOf(claim: Claim): string | undefined {
    const { now, peers, config } = this.desk;
    if (!isOpen(claim)) return undefined;
    const seen = this.claimSeenMonoMs.get(claim.id);
    if (seen === undefined) this.claimSeenMonoMs.set(claim.id, now.monoMs);
    const running = claim.holder === config.self ? config.inc : peers.incarnationOf(claim.holder);
    if (running !== undefined && incarnationCounter(running) > incarnationCounter(claim.holderInc))
      return "the holder was restarted";
    if (claim.holder === config.self) return undefined;
    if (this.desk.status(claim.holder) === "dead") return "the holder is dead";
    if (!claim.started && seen !== undefined && now.monoMs - seen > startMsMax)
      return "the holder did not start it";
    return undefined;
  }

  /** When this node first saw an open claim, monotonic milliseconds. */
  seenMonoMs(claim: ClaimId): number | undefined {
    return this.claimSeenMonoMs.get(claim);
  }

  /** The build was folded anew or dropped: everything noted of it is stale. */
  forget(build: BuildId): void {
    this.prepared.delete(build);
    this.cursors.delete(build);
  }

  /** Claims that were closed need no watch any more. */
  closed(claim: Claim): void {
    if (!isOpen(claim)) this.claimSeenMonoMs.delete(claim.id);
  }

  private prepareOne(build: Build, index: number, prepared: Map<number, Prepared>): void {
    const claims = build.claims!;
    const action = claims.action(index);
    if (this.desk.stewardOf(build.id, action.name) !== this.desk.config.self) return;
    const inputs = inputsOf(claims, index, this.desk.trees, build.inputFiles);
    if (inputs.kind === "missing") return;
    if (inputs.kind === "trees") {
      prepared.set(index, { phase: "trees", key: undefined });
      for (const tree of inputs.needed) this.desk.askTree(tree.digest, tree.from);
      return;
    }
    prepared.set(index, { phase: action.cache ? "looking" : "miss", key: inputs.key });
    if (action.cache) this.toLookUp.add(inputs.key);
  }

  private grant(
    build: Build,
    index: number,
    key: Digest,
    holder: PeerId,
    turn: number,
    why: Why | undefined,
  ): ClaimId {
    const { config, peers } = this.desk;
    const claims = build.claims!;
    const id = this.desk.newClaimId();
    const pins = pinsOf(claims, index);
    this.said.add(`${build.id}\n${index}`);
    this.desk.say(
      build.id,
      {
        kind: "claim",
        claim: id,
        action: claims.action(index).name as ActionName,
        attempt: claims.claimsOf(index).length + 1,
        key,
        holder,
        holderInc: holder === config.self ? config.inc : peers.incarnationOf(holder)!,
        ...(turn > 0 ? { turn } : {}),
        ...(pins.length > 0 ? { pins } : {}),
        ...(why ? { why } : {}),
      },
      { urgent: true },
    );
    return id;
  }

  /** What ran in another build has ended there: its result is looked for before the action runs here. */
  private lookAgain(): void {
    for (const [key, id] of this.elsewhereKeys) {
      if (this.claimedInAnotherBuild(id, key)) continue;
      this.elsewhereKeys.delete(key);
      for (const p of this.preparedOf(id).values())
        if (p.key === key && p.phase === "miss") {
          p.phase = "looking";
          this.toLookUp.add(key);
        }
    }
  }

  private claimedInAnotherBuild(build: BuildId, key: Digest): boolean {
    for (const other of this.desk.liveBuilds()) {
      if (other.id === build) continue;
      for (const claim of other.claims!.openClaims) if (claim.key === key) return true;
    }
    return false;
  }

  private preparedOf(build: BuildId): Map<number, Prepared> {
    let prepared = this.prepared.get(build);
    if (!prepared) {
      prepared = new Map();
      this.prepared.set(build, prepared);
    }
    return prepared;
  }
}
