/** `swarmd fix-blocked [BUILD]`: for each blocked action its cause, the evidence, and the exact command to run. */
import type { BuildSummary } from "../../node/control/api.ts";
import type { AutopsyView, FailureView } from "../../protocol/explain/autopsy.ts";
import type { Command, Context } from "../command.ts";
import { plain } from "../output.ts";
import { selectBuild } from "../select.ts";
import { countText } from "../units.ts";
import { warn } from "./autopsy.ts";

/** Builds that are looked at where none is named. */
const buildsMax = 8;

export const fixBlocked: Command = {
  name: "fix-blocked",
  args: "[build]",
  description: "For each blocked action: its cause, the evidence, and the command to run",
  examples: ["fix-blocked", "fix-blocked leveldb", "fix-blocked leveldb-0123 --json"],
  async run(context, [word]) {
    const { control, output } = context;
    const builds =
      word === undefined ? blockedIn(await control.builds()) : [(await selectBuild(control, word)).build];
    const views: AutopsyView[] = [];
    for (const build of builds) views.push(await control.autopsy(build));
    if (context.json) {
      output.json(views.map(({ build, failures, faults }) => ({ build, blocked: failures, faults })));
      return 0;
    }
    for (const view of views) print(context, view);
    if (views[0]) warn(context, views[0]);
    if (views.every(({ failures }) => failures.length === 0)) output.line("nothing is blocked");
    return 0;
  },
};

/** Live builds in which something is blocked, and of each name the latest where it failed. */
function blockedIn(builds: readonly BuildSummary[]): BuildSummary["build"][] {
  const latest = new Map<string, BuildSummary>();
  for (const build of builds.toSorted((a, b) => b.submittedAtMs - a.submittedAtMs))
    if (!latest.has(build.name)) latest.set(build.name, build);
  return builds
    .filter(
      (build) => build.counts.blocked > 0 || (build.state === "failed" && latest.get(build.name) === build),
    )
    .map(({ build }) => build)
    .slice(0, buildsMax);
}

function print(context: Context, view: AutopsyView): void {
  const { output } = context;
  if (view.failures.length === 0) return;
  output.line(`${view.build} (${view.state}): ${view.text}`);
  // A header that is missing is missing for a hundred actions: it is said once.
  const groups = Map.groupBy(view.failures, ({ text, remedy }) => `${text}\n${remedy}`);
  for (const failures of groups.values()) {
    const [first] = failures as [FailureView];
    const others = failures.length - 1;
    output.line(
      `\n${output.tone("bad", first.action)}${others > 0 ? ` and ${countText(others, "other action")}` : ""}`,
    );
    output.line(`  cause:    ${plain(first.text)}`);
    output.line(`  evidence: ${plain(first.diagnoses[0]?.evidence ?? first.suspects[0]!.evidence[0]!)}`);
    output.line(`  remedy:   ${plain(first.remedy)}`);
    for (const { command, why } of first.commands)
      output.line(`  → ${context.commandLine(command)}   ${output.tone("faint", why)}`);
  }
  output.line();
}
