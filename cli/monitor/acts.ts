/** What a key says to the daemon about the chosen build: the same signed words as the commands of that name. */
import type { BuildSummary, Control } from "../../node/control/api.ts";
import type { Moved } from "../../node/control/words.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { movedText, noneText } from "../word.ts";

export interface Act {
  readonly key: string;
  /** For the help. */
  readonly text: string;
  say(control: Control, build: BuildSummary): Promise<Moved>;
  /** Said of the build once it is done. */
  readonly is: (build: BuildSummary, moved: Moved) => string;
  /** It loses what runs: its name must be typed. */
  readonly mustBeNamed?: true;
}

export const acts: readonly Act[] = [
  {
    key: "b",
    text: "rebalance: share out anew what waits",
    say: (control, { build }) => control.operate({ op: "rebalance", build }),
    is: (_, moved) => `is shared out anew${noneText(moved)}`,
  },
  {
    key: "u",
    text: "unblock what failed for good",
    say: (control, { build }) => control.operate({ op: "unblock", build }),
    is: (_, moved) => `is unblocked${noneText(moved)}`,
  },
  {
    key: "p",
    text: "pause, or go on",
    say: (control, { build, state }) => control.control(build, state === "paused" ? "resume" : "pause"),
    is: ({ state }) => (state === "paused" ? "goes on" : "rests"),
  },
  {
    key: "s",
    text: "step: of a build that is held, let the action run that would be next",
    say: (control, { build }) => control.debug(build, { op: "step" }),
    is: (_, { actions = [] }) => `lets ${actions.length > 0 ? actions.join(", ") : "nothing"} run`,
  },
  {
    key: "r",
    text: "retry all that failed",
    say: (control, { build }) => control.operate({ op: "retry-failures", build }),
    is: () => "is tried again",
  },
  {
    key: "R",
    text: "reset: stop what runs and begin anew; its name must be typed",
    say: (control, { build }) => control.operate({ op: "reset", build }),
    is: () => "begins anew, its results kept",
    mustBeNamed: true,
  },
];

/** Carries it out; what came of it, in words. */
export async function carryOut(act: Act, control: Control, build: BuildSummary): Promise<string> {
  try {
    const moved = await act.say(control, build);
    const { build: other } = moved;
    const became = other !== undefined && other !== build.build ? `; it is built again as ${other}` : "";
    return `${build.build} ${act.is(build, moved)}${movedText(moved)}${became}`;
  } catch (thrown) {
    if (!(thrown instanceof SwarmError)) throw thrown;
    return thrown.remedy === undefined ? thrown.message : `${thrown.message} → ${thrown.remedy}`;
  }
}
