/** The dashboard's files, read once into memory: no path of a request ever becomes one of the disk. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { builtDir } from "../program.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Asset {
  readonly body: Bytes;
  readonly type: string;
  readonly etag: string;
  /** Its name changes with its content. */
  readonly isLasting: boolean;
  /** The body in the best of these encodings that makes it smaller, and which that is. */
  packed(accepted: string | undefined): { readonly body: Bytes; readonly encoding?: "br" | "gzip" };
}

/** What `npm run build:web` writes. */
export const builtPage = path.join(builtDir, "page");

/** The same page as a package folder of Cockpit. */
export const builtForCockpit = path.join(builtDir, "cockpit");

/** Where all but the page itself stands: names with a digest in them. */
const lasting = "/page/";

/** The same for everybody: it needs no token. */
export const isPublic = (path: string): boolean =>
  path === "/" || path === "/healthz" || path.startsWith(lasting);

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const unbuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>swarmd</title>
<p>This node answers under <a href="/api/v1/openapi.json">/api/v1</a> and <a href="/metrics">/metrics</a>.</p>
<p>Its dashboard is not built. In its folder: <code>npm run build:web</code>, then start the daemon again.</p></html>
`;

/** The files of a built page by their paths; a page that says how to build it where there is none. */
export function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const name of filesOf(folder)) {
    const type = types[path.extname(name)];
    if (type === undefined) continue;
    const url = name === "index.html" ? "/" : `/${name}`;
    assets.set(url, assetOf(readFileSync(path.join(folder, name)), type, url.startsWith(lasting)));
  }
  if (!assets.has("/")) assets.set("/", assetOf(Buffer.from(unbuilt), types[".html"]!, false));
  return assets;
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fault;
  }
}

function assetOf(bytes: Buffer, type: string, isLasting: boolean): Asset {
  const body = Uint8Array.from(bytes);
  const made = new Map<string, Bytes>();
  const packed: Asset["packed"] = (accepted) => {
    const encoding = encodingOf(accepted);
    if (encoding === undefined) return { body };
    let smaller = made.get(encoding);
    if (!smaller) {
      smaller = Uint8Array.from(encoding === "br" ? brotliCompressSync(body, quality) : gzipSync(body));
      made.set(encoding, smaller);
    }
    return smaller.length < body.length ? { body: smaller, encoding } : { body };
  };
  const digest = createHash("sha256").update(body).digest("base64url").slice(0, 22);
  return { body, type, etag: `"${digest}"`, isLasting, packed };
}

/** The last steps cost most of the time and gain a hundredth. */
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

/** By name alone: nobody who sends weights means these two differently. `q=0` is a no. */
function encodingOf(accepted = ""): "br" | "gzip" | undefined {
  const takes = (name: string) =>
    accepted
      .toLowerCase()
      .split(",")
      .some((one) => {
        const [is, ...params] = one.split(";").map((part) => part.trim());
        return is === name && !params.some((param) => /^q=0(\.0*)?$/.test(param));
      });
  return takes("br") ? "br" : takes("gzip") ? "gzip" : undefined;
}
