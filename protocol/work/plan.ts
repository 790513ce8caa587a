/**
 * Who should take what: list scheduling (HEFT) of what is left of a build, from what this node knows at one moment. All who know the same make the same
 * plan, so that each can act on its own part of it; those who know less ask in vain or twice, and a steward settles that.
 */
import type { PeerId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { isHeavy } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import {
  earliest,
  type Outlook,
  type Post,
  type Seat,
  type Seats,
  type SpeedClass,
  take,
} from "./outlook.ts";

/** Bytes that move between two nodes in a millisecond: a gigabit. */
const bytesPerMs = 100_000;
/** What any input that is elsewhere costs beside its bytes. */
const transferMsMin = 4;
/** What it takes until those who go on with a result know of it. */
const handOverMs = 8;
/** A node of policy `avoid` takes what others would not have done so much sooner. */
const avoidMs = 1000;
/** So many actions and places are looked at for one plan: in a large swarm it ends before the build does. */
const looksMax = 20_000;
/** A slot is kept for what is still waiting for this share of the longest of the next actions: guesses reach no further, and idle slots cost. */
const keepShare = 0.6;
const longestOf = 32;

export interface Placement {
  readonly peer: PeerId;
  /** From now. */
  readonly startMs: number;
  readonly endMs: number;
}

interface Found {
  readonly seat: Seat;
  readonly startMs: number;
  /** From when on its inputs can be there: the run begins then at the soonest. */
  readonly endMs: number;
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

export class Plan {
  private readonly desk: Desk;
  private readonly gate: Gate;
  private readonly outlook: Outlook;
  private readonly seats: Seats;
  private readonly classes: readonly SpeedClass[];
  private looks = 0;

  constructor(desk: Desk, gate: Gate, outlook: Outlook, seats: Seats) {
    this.desk = desk;
    this.gate = gate;
    this.outlook = outlook;
    this.seats = seats;
    this.classes = outlook.classes();
  }

  /**
   * Plans what is left of a build, best rank first; yields what is ready, as it is placed; with `ahead` also what waits
   * for others: beyond what slots are kept for only once all that is ready has its place. `skip`: not to be placed. `enough`: the rest is of no interest to whoever plans.
   */
  *lay(
    build: Build,
    skip: (index: number) => boolean,
    enough: () => boolean,
    ahead = false,
  ): Generator<readonly [number, Placement]> {
    const claims = build.claims!;
    /** When what was placed ends. */
    const ends = new Map<number, number>();
    const later: number[] = [];
    const horizonMs = keepShare * this.longestMs(build);
    // Behind the last that is ready there is nothing to say.
    let readyLeft = claims.actions.readyCount;
    for (const index of claims.actions.ahead()) {
      if ((readyLeft === 0 && !ahead) || this.looks++ > looksMax || enough()) break;
      const waiting = claims.actions.get(index) === "waiting";
      if (!waiting) readyLeft--;
      // What takes more than a slot is begun where it fits, by whoever has kept room for it.
      if (skip(index) || isHeavy(claims.action(index))) continue;
      let readyMs = 0;
      if (waiting)
        for (const dependency of claims.dependencies[index]!) {
          if (claims.actions.get(dependency) === "done") continue;
          readyMs = Math.max(
            readyMs,
            (ends.get(dependency) ?? this.outlook.endMs(build, dependency)) + handOverMs,
          );
          if (readyMs > horizonMs) break;
        }
      if (readyMs > horizonMs) {
        if (ahead) later.push(index);
        continue;
      }
      const place = this.place(build, index, readyMs);
      if (!place) continue;
      ends.set(index, place.endMs);
      if (!waiting || ahead) yield [index, place];
    }
    for (const index of later) {
      if (this.looks++ > looksMax || enough()) return;
      const made = claims.dependencies[index]!.filter((d) => claims.actions.get(d) !== "done").map(
        (d) => (ends.get(d) ?? this.outlook.endMs(build, d)) + handOverMs,
      );
      const readyMs = Math.max(...made);
      const place = Number.isFinite(readyMs) ? this.place(build, index, readyMs) : undefined;
      if (!place) continue;
      ends.set(index, place.endMs);
      yield [index, place];
    }
  }

  /** The longest of what is to be done next, at the slowest speed. */
  private longestMs(build: Build): number {
    return this.outlook.longestMs(build, longestOf) / Math.min(1, this.classes.at(-1)?.speed ?? 1);
  }

  /** Puts an action where it ends first and takes that slot; undefined when nobody may build it. */
  private place(build: Build, index: number, readyMs: number): Placement | undefined {
    const found = this.find(build, index, readyMs, true) ?? this.find(build, index, readyMs, false);
    if (!found) return undefined;
    take(found.seat, found.startMs, found.endMs);
    return { peer: found.seat.peer, startMs: found.startMs, endMs: found.endMs };
  }

  private find(build: Build, index: number, readyMs: number, unfailed: boolean): Found | undefined {
    const action = build.claims!.action(index);
    const workMs = this.desk.estimates.of(build.graph!.name, action);
    const inputs = build.claims!.inputsOf(index);
    let best: Found | undefined;
    const consider = (seat: Seat, fetchMs: number): boolean => {
      this.looks++;
      const lastsMs = fetchMs + workMs / seat.speed + (seat.vitals.policy === "avoid" ? avoidMs : 0);
      if (best && readyMs + lastsMs >= best.endMs) return false;
      const startMs = earliest(seat, readyMs, lastsMs);
      if (best && startMs + lastsMs >= best.endMs - 1e-6) return false;
      if (this.unfit(seat, index, build, unfailed)) return false;
      best = { seat, startMs, endMs: startMs + lastsMs };
      return startMs <= readyMs;
    };
    /** Whether something might end sooner on a node on which nothing is placed yet. */
    const promises = (post: Post, fetchMs: number): boolean => {
      const soonestMs = this.seats.soonestMs(post);
      if (soonestMs === Number.POSITIVE_INFINITY) return false;
      if (!best) return true;
      const endMs = Math.max(readyMs, soonestMs) + (fetchMs + workMs / this.outlook.speedOf(post));
      if (endMs < best.endMs) return true;
      this.looks++;
      return false;
    };
    for (const [peer, bytes] of inputs.held) {
      const seat = this.seats.of(peer);
      if (seat) consider(seat, bytes >= inputs.bytes ? 0 : away(inputs.bytes - bytes));
    }
    const fetchMs = inputs.held.size > 0 ? away(inputs.bytes) : 0;
    const from = hash(action.name);
    for (const { posts } of this.classes)
      for (let i = 0; i < posts.length; i++) {
        const post = posts[(from + i) % posts.length]!;
        const seat = this.seats.at(post) ?? (promises(post, fetchMs) ? this.seats.from(post) : undefined);
        if (seat && consider(seat, fetchMs)) break;
      }
    return best;
  }

  private unfit(seat: Seat, index: number, build: Build, unfailed: boolean): boolean {
    return (
      this.gate.refuses(seat.vitals, build, index) !== undefined ||
      (unfailed && build.claims!.failedAt(index, seat.peer))
    );
  }
}

const away = (bytes: number): number => transferMsMin + bytes / bytesPerMs;
