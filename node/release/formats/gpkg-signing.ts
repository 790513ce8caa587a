/** Signs a gpkg with a configured key (GLEP 78): a signature beside each archive, and all of it listed in a Manifest that is signed itself. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createTarPacker } from "modern-tar";
import type { Gpg } from "./gpg.ts";
import { held, isInner, lastPart, manifestBytesMax, manifestLines, outerMembers, readGpkg } from "./gpkg.ts";

export interface GpkgSigning {
  readonly gpg: Gpg;
  readonly key: string;
  /** The date of the signatures, in seconds; now where it is absent. With it the same key makes the same bytes everywhere. */
  readonly atS?: number;
  /** A folder for what is too large to hold. */
  readonly scratch: string;
}

/**
 * Writes the signed package to `to`, which is not there yet. Signatures it had are replaced. Throws as `readGpkg`, and `refused` when the key
 * cannot sign; nothing is left then.
 */
export async function signGpkg(
  file: string,
  to: string,
  { gpg, key, atS, scratch }: GpkgSigning,
): Promise<void> {
  await readGpkg(file, scratch);
  const { size } = await stat(file);
  const signatures = new Map<string, Buffer>();
  let lines: string[] = [];
  for await (const member of outerMembers(file, size)) {
    const name = lastPart(member.name);
    if (name === "Manifest") lines = manifestLines(await held(member, manifestBytesMax));
    else if (member.kind === "file" && isInner(name))
      signatures.set(name, await gpg.detached(member.body, key, false, atS));
  }
  const kept = lines.filter((line) => !/^DATA \S+\.sig /.test(line));
  const added = [...signatures].map(([name, signature]) => manifestLine(`${name}.sig`, signature));
  const manifest = await gpg.clearsigned(
    Buffer.from([...kept, ...added].map((line) => `${line}\n`).join("")),
    key,
    atS,
  );
  const { readable, controller } = createTarPacker();
  const written = pipeline(Readable.fromWeb(readable as never), createWriteStream(to, { flags: "wx" }));
  const put = async (name: string, sizeBytes: number, body: AsyncIterable<Uint8Array>) => {
    const writer = controller
      .add({ name, size: sizeBytes, type: "file", mode: 0o644, mtime: new Date(0) })
      .getWriter();
    for await (const chunk of body) await writer.write(chunk);
    await writer.close();
  };
  const whole = async function* (bytes: Uint8Array) {
    yield new Uint8Array(bytes);
  };
  const fill = async () => {
    for await (const member of outerMembers(file, size)) {
      const name = lastPart(member.name);
      if (member.kind !== "file" || name.endsWith(".sig")) continue;
      if (name === "Manifest") await put(member.name, manifest.length, whole(manifest));
      else await put(member.name, member.sizeBytes, member.body);
      const signature = signatures.get(name);
      if (signature) await put(`${member.name}.sig`, signature.length, whole(signature));
    }
    controller.finalize();
  };
  try {
    await Promise.all([written, fill()]);
  } catch (cause) {
    controller.error(cause);
    await written.catch(() => {});
    await rm(to, { force: true });
    throw cause;
  }
}

function manifestLine(name: string, bytes: Uint8Array): string {
  const hash = (algorithm: string) => createHash(algorithm).update(bytes).digest("hex");
  return `DATA ${name} ${bytes.length} SHA512 ${hash("sha512")} BLAKE2B ${hash("blake2b512")}`;
}
