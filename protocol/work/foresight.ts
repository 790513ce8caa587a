/**
 * What would be chosen next, without choosing it: the plan that nodes act on, laid by the one that is asked. Who plans with what others
 * know too comes to the same; where nodes draw among what suits them, the likeliest is named and said to be no more than that.
 */
import type { PeerId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { isHeavy, slotsFor } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import type { Hold } from "./holds.ts";
import { type Outlook, occupy, Seats } from "./outlook.ts";
import { Plan } from "./plan.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Foreseen {
  readonly index: number;
  readonly peer: PeerId;
  /** From now. */
  readonly startMs: number;
  readonly endMs: number;
  /** False: nodes draw in this mode, or begin what takes more than a slot as they have room. */
  readonly sure: boolean;
}

export interface ForesightParts {
  readonly desk: Desk;
  readonly gate: Gate;
  readonly outlook: Outlook;
  readonly scheduler: Scheduler;
}

export interface ForesightOptions {
  readonly countMax: number;
  /** Which holds are taken not to be there. */
  readonly past: (hold: Hold) => boolean;
  /** Also what waits for what is to be made soon. */
  readonly ahead?: boolean;
}

/** The next choices of a live build, best rank first. Builds whose turn is before it have their share first. */
export function foresee(parts: ForesightParts, build: Build, options: ForesightOptions): Foreseen[] {
  const { scheduler } = parts;
  const claims = build.claims!;
  const held = (index: number): boolean => {
    const hold = claims.heldBy(index);
    return hold !== undefined && !options.past(hold);
  };
  const found = scheduler.plans ? planned(parts, build, held, options) : likely(parts, build, held, options);
  const heavy = heavyOnes(parts, build, held, options.countMax);
  if (heavy.length === 0) return found;
  const byIndex = new Map([...found, ...heavy].map((one) => [one.index, one]));
  return [...claims.actions.ahead()].flatMap((index) => byIndex.get(index) ?? []).slice(0, options.countMax);
}

function seatsOf({ desk, outlook, scheduler }: ForesightParts): Seats {
  const seats = new Seats(outlook, desk);
  const own = scheduler.ownSeat();
  if (own) seats.put(own);
  return seats;
}

function planned(
  parts: ForesightParts,
  build: Build,
  held: (index: number) => boolean,
  { countMax, ahead }: ForesightOptions,
): Foreseen[] {
  const { desk, gate, outlook } = parts;
  const plan = new Plan(desk, gate, outlook, seatsOf(parts));
  for (const { build: id } of gate.queue()) {
    if (id === build.id) break;
    const other = desk.builds.get(id)!;
    if (other.claims!.holds.rests) continue;
    const skip = (index: number) => other.claims!.heldBy(index) !== undefined;
    for (const _ of plan.lay(other, skip, () => false));
  }
  const choices: Foreseen[] = [];
  const enough = () => choices.length >= countMax;
  for (const [index, { peer, startMs, endMs }] of plan.lay(build, held, enough, ahead))
    if (!enough()) choices.push({ index, peer, startMs, endMs, sure: true });
  return choices;
}

/** Where no plan is made: for each ready action the node that scores best, in its first free slot. */
function likely(
  parts: ForesightParts,
  build: Build,
  held: (index: number) => boolean,
  { countMax }: ForesightOptions,
): Foreseen[] {
  const { desk, gate } = parts;
  const seats = seatsOf(parts);
  const choices: Foreseen[] = [];
  for (const index of build.claims!.actions.ready()) {
    if (choices.length >= countMax) break;
    const action = build.claims!.action(index);
    if (held(index) || isHeavy(action)) continue;
    const open = gate
      .candidates(build, index)
      .scored.flatMap(({ peer }) => seats.of(peer) ?? [])
      .sort((a, b) => Number(a.freeMs[0]! > 0) - Number(b.freeMs[0]! > 0));
    const [seat] = open;
    if (!seat) continue;
    const startMs = seat.freeMs[0]!;
    const runMs = desk.estimates.of(build.graph!.name, action) / seat.speed;
    occupy(seat.freeMs, runMs);
    choices.push({ index, peer: seat.peer, startMs, endMs: startMs + runMs, sure: false });
  }
  return choices;
}

/** What takes more than a slot, on the node that scores best of those with room for it now. */
function heavyOnes(
  { desk, gate }: ForesightParts,
  build: Build,
  held: (index: number) => boolean,
  countMax: number,
): Foreseen[] {
  if (!gate.anyHeavy(build, held)) return [];
  const choices: Foreseen[] = [];
  for (const index of build.claims!.actions.ready()) {
    if (choices.length >= countMax) break;
    const action = build.claims!.action(index);
    if (held(index) || !isHeavy(action)) continue;
    const seat = gate.candidates(build, index).scored.find(({ peer }) => {
      const vitals = desk.vitalsOf(peer);
      return vitals !== undefined && vitals.slots - vitals.running >= slotsFor(action, vitals.slots);
    });
    if (!seat) continue;
    const endMs = desk.estimates.of(build.graph!.name, action) / desk.estimates.speedOf(seat.peer);
    choices.push({ index, peer: seat.peer, startMs: 0, endMs, sure: false });
  }
  return choices;
}
