/** TLS and noise, read when the first connection comes: half of what a host consists of, and nobody needs it to listen. */
import type { ConnectionEncrypter } from "@libp2p/interface";
import type { NoiseComponents } from "@libp2p/noise";
import type { TLSComponents } from "@libp2p/tls";

const tlsProtocol = "/tls/1.0.0";
const noiseProtocol = "/noise";

export const byTls =
  () =>
  (components: TLSComponents): ConnectionEncrypter =>
    new Later(tlsProtocol, async () => (await import("@libp2p/tls")).tls()(components));

export const byNoise =
  () =>
  (components: NoiseComponents): ConnectionEncrypter =>
    new Later(noiseProtocol, async () => (await import("@libp2p/noise")).noise()(components));

class Later implements ConnectionEncrypter {
  readonly protocol: string;
  private readonly read: () => Promise<ConnectionEncrypter>;
  private there: Promise<ConnectionEncrypter> | undefined;

  constructor(protocol: string, read: () => Promise<ConnectionEncrypter>) {
    this.protocol = protocol;
    this.read = read;
  }

  secureInbound: ConnectionEncrypter["secureInbound"] = async (connection, options) =>
    (await this.encrypter()).secureInbound(connection, options);

  secureOutbound: ConnectionEncrypter["secureOutbound"] = async (connection, options) =>
    (await this.encrypter()).secureOutbound(connection, options);

  private encrypter(): Promise<ConnectionEncrypter> {
    this.there ??= this.read();
    return this.there;
  }
}
