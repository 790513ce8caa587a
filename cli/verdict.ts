/** How a build ended, in words: the counts, who did what, and for what failed the end of its error output. */
import type { ActionView, BuildResult, BuildView } from "../node/control/api.ts";
import { sizeOf } from "../protocol/kernel/digest.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import type { Context } from "./command.ts";
import { plain } from "./output.ts";
import { durationText } from "./units.ts";

const tailLinesMax = 20;
const tailBytesMax = 16 << 10;
const failuresMax = 5;
const divergentShown = 5;

/** Prints the verdict and answers with the exit code: 0 only for a complete build. */
export async function pronounce(context: Context, result: BuildResult): Promise<number> {
  const code = result.state === "complete" ? 0 : 1;
  if (context.json) {
    context.output.json(ordered(result));
    return code;
  }
  const { output } = context;
  const nodes = Object.entries(result.byNode).map(([node, count]) => `${node} ${count}`);
  const parts = [
    `${result.executed} executed${nodes.length > 0 ? ` (${nodes.join(", ")})` : ""}`,
    `${result.cached} from the cache`,
  ];
  if (result.failed > 0) parts.push(`${result.failed} failed`);
  if (result.blocked > 0) parts.push(`${result.blocked} blocked`);
  if (result.duplicated > 0) parts.push(`${result.duplicated} run twice`);
  if (result.divergent.length > 0) parts.push(`${result.divergent.length} divergent`);
  output.line(
    `${result.build} ${output.tone(code === 0 ? "good" : "bad", result.state)} in ${durationText(result.wallMs)}: ${
      result.actions
    } actions, ${parts.join(", ")}`,
  );
  for (const { action, results } of result.divergent.slice(0, divergentShown)) {
    const sides = results.map(
      ({ nodes: by, outputs }) =>
        `${by.join(" and ")} made ${outputs ? outputs.map((o) => o.digest.slice(0, 12)).join(" ") || "nothing" : "another, in another build"}`,
    );
    output.line(`${output.tone("bad", "divergent")} ${plain(`${action}: ${sides.join("; ")}`)}`);
  }
  if (result.state === "failed") await showFailures(context, await context.control.build(result.build));
  if (result.state === "complete") output.line(`results: ${context.commandLine(["fetch", result.build])}`);
  return code;
}

/** In the order of the interface, whatever the daemon's was. */
const ordered = (result: BuildResult): BuildResult => ({
  build: result.build,
  state: result.state,
  actions: result.actions,
  executed: result.executed,
  cached: result.cached,
  failed: result.failed,
  blocked: result.blocked,
  duplicated: result.duplicated,
  divergent: result.divergent,
  wallMs: result.wallMs,
  byNode: result.byNode,
});

async function showFailures(context: Context, view: BuildView) {
  const { output } = context;
  const failed = view.actionViews.filter((action) => action.state === "blocked");
  for (const action of failed.slice(0, failuresMax)) {
    const last = lastFailure(action);
    output.line();
    output.line(
      `${output.tone("bad", action.name)} ${last ? `failed on ${last.node}: ${plain(last.reason ?? "no reason given")}` : "is blocked"}`,
    );
    for (const line of await tailOf(context, last?.stderr)) output.line(`  ${line}`);
    output.line(`  more: ${context.commandLine(["logs", view.build, action.name])}`);
  }
  if (failed.length > failuresMax) output.line(`\nand ${failed.length - failuresMax} more failed`);
  const held = view.actionViews.filter((action) => action.state === "held").length;
  if (held > 0) output.line(`\n${held} held behind ${failed.length === 1 ? "it" : "them"}`);
  output.line(`\nonce the cause is gone: ${context.commandLine(["retry", view.build])}`);
}

const lastFailure = (action: ActionView) =>
  action.attempts.findLast((attempt) => attempt.state === "failed") ?? action.attempts.at(-1);

/** The last lines of a log; none when it cannot be had, for it is only a help. */
async function tailOf(context: Context, log: Digest | undefined): Promise<string[]> {
  if (log === undefined) return [];
  let tail = Buffer.alloc(0);
  try {
    for await (const bytes of context.control.getBlob(log))
      tail = Buffer.concat([tail, bytes]).subarray(-tailBytesMax);
  } catch {
    return ["(its error output cannot be had now)"];
  }
  const lines = plain(tail.toString("utf8")).trimEnd().split("\n");
  if (sizeOf(log) > tail.length) lines.shift();
  return lines.slice(-tailLinesMax);
}
