/** The states of a build's actions: one place that changes them, so that counters, the ready queue and the journal are always right. */
import { invariant } from "../kernel/errors.ts";

export const actionStates = [
  /** A dependency has no available result. */
  "waiting",
  /** Runnable: dependencies available, no open claim. */
  "ready",
  /** An open claim whose holder has not said `start`. */
  "claimed",
  /** An open claim whose holder has said `start`. */
  "running",
  /** A valid result whose bytes somebody holds. */
  "done",
  /** Failed for good. */
  "blocked",
  /** Behind a blocked action. */
  "held",
  /** The build was cancelled before it was done. */
  "cancelled",
] as const;
export type ActionState = (typeof actionStates)[number];

export interface Transition {
  readonly action: number;
  readonly state: ActionState;
}

export class Actions {
  readonly counts: Record<ActionState, number>;
  /** Every transition since the build was opened here, oldest first. */
  readonly journal: Transition[] = [];
  private readonly states: ActionState[];
  /** Place of each action in the order of rank, best first. */
  private readonly place: Int32Array;
  private readonly readyByPlace: number[] = [];
  private readonly byPlace: Int32Array;
  /** All places before this one are over; a result that is lost sets it back. */
  private first = 0;

  /** `order`: all action indexes, best rank first. */
  constructor(order: Int32Array) {
    const size = order.length;
    this.byPlace = order;
    this.place = new Int32Array(size);
    for (let i = 0; i < size; i++) this.place[order[i]!] = i;
    this.states = new Array<ActionState>(size).fill("waiting");
    this.counts = Object.fromEntries(actionStates.map((s) => [s, 0])) as Record<ActionState, number>;
    this.counts.waiting = size;
  }

  get size(): number {
    return this.states.length;
  }

  get(action: number): ActionState {
    return this.states[action]!;
  }

  /** Runnable actions, best rank first. */
  *ready(): Generator<number> {
    for (const place of this.readyByPlace) yield this.byPlace[place]!;
  }

  /** Actions that nobody has in hand and that may still run, best rank first. */
  *ahead(): Generator<number> {
    while (this.first < this.byPlace.length && this.isOver(this.byPlace[this.first]!)) this.first++;
    for (let place = this.first; place < this.byPlace.length; place++) {
      const action = this.byPlace[place]!;
      const state = this.states[action]!;
      if (state === "ready" || state === "waiting") yield action;
    }
  }

  get readyCount(): number {
    return this.readyByPlace.length;
  }

  /** The only way a state changes. Returns whether it did. */
  set(action: number, state: ActionState): boolean {
    const before = this.states[action];
    invariant(before !== undefined, `action ${action} of ${this.size}`);
    if (before === state) return false;
    if (before === "ready") this.readyByPlace.splice(this.find(this.place[action]!), 1);
    if (state === "ready") this.readyByPlace.splice(this.find(this.place[action]!), 0, this.place[action]!);
    if (this.place[action]! < this.first) this.first = this.place[action]!;
    this.counts[before]--;
    this.counts[state]++;
    this.states[action] = state;
    this.journal.push(transitionTo(state, action));
    return true;
  }

  /** Whether no ready action ranks before this one. */
  isFirst(action: number): boolean {
    const first = this.readyByPlace[0];
    return first === undefined || this.place[action]! < first;
  }

  private isOver(action: number): boolean {
    const state = this.states[action]!;
    return state === "done" || state === "blocked";
  }

  private find(place: number): number {
    let low = 0;
    let high = this.readyByPlace.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.readyByPlace[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Transitions say so little that all journals share them. */
const transitions = new Map<ActionState, Transition[]>(actionStates.map((state) => [state, []]));

function transitionTo(state: ActionState, action: number): Transition {
  const known = transitions.get(state)!;
  let transition = known[action];
  if (!transition) {
    transition = Object.freeze({ action, state });
    known[action] = transition;
  }
  return transition;
}
