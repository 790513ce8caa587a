/** What a format adds to the files of a release so that its clients can install from them: the port that each format is behind. */
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import type { Digest } from "../../../protocol/kernel/ids.ts";

/** A file of the release, complete and verified on this disk. */
export interface ReleasedFile {
  /** Its place in the channel. */
  readonly path: string;
  readonly digest: Digest;
  /** Where it lies; read only. */
  readonly file: string;
}

export interface Generation {
  readonly channel: string;
  readonly epoch: number;
  /** The date of the epoch, in ms: at least six seconds after the one before. */
  readonly atMs: number;
  /** Fields at the head of the index, as specs say them. */
  readonly header?: Readonly<Record<string, string>>;
  /** Ordered by path. */
  readonly files: readonly ReleasedFile[];
}

/** A file that the format adds: bytes, or another name of a file of the release or of what was made of it, which never changes. */
export interface IndexFile {
  readonly path: string;
  readonly content: Uint8Array | { readonly sameAs: ReleasedFile };
}

/** A file that the index leaves out, by name. */
export interface RefusedFile {
  readonly path: string;
  readonly reason: string;
  readonly remedy?: string;
}

export interface Indexed {
  /** Ordered by path; to be written with the date of the epoch as their time of change. */
  readonly files: readonly IndexFile[];
  readonly refused: readonly RefusedFile[];
}

export interface Format {
  readonly name: string;
  /** The same for the same generation and settings, on every mirror; signatures made here are the exception. */
  index(generation: Generation): Promise<Indexed>;
}

/** What is wrong with a file itself, as it is told. What this machine lacks (a program, a sound blob) is thrown on: it says nothing of the file. */
export function refusalOf(path: string, error: unknown): RefusedFile {
  if (!(error instanceof SwarmError) || (error.code !== "malformed" && error.code !== "unauthentic"))
    throw error;
  return { path, reason: error.message, ...(error.remedy !== undefined && { remedy: error.remedy }) };
}
