/** `swarmd queue list` and `swarmd queue add SPEC`: the builds that wait for their turn. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { notFound } from "../select.ts";
import { priorityOf, priorityOption } from "./submit.ts";

export const queue: Command = {
  name: "queue",
  args: "<list|add> [spec]",
  description: "List the builds in the order of their turn, or add one without following it",
  options: [priorityOption],
  examples: ["queue list", "queue list --json", "queue add build.yaml", "queue add build.yaml --priority 10"],
  async run(context, [what, spec], options) {
    if (what === "list" && spec === undefined) return list(context);
    if (what === "add" && spec !== undefined) return add(context, spec, priorityOf(options));
    if (what === "list")
      throw new SwarmError("usage", "queue list takes no spec", { remedy: "queue add SPEC" });
    if (what === "add")
      throw new SwarmError("usage", "queue add takes a spec", { remedy: "swarmd queue add SPEC" });
    const refusal = notFound(
      "command",
      `queue ${what}`,
      ["queue list", "queue add"],
      "queue list, queue add SPEC",
    );
    throw new SwarmError("usage", refusal.message, { remedy: refusal.remedy });
  },
};

async function list(context: Context): Promise<number> {
  const builds = await context.control.queue();
  const { output } = context;
  if (context.json) output.json(builds);
  else if (builds.length === 0) output.line("no build waits or runs");
  else
    output.table(
      [
        { title: "#", right: true },
        { title: "BUILD" },
        { title: "STATE" },
        { title: "PRIORITY", right: true },
        { title: "BY" },
        { title: "DONE", right: true },
        { title: "READY", right: true },
        { title: "RUNNING", right: true },
        { title: "BLOCKED", right: true },
        { title: "SHARE", right: true },
      ],
      builds.map((one) => [
        String(one.place),
        one.build,
        output.tone(one.state === "paused" ? "note" : "good", one.state),
        `${one.priority}${one.gained > 0 ? `+${one.gained}` : ""}`,
        one.submitter,
        `${one.counts.done}/${one.actions}`,
        String(one.counts.ready),
        String(one.counts.claimed + one.counts.running),
        String(one.counts.blocked + one.counts.held),
        `${Math.round(one.share * 100)} %`,
      ]),
    );
  return 0;
}

async function add(context: Context, spec: string, priority: number | undefined): Promise<number> {
  const { prepare, submit } = await import("../submission.ts");
  const build = await submit(
    context,
    await prepare(context, spec),
    priority === undefined ? {} : { priority },
  );
  const builds = await context.control.queue();
  const place = builds.find((one) => one.build === build)?.place;
  if (context.json) context.output.json({ ok: true, build, place: place ?? null, of: builds.length });
  else {
    context.output.line(
      place === undefined
        ? `${build} has ended already`
        : `${build} is ${place} of ${builds.length} in the queue`,
    );
    context.output.note(`follow it: ${context.commandLine(["watch", build])}`);
  }
  return 0;
}
