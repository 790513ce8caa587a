/** `swarmd timeline`: what all members said, the latest last, and with --follow what they say. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, type Options, optionList, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { matchNode, selectBuild } from "../select.ts";
import { sinceOf } from "../since.ts";
import { isRecordingName, type Subject, subjectOf, subjectOptions } from "../subject.ts";
import { clockText, dayText } from "../units.ts";

const shownDefault = 200;

export const timeline: Command = {
  name: "timeline",
  args: "[file]",
  description: "Print what all members said, merged: the latest last",
  options: [
    { flags: "--build <build>", description: "Of this build alone" },
    { flags: "--node <node>", description: "What this node said" },
    {
      flags: "--kind <kinds>",
      description:
        "Kinds of events, or families of them: node, pipeline, schedule_decision, failure_propagation, debugger_preview",
    },
    { flags: "--since <time>", description: "Not what is older: 30m, 7d, 2030-01-31, 2030-01-31T09:05" },
    { flags: "--limit <n>", description: `The last n lines (${shownDefault}; with --json all)` },
    { flags: "--follow", description: "Go on with what comes" },
    ...subjectOptions,
  ],
  examples: [
    "timeline",
    "timeline --build leveldb --kind failure_propagation",
    "timeline --node pc --since 2h",
    "timeline --kind claim,done --follow",
    "timeline --kind release --since 7d --json",
    "timeline out.swarm --kind claim",
  ],
  async run(outer, [file], options) {
    const { context } = file === undefined ? { context: outer } : await recordingOf(outer, file, options);
    const { control, output } = context;
    const word = optionText(options, "build");
    const nodeWord = optionText(options, "node");
    const build = word === undefined ? undefined : (await selectBuild(control, word)).build;
    const node =
      nodeWord === undefined ? undefined : (matchNode(await control.nodes(), nodeWord)?.peerId ?? nodeWord);
    const sinceMs = sinceOf(options);
    const limit = limitOf(options) ?? (context.json ? undefined : shownDefault);
    const kinds = optionList(options, "kind");
    const interrupt = onInterrupt();
    let lines = 0;
    let day = "";
    try {
      for await (const line of control.timeline(
        {
          ...(build === undefined ? {} : { build }),
          ...(node === undefined ? {} : { node }),
          ...(kinds === undefined ? {} : { kinds }),
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(limit === undefined ? {} : { limit }),
          follow: options.follow === true && file === undefined,
        },
        interrupt.signal,
      )) {
        lines++;
        if (context.json) {
          output.json(line);
          continue;
        }
        const today = dayText(line.atMs);
        if (today !== day) output.line(output.tone("faint", `── ${today}`));
        day = today;
        const about = line.build === undefined || build !== undefined ? "" : `${line.build}  `;
        const text = line.counts === false ? `${line.text} (does not count)` : line.text;
        output.line(
          `${clockText(line.atMs)}  ${line.node.padEnd(10)}  ${output.tone(
            line.family === "failure_propagation" ? "bad" : "faint",
            line.kind.padEnd(16),
          )}  ${about}${text}`,
        );
      }
    } finally {
      interrupt.release();
    }
    if (lines === 0 && !context.json && !interrupt.signal.aborted) output.note("nothing was said that fits");
    return interrupt.signal.aborted ? 130 : 0;
  },
};

/** Throws `usage` for a word that names no recording. */
async function recordingOf(context: Context, word: string, options: Options): Promise<Subject> {
  if (isRecordingName(word)) return subjectOf(context, word, options);
  throw new SwarmError("usage", `${word} is no recording`, {
    remedy: `of one build: ${context.commandLine(["timeline", "--build", word])}`,
  });
}

function limitOf(options: Options): number | undefined {
  const text = optionText(options, "limit");
  if (text !== undefined && !/^([1-9][0-9]{0,4}|100000)$/.test(text))
    throw new SwarmError("usage", `--limit takes a number up to 100000, not ${text}`, {
      remedy: "--limit 50",
    });
  return text === undefined ? undefined : Number(text);
}
