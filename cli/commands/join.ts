/** `swarmd join [TICKET | ADDRESS ...]`: enters a swarm and runs the daemon there; alone it lists the swarms on the LAN. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, type Options, optionList, optionText } from "../command.ts";
import { daemonOptions, runDaemon } from "../daemon-process.ts";
import { enter, entranceOf, homeToEnter } from "../joining.ts";
import { roleNames, roleOf } from "../roles.ts";
import { parseDurationMs } from "../units.ts";

const lookMsDefault = 3_000;
const lookMsMax = 60_000;

export const join: Command = {
  name: "join",
  args: "[where...]",
  description:
    "Enter a swarm with a ticket or by asking a member, then run the daemon; alone: list swarms on the LAN",
  options: [
    { flags: "--name <name>", description: "Name of this node (this machine's name)" },
    { flags: "--roles <list>", description: `What to ask for without a ticket: ${roleNames.join(", ")}` },
    { flags: "--only", description: "Only enter; start the daemon later" },
    { flags: "--timeout <time>", description: "How long to look for swarms on the LAN (3s)" },
    ...daemonOptions,
  ],
  examples: [
    "join",
    "join swarmd1abc --detach",
    "join swarmd1abc --name board --slots 2",
    "join 192.168.1.7 --detach",
    "join pc.local:4701 board.local:4701 --roles builder",
  ],
  async run(context, words, options) {
    const roles = (optionList(options, "roles") ?? []).map(roleOf);
    if (words.length === 0) return look(context, options);
    const entrance = await entranceOf(words, roles);
    const home = await homeToEnter(context, optionText(options, "name"));
    const met = await enter(context, home, entrance);
    if (options.only) {
      if (!context.json) context.output.line(`start the daemon: ${context.commandLine(["run"])}`);
      return 0;
    }
    return runDaemon(context, options, [met]);
  },
};

async function look(context: Context, options: Options): Promise<number> {
  const text = optionText(options, "timeout");
  const forMs = text === undefined ? lookMsDefault : parseDurationMs(text);
  if (forMs === undefined || forMs === 0 || forMs > lookMsMax)
    throw new SwarmError("usage", `--timeout takes a time of at most 60s, not ${text}`, {
      remedy: "--timeout 5s",
    });
  const { browse } = await import("../../node/network/browse.ts");
  const { output } = context;
  if (!context.json) output.note("looking for swarms on the LAN …");
  const found = await browse(forMs);
  const swarms = found.map(({ swarm, name, members, seen, doors }) => ({
    name,
    swarm,
    members,
    seen,
    doors,
    command: ["join", doors[0]!.address.replace(/\/p2p\/[^/]+$/, "")],
  }));
  if (context.json) {
    output.json(swarms);
    return 0;
  }
  if (swarms.length === 0) {
    output.line("no swarm answers on the LAN");
    output.line(
      `with an address or a ticket: ${context.commandLine(["join", "HOST"])}; to found one: ${context.commandLine(["init"])}`,
    );
    return 0;
  }
  output.table(
    [{ title: "SWARM" }, { title: "ID" }, { title: "MEMBERS" }, { title: "TO ENTER" }],
    swarms.map((one) => [
      one.name,
      one.swarm.slice(0, 16),
      `${one.seen} of ${one.members} here`,
      context.commandLine(one.command),
    ]),
  );
  return 0;
}
