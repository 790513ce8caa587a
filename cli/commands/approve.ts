/** `swarmd approve [NAME]` and `swarmd deny NAME`: who asks to join, and an admin's word about it. */
import type { RequestView } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionList, optionText } from "../command.ts";
import { roleNames, roleOf } from "../roles.ts";
import { notFound } from "../select.ts";
import { durationText } from "../units.ts";

export const approve: Command = {
  name: "approve",
  args: "[name]",
  description: "List who asks to join, or let one in",
  options: [
    { flags: "--roles <list>", description: `What it may do: ${roleNames.join(", ")} (what it asked for)` },
  ],
  examples: ["approve", "approve ben", "approve ben --roles builder"],
  async run(context, [word], options) {
    const roles = optionList(options, "roles")?.map(roleOf);
    const { requests } = await context.control.members();
    if (word === undefined) return list(context, requests);
    const request = selectRequest(requests, word);
    await context.control.member({ op: "approve", peer: request.peerId, ...(roles ? { roles } : {}) });
    const given = roles ?? request.roles;
    if (context.json)
      context.output.json({ ok: true, member: request.name, peerId: request.peerId, roles: given });
    else context.output.line(`${request.name} is a member: ${given.join(", ")}`);
    return 0;
  },
};

export const deny: Command = {
  name: "deny",
  args: "<name>",
  description: "Turn away one who asks to join",
  options: [{ flags: "--reason <text>", description: "Why; it is told" }],
  examples: ["deny ben", 'deny ben --reason "who are you?"'],
  async run(context, [word], options) {
    const reason = optionText(options, "reason");
    const request = selectRequest((await context.control.members()).requests, word!);
    await context.control.member(
      { op: "deny", peer: request.peerId },
      reason === undefined ? {} : { reason },
    );
    if (context.json) context.output.json({ ok: true, denied: request.name, peerId: request.peerId });
    else context.output.line(`${request.name} is turned away`);
    return 0;
  },
};

function list(context: Context, requests: readonly RequestView[]): number {
  const { output } = context;
  if (context.json) {
    output.json(requests);
    return 0;
  }
  if (requests.length === 0) {
    output.line("nobody asks to join");
    return 0;
  }
  output.table(
    [
      { title: "NAME" },
      { title: "FINGERPRINT" },
      { title: "ROLES" },
      { title: "AT THE DOOR OF" },
      { title: "HEARD" },
      { title: "TICKET" },
    ],
    requests.map((r) => [
      r.name,
      r.fingerprint,
      r.roles.join(","),
      r.via,
      `${durationText(r.idleMs)} ago`,
      r.ticket
        ? `holds ${r.ticket.ticket} of ${r.ticket.issuer}${r.ticket.good ? "" : ", no longer good"}`
        : "-",
    ]),
  );
  output.line();
  output.line(
    `compare the fingerprint with what the machine shows, then: ${context.commandLine(["approve", requests[0]!.name])}`,
  );
  return 0;
}

/** The request of that name, peer id or fingerprint. Throws `not-found`; `ambiguous` for a name that several gave themselves. */
function selectRequest(requests: readonly RequestView[], word: string): RequestView {
  const found = requests.filter((r) => r.name === word || r.peerId === word || r.fingerprint === word);
  if (found.length > 1)
    throw new SwarmError(
      "ambiguous",
      `${word} is what ${found.length} call themselves: ${found.map((r) => r.fingerprint).join(", ")}`,
      { remedy: "write the fingerprint that the machine shows" },
    );
  if (found[0]) return found[0];
  throw notFound(
    "request of",
    word,
    requests.map((r) => r.name),
    requests.length === 0 ? "nobody asks to join" : "who asks: swarmd approve",
  );
}
