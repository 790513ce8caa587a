/** Who may ask the gateway what: reads only, from pages of its own, by a name that is its own, with the token where one is set. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { hasBody, isLoopbackHost } from "../listener.ts";

export interface DoorRules {
  /** Names beside localhost under which the gateway may be asked for. */
  readonly hosts: readonly string[];
  /** Whoever asks for more than the page itself must show it. */
  readonly token?: string;
}

/** Why a request is not answered, and what to do instead. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

const urlBytesMax = 8 << 10;

/** Undefined: come in. `isPublic`: what is the same for everybody, and needs no token. */
export function refusalOf(
  request: IncomingMessage,
  rules: DoorRules,
  isPublic: (path: string) => boolean,
): Refusal | undefined {
  const { method, url = "", headers, httpVersionMajor } = request;
  if (httpVersionMajor !== 1)
    return refusal(400, "malformed", "this is no HTTP/1.1", "ask by HTTP/1.1: curl --http1.1");
  if (!mayBeCalled(headers.host, request.socket.localAddress, rules.hosts))
    return refusal(
      421,
      "refused",
      `this gateway is not called ${(headers.host ?? "").slice(0, 100)}`,
      "ask for localhost, or give the daemon its name: gatewayHosts in config.yaml",
    );
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`)
    return refusal(403, "refused", "pages of others may not read this", "open the gateway's own page");
  if (method !== "GET" && method !== "HEAD")
    return refusal(405, "usage", `nothing can be changed here by ${method}`, "use the swarmd command");
  if (hasBody(request)) return refusal(400, "malformed", "a read has no body", "send none");
  if (url.length > urlBytesMax)
    return refusal(414, "too-large", `an address of more than ${urlBytesMax} bytes`, "ask for less at once");
  if (!isPlain(url))
    return refusal(400, "malformed", "no path of this gateway is written so", "see /api/v1/openapi.json");
  if (
    rules.token !== undefined &&
    !isPublic(url.split("?", 1)[0]!) &&
    !shows(headers.authorization, rules.token)
  )
    return refusal(
      401,
      "refused",
      "this gateway wants its token",
      "send it along: Authorization: Bearer TOKEN; its owner finds it in the file that config.yaml names as gatewayTokenFile",
    );
  return undefined;
}

const refusal = (status: number, code: string, message: string, remedy: string): Refusal => ({
  status,
  code,
  message,
  remedy,
});

/** A name that somebody else may point at this machine is not taken: its pages would be read as our own. */
function mayBeCalled(host: string | undefined, local: string | undefined, hosts: readonly string[]): boolean {
  const name = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(host ?? "")?.[1]?.toLowerCase();
  if (name === undefined) return false;
  const bare = name.replace(/^\[|\]$/g, "");
  if (bare === "localhost" || bare === local?.replace(/^::ffff:/, "")) return true;
  return isLoopbackHost(bare) || hosts.some((one) => one.toLowerCase() === bare);
}

/** An absolute path without dots that climb, also not in disguise. */
function isPlain(url: string): boolean {
  if (!url.startsWith("/") || url.startsWith("//")) return false;
  const [path = ""] = url.split("?", 1);
  try {
    const decoded = decodeURIComponent(path);
    return !/(^|[/\\])\.\.?([/\\]|$)|[\\\0]/.test(decoded) && !/%2f|%5c|%00/i.test(path);
  } catch {
    return false;
  }
}

function shows(authorization: string | undefined, token: string): boolean {
  const shown = /^Bearer ([\x21-\x7e]{1,512})$/.exec(authorization ?? "")?.[1];
  return shown !== undefined && timingSafeEqual(digestOf(shown), digestOf(token));
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();
