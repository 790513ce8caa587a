/** `swarmd member list|role|revoke|renew|rotate`: who belongs to the swarm, and what an admin says of them. */
import type { MembersView, MemberView } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { confirm } from "../confirm.ts";
import { rolesChanged } from "../roles.ts";
import { notFound } from "../select.ts";
import { momentText } from "../units.ts";

export const member: Command = {
  name: "member",
  args: "<list|role|revoke|renew|rotate> [name] [roles]",
  description: "List members, give them roles, revoke or renew them, change this node's key",
  options: [
    { flags: "--reason <text>", description: "Why, for those who ask later" },
    { flags: "--force", description: "Also where it leaves the swarm without an admin" },
    { flags: "--disown", description: "Revoke: nothing it ever said counts, its results are made again" },
    { flags: "--yes", description: "Do not ask before a member is revoked or a key changed" },
  ],
  examples: [
    "member list",
    "member role ben +admin",
    "member role ben builder,submitter",
    'member revoke ben --reason "sold" --yes',
    'member revoke ben --disown --reason "forged results"',
    "member renew ben",
    "member rotate --yes",
  ],
  async run(context, [what, word, given], options) {
    const { control } = context;
    const reason = optionText(options, "reason");
    const how = reason === undefined ? {} : { reason };
    const disown = options.disown === true ? { disown: true } : {};
    const force = options.force === true ? { force: true } : {};
    if (what === "list" && word === undefined) return list(context, await control.members());
    if (what === "rotate" && word === undefined) return rotate(context, options);
    if (
      (what !== "role" && what !== "revoke" && what !== "renew") ||
      (what !== "role" && given !== undefined)
    ) {
      const known = ["list", "role", "revoke", "renew", "rotate"];
      const refusal = notFound(
        "command",
        `member ${what}`,
        known.map((one) => `member ${one}`),
        "swarmd help member",
      );
      throw new SwarmError("usage", refusal.message, { remedy: refusal.remedy });
    }
    if (word === undefined || (what === "role" && given === undefined))
      throw new SwarmError(
        "usage",
        `member ${what} takes the name of a member${what === "role" ? ", and roles" : ""}`,
        {
          remedy: `the members: ${context.commandLine(["member", "list"])}`,
        },
      );
    const { name, peerId: peer, roles } = selectMember((await control.members()).members, word);
    if (what === "role") {
      const wanted = rolesChanged(roles, given!);
      if (wanted.length === 0)
        throw new SwarmError("usage", `${name} would be left without a role`, {
          remedy: `give it one (an observer only looks on), or revoke it: ${context.commandLine(["member", "revoke", name])}`,
        });
      await control.member({ op: "role", peer, roles: wanted, ...force }, how);
      return say(context, { member: name, roles: wanted }, `${name} is ${wanted.join(", ")} from here on`);
    }
    if (what === "renew") {
      await control.member({ op: "renew", peer }, how);
      return say(context, { member: name }, `${name}'s certificate is renewed`);
    }
    const question = `${name} would be a member no more, for good. Go on?`;
    if (!options.yes && !(await confirm(context, question, ["member", "revoke", name, "--yes"]))) {
      context.output.note("nothing was changed");
      return 0;
    }
    await control.member({ op: "revoke", peer, ...force, ...disown }, how);
    return say(
      context,
      { member: name, revoked: true },
      `${name} is revoked: its connections end, its work is shared out anew`,
    );
  },
};

function say(context: Context, json: object, line: string): number {
  if (context.json) context.output.json({ ok: true, ...json });
  else context.output.line(line);
  return 0;
}

/** The member of that name, peer id or fingerprint, or the only one that begins so. Throws `not-found`, `ambiguous`. */
function selectMember(members: readonly MemberView[], word: string): MemberView {
  const fits = [
    (m: MemberView) => m.name === word || m.peerId === word || m.fingerprint === word,
    (m: MemberView) => word !== "" && (m.name.startsWith(word) || m.peerId.startsWith(word)),
  ];
  for (const fit of fits) {
    const found = members.filter(fit);
    if (found.length > 1)
      throw new SwarmError(
        "ambiguous",
        `${word} may be any of ${found.map((m) => `${m.name} ${m.peerId}`).join(", ")}`,
        {
          remedy: "write the peer id",
        },
      );
    if (found[0]) return found[0];
  }
  throw notFound(
    "member",
    word,
    members.map((m) => m.name),
    "the members: swarmd member list",
  );
}

async function rotate(context: Context, options: Options): Promise<number> {
  const question = "This node would go on under a new key, and its daemon start anew. Go on?";
  if (!options.yes && !(await confirm(context, question, ["member", "rotate", "--yes"]))) {
    context.output.note("nothing was changed");
    return 0;
  }
  const { peer } = await context.control.rotate();
  return say(context, { peerId: peer }, `this node goes on as ${peer}; its daemon starts anew with that key`);
}

function list(context: Context, view: MembersView): number {
  const { output } = context;
  if (context.json) {
    output.json(view);
    return 0;
  }
  output.table(
    [
      { title: "MEMBER" },
      { title: "STATE" },
      { title: "ROLES" },
      { title: "FINGERPRINT" },
      { title: "RENEWED UNTIL" },
    ],
    view.members.map((m) => [m.name, m.state, m.roles.join(","), m.fingerprint, momentText(m.notAfterMs)]),
  );
  if (view.former.length > 0) {
    output.line();
    output.table(
      [{ title: "WAS A MEMBER" }, { title: "" }, { title: "WHY" }],
      view.former.map((f) => [
        f.name,
        f.why === "revoked" ? `revoked by ${f.by}` : f.why === "left" ? "left" : "has a new key",
        f.reason ?? "",
      ]),
    );
  }
  if (view.requests.length > 0)
    output.line(`\n${view.requests.length} ask to join: ${context.commandLine(["approve"])}`);
  return 0;
}
