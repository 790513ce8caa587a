/** What a command is about: a build that the daemon knows, or a recording of one in a file, which answers by itself. */
import { statSync } from "node:fs";
import type { BuildSummary, Control } from "../node/control/api.ts";
import type { Recording } from "../node/recording/recording.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type CommandOption, type Context, type Options, optionText } from "./command.ts";
import { selectBuild } from "./select.ts";

/** For commands that take a recording in place of a build. */
export const subjectOptions: readonly CommandOption[] = [
  {
    flags: "--root <id>",
    description: "Of a recording: the root key, or the id, of the swarm it must come from",
  },
];

/** What may be asked of either. */
const readings = new Set(["logs", "why", "autopsy", "critical-path", "replay", "timeline", "open", "export"]);

export interface Subject {
  /** Asks whoever knows the build. */
  readonly context: Context;
  readonly build: BuildSummary;
  /** The file, where it is one. */
  readonly recording?: Recording;
}

/** Whether a word names a recording: it ends in `.swarm`, or is a path to a file that is there. */
export const isRecordingName = (word: string): boolean =>
  word.endsWith(".swarm") ||
  (word.includes("/") && statSync(word, { throwIfNoEntry: false })?.isFile() === true);

/** Throws as `selectBuild`, and for a file as `Recording.open`. Whose word a recording is, is said beside the answer. */
export async function subjectOf(context: Context, word: string, options: Options): Promise<Subject> {
  const root = optionText(options, "root");
  if (!isRecordingName(word)) {
    if (root !== undefined)
      throw new SwarmError("usage", `--root is about recordings, and ${word} is none`, {
        remedy: "make one: swarmd export BUILD out.swarm",
      });
    return { context, build: await selectBuild(context.control, word) };
  }
  // The whole core, which who asks a daemon needs nothing of.
  const { Recording } = await import("../node/recording/recording.ts");
  const { sealedText, viewsOf } = await import("../node/recording/views.ts");
  const recording = await Recording.open(word, root === undefined ? {} : { root });
  context.output.note(context.output.tone("faint", sealedText(recording)));
  // It refuses by itself what a file cannot answer.
  const control = viewsOf(recording) as Control;
  const build = (await control.builds()).find((one) => one.build === recording.build)!;
  const commandLine = (args: readonly string[]) =>
    context.commandLine(
      readings.has(args[0]!) ? args.map((arg) => (arg === build.build ? word : arg)) : args,
    );
  return { context: { ...context, control, commandLine }, build, recording };
}
