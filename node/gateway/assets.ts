/** The dashboard's files, held in memory: no path of a request ever becomes one of the disk. */

export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
  /** Its name changes with its content. */
  readonly isLasting: boolean;
}

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>swarmd</title>
<p>This node answers under <a href="/api/v1/openapi.json">/api/v1</a> and <a href="/metrics">/metrics</a>.</p></html>
`;

const assets = new Map<string, Asset>([
  [
    "/",
    {
      body: new TextEncoder().encode(page),
      type: "text/html; charset=utf-8",
      etag: '"1"',
      isLasting: false,
    },
  ],
]);

export const assetOf = (path: string): Asset | undefined => assets.get(path);

/** The same for everybody: it needs no token. */
export const isAsset = (path: string): boolean => path === "/healthz" || assets.has(path);
