/** Whom a member knows: an empty frame asks, one frame with its peer book answers, so that who joins through one member finds them all. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import { readFrame, writeFrame } from "./frames.ts";
import { peerOf } from "./gate.ts";
import { isLoopback, type PeerBook } from "./peer-book.ts";

export const peersProtocol = "/swarmd/1/peers";

const answerBytesMax = 1 << 20;
const peersMax = 1_024;
/** Per peer; the first are the best. */
const addressesMax = 8;
const answerMsMax = 10_000;

const answerSchema = z
  .array(
    z.object({
      peer: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
      addresses: z.array(z.string().max(256)).max(addressesMax),
    }),
  )
  .max(peersMax);

/** Tells of members only; of loopback addresses only to who came by one. */
export function peersHandler(options: {
  readonly book: Pick<PeerBook, "peers" | "addresses">;
  readonly admits: (peer: PeerId) => boolean;
  readonly log: Log;
}): (stream: Stream, connection: Connection) => Promise<void> {
  const { book } = options;
  return async (stream, connection) => {
    const asker = peerOf(connection);
    const sameHost = isLoopback(connection.remoteAddr);
    const known = book
      .peers()
      .filter((peer) => peer !== asker && options.admits(peer))
      .slice(0, peersMax)
      .map((peer) => ({
        peer,
        addresses: book
          .addresses(peer)
          .filter((address) => sameHost || !isLoopback(multiaddr(address)))
          .slice(0, addressesMax),
      }));
    try {
      await readFrame(stream, 0, answerMsMax);
      await writeFrame(stream, [encode(known)], answerMsMax);
      await stream.close();
    } catch (error) {
      options.log.debug({ peer: asker, err: error }, "a member was not told of the others");
      stream.abort(error as Error);
    }
  };
}

/** Asks a member whom it knows. Throws `malformed`, `timed-out`. */
export async function peersOf(connection: Connection): Promise<(readonly [PeerId, readonly string[]])[]> {
  const stream = await connection.newStream(peersProtocol, { signal: AbortSignal.timeout(answerMsMax) });
  try {
    await writeFrame(stream, [], answerMsMax);
    const answer = await readFrame(stream, answerBytesMax, answerMsMax);
    const known = answerSchema.safeParse(decode(answer, answerBytesMax));
    if (!known.success) throw new SwarmError("malformed", "not a list of peers");
    await stream.close();
    return known.data.map(({ peer, addresses }) => [peer, addresses] as const);
  } catch (cause) {
    stream.abort(cause as Error);
    throw cause;
  }
}
