/** `swarmd join TICKET`: enters a swarm and runs the daemon there. */
import path from "node:path";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { type Acquaintance, daemonOptions, runDaemon } from "../daemon-process.ts";

export const join: Command = {
  name: "join",
  args: "<ticket>",
  description: "Enter a swarm with a ticket, then run the daemon",
  options: [
    { flags: "--name <name>", description: "Name of this node (this machine's name)" },
    { flags: "--only", description: "Only enter; start the daemon later" },
    ...daemonOptions,
  ],
  examples: ["join swarmd1abc --detach", "join swarmd1abc --name board --slots 2"],
  async run(context, [ticket], options) {
    const met = await enter(context, ticket!, optionText(options, "name"));
    if (options.only) {
      if (!context.json) context.output.line(`start the daemon: ${context.commandLine(["run"])}`);
      return 0;
    }
    return runDaemon(context, options, [met]);
  },
};

/** Shows the ticket at the door of a member and takes the certificates home. What was met there is in the peer book. */
async function enter(context: Context, text: string, wantedName: string | undefined): Promise<Acquaintance> {
  const { decodeTicket } = await import("../../protocol/swarm/ticket.ts");
  const ticket = decodeTicket(text);
  const [
    { adoptCertificates, createHome },
    { loadConfig },
    { redemptionOf },
    admission,
    { redeem },
    books,
    { createLog },
  ] = await Promise.all([
    import("../../node/home.ts"),
    import("../../node/config.ts"),
    import("../../node/invitation.ts"),
    import("../../protocol/swarm/admission.ts"),
    import("../../node/network/redeem.ts"),
    import("../../node/network/peer-book.ts"),
    import("../../node/log.ts"),
  ]);
  const { name } = await loadConfig({
    file: path.join(context.home, "config.yaml"),
    env: process.env,
    flags: { name: wantedName },
  });
  const home = await createHome(context.home, { name });
  if (home.swarm)
    throw new SwarmError("already-a-member", `${home.dir} is a member of the swarm ${home.swarm.name}`, {
      remedy: `start its daemon: ${context.commandLine(["run"])}; for another swarm use another --home`,
    });
  const { peer, seed } = home.identity;
  const request = redemptionOf(ticket, peer, home.name, Date.now());
  const met = await redeem({
    privateKey: seed(),
    addresses: ticket.addrs,
    request: admission.encodeAdmission(request),
  });
  const reply = admission.readAdmission(met.reply);
  if (reply.kind === "refused") throw new SwarmError(reply.code, reply.message, { remedy: reply.remedy });
  if (reply.kind !== "present")
    throw new SwarmError("malformed", "the member at the door answered with something else", {
      remedy: "daemon and command line may differ in version: swarmd version, on both machines",
    });
  const adopted = await adoptCertificates(home, ticket.swarm, reply.certificates);
  const log = createLog({ level: "error" });
  const book = await books.PeerBook.open(home.places.peerBook, peer, log);
  book.add(met.peer, ticket.addrs, { viaLoopback: true });
  await book.flush();
  if (!context.json) context.output.line(`${adopted.name} is a member of the swarm ${adopted.swarm?.name}`);
  return { peer: met.peer, addresses: ticket.addrs };
}
