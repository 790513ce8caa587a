/** `swarmd breakpoint BUILD ACTION`: the action waits until a person lets it go; `--on-failure`: the whole build at its next failure. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { Command, Context } from "../command.ts";
import { holdText } from "../holds.ts";
import { selectBuild } from "../select.ts";
import { clockText } from "../units.ts";
import { carryOut, wordOptions } from "../word.ts";

export const breakpoint: Command = {
  name: "breakpoint",
  args: "<build> [action]",
  description:
    "Hold an action, or a build at its next failure, until a person lets it go; alone: list what holds",
  options: [
    { flags: "--on-failure", description: "Begin nothing new once an action has failed" },
    { flags: "--clear", description: "Take it back" },
    ...wordOptions,
  ],
  examples: [
    "breakpoint leveldb",
    "breakpoint leveldb link/db_test",
    "breakpoint leveldb --on-failure",
    "breakpoint leveldb link/db_test --clear",
  ],
  async run(context, [word, action], options) {
    const onFailure = options.onFailure === true;
    const clear = options.clear === true;
    if (onFailure && action !== undefined)
      throw new SwarmError("usage", "a breakpoint is on an action or on failure, not on both at once", {
        remedy: "set one, then the other",
      });
    const { build } = await selectBuild(context.control, word!);
    if (!onFailure && action === undefined) {
      if (clear)
        throw new SwarmError("usage", "--clear takes an action, or --on-failure", {
          remedy: `what is set: ${context.commandLine(["breakpoint", build])}`,
        });
      return list(context, build);
    }
    const what = action === undefined ? `${build}, on failure,` : `${action} of ${build}`;
    return carryOut(context, options, {
      is: () => `${what} has ${clear ? "no breakpoint" : "a breakpoint"}`,
      wouldBe: `${what} would have ${clear ? "no breakpoint" : "a breakpoint"}`,
      say: (how) =>
        context.control.debug(
          build,
          {
            op: "break",
            ...(action === undefined ? {} : { action: action as ActionName }),
            ...(clear ? { clear } : {}),
          },
          how,
        ),
    });
  },
};

async function list(context: Context, build: BuildId): Promise<number> {
  const view = await context.control.debugging(build);
  const { output } = context;
  if (context.json) {
    output.json(view);
    return 0;
  }
  output.line(`${build}: ${view.state}`);
  for (const hold of view.holds)
    output.line(`  ${holdText(build, hold, (args) => context.commandLine(args))}`);
  if (view.breakpoints.length === 0) output.line("it has no breakpoints");
  else
    output.table(
      [{ title: "BREAKPOINT" }, { title: "BY" }, { title: "SET" }, { title: "REACHED" }, { title: "REASON" }],
      view.breakpoints.map(({ action, by, atMs, reached, reason }) => [
        action ?? "on failure",
        by,
        clockText(atMs),
        reached ? output.tone("note", "yes") : "no",
        reason ?? "",
      ]),
    );
  if (view.places.length > 0)
    output.table(
      [{ title: "PLACED" }, { title: "ON" }, { title: "BY" }, { title: "STATE" }, { title: "REASON" }],
      view.places.map(({ action, node, by, state, hindered, reason }) => [
        action,
        node,
        by,
        hindered === undefined ? state : output.tone("note", `${state}: ${node} ${hindered}`),
        reason ?? "",
      ]),
    );
  return 0;
}
