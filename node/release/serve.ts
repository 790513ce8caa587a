/**
 * Serves what mirrors show, to anyone: GET and HEAD, files of released epochs and nothing else. What it serves is resolved once for each request,
 * so that no answer mixes two epochs; names of content are found in older epochs too, as long as these are kept.
 */
import { realpath, stat } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import send from "send";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { isLasting, servedPath } from "./served-path.ts";

/** What is shown now. */
export interface Shelves {
  /** The folders of a channel that hold its epochs, the one that is shown first, then older ones that are still kept; none for a channel that shows nothing. */
  foldersOf(channel: string): readonly string[];
}

export interface BinhostListener {
  /** `host:port` as it turned out to be. */
  readonly address: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

const headerBytesMax = 8 << 10;
const headersTimeoutMs = 10_000;
const idleTimeoutMs = 60_000;
const keepAliveTimeoutMs = 15_000;
const connectionsMax = 1024;
const requestsPerConnectionMax = 10_000;

/** Listens on `listen` (`host:port`, `[v6]:port`; port 0 = any). A request's head must be there within `headTimeoutMs`. Throws `usage`, `address-in-use`. */
export async function serveBinhost(
  listen: string,
  shelves: Shelves,
  headTimeoutMs = headersTimeoutMs,
): Promise<BinhostListener> {
  const { host, port } = hostAndPort(listen);
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headTimeoutMs,
      requestTimeout: headTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, headTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    (request, response) => {
      answer(request, response, shelves).catch(() => refuse(response, 500));
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
  await listening(server, host, port);
  const bound = server.address() as { address: string; port: number; family: string };
  return {
    address: bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, shelves: Shelves): Promise<void> {
  const { method, url = "", headers, httpVersionMajor } = request;
  if (httpVersionMajor !== 1) return refuse(response, 400);
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405);
  }
  // What a request carries besides its head might be read as the next one by somebody in between.
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0)
    return refuse(response, 400);
  const asked = servedPath(url);
  const found = asked && (await find(shelves.foldersOf(asked.channel), asked.path));
  if (!asked || !found) return refuse(response, asked || url.length <= 2048 ? 404 : 414);
  const lasting = isLasting(asked.path);
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Content-Security-Policy", "default-src 'none'; sandbox");
  response.setHeader("ETag", `"${found.mtimeS.toString(16)}-${found.sizeBytes.toString(16)}"`);
  send(request, encodeURI(`/${asked.path}`).replaceAll(/[?#]/g, encodeURIComponent), {
    root: found.folder,
    index: false,
    dotfiles: "ignore",
    cacheControl: false,
  })
    .on("headers", () => {
      response.setHeader("Cache-Control", lasting ? "public, max-age=31536000, immutable" : "no-cache");
    })
    .on("directory", () => refuse(response, 404))
    .on("error", (error: { status?: number }) => refuse(response, error.status ?? 500))
    .pipe(response);
}

interface Found {
  readonly folder: string;
  readonly sizeBytes: number;
  readonly mtimeS: number;
}

/** The folder that has it: the first, or any for what is named by its content. Links must not lead out. */
async function find(folders: readonly string[], inside: string): Promise<Found | undefined> {
  for (const [at, shown] of folders.entries()) {
    if (at > 0 && !isLasting(inside)) break;
    try {
      // `current` is a link that may lead elsewhere a moment later.
      const folder = await realpath(shown);
      const file = await realpath(path.join(folder, inside));
      if (!file.startsWith(`${folder}/`)) return undefined;
      const { size, mtimeMs, ...status } = await stat(file);
      if (!isFile(status.mode)) continue;
      return { folder, sizeBytes: size, mtimeS: Math.floor(mtimeMs / 1000) };
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ELOOP" && code !== "ENAMETOOLONG") throw cause;
    }
  }
  return undefined;
}

const isFile = (mode: number): boolean => (mode & 0o170000) === 0o100000;

/** A short answer in plain text, and the end of the connection: what follows of it is not worth reading. */
function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of ["ETag", "Last-Modified", "Cache-Control", "Accept-Ranges", "Content-Encoding"])
    response.removeHeader(name);
  const text = `${STATUS_CODES[status] ?? "refused"}\n`;
  if (status !== 404 && status !== 416) response.setHeader("Connection", "close");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": text.length });
  response.end(text);
}

function hangUp(socket: Socket, status: number): void {
  if (!socket.writable || socket.destroyed) return;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
}

const statusOf = ({ code }: NodeJS.ErrnoException): number =>
  code === "HPE_HEADER_OVERFLOW" ? 431 : code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;

function hostAndPort(listen: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(listen);
  const port = Number(found?.[3]);
  if (!found || port > 65535)
    throw new SwarmError("usage", `${listen} is no address to listen on`, {
      remedy: "say HOST:PORT, as 0.0.0.0:8480 or [::]:8480",
    });
  return { host: found[1] ?? found[2]!, port };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new SwarmError("address-in-use", `something listens on ${host}:${port} already`, {
              remedy: "choose another --binhost-listen",
              cause,
            })
          : new SwarmError("usage", `cannot listen on ${host}:${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, host, () => resolve());
  });
}
