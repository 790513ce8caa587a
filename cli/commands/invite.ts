/** `swarmd invite`: prints a ticket that lets one machine join. */

import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Role } from "../../protocol/timeline/events.ts";
import { type Command, optionList, optionText } from "../command.ts";
import { roleNames, roleOf } from "../roles.ts";
import { durationText, parseDurationMs } from "../units.ts";

const rolesDefault: readonly Role[] = ["submitter", "builder"];

export const invite: Command = {
  name: "invite",
  description: "Print a ticket with which one machine may join",
  options: [
    {
      flags: "--roles <list>",
      description: `What it may do: ${roleNames.join(", ")} (${rolesDefault.join(",")})`,
    },
    { flags: "--ttl <time>", description: "How long the ticket is good, at most 24h (24h)" },
  ],
  examples: ["invite", "invite --roles builder --ttl 1h"],
  async run(context, _, options) {
    const wanted = (optionList(options, "roles") ?? rolesDefault).map(roleOf);
    const ttl = optionText(options, "ttl") ?? "24h";
    const ttlMs = parseDurationMs(ttl);
    if (ttlMs === undefined || ttlMs === 0)
      throw new SwarmError("usage", `--ttl takes a time, not ${ttl}`, {
        remedy: "--ttl 30m, --ttl 24h",
      });
    const reply = await context.control.invite({ roles: wanted, ttlMs });
    const { output } = context;
    if (context.json) {
      output.json(reply);
      return 0;
    }
    output.line(reply.ticket);
    output.note();
    output.note(`Good once, for ${durationText(ttlMs)}. On the machine that joins: swarmd join TICKET`);
    output.note(`It will look for this node at ${reply.addresses.join(", ") || "no address"}.`);
    return 0;
  },
};
