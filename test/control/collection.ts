/** Room made among blobs in memory: there is enough of it, so only what is asked for by its age goes. */
import type { CollectionView, Control } from "../../node/control/api.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

export function collectionOf(
  blobs: Map<Digest, Uint8Array>,
  { dryRun = false, unusedMs }: Parameters<Control["collect"]>[0],
): CollectionView {
  const none = { count: 0, bytes: 0 };
  const all = { count: blobs.size, bytes: [...blobs.values()].reduce((sum, { length }) => sum + length, 0) };
  const goes = [...blobs].map(([digest, { length }]) => ({ digest, bytes: length, usedMs: 0 }));
  const asked = unusedMs !== undefined;
  if (asked && !dryRun) blobs.clear();
  return {
    dryRun,
    goes: asked ? goes : [],
    ...(asked ? all : none),
    kept: { live: none, released: none, own: none, logs: none, recent: none, room: asked ? none : all },
    usedBytes: all.bytes,
    usedBytesMax: 50e9,
    freeBytes: 210e9,
    freeBytesMin: 5e9,
    shortBytes: 0,
  };
}
