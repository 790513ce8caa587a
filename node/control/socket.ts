/**
 * The place of a Unix socket. The kernel takes paths of at most 107 bytes, and a home may lie deeper: through an open
 * descriptor of its folder every socket has a short path, `/proc/self/fd/N/control.sock`.
 */
import { closeSync, constants, openSync } from "node:fs";
import path from "node:path";

const pathBytesMax = 107;

export interface ShortPath {
  readonly path: string;
  /** The path holds until then. */
  release(): void;
}

/** A path to `file`, which need not exist, short enough for a Unix socket. Throws as open(2) when its folder cannot be opened. */
export function shortPath(file: string): ShortPath {
  const absolute = path.resolve(file);
  if (Buffer.byteLength(absolute) <= pathBytesMax) return { path: absolute, release() {} };
  const folder = openSync(path.dirname(absolute), constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    path: `/proc/self/fd/${folder}/${path.basename(absolute)}`,
    release: () => closeSync(folder),
  };
}
