/** The commit this program was made from: of a clone as git keeps it (git itself need not be there), of a package as it was built. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

const digits = 10;

const textOf = (file: string) => readFileSync(file, "utf8").trim();

/** What HEAD of a clone names; undefined where there is no clone, or none that can be read. */
export function commitOf(clone: string): string | undefined {
  try {
    const dotGit = path.join(clone, ".git");
    // a worktree has a file there, which says where its own folder is
    const folder = statSync(dotGit).isDirectory()
      ? dotGit
      : path.resolve(clone, textOf(dotGit).replace(/^gitdir: /, ""));
    const [, ref] = /^ref: (refs\/.+)$/.exec(textOf(path.join(folder, "HEAD"))) ?? [];
    return shortened(ref === undefined ? textOf(path.join(folder, "HEAD")) : targetOf(folder, ref));
  } catch {
    return undefined;
  }
}

/** References lie in a file each, or packed in one; those of worktrees with the clone they belong to. */
function targetOf(folder: string, ref: string): string | undefined {
  const link = path.join(folder, "commondir");
  const common = existsSync(link) ? path.resolve(folder, textOf(link)) : folder;
  const loose = path.join(common, ref);
  if (existsSync(loose)) return textOf(loose);
  const packed = textOf(path.join(common, "packed-refs")).split("\n");
  return packed.find((line) => line.endsWith(` ${ref}`))?.split(" ")[0];
}

const shortened = (commit: string | undefined) =>
  commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit) ? commit.slice(0, digits) : undefined;

/** What `npm run build` noted in `dist/`. */
export function builtCommit(dist: string): string | undefined {
  const file = path.join(dist, "commit");
  const commit = existsSync(file) ? textOf(file) : "";
  return /^[0-9a-f]{10}$/.test(commit) ? commit : undefined;
}
