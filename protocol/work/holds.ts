/**
 * What people hold back of a build, let through, and where they want it: a fold over `control`, `step`, `breakpoint` and `place`
 * (specs/debugging.md). Each word names those it answers, unanswered ones count; no clock, no order of arrival is read here.
 */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { type ActionName, byText, type ClaimId, type PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { EventOf } from "../timeline/events.ts";
import { type Claim, identity } from "./claim.ts";

type Word = EventOf<"control"> | EventOf<"step"> | EventOf<"breakpoint"> | EventOf<"place">;

/** A person's word, and by whom it was said when, for people: wall milliseconds of the author's clock. */
export interface Spoken<E extends Word = Word> {
  readonly event: E;
  readonly by: PeerId;
  readonly atMs: number;
}

/** A failure by the command's own doing. */
interface Failure {
  readonly claim: ClaimId;
  readonly action: number;
  readonly forgiven: boolean;
}

/** Why an action is not granted: a pause of the whole build, a failure that nobody answered, a breakpoint of its own. */
export type Hold = "pause" | "failure" | "breakpoint";

/** Words after which something may go, or has to go elsewhere; and those after which all that is in hand may be for nothing. */
export const steering: ReadonlySet<string> = new Set(["step", "breakpoint", "place"]);
export const ending: ReadonlySet<string> = new Set(["control", "sealed"]);

/** Whether entries hold an event of one of these kinds. */
export const saysAny = (entries: readonly SignedEntry[], kinds: ReadonlySet<string>): boolean =>
  entries.some(({ entry }) => entry.events.some(({ kind }) => kinds.has(kind)));

const nothing: ReadonlySet<string> = new Set();

export class Holds {
  /** By the place where they were said: ids are chosen by who speaks, and could collide. */
  private readonly controls = new Map<string, Spoken<EventOf<"control">>>();
  private readonly steps = new Map<string, Spoken<EventOf<"step">>>();
  private readonly breaks = new Map<string, Spoken<EventOf<"breakpoint">>>();
  private readonly places = new Map<string, Spoken<EventOf<"place">>>();
  /** By the identity of the claim that failed. */
  private readonly failures = new Map<string, Failure>();
  /** Per action: how often it failed in all, also where that was forgiven. */
  private readonly failed = new Map<ActionName, number>();
  /** Whether the build rests but for what a step lets through: a person paused it, or it broke at a failure. */
  paused = false;
  /** A person paused it. */
  pauseSaid = false;
  // What follows from the above.
  private general: ReadonlySet<string> = nothing;
  private broken = new Map<ActionName, ReadonlySet<string>>();
  private free: ReadonlySet<ActionName> = new Set();
  private placed = new Map<ActionName, Spoken<EventOf<"place">>>();

  /** Folds a word that counts. `place`: where in its entry it stands. */
  take(event: Word, { id, entry }: SignedEntry, place: number): void {
    const key = `${id}#${place}`;
    const said = { by: entry.author, atMs: entry.hlc[0] };
    if (event.kind === "control") this.controls.set(key, { event, ...said });
    else if (event.kind === "step") this.steps.set(key, { event, ...said });
    else if (event.kind === "breakpoint") this.breaks.set(key, { event, ...said });
    else this.places.set(key, { event, ...said });
    this.settle();
  }

  /** Something was learned of a claim: whether it failed by the command's own doing, and whether a person forgave that. */
  noted(claim: Claim, action: ActionName): void {
    if (claim.fail?.cause !== "deterministic") return;
    const key = identity(claim);
    const known = this.failures.get(key);
    if (known?.forgiven === claim.forgiven) return;
    this.failures.set(key, { claim: claim.id, action: claim.action, forgiven: claim.forgiven });
    if (!known) this.failed.set(action, this.failuresOf(action) + 1);
    if (this.steps.size + this.breaks.size > 0) this.settle();
  }

  /** What keeps an action from being granted; undefined: nothing does. */
  of(action: ActionName): Hold | undefined {
    if (!this.paused && this.broken.size === 0) return undefined;
    const broken = this.broken.has(action);
    if ((!this.paused && !broken) || this.free.has(action)) return undefined;
    return broken ? "breakpoint" : this.pauseSaid ? "pause" : "failure";
  }

  /** Whether nothing of the build is granted, whatever it is. */
  get rests(): boolean {
    return this.paused && this.free.size === 0;
  }

  /** What a step past everything that holds these actions must name. */
  idsOf(actions: readonly ActionName[]): string[] {
    const own = actions.flatMap((action) => [...(this.broken.get(action) ?? nothing)]);
    return [...new Set([...this.general, ...own])].sort(byText);
  }

  /** How often an action failed by the command's own doing. */
  failuresOf(action: ActionName): number {
    return this.failed.get(action) ?? 0;
  }

  /** Where a person wants an action to run; of several unanswered words the one with the lowest id. */
  placeOf(action: ActionName): (Spoken<EventOf<"place">> & { readonly peer: PeerId }) | undefined {
    const word = this.placed.get(action);
    return word?.event.peer === undefined ? undefined : { ...word, peer: word.event.peer };
  }

  /** Control events that no other answers, by id. */
  heads(): Spoken<EventOf<"control">>[] {
    return headsOf(this.controls.values());
  }

  /** Breakpoints that stand, on failure (no action) and on actions, by id. */
  breakpoints(): Spoken<EventOf<"breakpoint">>[] {
    return headsOf(this.breaks.values()).filter(({ event }) => event.op === "set");
  }

  /** Every place that stands, by action. */
  placements(): Spoken<EventOf<"place">>[] {
    return [...this.placed.values()].sort((a, b) => byText(a.event.action, b.event.action));
  }

  /** What answers this subject's words: ids for a new one to name. */
  answersOf(kind: "breakpoint" | "place", action: ActionName | undefined): string[] {
    const words: readonly Spoken<EventOf<"breakpoint"> | EventOf<"place">>[] =
      kind === "place" ? headsOf(this.places.values()) : headsOf(this.breaks.values());
    return words.filter(({ event }) => event.action === action).map(({ event }) => event.id);
  }

  /** Failures that nobody answered, by claim: what a build with a breakpoint on failure rests for. */
  unanswered(): { readonly claim: ClaimId; readonly action: number }[] {
    const answered = new Set([...this.controls.values()].flatMap(({ event }) => event.answers));
    return [...this.failures.values()]
      .filter(({ claim, forgiven }) => !forgiven && !answered.has(claim))
      .sort((a, b) => byText(a.claim, b.claim));
  }

  /** Of all that holds and is held: equal sets of words give equal digests. */
  digest(): string {
    if (this.controls.size + this.steps.size + this.breaks.size + this.places.size === 0) return "";
    const sorted = (ids: Iterable<string>) => [...ids].sort(byText);
    return sha256Hex(
      encode([
        this.paused,
        sorted(this.general),
        [...this.broken].map(([action, ids]) => [action, sorted(ids)]).sort(byFirst),
        sorted(this.free),
        this.placements().map(({ event }) => [event.action, event.peer ?? ""]),
      ]),
    );
  }

  private settle(): void {
    const breakpoints = this.breakpoints();
    const pauses = this.heads().filter(({ event }) => event.op === "pause");
    const onFailure = breakpoints.some(({ event }) => event.action === undefined);
    const failures = onFailure ? this.unanswered().map(({ claim }) => claim) : [];
    this.pauseSaid = pauses.length > 0;
    this.general = new Set([...pauses.map(({ event }) => event.id), ...failures]);
    this.paused = this.general.size > 0;
    this.broken = new Map();
    for (const { event } of breakpoints)
      if (event.action !== undefined)
        this.broken.set(event.action, new Set([...(this.broken.get(event.action) ?? []), event.id]));
    this.free = this.passed();
    this.placed = new Map();
    for (const word of headsOf(this.places.values()))
      if (word.event.peer !== undefined && !this.placed.has(word.event.action))
        this.placed.set(word.event.action, word);
  }

  /** Actions that steps let past everything that holds them. A step is spent once its action has failed again. */
  private passed(): Set<ActionName> {
    const passed = new Map<ActionName, Set<string>>();
    for (const { event } of this.steps.values())
      for (const [action, failures] of event.actions) {
        if (this.failuresOf(action) > failures) continue;
        const ids = passed.get(action) ?? new Set<string>();
        passed.set(action, ids);
        for (const id of event.past) ids.add(id);
      }
    const free = new Set<ActionName>();
    for (const [action, ids] of passed) {
      const holds = [...this.general, ...(this.broken.get(action) ?? nothing)];
      if (holds.length > 0 && holds.every((id) => ids.has(id))) free.add(action);
    }
    return free;
  }
}

/** Words that no other answers, by id. */
function headsOf<E extends Exclude<Word, EventOf<"step">>>(words: Iterable<Spoken<E>>): Spoken<E>[] {
  const all = [...words];
  if (all.length === 0) return all;
  const answered = new Set(all.flatMap(({ event }) => event.answers));
  return all
    .filter(({ event }) => !answered.has(event.id))
    .sort((a, b) => byText(a.event.id, b.event.id) || byText(a.by, b.by) || a.atMs - b.atMs);
}

const byFirst = ([a]: readonly unknown[], [b]: readonly unknown[]): number =>
  byText(a as string, b as string);
