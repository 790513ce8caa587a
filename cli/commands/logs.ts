/** `swarmd logs`: what an action, a build or a node has written, and with --follow what it writes. */
import type { LogRequest } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { Command, Context, Options } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { matchBuild, matchNode, notFound } from "../select.ts";
import { isRecordingName, subjectOf, subjectOptions } from "../subject.ts";

export const logs: Command = {
  name: "logs",
  args: "<build|action|node> [action]",
  description: "Print the output of a build, of one action, or of what a node runs",
  options: [{ flags: "--follow", description: "Go on with what comes" }, ...subjectOptions],
  examples: [
    "logs leveldb",
    "logs leveldb compile/db_impl",
    "logs test/run",
    "logs pc --follow",
    "logs out.swarm test/run",
  ],
  async run(outer, [given, action], options) {
    const { context, word } = await askedOf(outer, given!, options);
    const subject = await meant(context, word, action);
    const interrupt = onInterrupt();
    let last = "";
    let atLineStart = true;
    try {
      for await (const chunk of context.control.logs(
        { subject, follow: options.follow === true },
        interrupt.signal,
      )) {
        if (context.json) {
          context.output.json(chunk);
          continue;
        }
        const origin = `${chunk.action} on ${chunk.node}`;
        if (origin !== last) {
          if (!atLineStart) context.output.raw("\n");
          context.output.note(context.output.tone("faint", `── ${origin}`));
          last = origin;
        }
        context.output.raw(chunk.text);
        atLineStart = chunk.text.endsWith("\n");
      }
    } finally {
      interrupt.release();
    }
    if (!atLineStart && !context.json) context.output.raw("\n");
    if (last === "" && !context.json && !interrupt.signal.aborted) context.output.note("nothing was written");
    return interrupt.signal.aborted ? 130 : 0;
  },
};

/** A recording is asked for its one build. */
async function askedOf(context: Context, word: string, options: Options) {
  if (!isRecordingName(word) && options.root === undefined) return { context, word };
  const subject = await subjectOf(context, word, options);
  return { context: subject.context, word: subject.build.build as string };
}

/** A word is a build first, then a node, then an action of the latest build that has it. */
async function meant(
  context: Context,
  word: string,
  action: string | undefined,
): Promise<LogRequest["subject"]> {
  const builds = await context.control.builds();
  const build = matchBuild(builds, word);
  if (build && action === undefined) return { build: build.build };
  if (build) {
    const names = await actionsOf(context, build.build);
    if (names.includes(action as ActionName)) return { build: build.build, action: action as ActionName };
    throw notFound("action", action!, names, `${build.build} has ${names.slice(0, 5).join(", ")} …`);
  }
  const nodes = await context.control.nodes();
  const names: string[] = [];
  if (action === undefined) {
    const node = matchNode(nodes, word);
    if (node) return { node: node.name };
    for (const { build } of builds.toSorted((a, b) => b.submittedAtMs - a.submittedAtMs).slice(0, 20)) {
      const here = await actionsOf(context, build);
      if (here.includes(word as ActionName)) return { build, action: word as ActionName };
      names.push(...here);
    }
  }
  const known = [
    ...builds.flatMap((one) => [one.build, one.name]),
    ...nodes.map((one) => one.name),
    ...names,
  ];
  const refusal = notFound("build, action or node", word, known, "the builds: swarmd history, swarmd status");
  throw new SwarmError("not-found", refusal.message, { remedy: refusal.remedy });
}

const actionsOf = async (context: Context, build: Parameters<Context["control"]["build"]>[0]) =>
  (await context.control.build(build)).actionViews.map((view) => view.name);
