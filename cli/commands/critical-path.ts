/** `swarmd critical-path BUILD`: what its duration hangs on, what would shorten it most, and when it will end. */
import type { Forecast, PathView } from "../../protocol/explain/paths.ts";
import type { Command, Context } from "../command.ts";
import { subjectOf, subjectOptions } from "../subject.ts";
import { clockText, countText, durationText } from "../units.ts";

const shownMax = 40;
const shortenMax = 5;

export const criticalPath: Command = {
  name: "critical-path",
  args: "<build>",
  description: "Show what a build's duration hangs on, what would shorten it most, and when it will end",
  examples: ["critical-path leveldb", "critical-path leveldb-0123 --json", "critical-path out.swarm"],
  options: subjectOptions,
  async run(outer, [word], options) {
    const {
      context,
      build: { build },
    } = await subjectOf(outer, word!, options);
    const view = await context.control.criticalPath(build);
    if (context.json) context.output.json(view);
    else print(context, view);
    return 0;
  },
};

function print(
  { output }: Context,
  { build, state, fact, plan, shorten, forecast, noForecast, onceFree }: PathView,
): void {
  if (fact.steps.length === 0 && state !== "running") {
    output.line(`${build} (${state}): nothing was run in it to its end`);
    return;
  }
  output.line(
    `${build} (${state}): ${durationText(fact.totalMs)}${state === "running" ? " so far" : ""}: running ${durationText(fact.runMs)}, waiting ${durationText(fact.waitMs)}, fetching ${durationText(fact.fetchMs)}`,
  );
  output.line(
    `by plan, with nodes enough: ${durationText(plan.totalMs)} over ${countText(plan.steps.length, "action")}`,
  );
  if (forecast)
    output.line(
      `ends about ${clockText(forecast.likelyMs).slice(0, 8)}, between ${clockText(forecast.lowMs).slice(0, 8)} and ${clockText(forecast.highMs).slice(0, 8)}: ${leftText(forecast)}`,
    );
  if (noForecast) output.line(`when it ends cannot be said: ${noForecast}`);
  if (onceFree)
    output.line(
      `once it is let go it takes about ${durationText(onceFree.likelyMs)} more, between ${durationText(onceFree.lowMs)} and ${durationText(onceFree.highMs)}: ${leftText(onceFree)}`,
    );
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
  const shown = shorten
    .slice(0, shortenMax)
    .map(({ savesMs, text }) => [durationText(savesMs), text] as const);
  const width = Math.max(0, ...shown.map(([saved]) => saved.length));
  for (const [saved, text] of shown) output.line(`  ${`−${saved}`.padStart(width + 1)}  ${text}`);
}

const leftText = ({ left, unseen }: Forecast): string =>
  `${countText(left, "action")} left${unseen > 0 ? `, ${unseen} of them never seen before` : ""}`;
