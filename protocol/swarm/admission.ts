/** What a peer says at the door, before it is known to be a member: its certificates, or a ticket. Formats in specs/admission.md. */
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { sha256 } from "../kernel/digest.ts";
import { type ErrorCode, errorCodes, SwarmError } from "../kernel/errors.ts";
import { isHash, isPeerId, type PeerId, type SwarmId } from "../kernel/ids.ts";
import { readEntry, type SignedEntry } from "../timeline/entry.ts";
import { type Role, roles } from "../timeline/events.ts";

export const admissionBytesMax = 256 << 10;

/** A member shows its certificates: the founding entry, then each admission from the root down to its own. */
export interface Presentation {
  readonly kind: "present";
  readonly swarm: SwarmId;
  readonly certificates: readonly SignedEntry[];
  /** The speaker's wall clock, milliseconds: an offset is named, never obeyed. */
  readonly wallMs: number;
}

/** A stranger redeems a ticket: `proof` is the ticket key's signature over `redemptionHash`. */
export interface Redemption {
  readonly kind: "redeem";
  readonly swarm: SwarmId;
  readonly ticket: string;
  readonly key: PeerId;
  readonly nonce: string;
  readonly name: string;
  readonly proof: Uint8Array;
  readonly wallMs: number;
}

/** A stranger without a ticket asks to come in; it asks again until somebody has decided. */
export interface Ask {
  readonly kind: "ask";
  /** The swarm it means; absent: whichever answers. */
  readonly swarm?: SwarmId;
  readonly name: string;
  /** What it would like to do; none: the usual. */
  readonly roles: readonly Role[];
  readonly wallMs: number;
}

/** Who is there? Anybody may ask. */
export interface Greeting {
  readonly kind: "greet";
  readonly wallMs: number;
}

/** Who answers: a member `name` of this swarm. */
interface Met {
  readonly swarm: SwarmId;
  readonly swarmName: string;
  readonly name: string;
  /** How many members the swarm has, and how many of them the answering one sees. */
  readonly members: number;
  readonly seen: number;
  readonly wallMs: number;
}

export interface Greeted extends Met {
  readonly kind: "greeted";
}

/** The request waits for an admin. */
export interface Waits extends Met {
  readonly kind: "pending";
}

/** What shows that a stranger holds a ticket, to anybody who knows the ticket's key. */
export type TicketProof = Pick<Redemption, "ticket" | "key" | "nonce" | "proof">;

/** A request as members tell each other of it, signed by the one at whose door it came. */
export interface JoinRequest {
  readonly via: PeerId;
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Proof that it holds a ticket. */
  readonly ticket?: TicketProof;
  /** A member whose certificate ended: an admin that hears of it renews it. */
  readonly renewal?: boolean;
}

/** Everything that is said at the door. */
export type AtTheDoor = Presentation | Redemption | Ask | Greeting | Greeted | Waits | Turned;

/** Why the other side did not let this node in. */
export interface Turned {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string;
  /** What shows one that was a member that it is none any more. */
  readonly because?: readonly SignedEntry[];
  readonly wallMs: number;
}

/** What the ticket key signs, so that a captured use cannot be replayed for another node: sha2-256, 32 bytes. */
export const redemptionHash = (swarm: SwarmId, node: PeerId, nonce: string): Uint8Array =>
  sha256(encode(["swarmd-redeem-1", swarm, node, nonce]));

const common = {
  v: z.literal(1),
  swarm: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
  wallMs: z.number().nonnegative(),
};
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const count = z.int().nonnegative();
const met = { swarmName: z.string().max(64), name, members: count, seen: count };
export const ticketProofFields = {
  ticket: z.string().min(1).max(32),
  key: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  nonce: z.string().min(8).max(64),
  proof: z.instanceof(Uint8Array).refine((b) => b.length === 64),
};
const wireSchema = z.discriminatedUnion("kind", [
  z.object({
    ...common,
    kind: z.literal("present"),
    certificates: z.array(z.instanceof(Uint8Array)).max(64),
  }),
  z.object({
    v: z.literal(1),
    kind: z.literal("refused"),
    code: z.custom<ErrorCode>((v) => typeof v === "string" && Object.hasOwn(errorCodes, v)),
    message: z.string().max(500),
    remedy: z.string().max(500).optional(),
    because: z.array(z.instanceof(Uint8Array)).max(64).optional(),
    wallMs: z.number().nonnegative(),
  }),
  z.object({
    ...common,
    kind: z.literal("redeem"),
    ...ticketProofFields,
    name,
  }),
  z.object({
    ...common,
    kind: z.literal("ask"),
    swarm: common.swarm.optional(),
    name,
    roles: z.array(z.enum(roles)).max(roles.length),
  }),
  z.object({ v: z.literal(1), kind: z.literal("greet"), wallMs: z.number().nonnegative() }),
  z.object({ ...common, kind: z.literal("greeted"), ...met }),
  z.object({ ...common, kind: z.literal("pending"), ...met }),
]);

export function encodeAdmission(request: AtTheDoor): Uint8Array {
  return encode(
    request.kind === "present"
      ? { v: 1, ...request, certificates: request.certificates.map((c) => c.bytes) }
      : request.kind === "refused" && request.because
        ? { v: 1, ...request, because: request.because.map((c) => c.bytes) }
        : { v: 1, ...request },
  );
}

/** Throws `malformed`, `too-large`. Signatures are not checked here. */
export function readAdmission(bytes: Uint8Array): AtTheDoor {
  const parsed = wireSchema.safeParse(decode(bytes, admissionBytesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not an admission request");
  const { v: _, ...request } = parsed.data;
  if (request.kind === "present") return { ...request, certificates: request.certificates.map(readEntry) };
  if (request.kind !== "refused") return request;
  const { because, ...turned } = request;
  return because ? { ...turned, because: because.map(readEntry) } : turned;
}
