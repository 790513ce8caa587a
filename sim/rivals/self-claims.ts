/**
 * Claims without stewards: an idle node claims what is ready by itself, told to nobody but by gossip. Where two claim one action the rule over
 * facts picks one, and the other stops.
 */
import { sha256 } from "../../protocol/kernel/digest.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import type { Build } from "../../protocol/work/build.ts";
import { Courier } from "../../protocol/work/courier.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import type { Gate } from "../../protocol/work/gate.ts";
import { Granter } from "../../protocol/work/granter.ts";
import type { Holder } from "../../protocol/work/holder.ts";
import { inputsOf } from "../../protocol/work/inputs.ts";
import type { Outlook } from "../../protocol/work/outlook.ts";
import { Scheduler } from "../../protocol/work/scheduler.ts";
import { claimFor } from "./claim.ts";

interface Around {
  readonly desk: Desk;
  readonly holder: Holder;
  readonly gate: Gate;
  readonly outlook: Outlook;
}

/** Hands nothing out: nobody asks. */
export class SilentGranter extends Granter {
  override pump(): void {}
  override deadline(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** Results go by gossip alone: there is nobody who must know first. */
export class SilentCourier extends Courier {
  override said(): void {}
  override heard(): void {}
  override grant(): void {}
}

/** Claims the first ready action, of as many as there are builders, whose moment has come. */
abstract class SelfClaims extends Scheduler {
  protected readonly around: Around;
  /** When an action was first seen ready, by build and index. */
  private readonly readyMonoMs = new Map<string, number>();
  private idleMonoMs: number | undefined;
  private nextMonoMs = Number.POSITIVE_INFINITY;

  constructor(...[desk, granter, holder, gate, outlook]: ConstructorParameters<typeof Scheduler>) {
    super(desk, granter, holder, gate, outlook);
    this.around = { desk, holder, gate, outlook };
  }

  /** When this node claims an action: the `position`-th of those that are ready for it since then, monotonic milliseconds. */
  protected abstract dueMonoMs(
    build: Build,
    index: number,
    position: number,
    self: Vitals,
    sinceMonoMs: number,
  ): number;

  /** The ready actions in the order in which this node looks at them. */
  protected abstract order(ready: number[]): number[];

  override pump(): void {
    const { desk, holder, gate } = this.around;
    const { now } = desk;
    this.nextMonoMs = Number.POSITIVE_INFINITY;
    const self = desk.vitalsOf(desk.config.self);
    if (desk.stopping || !desk.settled || !self || self.slots === 0) return;
    let free = holder.freeMs(self.slots, desk.estimates.speedOf(self.peer)).filter((ms) => ms <= 0).length;
    if (free === 0) this.idleMonoMs = undefined;
    else this.idleMonoMs ??= now.monoMs;
    for (const build of gate.turns()) {
      const ready = this.readyHere(build, self);
      const sinces = ready.map((index) => Math.max(this.since(build, index), this.idleMonoMs ?? 0));
      const places = new Map(ready.map((index, i) => [index, i]));
      for (const index of this.order(ready)) {
        if (free <= 0) break;
        const place = places.get(index)!;
        const dueMonoMs = this.dueMonoMs(build, index, place, self, sinces[place]!);
        if (dueMonoMs > now.monoMs) {
          this.nextMonoMs = Math.min(this.nextMonoMs, dueMonoMs);
          continue;
        }
        const key = this.keyOf(build, index);
        if (key === undefined) continue;
        claimFor(desk, build, index, key, self.peer);
        free--;
      }
    }
  }

  override heard(): number {
    return this.around.desk.now.monoMs;
  }

  override deadline(): number {
    return this.nextMonoMs;
  }

  private readyHere(build: Build, self: Vitals): number[] {
    const { desk, holder, gate } = this.around;
    const most = 2 * desk.builders().length;
    const ready: number[] = [];
    for (const index of build.claims!.actions.ready()) {
      if (ready.length >= most) break;
      if (gate.refuses(self, build, index) === undefined && !holder.coolingDown(build.id, index))
        ready.push(index);
    }
    return ready;
  }

  private since(build: Build, index: number): number {
    const { desk } = this.around;
    const name = `${build.id} ${index} ${build.claims!.claimsOf(index).length}`;
    const since = this.readyMonoMs.get(name) ?? desk.now.monoMs;
    this.readyMonoMs.set(name, since);
    return since;
  }

  private keyOf(build: Build, index: number): Digest | undefined {
    const { desk } = this.around;
    const inputs = inputsOf(build.claims!, index, desk.trees, build.inputFiles);
    if (inputs.kind === "trees") for (const tree of inputs.needed) desk.askTree(tree.digest, tree.from);
    return inputs.kind === "known" ? inputs.key : undefined;
  }
}

/** First come, first claimed: any of the first ready actions, at once. */
export class FirstCome extends SelfClaims {
  protected override dueMonoMs(
    _build: Build,
    _index: number,
    _position: number,
    _self: Vitals,
    sinceMonoMs: number,
  ): number {
    return sinceMonoMs;
  }

  protected override order(ready: number[]): number[] {
    const { random } = this.around.desk;
    const left = [...ready];
    return ready.map(() => left.splice(random.below(left.length), 1)[0]!);
  }
}

/**
 * Rank-delayed claims: idle nodes stand in a row for each action, and each waits its turn, so that the claim of the one before it is known by
 * then. A node leaves an action alone that a faster one would end sooner when its slot comes free, until the time has passed that the action
 * should take.
 */
export function rankDelay(turnMs: number): typeof Scheduler {
  return class RankDelay extends SelfClaims {
    protected override dueMonoMs(
      build: Build,
      index: number,
      position: number,
      self: Vitals,
      sinceMonoMs: number,
    ): number {
      const { desk, outlook } = this.around;
      const seats = outlook.seats();
      const ownSpeed = desk.estimates.speedOf(self.peer);
      const workMs = desk.estimates.of(build.graph!.name, build.claims!.action(index));
      // Those that rank before it are for the first of these slots.
      let sooner = -position;
      for (const { peer, freeMs, speed } of seats)
        if (peer !== self.peer)
          for (const ms of freeMs) if (ms > 0 && ms + workMs / speed < workMs / ownSpeed) sooner++;
      const guarded = sooner > 0;
      const own = standing(build, index, self.peer, ownSpeed);
      const turn = seats.filter(
        (s) => s.peer !== self.peer && s.freeMs[0]! <= 0 && standing(build, index, s.peer, s.speed) > own,
      ).length;
      // Idle faster nodes come before this one in the row; only the busy ones must be waited for.
      return sinceMonoMs + turn * turnMs + (guarded ? workMs : 0);
    }

    protected override order(ready: number[]): number[] {
      return ready;
    }
  };
}

/** A node's score for an action: by speed, spread by chance that all draw alike, so that rows differ between actions and hardly by what one has heard. */
function standing(build: Build, index: number, peer: PeerId, speed: number): number {
  const drawn = sha256(Buffer.from(`${build.id} ${index} ${peer}`));
  const uniform = (drawn[0]! * 0x10000 + drawn[1]! * 0x100 + drawn[2]! + 0.5) / 0x1000000;
  return speed / -Math.log(uniform);
}
