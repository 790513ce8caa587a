/** A second name for a file that never changes, or a copy where the file system gives none. */
import { copyFile, link } from "node:fs/promises";
import { codeOf } from "../files.ts";

/** False when something stands there already. */
export async function linkOrCopy(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "EEXIST") return false;
    // Another file system, one without such names, or a file that has too many.
    if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw cause;
    await copyFile(from, to);
    return true;
  }
}
