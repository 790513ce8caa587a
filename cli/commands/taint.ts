/** `swarmd taint --node N --since T`: what a node made since then counts no more, nor what was made of it; without a node: what is tainted, and what holds it. */
import type { TaintsView } from "../../node/control/publishing.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { confirm } from "../confirm.ts";
import { selectNode } from "../select.ts";
import { sinceOf } from "../since.ts";
import { countText, momentText } from "../units.ts";

export const taint: Command = {
  name: "taint",
  description:
    "Say that what a node made since a moment counts no more, nor what was made of it; list what holds it",
  options: [
    { flags: "--node <node>", description: "Whose makings; without it what is tainted is listed" },
    { flags: "--since <time>", description: "2h, 3d, or 2030-01-31T20:00 (local time)" },
    { flags: "--reason <text>", description: "Why, for those who ask later" },
    { flags: "--yes", description: "Do not ask" },
  ],
  examples: [
    "taint --node pc --since 2d",
    'taint --node pc --since 2026-01-31T20:00 --reason "bad memory" --yes',
    "taint",
    "taint --json",
  ],
  async run(context, _, options) {
    const { control } = context;
    const word = optionText(options, "node");
    const since = optionText(options, "since");
    if (word === undefined) {
      if (since !== undefined)
        throw new SwarmError("usage", "taint takes --node and --since together", {
          remedy: "swarmd taint --node NODE --since 2d",
        });
      return show(context, await control.taints());
    }
    const sinceMs = sinceOf(options);
    if (sinceMs === undefined)
      throw new SwarmError("usage", "taint --node takes --since too", {
        remedy: "--since 2h, --since 3d or --since 2030-01-31T20:00",
      });
    if (sinceMs > Date.now())
      throw new SwarmError("usage", `${since} is yet to come`, { remedy: "name a moment that is past" });
    const { name, peerId: peer } = selectNode(await control.nodes(), word);
    const reason = optionText(options, "reason");
    const question = `What ${name} made since ${momentText(sinceMs)} would count no more, for good. Go on?`;
    const again = ["taint", "--node", name, "--since", since!, "--yes"];
    if (options.yes !== true && !(await confirm(context, question, again))) {
      context.output.note("nothing was changed");
      return 0;
    }
    const view = await control.taint({ peer, sinceMs, ...(reason ? { reason } : {}) });
    if (!context.json) context.output.line(`what ${name} made since ${momentText(sinceMs)} counts no more`);
    const code = show(context, view);
    if (!context.json)
      context.output.note(
        `what ${name} makes after its daemon starts anew counts again; to stop it: ${context.commandLine(["drain", name])}`,
      );
    return code;
  },
};

function show(context: Context, view: TaintsView): number {
  const { output, json } = context;
  if (json) {
    output.json(view);
    return 0;
  }
  if (view.taints.length === 0) {
    output.line("nothing is tainted");
    return 0;
  }
  for (const { node, sinceMs, by, reason } of view.taints)
    output.line(
      `${node}: since ${momentText(sinceMs)}, by the word of ${by}${reason === undefined ? "" : `: ${reason}`}`,
    );
  const rows = [
    ...view.epochs.map((e) => [
      `epoch ${e.epoch} of ${e.channel}${e.current ? ", the current one" : ""}`,
      named(e.paths, e.count, "file"),
    ]),
    ...view.staged.map((s) => [`staged for ${s.channel}: ${s.build}`, named(s.paths, s.count, "file")]),
    ...view.builds.map((b) => [b.build, named(b.actions, b.count, "action")]),
  ];
  if (rows.length === 0) output.line("nothing that is known holds any of it");
  else output.table([{ title: "HELD BY" }, { title: "WHAT" }], rows);
  for (const name of view.unread) output.note(`${name} cannot be read here, so it may hold some too`);
  const current = view.epochs.filter((e) => e.current);
  for (const { channel } of current) {
    const clean = cleanBefore(view, channel);
    output.note(
      `go back to what is sound: ${context.commandLine(clean === undefined ? ["releases", "list", "--channel", channel] : ["rollback", String(clean), "--channel", channel])}`,
    );
  }
  for (const { build, channel } of view.staged)
    output.note(
      `build it again, or leave it out: ${context.commandLine(["staging", "drop", build, "--channel", channel, "--reason", "tainted"])}`,
    );
  return 0;
}

const named = (names: readonly string[], count: number, what: string): string =>
  `${countText(count, what)}: ${names.slice(0, 3).join(", ")}${count > 3 ? " …" : ""}`;

/** The last epoch of a channel that holds none of it, as far as the list goes back; undefined when there is none. */
function cleanBefore({ epochs }: TaintsView, channel: string): number | undefined {
  const held = new Set(epochs.filter((e) => e.channel === channel).map(({ epoch }) => epoch));
  for (let epoch = Math.max(0, ...held) - 1; epoch > 0; epoch--) if (!held.has(epoch)) return epoch;
  return undefined;
}
