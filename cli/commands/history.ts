/** `swarmd history`: builds that have ended, the latest first. */

import { SwarmError } from "../../protocol/kernel/errors.ts";
import { byText } from "../../protocol/kernel/ids.ts";
import { type Command, optionText } from "../command.ts";
import { durationText, momentText } from "../units.ts";

const shownDefault = 20;

export const history: Command = {
  name: "history",
  args: "[name]",
  description: "List builds that have ended, the latest first",
  options: [{ flags: "--limit <n>", description: `Show at most n (${shownDefault})` }],
  examples: ["history", "history leveldb --limit 5", "history --json"],
  async run(context, [name], options) {
    const text = optionText(options, "limit") ?? String(shownDefault);
    if (!/^[1-9][0-9]{0,5}$/.test(text))
      throw new SwarmError("usage", `--limit takes a number, not ${text}`, { remedy: "--limit 50" });
    const ended = (await context.control.builds())
      .filter((build) => build.state !== "running" && build.state !== "paused")
      .filter((build) => name === undefined || build.name === name)
      .toSorted((a, b) => b.submittedAtMs - a.submittedAtMs || byText(a.build, b.build))
      .slice(0, Number(text));
    const { output } = context;
    if (context.json) output.json(ended);
    else if (ended.length === 0)
      output.line(name === undefined ? "no build has ended yet" : `no build of ${name} has ended yet`);
    else
      output.table(
        [
          { title: "BUILD" },
          { title: "STATE" },
          { title: "SUBMITTED" },
          { title: "BY" },
          { title: "DONE", right: true },
          { title: "TIME", right: true },
        ],
        ended.map((build) => [
          build.build,
          output.tone(build.state === "complete" ? "good" : "bad", build.state),
          momentText(build.submittedAtMs),
          build.submitter,
          `${build.counts.done}/${build.actions}`,
          durationText(build.wallMs),
        ]),
      );
    return 0;
  },
};
