/** Which distribution this machine runs, as its os-release says: what remedies name packages for. */
import { readSmallFile } from "./files.ts";

const bytesMax = 64 << 10;

/** `{distribution: "debian"}`; nothing where the machine does not say. */
export async function distributionOf(
  files = ["/etc/os-release", "/usr/lib/os-release"],
): Promise<{ distribution?: string }> {
  for (const file of files) {
    const text = await readSmallFile(file, bytesMax).catch(() => undefined);
    const [, id] = /^ID=["']?([a-z0-9._-]{1,64})["']?\s*$/m.exec(text ?? "") ?? [];
    if (id !== undefined) return { distribution: id };
  }
  return {};
}
