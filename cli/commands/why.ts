/** `swarmd why BUILD ACTION`: why there, why not sooner, why not from the cache, why again, why it failed. */

import type { WhyView } from "../../protocol/explain/why.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { Command, Context } from "../command.ts";
import { subjectOf, subjectOptions } from "../subject.ts";
import { clockText, durationText } from "../units.ts";

export const why: Command = {
  name: "why",
  args: "<build> <action>",
  description:
    "Say why an action ran where and when it did, why again, why not from the cache, why it failed",
  examples: ["why leveldb compile/db_impl", "why leveldb-0123 test/run --json", "why out.swarm link"],
  options: subjectOptions,
  async run(outer, [word, actionWord], options) {
    const {
      context,
      build: { build },
    } = await subjectOf(outer, word!, options);
    const view = await context.control.why(build, actionWord as ActionName);
    if (context.json) context.output.json(view);
    else print(context, view);
    return 0;
  },
};

function print({ output, commandLine }: Context, view: WhyView): void {
  const { here, waited, cache, again, failed } = view;
  output.line(`${view.action} of ${view.build}: ${view.state}`);
  const heading = (text: string) => output.line(`\n${output.tone("strong", text)}`);
  if (here) {
    heading("why on this node");
    output.line(here.text);
    if (here.view)
      output.line(
        `decided at ${clockText(here.claimedMs)} by ${here.mode}, from view ${here.view.digest} of ${here.view.nodes} ${here.view.nodes === 1 ? "node" : "nodes"}, ${durationText(here.view.ageMs)} old`,
      );
    // Who asked first and was given it was held against nobody.
    if (here.candidates.some(({ score }) => score !== undefined))
      output.table(
        [
          { title: "CANDIDATE" },
          { title: "SCORE", right: true },
          { title: "SLOTS", right: true },
          { title: "HEADROOM", right: true },
          { title: "SPEED", right: true },
          { title: "PARTS" },
        ],
        here.candidates.map((one) => [
          one.chosen ? output.tone("good", one.node) : one.node,
          one.score === undefined ? "below these" : one.score.toFixed(2),
          one.slots === undefined ? "" : String(one.slots),
          one.headroomCelsius === undefined
            ? ""
            : one.headroomCelsius === "unknown"
              ? "no sensor"
              : `${one.headroomCelsius} °C`,
          one.speed === undefined ? "" : one.speed.toFixed(1),
          Object.entries(one.parts ?? {})
            .map(([part, value]) => `${part} ${value.toFixed(2)}`)
            .join(", "),
        ]),
      );
    if (here.others > 0) output.line(`and ${here.others} more`);
  }
  heading(here ? "why not sooner" : view.state === "done" ? "why it did not run" : "why not yet");
  output.line(waited.text);
  for (const { node, why } of waited.unfit) output.line(`  ${node}: ${why}`);
  heading("why not from the cache");
  output.line(cache.from === undefined ? cache.text : `it was: ${cache.text}`);
  if (again.length > 0) heading("why again");
  for (const run of again) output.line(`attempt ${run.attempt} on ${run.node}: ${run.text}`);
  const { differing = [], equal = [] } = view.rebuilt ?? {};
  if (differing.length + equal.length > 0) heading("run again to check it");
  for (const { text } of [...differing, ...equal]) output.line(text);
  for (const { check } of differing.slice(0, 1))
    output.note(`where it differs: ${commandLine(["rebuild-check", check])}`);
  if (failed.length > 0) heading("why it failed");
  for (const failure of failed) output.line(failure.text);
  if (failed.length > 0) output.note(`what it printed: ${commandLine(["logs", view.build, view.action])}`);
}
