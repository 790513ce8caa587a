/**
 * How a connection is encrypted: by TLS, or, where the clocks of its ends differ, by noise. libp2p's TLS makes a certificate for each connection,
 * dated by its maker's clock, and refuses without a word what is not valid yet by its own: a machine that woke in 1970 or 2038 would be a
 * stranger to all. Noise knows no dates. Which of the two it is the ends agree on by telling each other the time; nobody obeys it.
 */
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
} from "@libp2p/interface";
import type { NoiseComponents } from "@libp2p/noise";
import type { TLSComponents } from "@libp2p/tls";
import { byteStream } from "@libp2p/utils";
import { byNoise, byTls } from "./ciphers.ts";

const protocol = "/swarmd/1/seal";

/** libp2p dates its certificates an hour back. */
const clocksApartMsMax = 30 * 60_000;
/** The dialler says its time; the listener says its choice, and its own time. */
const timeBytes = 8;
const tlsChosen = 0;
const noiseChosen = 1;

export interface SealingOptions {
  readonly wallMs?: () => number;
  /** Both ends are about to use noise, for the clock of the other end (which is nobody yet) is so far ahead. */
  readonly clocksApart?: (aheadMs: number) => void;
}

export const sealing =
  (options: SealingOptions = {}) =>
  (components: NoiseComponents & TLSComponents): ConnectionEncrypter =>
    new Sealing(byTls()(components), byNoise()(components), options);

class Sealing implements ConnectionEncrypter {
  readonly protocol = protocol;
  private readonly tls: ConnectionEncrypter;
  private readonly noise: ConnectionEncrypter;
  private readonly options: SealingOptions;

  constructor(byTls: ConnectionEncrypter, byNoise: ConnectionEncrypter, options: SealingOptions) {
    this.tls = byTls;
    this.noise = byNoise;
    this.options = options;
  }

  async secureOutbound(
    connection: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const plain = byteStream(connection);
    await plain.write(timeOf(this.nowMs()), options);
    const answer = (await plain.read({ bytes: 1 + timeBytes, signal: options?.signal })).subarray();
    const aheadMs = msOf(answer.subarray(1)) - this.nowMs();
    plain.unwrap();
    return this.by(answer[0] === noiseChosen, aheadMs).secureOutbound(connection, options);
  }

  async secureInbound(
    connection: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const plain = byteStream(connection);
    const theirs = msOf((await plain.read({ bytes: timeBytes, signal: options?.signal })).subarray());
    const ownMs = this.nowMs();
    const apart = Math.abs(theirs - ownMs) > clocksApartMsMax;
    await plain.write(Uint8Array.of(apart ? noiseChosen : tlsChosen, ...timeOf(ownMs)), options);
    plain.unwrap();
    return this.by(apart, theirs - ownMs).secureInbound(connection, options);
  }

  private nowMs(): number {
    return (this.options.wallMs ?? Date.now)();
  }

  private by(apart: boolean, aheadMs: number): ConnectionEncrypter {
    if (apart) this.options.clocksApart?.(aheadMs);
    return apart ? this.noise : this.tls;
  }
}

function timeOf(ms: number): Uint8Array {
  const bytes = new Uint8Array(timeBytes);
  new DataView(bytes.buffer).setFloat64(0, ms);
  return bytes;
}

/** Whatever is no time counts as very far away: noise then. */
function msOf(bytes: Uint8Array): number {
  const ms = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(0);
  return Number.isFinite(ms) ? ms : Number.MAX_SAFE_INTEGER;
}
