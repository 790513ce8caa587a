/** An HTTP listener that anyone may reach: heads, times and connections are bounded, and what is no plain request is hung up on. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { http } from "./http.ts";

export interface Listener {
  /** `host:port` as it turned out to be. */
  readonly address: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface ListenerOptions {
  /** `host:port` or `[v6]:port`; port 0 = any. */
  readonly listen: string;
  /** The flag that says where, for remedies: `--binhost-listen`. */
  readonly flag: string;
  /** A request's head must be there within this time. */
  readonly headTimeoutMs?: number;
  /** Where the port is taken, so many behind it are tried. */
  readonly portsMore?: number;
  /** Answers a request; what it throws ends the connection. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => unknown;
}

const headerBytesMax = 8 << 10;
const headersTimeoutMs = 10_000;
/** How often it is looked for heads that are overdue. */
const checkMs = 5_000;
const idleTimeoutMs = 60_000;
const keepAliveTimeoutMs = 15_000;
const connectionsMax = 1024;
const requestsPerConnectionMax = 10_000;

/** Throws `usage`, `address-in-use`. */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { listen, flag, answer, headTimeoutMs = headersTimeoutMs, portsMore = 0 } = options;
  const { host, port } = hostAndPort(listen, flag);
  const server = http.createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headTimeoutMs,
      requestTimeout: headTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(checkMs, headTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    (request, response) => {
      (async () => answer(request, response))().catch(() => refuse(response, 500));
    },
  );
  server.maxConnections = connectionsMax;
  server.maxRequestsPerSocket = requestsPerConnectionMax;
  server.timeout = idleTimeoutMs;
  server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
    hangUp(socket as Socket, statusOf(error)),
  );
  server.on("checkContinue", (_request, response: ServerResponse) => refuse(response, 417));
  server.on("checkExpectation", (_request, response: ServerResponse) => refuse(response, 417));
  server.on("upgrade", (_request, socket) => hangUp(socket as Socket, 400));
  server.on("connect", (_request, socket) => hangUp(socket as Socket, 405));
  for (let at = port; ; at++)
    try {
      await listening(server, host, at, flag);
      break;
    } catch (cause) {
      const isTaken = cause instanceof SwarmError && cause.code === "address-in-use";
      if (!isTaken || at >= Math.min(65_535, port + portsMore)) throw cause;
    }
  const bound = server.address() as AddressInfo;
  return {
    address: bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a request carries besides its head might be read as the next one by somebody in between. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;

/** Of an address, without brackets: nobody but this machine comes there. */
export const isLoopbackHost = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

/** Of `host:port` or `[v6]:port`. */
export const isLoopbackAddress = (listen: string): boolean =>
  isLoopbackHost(listen.replace(/:\d*$/, "").replace(/^\[|\]$/g, ""));

/** A short answer in plain text, and the end of the connection: what follows of it is not worth reading. */
export function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of ["ETag", "Last-Modified", "Cache-Control", "Accept-Ranges", "Content-Encoding"])
    response.removeHeader(name);
  const text = `${http.STATUS_CODES[status] ?? "refused"}\n`;
  if (status !== 404 && status !== 416) response.setHeader("Connection", "close");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": text.length });
  response.end(text);
}

function hangUp(socket: Socket, status: number): void {
  if (!socket.writable || socket.destroyed) return;
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  socket.destroySoon();
}

const statusOf = ({ code }: NodeJS.ErrnoException): number =>
  code === "HPE_HEADER_OVERFLOW" ? 431 : code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;

function hostAndPort(listen: string, flag: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(listen);
  const port = Number(found?.[3]);
  if (!found || port > 65535)
    throw new SwarmError("usage", `${listen} is no address to listen on`, {
      remedy: `say HOST:PORT with ${flag}, as 0.0.0.0:8480 or [::]:8480`,
    });
  return { host: found[1] ?? found[2]!, port };
}

function listening(server: Server, host: string, port: number, flag: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new SwarmError("address-in-use", `something listens on ${host}:${port} already`, {
              remedy: `choose another ${flag}`,
              cause,
            })
          : new SwarmError("usage", `cannot listen on ${host}:${port}: ${cause.message}`, { cause }),
      );
    server.once("error", failed);
    server.listen(port, host, () => {
      server.removeListener("error", failed);
      resolve();
    });
  });
}
