/** `swarmd autopsy BUILD`: what its failures came from, with evidence, and what they hold up. */
import type { AutopsyView, FailureView } from "../../protocol/explain/autopsy.ts";
import type { Command, Context } from "../command.ts";
import { plain } from "../output.ts";
import { subjectOf, subjectOptions } from "../subject.ts";
import { countText } from "../units.ts";

const shownMax = 20;
const suspectsMax = 4;

export const autopsy: Command = {
  name: "autopsy",
  args: "<build>",
  description:
    "Say what the failures of a build came from, with evidence, and what they hold up; in a browser: open BUILD --view autopsy",
  examples: ["autopsy leveldb", "autopsy leveldb-0123 --json", "autopsy out.swarm"],
  options: subjectOptions,
  async run(outer, [word], options) {
    const {
      context,
      build: { build },
    } = await subjectOf(outer, word!, options);
    const view = await context.control.autopsy(build);
    if (context.json) context.output.json(view);
    else print(context, view);
    return 0;
  },
};

function print(context: Context, view: AutopsyView): void {
  const { output } = context;
  output.line(`${view.build} (${view.state}): ${view.text}`);
  for (const failure of view.failures.slice(0, shownMax)) open(context, failure);
  if (view.recovered.length > 0) output.line(`\n${output.tone("strong", "failed on the way")}`);
  for (const { action, state, attempts, suspects } of view.recovered.slice(0, shownMax))
    output.line(
      `  ${action}, ${state === "done" ? "done since" : `${state} again`}: ${plain(attempts.map(({ node, reason }) => `${node}: ${reason}`).join("; "))} (${suspects[0]!.kind} ${suspects[0]!.name})`,
    );
  if (view.failures.length > shownMax) output.note(`${view.failures.length - shownMax} more: --json`);
  const { differing = [] } = view;
  if (differing.length > 0) output.line(`\n${output.tone("strong", "came out differently when run again")}`);
  for (const { action, text } of differing.slice(0, shownMax))
    output.line(`  ${plain(`${action}: ${text}`)}`);
  for (const { check } of differing.slice(-1))
    output.note(`where it differs: ${context.commandLine(["rebuild-check", check])}`);
  warn(context, view);
  if (view.failures.length > 0)
    output.note(`what to run, action by action: ${context.commandLine(["fix-blocked", view.build])}`);
}

function open({ output }: Context, failure: FailureView): void {
  output.line(`\n${output.tone("bad", failure.action)}: ${plain(failure.text)}`);
  for (const { node, reason, cause } of failure.attempts)
    output.line(
      `  failed on ${node} (${cause === "deterministic" ? "its own doing" : "the node's doing"}): ${plain(reason)}`,
    );
  output.line("  suspects:");
  for (const { kind, name, weight, evidence } of failure.suspects.slice(0, suspectsMax)) {
    output.line(
      `    ${String(Math.round(weight * 100)).padStart(3)} %  ${kind === "chance" ? "chance" : `${kind} ${plain(name)}`}`,
    );
    for (const text of evidence.slice(0, 3)) output.line(`           ${plain(text)}`);
  }
  if (failure.holds.actions > 0)
    output.line(
      `  holds up ${countText(failure.holds.actions, "action")}: ${failure.holds.first.slice(0, 5).join(", ")}${
        failure.holds.actions > 5 ? " …" : ""
      }${failure.holds.released > 0 ? `; ${failure.holds.released} of what is to be released` : ""}`,
    );
}

/** Rules of the node's owner that cannot be read. */
export function warn({ output }: Context, { faults }: Pick<AutopsyView, "faults">): void {
  for (const fault of faults) output.note(output.tone("note", `a file of rules is left out: ${fault}`));
}
