/** `swarmd critical-path BUILD`: what its duration hangs on, what would shorten it most, and when it will end. */
import type { PathView } from "../../protocol/explain/paths.ts";
import type { Command, Context } from "../command.ts";
import { selectBuild } from "../select.ts";
import { clockText, countText, durationText } from "../units.ts";

const shownMax = 40;
const shortenMax = 5;

export const criticalPath: Command = {
  name: "critical-path",
  args: "<build>",
  description: "Show what a build's duration hangs on, what would shorten it most, and when it will end",
  examples: ["critical-path leveldb", "critical-path leveldb-0123 --json"],
  async run(context, [word]) {
    const { build } = await selectBuild(context.control, word!);
    const view = await context.control.criticalPath(build);
    if (context.json) context.output.json(view);
    else print(context, view);
    return 0;
  },
};

function print(
  { output }: Context,
  { build, state, fact, plan, shorten, forecast, noForecast }: PathView,
): void {
  output.line(
    `${build} (${state}): ${durationText(fact.totalMs)}${state === "running" ? " so far" : ""}: running ${durationText(fact.runMs)}, waiting ${durationText(fact.waitMs)}, fetching ${durationText(fact.fetchMs)}`,
  );
  output.line(
    `by plan, with nodes enough: ${durationText(plan.totalMs)} over ${countText(plan.steps.length, "action")}`,
  );
  if (forecast)
    output.line(
      `ends about ${clockText(forecast.likelyMs).slice(0, 8)}, between ${clockText(forecast.lowMs).slice(0, 8)} and ${clockText(forecast.highMs).slice(0, 8)}: ${countText(forecast.left, "action")} left${
        forecast.unseen > 0 ? `, ${forecast.unseen} of them never seen before` : ""
      }`,
    );
  if (noForecast) output.line(`when it ends cannot be said: ${noForecast}`);
  if (fact.steps.length > 0) {
    output.line();
    output.table(
      [
        { title: "ACTION" },
        { title: "NODE" },
        { title: "AT", right: true },
        { title: "WAIT", right: true },
        { title: "FETCH", right: true },
        { title: "RUN", right: true },
        { title: "SLACK", right: true },
      ],
      fact.steps
        .slice(-shownMax)
        .map((step) => [
          step.action,
          step.node,
          durationText(step.startMs),
          durationText(step.waitMs),
          durationText(step.fetchMs),
          durationText(step.runMs),
          durationText(step.slackMs),
        ]),
    );
    if (fact.steps.length > shownMax) output.note(`${fact.steps.length - shownMax} earlier steps: --json`);
  }
  if (shorten.length > 0) output.line(`\n${output.tone("strong", "what would shorten it most")}`);
  for (const { savesMs, text } of shorten.slice(0, shortenMax))
    output.line(`  −${durationText(savesMs)}  ${text}`);
}
