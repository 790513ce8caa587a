/** A folder of the swarm as a tar file: the same bytes wherever and whenever it is made, each file verified as it passes. */
import { createHash } from "node:crypto";
import { createTarPacker } from "modern-tar";
import { hashOf, sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { byText, type Digest } from "../protocol/kernel/ids.ts";
import { checkedPath, type Placeable } from "./placing.ts";

/**
 * Throws, in the midst of it, `refused` for a path that leads out, `blob-corrupt` when the bytes are others than those of the digest, and
 * what `bytes` throws.
 */
export async function* tarOf(
  entries: readonly Placeable[],
  bytes: (digest: Digest) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const { readable, controller } = createTarPacker();
  const pack = async () => {
    for (const entry of [...entries].sort((a, b) => byText(a.path, b.path))) {
      const room = controller.add(headerOf(entry)).getWriter();
      if (entry.link === undefined && !entry.folder)
        for await (const chunk of verified(entry, bytes(entry.digest))) await room.write(chunk);
      await room.close();
    }
    controller.finalize();
  };
  const packed = pack().catch((cause) => controller.error(cause));
  yield* readable;
  await packed;
}

const epoch = new Date(0);

function headerOf({ path, digest, executable, link, folder }: Placeable) {
  const name = checkedPath(path);
  const common = { mtime: epoch, uid: 0, gid: 0, size: 0 };
  if (link !== undefined) return { ...common, name, type: "symlink" as const, linkname: link, mode: 0o777 };
  if (folder) return { ...common, name: `${name}/`, type: "directory" as const, mode: 0o755 };
  return { ...common, name, type: "file" as const, size: sizeOf(digest), mode: executable ? 0o755 : 0o644 };
}

async function* verified(entry: Placeable, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") !== hashOf(entry.digest))
    throw new SwarmError("blob-corrupt", `what came for ${entry.path} is not what was built`, {
      remedy: "fetch it again",
    });
}
