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
  options: [{ flags: "--limit <n>", description: `Show at most n (${shownDefault}; with --json all)` }],
  examples: ["history", "history leveldb --limit 5", "history --json"],
  async run(context, [name], options) {
    const text = optionText(options, "limit");
    if (text !== undefined && !/^[1-9][0-9]{0,5}$/.test(text))
      throw new SwarmError("usage", `--limit takes a number, not ${text}`, { remedy: "--limit 50" });
    const ended = (await context.control.builds())
      .filter((build) => build.state !== "running" && build.state !== "paused")
      .filter((build) => name === undefined || build.name === name)
      .toSorted((a, b) => b.submittedAtMs - a.submittedAtMs || byText(a.build, b.build));
    const { output } = context;
    // Scripts get what there is: rows left out in silence would be taken for builds that never were.
    const limit = text === undefined ? (context.json ? ended.length : shownDefault) : Number(text);
    const shown = ended.slice(0, limit);
    if (context.json) output.json(shown);
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
        shown.map((build) => [
          build.build,
          output.tone(build.state === "complete" ? "good" : "bad", build.state),
          momentText(build.submittedAtMs),
          build.submitter,
          `${build.counts.done}/${build.actions}`,
          durationText(build.wallMs),
        ]),
      );
    if (!context.json && shown.length < ended.length && text === undefined) {
      const all = ["history", ...(name === undefined ? [] : [name]), "--limit", String(ended.length)];
      output.note(`${ended.length - shown.length} earlier ones: ${context.commandLine(all)}`);
    }
    return 0;
  },
};
