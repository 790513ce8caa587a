/** The steps by which a mirror comes to show an epoch that holds one file. */
import type { DiskBlobs } from "../../node/store/blobs.ts";
import type { PublishStep } from "../../protocol/contract.ts";
import { encodeManifest, type ReleaseItem } from "../../protocol/release/manifest.ts";

export async function publishSteps(
  blobs: DiskBlobs,
  epoch: number,
  path: string,
  bytes: Uint8Array,
): Promise<PublishStep[]> {
  const digest = await blobs.put(bytes);
  const item = { path, digest, build: "tool-0123456789", action: "all" } as unknown as ReleaseItem;
  const manifest = await blobs.put(
    encodeManifest({
      v: 1,
      swarm: "a".repeat(64) as never,
      channel: "stable",
      epoch,
      parent: null,
      atMs: 1_764_000_000_000,
      format: "files",
      items: [item],
      builds: [],
    }),
  );
  const at = { channel: "stable", epoch };
  return [
    { step: "begin", ...at },
    { step: "fill", ...at, files: [{ path, digest }] },
    { step: "index", ...at, manifest },
    { step: "keep", ...at },
    { step: "switch", ...at },
  ];
}
