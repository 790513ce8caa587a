/** `swarmd node list|show|reach|rename|forget`: the machines of the swarm. */
import type { NodeView } from "../../node/control/api.ts";
import { targetsOf } from "../../protocol/build/toolchain.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context, Options } from "../command.ts";
import { confirm } from "../confirm.ts";
import { clockText, nodeColumns, nodeRow } from "../node-table.ts";
import { printReach } from "../reach-table.ts";
import { notFound, selectNode } from "../select.ts";
import { toolsText } from "../toolchains.ts";
import { bytesText, durationText } from "../units.ts";
import { versionOf } from "../versions.ts";

export const node: Command = {
  name: "node",
  args: "<list|show|reach|rename|forget> [name] [new-name]",
  description: "List the nodes of the swarm, show one, who reaches whom; rename one, forget one that is gone",
  options: [{ flags: "--yes", description: "Do not ask before a node is forgotten" }],
  examples: [
    "node list",
    "node list --json",
    "node show pc",
    "node reach",
    "node rename pc attic",
    "node forget laptop --yes",
  ],
  async run(context, [what, word, given], options) {
    const named = what === "show" || what === "rename" || what === "forget";
    if (!named && what !== "list" && what !== "reach") {
      const known = ["list", "show", "reach", "rename", "forget"].map((one) => `node ${one}`);
      const refusal = notFound("command", `node ${what}`, known, "swarmd help node");
      throw new SwarmError("usage", refusal.message, { remedy: refusal.remedy });
    }
    if (!named && word !== undefined)
      throw new SwarmError("usage", `node ${what} takes no name`, { remedy: "node show NAME" });
    if (given !== undefined && what !== "rename")
      throw new SwarmError("usage", `node ${what} takes one name`);
    if (what === "list") return list(context);
    if (what === "reach") return reach(context);
    if (word === undefined || (what === "rename" && given === undefined))
      throw new SwarmError(
        "usage",
        what === "rename"
          ? "node rename takes the name of a node, and the new one"
          : `node ${what} takes the name of a node`,
        { remedy: `the nodes: ${context.commandLine(["node", "list"])}` },
      );
    const view = selectNode(await context.control.nodes(), word);
    if (what === "show") return show(context, view);
    return what === "rename" ? rename(context, view, given!) : forget(context, view, options);
  },
};

/** An admin's word; what the node said and built goes on as its own. */
async function rename({ control, output, json }: Context, view: NodeView, name: string): Promise<number> {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw new SwarmError("usage", `${JSON.stringify(name)} cannot name a node`, {
      remedy: "use lower-case letters, digits and inner dashes, at most 63",
    });
  await control.member({ op: "rename", peer: view.peerId, name });
  if (json) output.json({ ok: true, node: name, before: view.name });
  else output.line(`${view.name} is called ${name} from here on, its history with it`);
  return 0;
}

/** For a machine that will not come back: it is revoked; its results stay. One that is there leaves by itself. */
async function forget(
  context: Context,
  { name, peerId, state }: NodeView,
  options: Options,
): Promise<number> {
  const { control, output, json } = context;
  if (state === "self")
    throw new SwarmError("usage", "a node does not forget itself", {
      remedy: context.commandLine(["leave"]),
    });
  if (state !== "dead" && state !== "unseen")
    throw new SwarmError("refused", `${name} is not gone: it is ${state}`, {
      remedy: `let it go there: swarmd leave; or throw it out: ${context.commandLine(["member", "revoke", name])}`,
    });
  const question = `${name} would be a member no more, and comes back only by a new ticket, under a key of its own; what it built stays. Go on?`;
  if (!options.yes && !(await confirm(context, question, ["node", "forget", name, "--yes"]))) {
    output.note("nothing was changed");
    return 0;
  }
  await control.member({ op: "revoke", peer: peerId }, { reason: "its machine is gone" });
  if (json) output.json({ ok: true, forgotten: name });
  else output.line(`${name} is forgotten; what it built stays`);
  return 0;
}

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
      versionOf(one) ?? "-",
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
