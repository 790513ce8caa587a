/** `swarmd preview BUILD`: what the scheduler would choose next, where, when and why, before it does. */
import type { ChoiceView, PreviewView } from "../../node/control/debugging.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { selectBuild, selectLive } from "../select.ts";
import { countText, durationText } from "../units.ts";
import { countOf } from "./step.ts";

const candidatesShown = 5;
const waitsShown = 20;

export const preview: Command = {
  name: "preview",
  args: "[build]",
  description: "Show what the scheduler would choose next: action, node, when, and how the nodes compare",
  options: [
    { flags: "--count <n>", description: "Choices at most (10)" },
    { flags: "--record", description: "Write it down in the build's timeline" },
    { flags: "--reason <text>", description: "With --record: why" },
  ],
  examples: ["preview leveldb", "preview leveldb --count 3", "preview leveldb --record --json"],
  async run(context, [word], options) {
    const count = countOf(optionText(options, "count"));
    const reason = optionText(options, "reason");
    const record = options.record === true;
    if (reason !== undefined && !record)
      throw new SwarmError("usage", "--reason goes with --record: what is only shown has none");
    const { build } =
      word === undefined
        ? await selectLive(context, () => true, "previewed")
        : await selectBuild(context.control, word);
    const counted = count === undefined ? {} : { count };
    const view = await context.control.preview(build, counted);
    if (record)
      await context.control.debug(
        build,
        { op: "record", ...counted },
        reason === undefined ? {} : { reason: reason.slice(0, 250) },
      );
    if (context.json) context.output.json({ ...view, ...(record ? { recorded: true } : {}) });
    else print(context, view);
    if (record && !context.json)
      context.output.note(
        `written down: ${context.commandLine(["timeline", "--build", build, "--kind", "preview"])}`,
      );
    return 0;
  },
};

function print({ output, commandLine }: Context, view: PreviewView): void {
  const { choices, waits, more } = view;
  output.line(
    `${view.build}: ${view.state}${view.state === "paused" ? "; what would be chosen, were it resumed" : ""} (mode ${view.mode})`,
  );
  if (choices.length === 0) output.line("nothing would be chosen now");
  else
    output.table(
      [
        { title: "ACTION" },
        { title: "NODE" },
        { title: "BEGINS", right: true },
        { title: "ENDS", right: true },
        { title: "" },
      ],
      choices.map((choice) => [
        choice.action,
        choice.node,
        choice.startMs <= 0 ? "now" : `in ${durationText(choice.startMs)}`,
        `in ${durationText(choice.endMs)}`,
        noteOf(choice),
      ]),
    );
  for (const { action, candidates, unfit } of choices) {
    output.line(`\n${output.tone("strong", action)}`);
    for (const { node, score, parts, chosen } of candidates.slice(0, candidatesShown)) {
      const named = Object.entries(parts)
        .filter(([, value]) => value !== 0)
        .map(([part, value]) => `${part} ${value.toFixed(2)}`);
      output.line(
        `  ${chosen ? output.tone("good", node) : node} ${score.toFixed(2)}${named.length > 0 ? ` (${named.join(", ")})` : ""}`,
      );
    }
    if (candidates.length > candidatesShown)
      output.line(`  and ${candidates.length - candidatesShown} more that may have it`);
    for (const { node, why } of unfit.slice(0, candidatesShown)) output.line(`  ${node} ${why}`);
  }
  if (waits.length > 0) output.line(`\n${output.tone("strong", "what waits")}`);
  for (const { action, why, command } of waits.slice(0, waitsShown))
    output.line(`  ${action}: ${why}${command ? `: ${commandLine(command)}` : ""}`);
  const left = more + Math.max(0, waits.length - waitsShown);
  if (left > 0) output.line(`  and ${countText(left, "action")} more`);
}

const noteOf = ({ held, placed, waitsFor, sure }: ChoiceView): string =>
  [
    ...(waitsFor.length > 0
      ? [`after ${waitsFor.slice(0, 2).join(", ")}${waitsFor.length > 2 ? " …" : ""}`]
      : []),
    ...(held === "pause"
      ? ["once it is resumed"]
      : held === "failure"
        ? ["once the failure is answered"]
        : []),
    ...(placed ? [`placed by ${placed.by}${placed.reason ? ` (${placed.reason})` : ""}`] : []),
    ...(sure ? [] : ["likeliest"]),
  ].join(", ");
