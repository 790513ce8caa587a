/** `swarmd node list`, `node show NAME`, `node reach`: the machines of the swarm. */
import type { NodeView } from "../../node/control/api.ts";
import { targetsOf } from "../../protocol/build/toolchain.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { clockText, nodeColumns, nodeRow } from "../node-table.ts";
import { printReach } from "../reach-table.ts";
import { notFound, selectNode } from "../select.ts";
import { toolsText } from "../toolchains.ts";
import { bytesText, durationText } from "../units.ts";

export const node: Command = {
  name: "node",
  args: "<list|show|reach> [name]",
  description: "List the nodes of the swarm, show one, or who reaches whom",
  examples: ["node list", "node list --json", "node show pc", "node reach"],
  async run(context, [what, word]) {
    if (what === "list" && word === undefined) return list(context);
    if (what === "show") {
      if (word === undefined)
        throw new SwarmError("usage", "node show takes the name of a node", {
          remedy: `the nodes: ${context.commandLine(["node", "list"])}`,
        });
      return show(context, selectNode(await context.control.nodes(), word));
    }
    if (what === "reach" && word === undefined) return reach(context);
    if (what === "list" || what === "reach")
      throw new SwarmError("usage", `node ${what} takes no name`, { remedy: "node show NAME" });
    const refusal = notFound(
      "command",
      `node ${what}`,
      ["node list", "node show", "node reach"],
      "node list, node show NAME, node reach",
    );
    throw new SwarmError("usage", refusal.message, { remedy: refusal.remedy });
  },
};

async function list(context: Context): Promise<number> {
  const nodes = await context.control.nodes();
  if (context.json) {
    context.output.json(nodes);
    return 0;
  }
  context.output.table(
    [...nodeColumns, { title: "POLICY" }, { title: "SANDBOX" }, { title: "VERSION" }, { title: "ADDRESS" }],
    nodes.map((one) => [
      ...nodeRow(context.output, one),
      one.vitals ? policyText(one.vitals) : "-",
      one.vitals?.sandbox ?? "-",
      one.vitals?.version ?? "-",
      one.addresses[0]?.replace(/\/p2p\/[^/]+$/, "") ?? "-",
    ]),
  );
  return 0;
}

async function reach(context: Context): Promise<number> {
  const view = await context.control.reach();
  if (context.json) context.output.json(view);
  else printReach(context.output, view);
  return 0;
}

function show(context: Context, view: NodeView): number {
  const { output } = context;
  if (context.json) {
    output.json(view);
    return 0;
  }
  const { vitals } = view;
  const percent = (n: number) => `${n.toFixed(1)} %`;
  const facts: [string, string][] = [
    ["name", view.name],
    ["peer id", view.peerId],
    ["state", view.state],
    ["roles", view.roles.join(", ")],
    ...view.addresses.map((address): [string, string] => ["address", address]),
  ];
  if (view.clockAheadMs !== undefined) facts.push(["clock", clockText(view)]);
  if (vitals)
    facts.push(
      ["version", vitals.version],
      ["targets", targetsOf(vitals.target, vitals.toolchains).join(", ")],
      ["sandbox", vitals.sandbox],
      [
        "slots",
        `${vitals.running} of ${vitals.slots} running; ${vitals.cores} cores${vitals.limitedBy ? `; ${vitals.limitedBy}` : ""}`,
      ],
      ["policy", policyText(vitals)],
      ["load", vitals.load === "unknown" ? "unknown" : vitals.load.toFixed(2)],
      [
        "pressure",
        vitals.pressurePercent === "unknown"
          ? "unknown"
          : `cpu ${percent(vitals.pressurePercent.cpu)}, memory ${percent(vitals.pressurePercent.memory)}, io ${percent(vitals.pressurePercent.io)}`,
      ],
      [
        "temperature",
        vitals.temperatureCelsius === "unknown"
          ? "unknown"
          : `${vitals.temperatureCelsius.toFixed(1)} °C${vitals.headroomCelsius === "unknown" ? "" : `, ${vitals.headroomCelsius.toFixed(1)} °C below its limit`}`,
      ],
      ["memory", `${bytesText(vitals.memoryFreeBytes)} of ${bytesText(vitals.memoryTotalBytes)} free`],
      ["disk", `${bytesText(vitals.diskFreeBytes)} of ${bytesText(vitals.diskTotalBytes)} free`],
      ["toolchains", toolsText(vitals.toolchains)],
    );
  else facts.push(["vitals", "not heard yet"]);
  for (const { build, action, sinceMs } of view.running)
    facts.push(["running", `${action} of ${build} for ${durationText(sinceMs)}`]);
  for (const [what, text] of facts) output.line(`${output.tone("faint", what.padEnd(12))}${text}`);
  return 0;
}

/** `standby`, `normal, labels gpu big`, `normal, fenced to gpu`. */
function policyText({ policy, labels, fenced }: NonNullable<NodeView["vitals"]>): string {
  if (labels.length === 0) return policy;
  return `${policy}, ${fenced ? "fenced to" : "labels"} ${labels.join(" ")}`;
}
