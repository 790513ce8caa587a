/** What the daemon answers and does when a person debugs a build: what holds it, what would be next, step, breakpoint, place. All times are milliseconds. */
import type { DebugWord } from "../../protocol/contract.ts";
import type { ActionName, BuildId, PeerId } from "../../protocol/kernel/ids.ts";
import type { ActionState } from "../../protocol/work/actions.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { HoldView, Moved, WordOptions, WordView } from "./words.ts";

export interface DebugView {
  readonly build: BuildId;
  readonly state: Claims["state"];
  readonly holds: readonly HoldView[];
  /** Without an action: on failure. `reached`: it holds something now. */
  readonly breakpoints: readonly (WordView & { readonly action?: ActionName; readonly reached: boolean })[];
  readonly places: readonly (WordView & {
    readonly action: ActionName;
    readonly node: string;
    readonly peerId: PeerId;
    readonly state: ActionState;
    /** What keeps the node from it, behind its name. */
    readonly hindered?: string;
  })[];
}

/** A node in the eyes of who decides, best first. */
export interface CandidateView {
  readonly node: string;
  readonly peerId: PeerId;
  readonly score: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly chosen: boolean;
}

/** What the scheduler would choose. */
export interface ChoiceView {
  readonly action: ActionName;
  readonly state: ActionState;
  readonly node: string;
  readonly peerId: PeerId;
  /** Expected, from now. */
  readonly startMs: number;
  readonly endMs: number;
  /** False: nodes draw in this mode, or begin what takes more than a slot as they have room; this is the likeliest. */
  readonly sure: boolean;
  /** It goes once this is over. */
  readonly held?: "pause" | "failure";
  readonly placed?: WordView;
  /** What it takes that is still to be made. */
  readonly waitsFor: readonly ActionName[];
  readonly candidates: readonly CandidateView[];
  readonly unfit: readonly { readonly node: string; readonly why: string }[];
}

export interface PreviewView {
  readonly build: BuildId;
  readonly state: Claims["state"];
  /** By the clock of the node that was asked. */
  readonly atMs: number;
  readonly mode: string;
  /** The first that would be chosen first; while the build rests, as if it were resumed. */
  readonly choices: readonly ChoiceView[];
  /** Ready actions that are not among them, and why. */
  readonly waits: readonly {
    readonly action: ActionName;
    readonly why: string;
    /** What lets it go: arguments after `swarmd`. */
    readonly command?: readonly string[];
  }[];
  /** Ready actions beyond those listed. */
  readonly more: number;
}

/** The part of `Control` that debugs live builds. All of it refuses `not-found`, and `refused` for a build that has ended. */
export interface Debugging {
  /** Says a step, a breakpoint or a place; `role-missing`, `no-eligible-node`. */
  debug(build: BuildId, word: DebugWord, options?: WordOptions): Promise<Moved>;
  /** What holds the build, its breakpoints, and what people placed. */
  debugging(build: BuildId): Promise<DebugView>;
  /** The scheduler's next choices, at most `count` of them. */
  preview(build: BuildId, options?: { readonly count?: number }): Promise<PreviewView>;
}
