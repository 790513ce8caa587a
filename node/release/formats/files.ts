/** A plain folder: the files of the release as they are, and SHA256SUMS over them for `sha256sum -c`. */
import { hashOf } from "../../../protocol/kernel/digest.ts";
import { byText } from "../../../protocol/kernel/ids.ts";
import type { Format, Generation, Indexed, ReleasedFile } from "./format.ts";

export class FilesFormat implements Format {
  readonly name = "files";

  async index({ files, channel, epoch, atMs }: Generation): Promise<Indexed> {
    const sorted = [...files].sort((a, b) => byText(a.path, b.path));
    const manifest = {
      channel,
      epoch,
      at: new Date(atMs).toISOString(),
      files: sorted.map(({ path, digest }) => ({
        path,
        sha256: hashOf(digest),
        bytes: Number(digest.slice(65)),
      })),
    };
    return {
      files: [
        { path: "SHA256SUMS", content: Buffer.from(sorted.map(sumLine).join("")) },
        { path: "manifest.json", content: Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`) },
      ],
      refused: [],
    };
  }
}

/** As sha256sum writes it: a name with a backslash or a line break is escaped, and the line begins with a backslash. */
function sumLine({ path, digest }: ReleasedFile): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `${escaped === path ? "" : "\\"}${hashOf(digest)}  ${escaped}\n`;
}
