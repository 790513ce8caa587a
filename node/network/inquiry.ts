/** What a member is asked about how it stands: whom it reaches, whether it reaches the asker, what its doctor finds; of others too, which the asker does not reach. */
import type { Connection, Stream } from "@libp2p/interface";
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Finding } from "../control/api.ts";
import type { Log } from "../log.ts";
import type { Inquirable, Inquiry, InquiryAnswer } from "../ports.ts";
import { readFrame, writeFrame } from "./frames.ts";
import { peerOf } from "./gate.ts";

export const inquiryProtocol = "/swarmd/1/inquiry";

/** Of one peer at once. */
export const inquiriesMax = 8;
const requestBytesMax = 8 << 10;
const answerBytesMax = 256 << 10;
const requestMsMax = 5_000;
/** One that is asked on behalf of another needs as long as both. */
const answerMsMax = 12_000;

const findingsMax = 128;
const wordsMax = 1000;

const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const address = z.string().max(256);
const of = peer.optional();
const requestSchema: z.ZodType<Inquiry & { readonly of?: PeerId | undefined }, unknown> =
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("reach"), of }),
    z.object({ kind: z.literal("dial"), addresses: z.array(address).min(1).max(16), of }),
    z.object({ kind: z.literal("moved"), addresses: z.array(address).max(16), of }),
    z.object({ kind: z.literal("health"), of }),
  ]);
const ms = z.number().nonnegative();
const answerSchema: z.ZodType<InquiryAnswer | { readonly kind: "unreachable" }, unknown> =
  z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("reach"),
      ways: z
        .array(
          z.object({ peer, latencyMs: ms.optional(), direction: z.enum(["inbound", "outbound"]), address }),
        )
        .max(1024),
    }),
    z.object({
      kind: z.literal("dial"),
      tries: z
        .array(z.object({ address, latencyMs: ms.optional(), why: z.string().max(200).optional() }))
        .max(16),
    }),
    z.object({
      kind: z.literal("health"),
      findings: z
        .array(
          z.object({
            check: z.string().max(64),
            level: z.enum(["ok", "note", "bad"]),
            text: z.string().max(wordsMax),
            remedy: z.string().max(wordsMax).optional(),
          }),
        )
        .max(findingsMax),
    }),
    z.object({ kind: z.literal("moved") }),
    z.object({ kind: z.literal("unreachable") }),
  ]);

/** What fits an answer. */
export const clipped = (findings: readonly Finding[]): Finding[] =>
  findings.slice(0, findingsMax).map(({ check, level, text, remedy }) => ({
    check: check.slice(0, 64),
    level,
    text: text.slice(0, wordsMax),
    ...(remedy === undefined ? {} : { remedy: remedy.slice(0, wordsMax) }),
  }));

/** Answers for this node, and asks a member on behalf of one that does not reach it; not further than that. */
export function inquiryHandler(options: {
  readonly self: PeerId;
  readonly answers: Inquirable;
  readonly connectionTo: (peer: PeerId) => Connection | undefined;
  readonly log: Log;
}): (stream: Stream, connection: Connection) => Promise<void> {
  return async (stream, connection) => {
    const asker = peerOf(connection);
    try {
      const raw = await readFrame(stream, requestBytesMax, requestMsMax);
      const { of: about, ...inquiry } = requestSchema.parse(decode(raw, requestBytesMax));
      const answer =
        about === undefined || about === options.self
          ? await options.answers.answer(asker, inquiry)
          : await passOn(options.connectionTo(about), inquiry);
      await writeFrame(stream, [encode(answer)], requestMsMax);
      await stream.close();
    } catch (error) {
      options.log.debug({ peer: asker, err: error }, "an inquiry was not answered");
      stream.abort(error as Error);
    }
  };
}

async function passOn(connection: Connection | undefined, inquiry: Inquiry) {
  // Of addresses only their owner speaks.
  if (!connection || inquiry.kind === "dial" || inquiry.kind === "moved")
    return { kind: "unreachable" } as const;
  return inquireOf(connection, inquiry).catch(() => ({ kind: "unreachable" }) as const);
}

/** Asks the member at the other end; about another one with `of`. Throws `peer-unreachable` where no answer comes, `malformed`. */
export async function inquireOf(
  connection: Connection,
  inquiry: Inquiry,
  about?: PeerId,
): Promise<InquiryAnswer> {
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(inquiryProtocol, { signal: AbortSignal.timeout(requestMsMax) });
    await writeFrame(stream, [encode({ ...inquiry, of: about })], requestMsMax);
    const raw = await readFrame(stream, answerBytesMax, answerMsMax);
    const answer = answerSchema.safeParse(decode(raw, answerBytesMax));
    if (!answer.success || (answer.data.kind !== inquiry.kind && answer.data.kind !== "unreachable"))
      throw new SwarmError("malformed", "not an answer to what was asked");
    if (answer.data.kind === "unreachable")
      throw new SwarmError("peer-unreachable", "the member that was asked does not reach it either");
    await stream.close();
    return answer.data;
  } catch (cause) {
    stream?.abort(cause as Error);
    if (cause instanceof SwarmError) throw cause;
    throw new SwarmError("peer-unreachable", `${peerOf(connection)} does not answer`, { cause });
  }
}
