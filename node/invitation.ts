/** The shell's side of tickets: drawing a ticket's secret key, and proving that one holds it. */
import { randomBytes } from "node:crypto";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import { type Redemption, redemptionHash } from "../protocol/swarm/admission.ts";
import type { Ticket } from "../protocol/swarm/ticket.ts";
import { createSigner, newSeed } from "./signer.ts";

export interface TicketKey {
  /** The id the swarm knows the ticket by: 16 hex digits. */
  readonly ticket: string;
  /** Goes into the ticket and nowhere else. */
  readonly secret: Uint8Array;
  /** Its public half, which the swarm remembers. */
  readonly key: PeerId;
}

export function drawTicketKey(): TicketKey {
  const secret = newSeed();
  return { ticket: randomBytes(8).toString("hex"), secret, key: createSigner(secret).self };
}

/** What `self`, to be called `name`, says to redeem a ticket. Throws `ticket-expired`. */
export function redemptionOf(ticket: Ticket, self: PeerId, name: string, wallMs: number): Redemption {
  if (wallMs > ticket.notAfterMs)
    throw new SwarmError(
      "ticket-expired",
      `the ticket was good until ${new Date(ticket.notAfterMs).toISOString()}; here it is ${new Date(wallMs).toISOString()}`,
      { remedy: "ask for a new one: swarmd invite (or set this machine's clock if that is not the time)" },
    );
  const signer = createSigner(ticket.secret);
  const nonce = randomBytes(16).toString("hex");
  const hash = Buffer.from(redemptionHash(ticket.swarm, self, nonce)).toString("hex");
  return {
    kind: "redeem",
    swarm: ticket.swarm,
    ticket: ticket.ticket,
    key: signer.self,
    nonce,
    name,
    proof: signer.sign(hash),
    wallMs,
  };
}
