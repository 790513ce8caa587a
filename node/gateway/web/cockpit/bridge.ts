/** Reads of the gateway through Cockpit's bridge, which runs on the machine itself: a browser elsewhere needs no way to the gateway's port. */
import type { Carry } from "../source.ts";

/** What is used of `cockpit.js`; a channel of the payload http-stream2. */
export interface Cockpit {
  channel(options: Readonly<Record<string, unknown>>): Channel;
}

interface Channel {
  control(options: { readonly command: "done" }): void;
  close(): void;
  addEventListener(kind: "control", heard: (event: unknown, said: Said) => void): void;
  addEventListener(kind: "message", heard: (event: unknown, data: Uint8Array | string) => void): void;
  addEventListener(kind: "close", heard: (event: unknown, said: Said) => void): void;
}

interface Said {
  readonly command?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly problem?: string | null;
}

/** As `fetch` would answer; it throws `TypeError` where the gateway is not reached. */
export function throughBridge(cockpit: Cockpit, port: number): Carry {
  return (path, { headers, signal }) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const channel = cockpit.channel({
        payload: "http-stream2",
        address: "127.0.0.1",
        port,
        method: "GET",
        path,
        headers,
        binary: "raw",
      });
      let body: ReadableStreamDefaultController<Uint8Array> | undefined;
      let isOver = false;
      const end = (fault?: Error) => {
        if (isOver) return;
        isOver = true;
        if (fault) {
          reject(fault);
          body?.error(fault);
        } else body?.close();
      };
      const leave = () => {
        end(new DOMException("nobody waits for it any more", "AbortError"));
        channel.close();
      };
      signal?.addEventListener("abort", leave, { once: true });
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => {
          body = controller;
        },
        cancel: leave,
      });
      channel.addEventListener("control", (_, { command, status = 502, headers: said = {} }) => {
        if (command !== "response") return;
        const hasBody = status !== 204 && status !== 304;
        resolve(new Response(hasBody ? stream : null, { status, headers: said }));
      });
      channel.addEventListener("message", (_, data) => {
        if (!isOver) body?.enqueue(typeof data === "string" ? new TextEncoder().encode(data) : data);
      });
      channel.addEventListener("close", (_, { problem }) => {
        signal?.removeEventListener("abort", leave);
        end(problem ? new TypeError(`the gateway is not reached: ${problem}`) : undefined);
      });
      channel.control({ command: "done" });
    });
}
