/**
 * A ticket: everything a machine needs to join, as one word to paste. `swarmd1`, then base32 of length, canonical
 * encoding and checksum, so that a paste cut short is told from one mistyped. Format in specs/admission.md.
 */
import { base32 } from "multiformats/bases/base32";
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { sha256 } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import { isHash, isPeerId, type PeerId, type SwarmId } from "../kernel/ids.ts";
import { roles } from "../timeline/events.ts";

export const ticketTextMax = 8192;
const ticketAddrsMax = 16;
const ticketAddrTextMax = 200;

const prefix = "swarmd1";
const checksumBytes = 4;

const schema = z.strictObject({
  v: z.literal(1),
  swarm: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
  swarmName: z.string().min(1).max(64),
  /** Its id, under which the swarm remembers that it was issued and used. */
  ticket: z.string().regex(/^[0-9a-z]{8,32}$/),
  issuer: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  /** Multiaddrs of members, likeliest first. */
  addrs: z.array(z.string().startsWith("/").max(ticketAddrTextMax)).min(1).max(ticketAddrsMax),
  roles: z.array(z.enum(roles)).min(1).max(roles.length),
  notAfterMs: z.int().nonnegative(),
  /** Seed of the ticket's own Ed25519 key, 32 bytes. It is the secret: who has it may join once. */
  secret: z.custom<Uint8Array>((v) => v instanceof Uint8Array && v.length === 32),
});

export type Ticket = Omit<z.infer<typeof schema>, "v">;

/** What can be wrong with a text that should be a ticket. */
export type TicketFault = "not-a-ticket" | "newer-version" | "cut-short" | "mistyped" | "malformed";

const words: Record<TicketFault, { message: string; remedy: string }> = {
  "not-a-ticket": {
    message: `this is not a ticket: a ticket is one word that begins with ${prefix}`,
    remedy: "ask a member for one: swarmd invite",
  },
  "newer-version": {
    message: "the ticket is of a newer version of swarmd",
    remedy: "upgrade swarmd on this machine",
  },
  "cut-short": {
    message: "the end of the ticket is missing",
    remedy: "copy the whole ticket, to its last character",
  },
  mistyped: {
    message: "the ticket was altered: its checksum does not match",
    remedy: "copy the ticket again; do not type it",
  },
  malformed: {
    message: "the ticket is whole, but what it says is not valid",
    remedy: "ask for a new one: swarmd invite",
  },
};

/** The ticket as text. Throws `ticket-invalid` for fields out of bounds. */
export function encodeTicket(ticket: Ticket): string {
  const parsed = schema.safeParse({ v: 1, ...ticket });
  if (!parsed.success)
    throw new SwarmError("ticket-invalid", `not a ticket: ${parsed.error.issues[0]?.path.join(".") ?? ""}`);
  const body = encode(parsed.data);
  const bytes = new Uint8Array(2 + body.length + checksumBytes);
  new DataView(bytes.buffer).setUint16(0, body.length);
  bytes.set(body, 2);
  bytes.set(checksumOf(bytes.subarray(0, 2 + body.length)), 2 + body.length);
  return prefix + base32.baseEncode(bytes);
}

/** The ticket, or what is wrong with the text. White space (a paste over several lines) and case do not matter. */
export function readTicket(text: string): Ticket | TicketFault {
  if (text.length > 2 * ticketTextMax) return "not-a-ticket";
  const word = text.replace(/\s+/g, "").toLowerCase();
  const version = /^swarmd([0-9]+)/.exec(word)?.[1];
  if (version === undefined || version === "0" || word.length > ticketTextMax) return "not-a-ticket";
  // What follows our version begins with a letter: the length is far below the 2^15 that would begin with a digit.
  if (version !== "1") return "newer-version";
  const digits = word.slice(prefix.length);
  if (/[^a-z2-7]/.test(digits)) return "mistyped";
  const bytes = bytesOf(digits);
  if (bytes.length < 2) return "cut-short";
  const bodyLength = new DataView(bytes.buffer, bytes.byteOffset).getUint16(0);
  const wholeLength = 2 + bodyLength + checksumBytes;
  // A wrong length is a typing error only when text is left over; a missing tail looks the same as a length too great.
  if (digits.length < Math.ceil((wholeLength * 8) / 5)) return "cut-short";
  if (digits.length > Math.ceil((wholeLength * 8) / 5)) return "mistyped";
  // One ticket has one text: the bits left over in the last digit count too.
  if (base32.baseEncode(bytes) !== digits) return "mistyped";
  const body = bytes.subarray(2, 2 + bodyLength);
  const checksum = checksumOf(bytes.subarray(0, 2 + bodyLength));
  if (checksum.some((byte, i) => bytes[2 + bodyLength + i] !== byte)) return "mistyped";
  try {
    const parsed = schema.safeParse(decode(body, ticketTextMax));
    if (!parsed.success) return "malformed";
    const { v: _, ...ticket } = parsed.data;
    return ticket;
  } catch {
    return "malformed";
  }
}

/** The ticket of a text. Throws `version-unknown` or `ticket-invalid`, each with what to do. Expiry is the caller's: it needs a clock. */
export function decodeTicket(text: string): Ticket {
  const ticket = readTicket(text);
  if (typeof ticket !== "string") return ticket;
  const { message, remedy } = words[ticket];
  throw new SwarmError(ticket === "newer-version" ? "version-unknown" : "ticket-invalid", message, {
    remedy,
  });
}

const checksumOf = (bytes: Uint8Array): Uint8Array => sha256(bytes).subarray(0, checksumBytes);

/** The whole bytes in base32 digits; left-over bits of a text cut anywhere are dropped. */
function bytesOf(digits: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((digits.length * 5) / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    bits = ((bits << 5) | "abcdefghijklmnopqrstuvwxyz234567".indexOf(digit)) & 0xfff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 0xff;
    }
  }
  return bytes;
}
