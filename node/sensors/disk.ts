/** Room on the disk that holds the node's home. */
import { statfsSync } from "node:fs";

/** Bytes in all and bytes that this user can still write; both 0 when the disk cannot be asked, which stops the node from taking work. */
export function readDisk(path: string): { readonly diskTotalBytes: number; readonly diskFreeBytes: number } {
  try {
    const { bsize, blocks, bavail } = statfsSync(path);
    return { diskTotalBytes: bsize * blocks, diskFreeBytes: bsize * bavail };
  } catch {
    return { diskTotalBytes: 0, diskFreeBytes: 0 };
  }
}
