/** `swarmd stats`: runs, failures and durations, per kind of action, node or package. */
import { statisticsBy } from "../../node/control/data.ts";
import { choiceOf } from "../choice.ts";
import { type Command, optionText } from "../command.ts";
import { plain } from "../output.ts";
import { sinceOf } from "../since.ts";
import { bytesText, durationText, momentText } from "../units.ts";

export const stats: Command = {
  name: "stats",
  description: "Count runs, failures and durations, per kind of action, node or package",
  options: [
    { flags: "--by <what>", description: "kind, node or package (kind)" },
    { flags: "--since <time>", description: "Only runs that ended since: 30m, 7d, 2030-01-31" },
  ],
  examples: ["stats", "stats --by node --since 7d", "stats --by package --json"],
  async run(context, _, options) {
    const { output } = context;
    const by = choiceOf("--by", optionText(options, "by") ?? "kind", statisticsBy);
    const sinceMs = sinceOf(options);
    const view = await context.control.statistics({ by, ...(sinceMs === undefined ? {} : { sinceMs }) });
    if (context.json) output.json(view);
    else if (view.items.length === 0) output.note("nothing has run that is known here");
    else
      output.table(
        [
          { title: by.toUpperCase() },
          { title: "RUNS", right: true },
          { title: "FAILED", right: true },
          { title: "CACHED", right: true },
          { title: "P50", right: true },
          { title: "P95", right: true },
          { title: "CPU", right: true },
          { title: "FETCHED", right: true },
          { title: "LAST" },
        ],
        view.items.map((one) => [
          plain(one.name),
          String(one.runs),
          one.failed === 0
            ? "0"
            : output.tone("bad", `${one.failed} (${Math.round(one.failureRate * 100)} %)`),
          String(one.cached),
          one.p50Ms === null ? "" : durationText(one.p50Ms),
          one.p95Ms === null ? "" : durationText(one.p95Ms),
          durationText(one.cpuMs),
          bytesText(one.fetchedBytes),
          one.lastMs === null ? "" : momentText(one.lastMs),
        ]),
      );
    return 0;
  },
};
