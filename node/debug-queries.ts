/** What a person who debugs a build reads: what holds it, and what the scheduler would choose next. It changes nothing. */
import type { Core } from "../protocol/core.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import { stepActionsMax } from "../protocol/timeline/events.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claims } from "../protocol/work/claims.ts";
import { whyNobody } from "../protocol/work/eligible.ts";
import { type Foreseen, foresee } from "../protocol/work/foresight.ts";
import type { Spoken } from "../protocol/work/holds.ts";
import { hinderedAt } from "../protocol/work/waits.ts";
import type { ChoiceView, DebugView, PreviewView } from "./control/debugging.ts";
import type { WordView } from "./control/words.ts";
import { wordView } from "./hold-views.ts";
import type { Queries } from "./queries.ts";

const choicesDefault = 10;
/** Listed of what waits, and of nodes that may not have an action. */
const waitsMax = 50;
const unfitMax = 50;
const waitsForMax = 20;

export class DebugQueries {
  private readonly core: Core;
  private readonly queries: Pick<Queries, "nameOf" | "find" | "summary">;

  constructor(core: Core, queries: Pick<Queries, "nameOf" | "find" | "summary">) {
    this.core = core;
    this.queries = queries;
  }

  debugging(id: BuildId): DebugView {
    const { build, claims } = this.live(id);
    const { desk } = this.core;
    const { state, holds = [] } = this.queries.summary(build);
    const reached = new Set(holds.flatMap(({ kind, action }) => (kind === "breakpoint" ? [action] : [])));
    const failing = holds.some(({ kind }) => kind === "failure");
    return {
      build: id,
      state,
      holds,
      breakpoints: claims.holds.breakpoints().map((word) => {
        const { action } = word.event;
        return {
          ...(action === undefined ? {} : { action }),
          ...this.worded(word),
          reached: action === undefined ? failing : reached.has(action),
        };
      }),
      places: claims.holds.placements().flatMap(({ event: { action } }) => {
        const index = claims.indexOf.get(action);
        const place = claims.holds.placeOf(action);
        if (index === undefined || !place) return [];
        const actionState = claims.actions.get(index);
        const hindered = actionState === "done" ? undefined : hinderedAt(desk, build, index, place.peer);
        return [
          {
            action,
            node: this.queries.nameOf(place.peer),
            peerId: place.peer,
            state: actionState,
            ...this.worded(place),
            ...(hindered === undefined ? {} : { hindered }),
          },
        ];
      }),
    };
  }

  preview(id: BuildId, count = choicesDefault): PreviewView {
    const { build, claims } = this.live(id);
    const { desk } = this.core;
    const countMax = Math.min(count, stepActionsMax);
    const chosen = foresee(this.core, build, {
      countMax,
      past: (hold) => hold !== "breakpoint",
      ahead: true,
    });
    const taken = new Set(chosen.map(({ index }) => index));
    const left = [...claims.actions.ready()].filter((index) => !taken.has(index));
    return {
      build: id,
      state: this.queries.summary(build).state,
      atMs: desk.now.wallMs,
      mode: desk.config.scheduling.mode,
      choices: chosen.map((one) => this.choice(build, claims, one)),
      waits: left.slice(0, waitsMax).map((index) => this.wait(build, claims, index)),
      more: Math.max(0, left.length - waitsMax),
    };
  }

  private choice(build: Build, claims: Claims, { index, peer, startMs, endMs, sure }: Foreseen): ChoiceView {
    const { name: action } = claims.action(index);
    const { scored, unfit } = this.core.gate.candidates(build, index);
    const held = claims.heldBy(index);
    const placed = claims.holds.placeOf(action);
    return {
      action,
      state: claims.actions.get(index),
      node: this.queries.nameOf(peer),
      peerId: peer,
      startMs: Math.round(startMs),
      endMs: Math.round(endMs),
      sure,
      ...(held === undefined || held === "breakpoint" ? {} : { held }),
      ...(placed ? { placed: this.worded(placed) } : {}),
      waitsFor: claims.dependencies[index]!.filter((d) => claims.actions.get(d) !== "done")
        .slice(0, waitsForMax)
        .map((d) => claims.action(d).name),
      candidates: scored.map((one) => ({
        node: this.queries.nameOf(one.peer),
        peerId: one.peer,
        score: one.score,
        parts: { ...one.parts },
        chosen: one.peer === peer,
      })),
      unfit: unfit.slice(0, unfitMax).map((one) => ({
        node: this.queries.nameOf(one.peer),
        why: one.shortfalls.map(({ text }) => text).join(", "),
      })),
    };
  }

  private wait(build: Build, claims: Claims, index: number): PreviewView["waits"][number] {
    const { name: action } = claims.action(index);
    if (claims.heldBy(index) === "breakpoint") {
      const by = claims.holds.breakpoints().find(({ event }) => event.action === action)!;
      return {
        action,
        why: `${this.queries.nameOf(by.by)} set a breakpoint on it${by.event.reason ? ` (${by.event.reason})` : ""}`,
        command: ["step", build.id, action],
      };
    }
    const placed = claims.holds.placeOf(action);
    const hindered = placed && hinderedAt(this.core.desk, build, index, placed.peer);
    if (placed && hindered !== undefined)
      return {
        action,
        why: `${this.queries.nameOf(placed.by)} placed it on ${this.queries.nameOf(placed.peer)}, which ${hindered}`,
        command: ["place", build.id, action, "--clear"],
      };
    const { scored, unfit } = this.core.gate.candidates(build, index);
    if (scored.length > 0) return { action, why: "its turn comes after these" };
    const named = unfit.map(({ peer, shortfalls }) => ({ name: this.queries.nameOf(peer), shortfalls }));
    return { action, why: whyNobody(named) };
  }

  private readonly worded = (word: Spoken): WordView => wordView(word, (peer) => this.queries.nameOf(peer));

  private live(id: BuildId): { readonly build: Build; readonly claims: Claims } {
    const build = this.queries.find(id);
    const { claims } = build;
    if (!claims)
      throw new SwarmError("refused", `what ${id} consists of is not known here yet`, {
        remedy: "try again in a moment, or on the node that submitted it",
      });
    if (claims.sealed)
      throw new SwarmError("refused", `${id} has ended: it is ${claims.sealed.event.state}`, {
        remedy: `see how it went: swarmd replay ${id}`,
      });
    return { build, claims };
  }
}
