/** `swarmd leave`: this node goes for good; it gives back its work first. */
import { setTimeout as pause } from "node:timers/promises";
import { lives } from "../../node/known-process.ts";
import { holderOf } from "../../node/lock.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { confirm } from "../confirm.ts";
import { countText } from "../units.ts";

const askMs = 200;
const endMsMax = 30_000;

export const leave: Command = {
  name: "leave",
  description: "Leave the swarm for good: finish what runs, say so, and end the daemon",
  options: [
    { flags: "--now", description: "Do not wait for what runs; others begin it anew" },
    { flags: "--force", description: "Also as the last admin" },
    { flags: "--reason <text>", description: "Why, for those who ask later" },
    { flags: "--yes", description: "Do not ask" },
  ],
  examples: ["leave --yes", 'leave --now --yes --reason "moving house"'],
  async run(context, _, options) {
    const { control, output } = context;
    const { swarm, members, self } = await control.members();
    const own = members.find((m) => m.peerId === self);
    if (!own) throw new SwarmError("not-a-member", `this node is a member of ${swarm.name} no more`);
    const force = options.force === true;
    const admins = members.filter((m) => m.roles.includes("admin"));
    if (!force && members.length > 1 && admins.length === 1 && admins[0] === own)
      throw new SwarmError(
        "refused",
        `${own.name} is the last admin: without one nobody can be admitted any more`,
        {
          remedy: `make another first: ${context.commandLine(["member", "role", "NAME", "+admin"])} (or --force)`,
        },
      );
    const question = `${own.name} would leave ${swarm.name} for good; what it holds stays on its disk, out of reach of the others. Go on?`;
    if (!options.yes && !(await confirm(context, question, ["leave", "--yes"]))) {
      output.note("nothing was changed");
      return 0;
    }
    const reason = optionText(options, "reason");
    const how = reason === undefined ? {} : { reason };
    await control.operate({ op: "drain", peer: self, ...(options.now ? { now: true } : {}) }, how);
    if (!options.now) await idle(context, self);
    const holder = await holderOf(context.home);
    await control.member({ op: "leave", ...(force ? { force } : {}) }, how);
    const until = Date.now() + endMsMax;
    while (holder && lives(holder) && Date.now() < until) await pause(askMs);
    const late = holder && lives(holder) ? holder.pid : undefined;
    if (context.json)
      output.json({ ok: true, left: swarm.name, home: context.home, ended: late === undefined });
    else {
      output.line(
        `${own.name} has left ${swarm.name}; its daemon ${late === undefined ? "has ended" : `(process ${late}) is still ending`}`,
      );
      output.line(`its blobs and logs stay in ${context.home}: delete the folder to be rid of them`);
      output.line("to come back it needs a key of its own: swarmd join with another --home");
    }
    return 0;
  },
};

/** Waits until nothing runs here any more. */
async function idle(context: Context, self: string): Promise<void> {
  for (let told = false; ; told = true) {
    const node = (await context.control.nodes()).find((one) => one.peerId === self);
    const running = node?.running.length ?? 0;
    if (running === 0) return;
    if (!told && !context.json)
      context.output.note(`waiting for ${countText(running, "action")} to end (--now would not)`);
    await pause(askMs);
  }
}
