/** The steward's answer to those who ask: grants claims, or says why not. */

import type { ActionName, ClaimId, Digest, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Why } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Gate } from "./gate.ts";
import { pinsOf } from "./inputs.ts";
import type { Preparer } from "./preparer.ts";

/** A granted claim with the message that tells its holder; the holder is this node itself when there is none. */
export type Granted = readonly ClaimId[];

type Ask = Extract<Message, { kind: "ask" }>;

export class Granter {
  private readonly desk: Desk;
  private readonly preparer: Preparer;
  private readonly gate: Gate;
  /** Claims said in this step, not yet folded. */
  private readonly said = new Set<string>();

  constructor(desk: Desk, preparer: Preparer, gate: Gate) {
    this.desk = desk;
    this.preparer = preparer;
    this.gate = gate;
  }

  begin(): void {
    this.said.clear();
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
      if (build.claims.actions.get(index) !== "ready" || this.said.has(`${build.id}\n${index}`)) continue;
      const key = this.preparer.keyOf(build.id, index);
      if (key === undefined) {
        denied = "preparing";
        continue;
      }
      const reason = this.gate.refuses(vitals, build, index);
      if (reason !== undefined) {
        denied = reason.slice(0, 100);
        continue;
      }
      if (build.claims.failedAt(index, from) && this.elsewhere(build, index, from)) {
        denied = "it failed here before";
        continue;
      }
      if (this.preparer.waitsForAnotherBuild(build.id, key)) {
        denied = "the same action runs in another build";
        continue;
      }
      granted.push(
        this.grant(build, index, key, from, granted.length, granted.length === 0 ? ask.why : undefined),
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
        this.gate.refuses(vitals, build, index) === undefined
      );
    });
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
}
