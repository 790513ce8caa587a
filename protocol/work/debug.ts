/**
 * The debugger's hand: a person's step, breakpoint, place or recorded preview becomes events. What is so already is said by no event. What a step
 * without names lets through is chosen here, where the person speaks, so that the fact names actions and nobody need agree on what is next.
 */
import type { Command, CommandReply, DebugWord } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { ActionName, PeerId } from "../kernel/ids.ts";
import { type Event, stepActionsMax } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Hands } from "./control.ts";
import { type ForesightParts, foresee } from "./foresight.ts";
import type { Holder } from "./holder.ts";
import { indexNamed } from "./named.ts";
import { buildOf, handsOf, sayAll } from "./operate.ts";
import { refusal } from "./submit.ts";
import { hinderedAt } from "./waits.ts";

/** Ids that one step goes past, and that one other word answers. */
const pastMax = 128;
const answersMax = 256;

export interface DebugParts extends ForesightParts {
  readonly holder: Holder;
}

/** What a word comes to. */
interface Outcome {
  readonly events: readonly Event[];
  readonly moved?: number;
  readonly word?: string;
  readonly actions?: readonly ActionName[];
}

/** Does what a person asks, or with `dryRun` only says what it would come to; answers once it is on disk. */
export function debug(parts: DebugParts, id: number, command: Extract<Command, { kind: "debug" }>): void {
  const { desk, holder } = parts;
  try {
    const build = buildOf(desk, command.build);
    if (build.claims!.cancelled)
      throw new SwarmError("refused", `${build.id} was cancelled`, {
        remedy: "submit it again: swarmd submit SPEC",
      });
    const hands = handsOf(desk, holder);
    const reason = command.reason?.slice(0, 250);
    const { events, moved = 0, word, actions } = outcomeOf(parts, build, command.word, hands);
    const reply: CommandReply = {
      ok: true,
      build: build.id,
      moved,
      lost: 0,
      ...(word === undefined ? {} : { word }),
      ...(actions ? { actions } : {}),
    };
    const says = events.map((event) => ({
      build: build.id,
      event: reason === undefined ? event : ({ ...event, reason } as Event),
    }));
    sayAll(desk, id, command.dryRun ? [] : says, reply);
  } catch (error) {
    desk.emit({ kind: "reply", id, reply: refusal(error) });
  }
}

function outcomeOf(parts: DebugParts, build: Build, word: DebugWord, hands: Hands): Outcome {
  switch (word.op) {
    case "step":
      return step(parts, build, word);
    case "break":
      return breakpoint(parts, build, word, hands);
    case "place":
      return place(parts, build, word, hands);
    case "record":
      return record(parts, build, word);
  }
}

function step(
  parts: DebugParts,
  build: Build,
  { actions, count = 1 }: Extract<DebugWord, { op: "step" }>,
): Outcome {
  const claims = build.claims!;
  const named = actions !== undefined && actions.length > 0;
  const asked = named
    ? [...new Set(actions.map((name) => indexNamed(build, name)))]
    : next(parts, build, count);
  if (asked.length > stepActionsMax)
    throw new SwarmError("usage", `a step lets at most ${stepActionsMax} actions run`, {
      remedy: `let the build go on: swarmd resume ${build.id}`,
    });
  const held = asked.filter((index) => !isOver(build, index) && claims.heldBy(index) !== undefined);
  const names = held.map((index) => claims.action(index).name);
  if (held.length === 0) return { events: [], actions: [], word: notHeld(build, named ? asked : []) };
  const past = claims.holds.idsOf(names);
  const events: Event[] = [];
  for (let at = 0; at < past.length; at += pastMax)
    events.push({
      kind: "step",
      id: parts.desk.newClaimId(),
      actions: names.map((name) => [name, claims.holds.failuresOf(name)]),
      past: past.slice(at, at + pastMax),
    });
  const moved = held.filter((index) => claims.actions.get(index) === "ready").length;
  return { events: withMoved(events, moved), moved, actions: names };
}

/** What the scheduler would choose next of what is held. */
function next(parts: DebugParts, build: Build, count: number): number[] {
  const claims = build.claims!;
  const isHeld = (index: number) => claims.heldBy(index) !== undefined;
  const countMax = claims.actions.readyCount;
  const chosen = foresee(parts, build, { countMax, past: () => true })
    .map(({ index }) => index)
    .filter(isHeld);
  if (chosen.length > 0) return chosen.slice(0, count);
  // Nobody may take any of it now: what is next waits for a node, let through or not.
  return [...claims.actions.ready()].filter(isHeld).slice(0, count);
}

function notHeld(build: Build, asked: readonly number[]): string {
  const claims = build.claims!;
  const [first] = asked;
  if (first === undefined)
    return claims.paused || claims.holds.breakpoints().length > 0
      ? "nothing of it is ready: what runs must end first, or a breakpoint is not reached"
      : `nothing of it is held: swarmd pause ${build.id}, or swarmd breakpoint ${build.id} ACTION`;
  const { name } = claims.action(first);
  const state = claims.actions.get(first);
  if (state === "blocked" || state === "held")
    return `${name} is ${state === "blocked" ? "blocked" : "behind what is blocked"}: swarmd unblock ${build.id} ${name}`;
  return isOver(build, first) ? `${name} is done` : `nothing holds ${name}: it is ${state}`;
}

const isOver = ({ claims }: Build, index: number): boolean =>
  ["done", "blocked", "held", "cancelled"].includes(claims!.actions.get(index));

function breakpoint(
  { desk }: DebugParts,
  build: Build,
  { action, clear = false }: Extract<DebugWord, { op: "break" }>,
  hands: Hands,
): Outcome {
  const claims = build.claims!;
  const index = action === undefined ? undefined : indexNamed(build, action);
  const stands = claims.holds.breakpoints().some(({ event }) => event.action === action);
  const what = action ?? "failure";
  if (stands !== clear)
    return { events: [], word: clear ? `there is no breakpoint on ${what}` : `${what} has its breakpoint` };
  const event: Event = {
    kind: "breakpoint",
    op: clear ? "clear" : "set",
    id: desk.newClaimId(),
    ...(action === undefined ? {} : { action }),
    answers: claims.holds.answersOf("breakpoint", action).slice(0, answersMax),
  };
  const state = index === undefined ? undefined : claims.actions.get(index);
  const failures = index === undefined && !clear ? claims.holds.unanswered() : [];
  const open = [...claims.openClaims].filter((c) => index === undefined || c.action === index);
  const back = !clear && (index !== undefined || failures.length > 0) ? open.filter(hands.waits).length : 0;
  const gone = clear && state === "ready" && !claims.paused ? 1 : 0;
  const moved = back + gone;
  const first = failures[0] && claims.action(failures[0].action).name;
  const word = clear
    ? undefined
    : first !== undefined
      ? `${first} failed already and nobody answered that: the build rests at once`
      : state === "done"
        ? `${what} is done: it is held only if its result is lost`
        : state === "running"
          ? `${what} runs already: it is held only if it has to run again`
          : undefined;
  return { events: withMoved([event], moved), moved, ...(word ? { word } : {}) };
}

function place(
  { desk }: DebugParts,
  build: Build,
  { action, peer }: Extract<DebugWord, { op: "place" }>,
  hands: Hands,
): Outcome {
  const claims = build.claims!;
  const index = indexNamed(build, action);
  const known = claims.holds.placeOf(action);
  if (peer !== undefined) mayBuild(desk, peer);
  const state = claims.actions.get(index);
  const others = [...claims.openClaims].filter((c) => c.action === index && c.holder !== peer);
  const name = peer === undefined ? "" : (desk.members.nameOf(peer) ?? peer.slice(-8));
  const hindered = peer === undefined || state === "done" ? undefined : hinderedAt(desk, build, index, peer);
  const running = others.find(hands.runs);
  const word =
    peer === undefined
      ? known
        ? undefined
        : `nobody placed ${action}`
      : state === "done"
        ? `${action} is done: it runs there only if its result is lost`
        : running
          ? `it runs on ${desk.members.nameOf(running.holder) ?? "another node"}, and goes on there`
          : hindered === undefined
            ? undefined
            : `it waits: ${name} ${hindered}; to let others have it: swarmd place ${build.id} ${action} --clear`;
  const worded = word === undefined ? {} : { word };
  if (known?.peer === peer) return { events: [], ...worded };
  const event: Event = {
    kind: "place",
    id: desk.newClaimId(),
    action,
    ...(peer === undefined ? {} : { peer }),
    answers: claims.holds.answersOf("place", action).slice(0, answersMax),
  };
  const moved = state === "ready" || (peer !== undefined && others.some(hands.waits)) ? 1 : 0;
  return { events: withMoved([event], moved), moved, ...worded };
}

function mayBuild({ members }: DebugParts["desk"], peer: PeerId): void {
  if (members.has(peer, "builder")) return;
  throw new SwarmError("no-eligible-node", `${members.nameOf(peer) ?? peer} is no builder of this swarm`, {
    remedy: "see the nodes: swarmd node list",
  });
}

function record(
  parts: DebugParts,
  build: Build,
  { count = stepActionsMax }: Extract<DebugWord, { op: "record" }>,
): Outcome {
  const claims = build.claims!;
  const choices = foresee(parts, build, {
    countMax: Math.min(stepActionsMax, count),
    past: (hold) => hold !== "breakpoint",
  }).map(({ index, peer, startMs, endMs }) => ({
    action: claims.action(index).name,
    peer,
    startMs: Math.round(startMs),
    endMs: Math.round(endMs),
  }));
  return { events: [{ kind: "preview", choices }], actions: choices.map(({ action }) => action) };
}

/** The first of the events says what the word moved. */
const withMoved = (events: readonly Event[], moved: number): Event[] =>
  events.map((event, nth) => (nth === 0 ? ({ ...event, moved } as Event) : event));
