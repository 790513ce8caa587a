/** What actions, builds and nodes can be, as it is shown: a colour that the colour-blind can tell from the others, a sign, a word. */
import type { ActionState, BuildState, NodeState } from "../../control/api.ts";

export interface Shown {
  /** Of the style sheet: `--ok` … */
  readonly tone: "ok" | "busy" | "next" | "bad" | "held" | "idle";
  readonly sign: string;
  readonly word: string;
}

/** In the order in which they are painted over each other. */
export const tones: readonly Shown["tone"][] = ["idle", "next", "held", "ok", "busy", "bad"];

export const actionStates: Readonly<Record<ActionState, Shown>> = {
  running: { tone: "busy", sign: "▶", word: "running" },
  claimed: { tone: "next", sign: "◔", word: "claimed" },
  ready: { tone: "next", sign: "○", word: "ready" },
  waiting: { tone: "idle", sign: "·", word: "waiting" },
  done: { tone: "ok", sign: "✓", word: "done" },
  blocked: { tone: "bad", sign: "✕", word: "blocked" },
  held: { tone: "held", sign: "‖", word: "held" },
  cancelled: { tone: "idle", sign: "–", word: "cancelled" },
};

export const actionStateNames = Object.keys(actionStates) as ActionState[];

export const buildStates: Readonly<Record<BuildState, Shown>> = {
  running: { tone: "busy", sign: "▶", word: "running" },
  paused: { tone: "held", sign: "‖", word: "paused" },
  complete: { tone: "ok", sign: "✓", word: "complete" },
  failed: { tone: "bad", sign: "✕", word: "failed" },
  cancelled: { tone: "idle", sign: "–", word: "cancelled" },
};

export const nodeStates: Readonly<Record<NodeState, Shown>> = {
  self: { tone: "ok", sign: "●", word: "this node" },
  alive: { tone: "ok", sign: "●", word: "alive" },
  suspect: { tone: "busy", sign: "◐", word: "suspect" },
  dead: { tone: "bad", sign: "✕", word: "dead" },
  unseen: { tone: "idle", sign: "○", word: "unseen" },
};
