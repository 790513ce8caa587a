/** What a build's duration hangs on: of fact and of plan, with waits and transfers apart; what would shorten it most; when it will end. */
import type { ActionName, BuildId, PeerId } from "../kernel/ids.ts";
import type { Build } from "../work/build.ts";
import type { Estimates } from "../work/estimates.ts";
import { type Course, courseOf, madeBy, type Run, runsOf, spentOf } from "./course.ts";
import { criticalPath, type Planned, plannedPath, type Ran } from "./critical-path.ts";
import { holdingOf } from "./held.ts";

/** Actions of the path that are tried without, the longest first. */
const triedMax = 12;
/** What saves less than this is not named. */
const savedMsMin = 1;
/** An action of which nothing is known may take so many times what is assumed, or so many times less. */
const unknownFactor = 3;

/** One action of the path, milliseconds from the begin of the build. */
export interface PathStep {
  readonly action: ActionName;
  readonly node: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Nobody had it in hand, or its holder was busy with others. */
  readonly waitMs: number;
  /** Its files were fetched. */
  readonly fetchMs: number;
  readonly runMs: number;
  /** How much sooner it could have ended before something else had decided. */
  readonly slackMs: number;
}

/** When a build will end, wall milliseconds; of one that a person holds, milliseconds from the moment on in which it is let go. */
export interface Forecast {
  readonly lowMs: number;
  readonly likelyMs: number;
  readonly highMs: number;
  /** Actions left, and how many of them nobody ever saw run. */
  readonly left: number;
  readonly unseen: number;
}

export interface PathView {
  readonly build: BuildId;
  readonly state: string;
  /** Of fact, from submit to the end of its last action, or to now. */
  readonly fact: {
    readonly totalMs: number;
    readonly runMs: number;
    readonly waitMs: number;
    readonly fetchMs: number;
    readonly steps: readonly PathStep[];
  };
  /** By estimates, with nodes enough and nothing to wait for. */
  readonly plan: {
    readonly totalMs: number;
    readonly steps: readonly { readonly action: ActionName; readonly ms: number }[];
  };
  /** How late each action may be without making the plan longer; those with the least first, at most 100. */
  readonly slack: readonly { readonly action: ActionName; readonly slackMs: number }[];
  /** What saves most first. */
  readonly shorten: readonly {
    readonly action?: ActionName;
    readonly savesMs: number;
    readonly text: string;
  }[];
  readonly forecast?: Forecast;
  /** Why there is no forecast, of a build that has not ended. */
  readonly noForecast?: string;
  /** A person holds it, or will: no moment can be told, but how long it takes from then on. */
  readonly onceFree?: Forecast;
}

export interface Hands {
  readonly peer: PeerId;
  readonly slots: number;
}

export interface PathQuestion {
  readonly build: Build;
  readonly nowMs: number;
  readonly nameOf: (peer: PeerId) => string;
  readonly estimates: Estimates;
  /** Living nodes and their slots. */
  readonly hands: readonly Hands[];
  /** Expected milliseconds of what other live builds have still to do, at speed 1. */
  readonly elsewhereMs: number;
}

/** Everything about a build's duration. Its graph must be here. */
export function pathsOf(question: PathQuestion): PathView {
  const { build, estimates } = question;
  const claims = build.claims!;
  const course = courseOf(build)!;
  const { actions } = claims.graph;
  const names = claims.dependencies.map((on) => on.map((d) => actions[d]!.name));
  const made = actions.map((_, index) => madeBy(build, course, index));
  const fact = factOf(question, course, made, names);
  const plan = plannedPath(
    actions.map((action, index) => ({
      action: action.name,
      ms: claims.wasCached(index) && !made[index] ? 0 : estimates.of(claims.graph.name, action),
      dependsOn: names[index]!,
    })),
  );
  const slack = [...plan.slackMs]
    .map(([action, slackMs]) => ({ action, slackMs }))
    .sort((a, b) => a.slackMs - b.slackMs || (a.action < b.action ? -1 : 1))
    .slice(0, 100);
  const forecast = build.live && !claims.settled ? forecastOf(question, course) : {};
  return {
    build: build.id,
    state: claims.sealed?.event.state ?? claims.state,
    fact,
    plan: { totalMs: plan.totalMs, steps: plan.steps },
    slack,
    shorten: shortenings(question, made, names, fact),
    ...forecast,
  };
}

function factOf(
  { build, nameOf, nowMs }: PathQuestion,
  course: Course,
  made: readonly (Run | undefined)[],
  names: readonly (readonly ActionName[])[],
): PathView["fact"] {
  const claims = build.claims!;
  const runs = new Map<ActionName, { run: Run; endMs: number; startMs: number }>();
  const ran: Ran[] = [];
  for (const [index, done] of made.entries()) {
    const run = done ?? openRun(build, course, index);
    if (!run) continue;
    const { name } = claims.action(index);
    const endMs = run.endedMs ?? Math.max(nowMs, run.claimedMs);
    const startMs = Math.min(run.startedMs ?? run.claimedMs, endMs);
    runs.set(name, { run, startMs, endMs });
    ran.push({ action: name, startMs, endMs, dependsOn: names[index]! });
  }
  const { totalMs, steps } = criticalPath(ran, course.submittedMs);
  const told = steps.map(({ action, startMs, endMs, waitMs, slackMs }): PathStep => {
    const { run } = runs.get(action)!;
    const fetchMs = Math.min(spentOf(run).fetchMs ?? 0, waitMs);
    return {
      action,
      node: nameOf(run.claim.holder),
      startMs: startMs - course.submittedMs,
      endMs: endMs - course.submittedMs,
      waitMs: waitMs - fetchMs,
      fetchMs,
      runMs: endMs - startMs,
      slackMs,
    };
  });
  const sum = (of: (step: PathStep) => number) => told.reduce((ms, step) => ms + of(step), 0);
  return {
    totalMs,
    runMs: sum((step) => step.runMs),
    waitMs: sum((step) => step.waitMs),
    fetchMs: sum((step) => step.fetchMs),
    steps: told,
  };
}

const openRun = (build: Build, course: Course, index: number): Run | undefined =>
  build.claims!.winnerOf(index) &&
  runsOf(build, course, index).findLast(({ endedMs }) => endedMs === undefined);

/** What would have made the build shorter, each by itself: no waiting, no fetching, one action less, one action on the fastest node. */
function shortenings(
  { build, estimates, nameOf, hands }: PathQuestion,
  made: readonly (Run | undefined)[],
  names: readonly (readonly ActionName[])[],
  fact: PathView["fact"],
): PathView["shorten"] {
  const { actions } = build.claims!.graph;
  const measured = actions.map(
    ({ name }, index): Planned => ({
      action: name,
      ms: made[index]?.usage?.wallMs ?? 0,
      dependsOn: names[index]!,
    }),
  );
  const path = plannedPath(measured);
  const found: { action?: ActionName; savesMs: number; text: string }[] = [];
  const waits = Math.min(fact.waitMs, fact.totalMs - fact.fetchMs - path.totalMs);
  const [longest] = fact.steps.toSorted((a, b) => b.waitMs - a.waitMs);
  if (longest)
    found.push({
      savesMs: waits,
      text: `beginning at once what is ready: it waited for a slot, a holder or a person, ${longest.action} the longest (swarmd why ${build.id} ${longest.action})`,
    });
  found.push({ savesMs: fact.fetchMs, text: "fetching nothing: files of the path came from other nodes" });
  const indexOf = new Map(actions.map(({ name }, index) => [name, index]));
  const tried = path.steps
    .filter(({ ms }) => ms > 0)
    .sort((a, b) => b.ms - a.ms)
    .slice(0, triedMax);
  const fastest = Math.max(1, ...hands.map(({ peer }) => estimates.speedOf(peer)));
  for (const { action, ms } of tried) {
    const index = indexOf.get(action)!;
    const without = measured.with(index, { ...measured[index]!, ms: 0 });
    const savesMs = path.totalMs - plannedPath(without).totalMs;
    const { claim } = made[index]!;
    const speed = estimates.speedOf(claim.holder);
    const faster = speed > 0 && fastest / speed > 1.2 ? Math.min(savesMs, ms * (1 - speed / fastest)) : 0;
    const quickest = hands.find(({ peer }) => estimates.speedOf(peer) === fastest);
    found.push({
      action,
      savesMs,
      text:
        faster > savedMsMin && quickest
          ? `${action} split or made cheaper (on ${nameOf(quickest.peer)} in place of ${nameOf(claim.holder)} it would have saved about ${Math.round(faster)} ms)`
          : `${action} split or made cheaper`,
    });
  }
  return found
    .filter(({ savesMs }) => savesMs >= savedMsMin)
    .map((one) => ({ ...one, savesMs: Math.round(one.savesMs) }))
    .sort((a, b) => b.savesMs - a.savesMs);
}

type Foretold = Pick<PathView, "forecast" | "noForecast" | "onceFree">;

/** When it ends, or why nobody can say; of a build that a person holds how long it takes once it is let go. */
function forecastOf(question: PathQuestion, course: Course): Foretold {
  const { build, hands, nowMs, nameOf } = question;
  const claims = build.claims!;
  if (claims.cancelled) return { noForecast: "the build is cancelled" };
  const holding = holdingOf({ build, nameOf });
  if (!hands.some(({ slots }) => slots > 0)) {
    const nobody = "no living node takes work";
    return { noForecast: holding ? `${holding.text}; and ${nobody}` : nobody };
  }
  const { lowMs, likelyMs, highMs, ...rest } = spanOf(question, course);
  if (!holding) {
    const at = (ms: number) => Math.round(nowMs + ms);
    return { forecast: { lowMs: at(lowMs), likelyMs: at(likelyMs), highMs: at(highMs), ...rest } };
  }
  // Whoever lets it go late finds all else done: what is behind the holds takes its time in any case.
  const least = spanOf(question, course, behind(claims.dependents, holding.waiting)).lowMs;
  return {
    noForecast: holding.text,
    onceFree: {
      lowMs: Math.round(Math.min(least, lowMs)),
      likelyMs: Math.round(likelyMs),
      highMs: Math.round(highMs),
      ...rest,
    },
  };
}

/** These actions and all that need them. */
function behind(dependents: readonly (readonly number[])[], first: readonly number[]): ReadonlySet<number> {
  const found = new Set(first);
  for (const index of found) for (const next of dependents[index]!) found.add(next);
  return found;
}

/** How long it takes what is left, or what of it is in `only`. */
function spanOf(question: PathQuestion, course: Course, only?: ReadonlySet<number>): Forecast {
  const { build, estimates, hands, nowMs, elsewhereMs } = question;
  const claims = build.claims!;
  const { graph } = claims;
  const slots = hands.reduce((sum, { slots }) => sum + slots, 0);
  const power = hands.reduce((sum, hand) => sum + hand.slots * estimates.speedOf(hand.peer), 0);
  const fastest = Math.max(...hands.map(({ peer }) => estimates.speedOf(peer)));
  let left = 0;
  let unseen = 0;
  let workMs = 0;
  let workMostMs = 0;
  let workLeastMs = 0;
  const least: Planned[] = [];
  const likely: Planned[] = [];
  const most: Planned[] = [];
  for (const [index, action] of graph.actions.entries()) {
    const state = claims.actions.get(index);
    if (state === "done" || state === "blocked" || state === "held" || state === "cancelled") continue;
    if (only && !only.has(index)) continue;
    left++;
    const known = estimates.known(graph.name, action);
    if (known === undefined) unseen++;
    const expectedMs = estimates.of(graph.name, action);
    const atMostMs =
      known === undefined
        ? expectedMs * unknownFactor
        : (estimates.atMost(graph.name, action) ?? known) * 1.5;
    const run = openRun(build, course, index);
    const goneMs = run ? Math.max(0, nowMs - (run.startedMs ?? run.claimedMs)) : 0;
    const speed = run ? estimates.speedOf(run.claim.holder) : 1;
    const restMs = Math.max(0, expectedMs - goneMs * speed);
    const restMostMs = Math.max(atMostMs * 0.1, atMostMs - goneMs * speed);
    workMs += restMs;
    workMostMs += restMostMs;
    const restLeastMs = known === undefined ? restMs / unknownFactor : restMs;
    workLeastMs += restLeastMs;
    const dependsOn = claims.dependencies[index]!.map((d) => graph.actions[d]!.name);
    least.push({ action: action.name, ms: restLeastMs, dependsOn });
    likely.push({ action: action.name, ms: restMs, dependsOn });
    most.push({ action: action.name, ms: restMostMs, dependsOn });
  }
  const path = plannedPath(likely).totalMs;
  const pathMost = plannedPath(most).totalMs;
  const slowest = Math.min(...hands.map(({ peer }) => estimates.speedOf(peer)));
  // Nobody ends before the longest chain on the fastest node, nor before all slots have shared the work; and list scheduling never takes longer than the sum of both.
  const lowMs = Math.max(plannedPath(least).totalMs / fastest, workLeastMs / power) * 0.9;
  const highMs = (workMostMs + elsewhereMs) / power + pathMost / Math.max(0.1, slowest) + left * 2;
  const likelyMs = Math.min(highMs, workMs / power + path * (1 - 1 / Math.max(1, slots)));
  return {
    lowMs: Math.min(lowMs, likelyMs),
    likelyMs: Math.max(lowMs, likelyMs),
    highMs: Math.max(highMs, lowMs),
    left,
    unseen,
  };
}
