/** What people did to an action by steps, breakpoints and places, in words: why it waited for them, and why it ran where it did. */
import type { PeerId } from "../kernel/ids.ts";
import type { ActionState } from "../work/actions.ts";
import type { Build } from "../work/build.ts";
import type { Shortfall } from "../work/eligible.ts";
import type { Course } from "./course.ts";

/** Who placed an action there, and why. */
export interface Placed {
  readonly by: string;
  readonly atMs: number;
  readonly reason?: string;
}

export interface Asked {
  readonly build: Build;
  readonly index: number;
  readonly nameOf: (peer: PeerId) => string;
}

const because = (reason: string | undefined): string => (reason === undefined ? "" : ` (${reason})`);

/** The word that placed an action on the node that had it in hand from that moment on; undefined: nobody did. */
export function placedOn({ build, index, nameOf }: Asked, course: Course, holder: PeerId, atMs: number) {
  const { name } = build.claims!.action(index);
  const word = course.words.findLast(
    ({ event, atMs: saidMs }) => event.kind === "place" && event.action === name && saidMs <= atMs,
  );
  if (word?.event.kind !== "place" || word.event.peer !== holder) return undefined;
  const { reason } = word.event;
  const placed: Placed = {
    by: nameOf(word.by),
    atMs: word.atMs,
    ...(reason === undefined ? {} : { reason }),
  };
  return placed;
}

/** What held an action of this build until it was granted at that moment: a step that let it go, or a breakpoint that it had; undefined: neither. */
export function heldUntil({ build, index, nameOf }: Asked, course: Course, atMs: number): string | undefined {
  const { name } = build.claims!.action(index);
  const before = course.words.filter((word) => word.atMs <= atMs);
  const step = before.findLast(
    ({ event }) => event.kind === "step" && event.actions.some(([action]) => action === name),
  );
  if (step) return `it was held, and ${nameOf(step.by)} let it go by a step${because(step.event.reason)}`;
  const set = before.findLast(
    ({ event }) => event.kind === "breakpoint" && event.action === name && event.op === "set",
  );
  return set && `it had a breakpoint of ${nameOf(set.by)}${because(set.event.reason)}, which was cleared`;
}

/** What holds a ready action now; undefined: no person does, or the whole build is paused. */
export function heldNow({ build, index, nameOf }: Asked): string | undefined {
  const claims = build.claims!;
  const { name } = claims.action(index);
  const hold = claims.heldBy(index);
  if (hold !== "failure" && hold !== "breakpoint") return undefined;
  const word = claims.holds
    .breakpoints()
    .find(({ event }) => event.action === (hold === "breakpoint" ? name : undefined));
  const by = word ? `${nameOf(word.by)}${because(word.event.reason)}` : "a person";
  if (hold === "breakpoint")
    return `it stands at a breakpoint of ${by}; to let it go: swarmd step ${build.id} ${name}`;
  const [failure] = claims.holds.unanswered();
  const failed = failure ? claims.action(failure.action).name : "an action";
  return `the build broke at the failure of ${failed}, as ${by} wanted; to go on: swarmd resume ${build.id}`;
}

/** What holds a build, or what of it is still ahead, until a person says so: the actions of it that wait, by index. */
export interface Holding {
  readonly waiting: readonly number[];
  /** What it is, and what lets it go. */
  readonly text: string;
}

/** What people hold back of a build now, or will once it comes there; undefined: nothing. */
export function holdingOf({ build, nameOf }: Omit<Asked, "index">): Holding | undefined {
  const claims = build.claims!;
  const waiting = claims.graph.actions.flatMap((_, index) =>
    waits.has(claims.actions.get(index)) && claims.heldBy(index) !== undefined ? [index] : [],
  );
  const [first] = waiting;
  if (first === undefined) return undefined;
  const paused = claims.holds.heads().find(({ event }) => event.op === "pause");
  if (paused)
    return {
      waiting,
      text: `${nameOf(paused.by)} paused it${because(paused.event.reason)}; to go on: swarmd resume ${build.id}`,
    };
  if (claims.paused) {
    const index = waiting.find((one) => claims.heldBy(one) === "failure") ?? first;
    return { waiting, text: heldNow({ build, index, nameOf })! };
  }
  const { name } = claims.action(first);
  const word = claims.holds.breakpoints().find(({ event }) => event.action === name);
  const by = word ? `${nameOf(word.by)}${because(word.event.reason)}` : "a person";
  const more = waiting.length > 1 ? `, and so have ${waiting.length - 1} more` : "";
  return {
    waiting,
    text: `${name} has a breakpoint of ${by}${more}; to let it go: swarmd step ${build.id} ${name}`,
  };
}

const waits: ReadonlySet<ActionState> = new Set(["waiting", "ready"]);

/** How it stands with an action that a person placed: undefined where nobody did. `unfit`: who may not take it now, `fits`: who may. */
export function placedNow(
  { build, index, nameOf }: Asked,
  fits: readonly PeerId[],
  unfit: readonly { readonly peer: PeerId; readonly shortfalls: readonly Shortfall[] }[],
): string | undefined {
  const claims = build.claims!;
  const { name } = claims.action(index);
  const place = claims.holds.placeOf(name);
  if (!place) return undefined;
  const where = `${nameOf(place.by)} placed it on ${nameOf(place.peer)}${because(place.event.reason)}`;
  if (fits.includes(place.peer)) return `${where}; it waits for a free slot there`;
  const why = unfit.find(({ peer }) => peer === place.peer)?.shortfalls.map(({ text }) => text);
  return `${where}, which ${why?.join(", ") ?? "is away"}; to let others have it: swarmd place ${build.id} ${name} --clear`;
}
