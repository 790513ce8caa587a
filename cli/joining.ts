/** How a machine enters a swarm: with a ticket, or by asking at a member's door and waiting for an admin's word. */
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Home } from "../node/home.ts";
import { type ErrorCode, SwarmError } from "../protocol/kernel/errors.ts";
import type { SwarmId } from "../protocol/kernel/ids.ts";
import type { Ask, AtTheDoor, Redemption, Waits } from "../protocol/swarm/admission.ts";
import type { Ticket } from "../protocol/swarm/ticket.ts";
import type { Role } from "../protocol/timeline/events.ts";
import type { Context } from "./command.ts";
import type { Acquaintance } from "./daemon-process.ts";

/** How often the door is asked again while an admin thinks. */
const askAgainMs = 2_000;
const usualPort = 4701;

/** By which right a machine enters. */
export type Entrance =
  | { readonly by: "ticket"; readonly ticket: Ticket }
  | { readonly by: "address"; readonly addresses: readonly string[]; readonly roles: readonly Role[] };

/** What the words after `join` mean: one ticket, or addresses (`host`, `host:port`, multiaddrs). Throws `ticket-invalid`, `usage`. */
export async function entranceOf(words: readonly string[], roles: readonly Role[]): Promise<Entrance> {
  const { decodeTicket, readTicket } = await import("../protocol/swarm/ticket.ts");
  const { multiaddrOf } = await import("../node/config.ts");
  const [first] = words;
  const pasted = words.join("");
  if (/^swarmd[0-9]/i.test(pasted)) return { by: "ticket", ticket: decodeTicket(pasted) };
  const addresses = words.map((word) => multiaddrOf(word) ?? multiaddrOf(`${word}:${usualPort}`));
  if (addresses.includes(undefined) || !words.every((word) => /[.:/]|^localhost$/.test(word))) {
    const fault = readTicket(pasted);
    const named = words.length === 1 && /^[a-z0-9-]+$/i.test(first!) && first!.length <= 63;
    if (!named && typeof fault === "string") return { by: "ticket", ticket: decodeTicket(pasted) };
    throw new SwarmError(
      "ticket-invalid",
      `${first} is neither a ticket nor an address: this is not a ticket`,
      {
        remedy: `write host:port (swarmd join ${named ? first : "HOST"}:${usualPort}), or ask a member for a ticket: swarmd invite`,
      },
    );
  }
  return { by: "address", addresses: addresses as string[], roles };
}

/** Enters, however long an admin takes; who was met is in the peer book. Throws what the door refuses, and why nobody answers. */
export async function enter(context: Context, home: Home, entrance: Entrance): Promise<Acquaintance> {
  const [{ adoptCertificates }, { Caller }, admission, books, { createLog }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/network/redeem.ts"),
    import("../protocol/swarm/admission.ts"),
    import("../node/network/peer-book.ts"),
    import("../node/log.ts"),
  ]);
  const { peer, seed } = home.identity;
  const addresses = entrance.by === "ticket" ? entrance.ticket.addrs : entrance.addresses;
  const caller = await Caller.open(seed());
  const leaving = () => {
    if (!context.json)
      context.output.note(
        "\nthe request stays with the swarm for a while: run the same command again to go on waiting",
      );
    process.exit(130);
  };
  let waits: Waits | undefined;
  let lost = false;
  try {
    for (;;) {
      let met: Awaited<ReturnType<typeof caller.ring>>;
      try {
        met = await caller.ring(addresses, admission.encodeAdmission(await requestOf(entrance, home)));
      } catch (thrown) {
        // Once somebody has taken the request down it is worth waiting for.
        if (!waits) throw thrown;
        if (!lost && !context.json) context.output.note("nobody answers at the door; it is asked again");
        lost = true;
        await pause(askAgainMs);
        continue;
      }
      lost = false;
      const reply = read(admission.readAdmission, met.reply);
      if (reply.kind === "pending") {
        if (!waits) {
          process.once("SIGINT", leaving);
          await tell(context, home, entrance, reply);
        }
        waits = reply;
        await pause(askAgainMs);
        continue;
      }
      if (reply.kind !== "present") throw oddAnswer();
      const swarm = swarmOf(entrance, waits) ?? reply.swarm;
      const adopted = await adoptCertificates(home, swarm, reply.certificates);
      const known = addresses.filter(
        (address) => !/\/p2p\/[^/]+$/.test(address) || address.endsWith(`/p2p/${met.peer}`),
      );
      const book = await books.PeerBook.open(home.places.peerBook, peer, createLog({ level: "error" }));
      book.add(met.peer, known, { viaLoopback: true });
      await book.flush();
      if (!context.json)
        context.output.line(`${adopted.name} is a member of the swarm ${adopted.swarm?.name}`);
      return { peer: met.peer, addresses: known };
    }
  } finally {
    process.off("SIGINT", leaving);
    await caller.close();
  }
}

const swarmOf = (entrance: Entrance, waits: Waits | undefined): SwarmId | undefined =>
  entrance.by === "ticket" ? entrance.ticket.swarm : waits?.swarm;

async function requestOf(entrance: Entrance, home: Home): Promise<Ask | Redemption> {
  if (entrance.by === "address")
    return { kind: "ask", name: home.name, roles: entrance.roles, wallMs: Date.now() };
  const { redemptionOf } = await import("../node/invitation.ts");
  return redemptionOf(entrance.ticket, home.identity.peer, home.name, Date.now());
}

/** Throws what the door refused. */
function read(readAdmission: (bytes: Uint8Array) => AtTheDoor, bytes: Uint8Array): AtTheDoor {
  const reply = readAdmission(bytes);
  if (reply.kind === "refused")
    throw new SwarmError(reply.code as ErrorCode, reply.message, { remedy: reply.remedy });
  return reply;
}

const oddAnswer = () =>
  new SwarmError("malformed", "the member at the door answered with something else", {
    remedy: "daemon and command line may differ in version: swarmd version, on both machines",
  });

/** Says what it waits for, and what the admin is to type. */
async function tell(context: Context, home: Home, entrance: Entrance, { swarm, swarmName, name }: Waits) {
  const { fingerprintOf } = await import("../protocol/swarm/fingerprint.ts");
  const fingerprint = fingerprintOf(home.identity.peer);
  const { output, json } = context;
  if (json) {
    output.json({
      pending: true,
      name: home.name,
      peerId: home.identity.peer,
      fingerprint,
      swarm: { id: swarm, name: swarmName },
      via: name,
    });
    return;
  }
  output.line(`asked ${name} to let ${home.name} into the swarm ${swarmName} (${swarm.slice(0, 16)})`);
  if (entrance.by === "ticket")
    output.line("the node that issued the ticket does not answer: it may, or an admin decides");
  output.line(`this node's fingerprint is ${output.tone("strong", fingerprint)}`);
  output.line();
  output.line(`on an admin's machine:  swarmd approve ${home.name}`);
  output.line("waiting for it; Ctrl-C stops waiting");
}

/** The home that is to enter, made if it is not there. Throws `already-a-member`. */
export async function homeToEnter(context: Context, wantedName: string | undefined): Promise<Home> {
  const [{ createHome, findHome, renameHome }, { loadConfig }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/config.ts"),
  ]);
  const { name } = await loadConfig({
    file: path.join(context.home, "config.yaml"),
    env: process.env,
    flags: { name: wantedName },
  });
  const known = await findHome(context.home);
  if (known?.swarm)
    throw new SwarmError("already-a-member", `${known.dir} is a member of the swarm ${known.swarm.name}`, {
      remedy: `start its daemon: ${context.commandLine(["run"])}; for another swarm use another --home`,
    });
  if (known && wantedName !== undefined && known.name !== wantedName) return renameHome(known, wantedName);
  return createHome(context.home, { name });
}
