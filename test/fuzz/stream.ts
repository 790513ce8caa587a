/** A stream that tests hold both ends of: what comes in is handed on as libp2p does it, what goes out is counted. */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { PeerId } from "../../protocol/kernel/ids.ts";

export class HeldStream extends EventTarget {
  status = "open";
  readStatus = "readable";
  readableEnded = false;
  writableNeedsDrain = false;
  writeBufferLength = 0;
  sentBytes = 0;
  private readonly held: Uint8Array[] = [];

  /** As its handlers know it. */
  get stream(): Stream {
    return this as unknown as Stream;
  }

  get readBufferLength(): number {
    return this.held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** Bytes of the other side. */
  comes(bytes: Uint8Array): void {
    this.held.push(bytes);
    this.flush();
  }

  /** The other side says no more. */
  ends(): void {
    if (this.readableEnded) return;
    this.readableEnded = true;
    this.dispatchEvent(new Event("end"));
  }

  send(bytes: { readonly byteLength: number }): boolean {
    if (this.status !== "open") throw new Error("the stream is not open");
    this.sentBytes += bytes.byteLength;
    return true;
  }

  pause(): void {
    this.readStatus = "paused";
  }

  resume(): void {
    this.readStatus = "readable";
    this.flush();
  }

  async close(): Promise<void> {
    this.over("closed");
  }

  abort(_: Error): void {
    this.over("aborted");
  }

  private over(status: string): void {
    if (this.status !== "open") return;
    this.status = status;
    this.held.length = 0;
    this.dispatchEvent(new Event("close"));
  }

  private flush(): void {
    while (this.status === "open" && this.readStatus === "readable" && this.held.length > 0)
      this.dispatchEvent(Object.assign(new Event("message"), { data: this.held.shift()! }));
  }
}

/** A connection as handlers look at it: who is on the other side. */
export const connectionOf = (peer: PeerId): Connection =>
  ({
    remotePeer: { toString: () => peer },
    remoteAddr: multiaddr("/ip4/192.0.2.7/tcp/4701"),
  }) as unknown as Connection;
