/** `swarmd plan SPEC`: what would run, in order, without running it. */
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { ToolChoice } from "../../protocol/work/tooling.ts";
import type { Command } from "../command.ts";
import { offerWords } from "../toolchains.ts";
import { unfitOf, unfitText } from "../unfit.ts";
import { bytesText, countText, durationText } from "../units.ts";
import { setOption, valuesOf } from "./submit.ts";

/** Until something was built nothing is known of it: each action counts alike. */
const estimateMs = 1000;
/** Shown of what a toolchain could have been too; --json has them all. */
const othersMax = 3;
/** Lines shown of a long list, unless all are asked for. */
const linesMax = 200;

export const plan: Command = {
  name: "plan",
  args: "<spec>",
  description: "Show what a spec would run, in order, without running it",
  options: [{ flags: "--all", description: `All actions, not the first ${linesMax} alone` }, setOption],
  examples: [
    "plan specs/examples/hello.yaml",
    "plan build.yaml --set mode=debug",
    "plan build.yaml --all --json",
  ],
  async run(context, [spec], options) {
    const { prepare } = await import("../submission.ts");
    const { planOf } = await import("../../protocol/build/rank.ts");
    const { graph, tools, trouble, leftOut, priority, dispose } = await prepare(
      context,
      spec!,
      valuesOf(options),
    );
    dispose();
    const steps = planOf(graph, () => estimateMs);
    const bytes = graph.files.reduce((sum, file) => sum + sizeOf(file.digest), 0);
    const names = new Set(graph.actions.flatMap((action) => Object.keys(action.toolchains)));
    const unfit = await unfitOf(context, graph, tools !== undefined);
    const { output } = context;
    const most = options.all ? Number.POSITIVE_INFINITY : linesMax;
    if (context.json) {
      output.json({
        name: graph.name,
        priority,
        count: steps.length,
        actions: steps.slice(0, most).map(({ action, rankMs, dependsOn }) => ({
          name: action.name,
          group: action.group,
          rankMs,
          dependsOn,
          outputs: action.outputs.map((one) => one.path),
          ...(action.requires ? { requires: action.requires } : {}),
          ...(action.priority ? { priority: action.priority } : {}),
        })),
        leftOut: leftOut.slice(0, most).map(({ name, why }) => ({ name, why })),
        inputs: { files: graph.files.length, bytes },
        toolchains: tools?.fingerprints ?? null,
        choices: tools?.choices ?? null,
        unfit,
        ...(trouble
          ? { trouble: { code: trouble.code, message: trouble.message, remedy: trouble.remedy } }
          : {}),
      });
      return 0;
    }
    output.line(
      `${graph.name}: ${countText(steps.length, "action")}, ${countText(graph.files.length, "input file")} (${bytesText(bytes)}), toolchains ${
        [...names].join(", ") || "none"
      }`,
    );
    output.line();
    output.table(
      [{ title: "#", right: true }, { title: "ACTION" }, { title: "RANK", right: true }, { title: "AFTER" }],
      steps
        .slice(0, most)
        .map(({ action, rankMs, dependsOn }, i) => [
          String(i + 1),
          action.name,
          durationText(rankMs),
          dependsOn.length <= 3
            ? dependsOn.join(", ")
            : `${dependsOn.slice(0, 2).join(", ")} and ${dependsOn.length - 2} more`,
        ]),
    );
    if (steps.length > most) output.line(`and ${steps.length - most} more (--all shows them)`);
    for (const { name, why } of leftOut.slice(0, most))
      output.line(`${output.tone("note", "left out")}: ${name}: ${why}`);
    if (leftOut.length > most) output.line(`and ${leftOut.length - most} more left out`);
    output.line();
    output.line(
      `rank: the longest chain from there to the end, each action counted as ${durationText(estimateMs)}`,
    );
    if (tools) for (const line of choiceLines(tools.choices)) output.line(line);
    for (const one of unfit) output.line(`${output.tone("note", "would wait")}: ${unfitText(one)}`);
    if (trouble) {
      output.line(
        `${output.tone("note", trouble.code === "daemon-unreachable" ? "not asked" : "toolchains are not resolved")}: ${trouble.message}`,
      );
      if (trouble.remedy !== undefined && trouble.code === "no-eligible-node")
        output.line(`→ ${trouble.remedy}`);
    }
    return 0;
  },
};

/** What each toolchain was resolved to, who has it, and what was passed over. */
function choiceLines(choices: readonly ToolChoice[]): string[] {
  return choices.flatMap(({ demand, fingerprint, nodes, slots, others }) => {
    const name = demand.split(" ")[0]!;
    const first = `toolchain ${demand}: ${offerWords(name, fingerprint)} on ${nodes.join(", ")} (${countText(slots, "slot")})`;
    return [
      first,
      ...others
        .slice(0, othersMax)
        .map(
          (o) =>
            `  passed over: ${offerWords(name, o.fingerprint)} on ${o.nodes.join(", ")} (${countText(o.slots, "slot")}): ${o.why}`,
        ),
    ];
  });
}
