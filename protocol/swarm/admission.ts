/** What a peer says at the door, before it is known to be a member: its certificates, or a ticket. Formats in specs/admission.md. */
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { sha256 } from "../kernel/digest.ts";
import { type ErrorCode, errorCodes, SwarmError } from "../kernel/errors.ts";
import { isHash, isPeerId, type PeerId, type SwarmId } from "../kernel/ids.ts";
import { readEntry, type SignedEntry } from "../timeline/entry.ts";

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

/** Why the other side did not let this node in. */
export interface Turned {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string;
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
    wallMs: z.number().nonnegative(),
  }),
  z.object({
    ...common,
    kind: z.literal("redeem"),
    ticket: z.string().min(1).max(32),
    key: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
    nonce: z.string().min(8).max(64),
    name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    proof: z.instanceof(Uint8Array).refine((b) => b.length === 64),
  }),
]);

export function encodeAdmission(request: Presentation | Redemption | Turned): Uint8Array {
  return encode(
    request.kind === "present"
      ? { v: 1, ...request, certificates: request.certificates.map((c) => c.bytes) }
      : { v: 1, ...request },
  );
}

/** Throws `malformed`, `too-large`. Signatures are not checked here. */
export function readAdmission(bytes: Uint8Array): Presentation | Redemption | Turned {
  const parsed = wireSchema.safeParse(decode(bytes, admissionBytesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not an admission request");
  const { v: _, ...request } = parsed.data;
  return request.kind === "present"
    ? { ...request, certificates: request.certificates.map(readEntry) }
    : request;
}
