/** `swarmd plan SPEC`: what would run, in order, without running it. */
import type { Graph } from "../../protocol/build/graph.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { Command, Context } from "../command.ts";
import { type Unfit, unfitFor } from "../unfit.ts";
import { bytesText, countText, durationText } from "../units.ts";

/** Until something was built nothing is known of it: each action counts alike. */
const estimateMs = 1000;

export const plan: Command = {
  name: "plan",
  args: "<spec>",
  description: "Show what a spec would run, in order, without running it",
  examples: ["plan specs/examples/hello.yaml", "plan build.yaml --json"],
  async run(context, [spec]) {
    const { prepare } = await import("../submission.ts");
    const { planOf } = await import("../../protocol/build/rank.ts");
    const { graph, trouble } = await prepare(context, spec!);
    const steps = planOf(graph, () => estimateMs);
    const bytes = graph.files.reduce((sum, file) => sum + sizeOf(file.digest), 0);
    const toolchains = Object.assign({}, ...graph.actions.map((action) => action.toolchains)) as Record<
      string,
      string
    >;
    const unfit = await unfitOf(context, graph);
    const { output } = context;
    if (context.json) {
      output.json({
        name: graph.name,
        actions: steps.map(({ action, rankMs, dependsOn }) => ({
          name: action.name,
          group: action.group,
          rankMs,
          dependsOn,
          outputs: action.outputs.map((one) => one.path),
        })),
        inputs: { files: graph.files.length, bytes },
        toolchains: trouble ? null : toolchains,
        unfit,
        ...(trouble ? { trouble: { code: trouble.code, message: trouble.message } } : {}),
      });
      return 0;
    }
    output.line(
      `${graph.name}: ${countText(steps.length, "action")}, ${countText(graph.files.length, "input file")} (${bytesText(bytes)}), toolchains ${
        Object.keys(toolchains).join(", ") || "none"
      }`,
    );
    output.line();
    output.table(
      [{ title: "#", right: true }, { title: "ACTION" }, { title: "RANK", right: true }, { title: "AFTER" }],
      steps.map(({ action, rankMs, dependsOn }, i) => [
        String(i + 1),
        action.name,
        durationText(rankMs),
        dependsOn.length <= 3
          ? dependsOn.join(", ")
          : `${dependsOn.slice(0, 2).join(", ")} and ${dependsOn.length - 2} more`,
      ]),
    );
    output.line();
    output.line(
      `rank: the longest chain from there to the end, each action counted as ${durationText(estimateMs)}`,
    );
    for (const { actions, why } of unfit)
      output.line(
        `${output.tone("note", "would wait")}: ${actions[0]}${actions.length > 1 ? ` and ${actions.length - 1} more` : ""}: ${why}`,
      );
    if (trouble) output.line(`${output.tone("note", "toolchains are not resolved")}: ${trouble.message}`);
    return 0;
  },
};

/** Without a daemon nobody knows what the nodes have: then nothing is said of it. */
async function unfitOf(context: Context, graph: Graph): Promise<Unfit[]> {
  if (!graph.actions.some((action) => action.requires)) return [];
  const nodes = await context.control.nodes().catch(() => []);
  return nodes.length === 0 ? [] : unfitFor(graph.actions, nodes);
}
