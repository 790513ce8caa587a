/** What a request's target asks for: a channel and a path in it, or nothing that is served. Text of anyone: what is not plain is nothing. */

export interface ServedPath {
  readonly channel: string;
  /** Relative, without empty, hidden or climbing parts. */
  readonly path: string;
}

const targetCharsMax = 2048;
const partCharsMax = 255;

/** Undefined for what names nothing; the query is passed over. */
export function servedPath(target: string): ServedPath | undefined {
  if (target.length > targetCharsMax || !target.startsWith("/")) return undefined;
  let text: string;
  try {
    text = decodeURIComponent(target.split(/[?#]/, 1)[0]!);
  } catch {
    return undefined;
  }
  const [, channel, ...parts] = text.split("/");
  if (channel === undefined || parts.length === 0) return undefined;
  const plain = (part: string) =>
    part !== "" && !part.startsWith(".") && part.length <= partCharsMax && !isStrange(part);
  if (![channel, ...parts].every(plain)) return undefined;
  return { channel, path: parts.join("/") };
}

/** Control characters, backslashes, and what is still encoded after decoding once. */
function isStrange(part: string): boolean {
  for (let at = 0; at < part.length; at++) {
    const code = part.charCodeAt(at);
    if (code < 0x20 || code === 0x7f || code === 0x5c || code === 0xfffd) return true;
  }
  return /%(2e|2f|5c|00)/i.test(part);
}

/** Whether a path is named by its content: what it holds never changes, in no epoch. */
export const isLasting = (path: string): boolean =>
  path.startsWith("blobs/") ||
  path.startsWith("pool/") ||
  path.startsWith("provenance/") ||
  path.includes("/by-hash/");
