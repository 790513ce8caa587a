/**
 * Serves what mirrors show, to anyone: GET and HEAD, files of released epochs and nothing else. What it serves is resolved once for each request,
 * so that no answer mixes two epochs; names of content are found in older epochs too, as long as these are kept.
 */
import { realpath, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import send from "send";
import { hasBody, type Listener, openListener, refuse } from "../listener.ts";
import { isLasting, servedPath } from "./served-path.ts";

/** What is shown now. */
export interface Shelves {
  /** The folders of a channel that hold its epochs, the one that is shown first, then older ones that are still kept; none for a channel that shows nothing. */
  foldersOf(channel: string): readonly string[];
}

/** Listens on `listen` (`host:port`, `[v6]:port`; port 0 = any). A request's head must be there within `headTimeoutMs`. Throws `usage`, `address-in-use`. */
export const serveBinhost = (listen: string, shelves: Shelves, headTimeoutMs?: number): Promise<Listener> =>
  openListener({
    listen,
    flag: "--binhost-listen",
    ...(headTimeoutMs === undefined ? {} : { headTimeoutMs }),
    answer: (request, response) => answer(request, response, shelves),
  });

async function answer(request: IncomingMessage, response: ServerResponse, shelves: Shelves): Promise<void> {
  const { method, url = "", httpVersionMajor } = request;
  if (httpVersionMajor !== 1) return refuse(response, 400);
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405);
  }
  if (hasBody(request)) return refuse(response, 400);
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
