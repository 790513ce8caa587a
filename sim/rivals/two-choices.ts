/** The power of two choices: the steward of a ready action draws two builders, and gives it to the one that has less to do. */
import { type Courier, unasked } from "../../protocol/work/courier.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import type { Gate } from "../../protocol/work/gate.ts";
import { Granter } from "../../protocol/work/granter.ts";
import type { Outlook, Seat } from "../../protocol/work/outlook.ts";
import type { Preparer } from "../../protocol/work/preparer.ts";
import { Scheduler } from "../../protocol/work/scheduler.ts";
import { claimFor } from "./claim.ts";

/** Where both that were drawn are busy, two are drawn again after so long. */
const againMs = 10;

/** Asks for nothing: work comes by itself. */
export class Waiting extends Scheduler {
  override pump(): void {}
  override heard(): number {
    return Number.POSITIVE_INFINITY;
  }
  override deadline(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** Draws until one of the two has a free slot: what is given must not wait. */
export class TwoChoices extends Granter {
  private readonly around: {
    readonly desk: Desk;
    readonly preparer: Preparer;
    readonly gate: Gate;
    readonly outlook: Outlook;
    readonly courier: Courier;
  };
  private againMonoMs = Number.POSITIVE_INFINITY;

  constructor(...[desk, preparer, gate, outlook, courier]: ConstructorParameters<typeof Granter>) {
    super(desk, preparer, gate, outlook, courier);
    this.around = { desk, preparer, gate, outlook, courier };
  }

  override pump(): void {
    const { desk, preparer, gate, outlook, courier } = this.around;
    this.againMonoMs = Number.POSITIVE_INFINITY;
    if (!desk.settled || desk.stopping || !preparer.anyReady) return;
    this.againMonoMs = desk.now.monoMs + againMs;
    for (const build of gate.turns()) {
      const mine = new Set(preparer.ready(build.id));
      if (mine.size === 0) continue;
      for (const index of build.claims!.actions.ready()) {
        const key = mine.has(index) ? preparer.keyOf(build.id, index) : undefined;
        if (key === undefined || preparer.waitsForAnotherBuild(build.id, key)) continue;
        const action = build.claims!.action(index);
        if (desk.stewardOf(build.id, action.name) !== desk.config.self) continue;
        const fit = outlook.seats().filter((s) => gate.refuses(s.vitals, build, index) === undefined);
        const seat = this.draw(fit);
        if (!seat || load(seat) >= 1) continue;
        const claim = claimFor(desk, build, index, key, seat.peer);
        outlook.promise(seat.peer, desk.estimates.of(build.graph!.name, action));
        if (seat.peer !== desk.config.self) courier.grant({ to: seat.peer, id: unasked, claims: [claim] });
      }
    }
  }

  override deadline(): number {
    return this.againMonoMs;
  }

  private draw(fit: readonly Seat[]): Seat | undefined {
    const { random } = this.around.desk;
    if (fit.length < 2) return fit[0];
    const first = random.below(fit.length);
    const second = (first + 1 + random.below(fit.length - 1)) % fit.length;
    const [a, b] = [fit[first]!, fit[second]!];
    return load(b) < load(a) ? b : a;
  }
}

/** Share of slots that are taken; above 1 by the seconds until one comes free. */
function load({ freeMs }: Seat): number {
  const soonestMs = freeMs[0]!;
  return soonestMs > 0 ? 1 + soonestMs / 1000 : freeMs.filter((ms) => ms > 0).length / freeMs.length;
}
