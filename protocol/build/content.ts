/** What a package holds, as far as a release judges it: which of its files are programs and libraries, and which are out of the ordinary. */
import type { Digest } from "../kernel/ids.ts";
import type { ElfFacts } from "./elf.ts";

export type Oddity = "set-uid" | "set-gid" | "world-writable" | "absolute-link" | "broken-elf";

export interface OddFile {
  readonly path: string;
  readonly what: Oddity;
  /** Where a link leads, what is broken. */
  readonly detail?: string;
}

export interface ElfFile {
  readonly path: string;
  readonly elf: ElfFacts;
}

export interface PackageContent {
  readonly files: number;
  readonly unpackedBytes: number;
  /** Ordered by path. */
  readonly elves: readonly ElfFile[];
  /** Ordered by path. */
  readonly odd: readonly OddFile[];
  /** sha2-256 (64 hex digits) over every path with its kind, rights and bytes: equal for packages that hold the same, whenever they were packed. */
  readonly sameness: string;
}

export type PackageKind = "gpkg" | "xpak" | "deb";

const endings: readonly (readonly [ending: string, kind: PackageKind])[] = [
  [".gpkg.tar", "gpkg"],
  [".xpak", "xpak"],
  [".tbz2", "xpak"],
  [".deb", "deb"],
];

/** What kind of package a name stands for; undefined for none that is known. */
export const kindOfPackage = (name: string): PackageKind | undefined =>
  endings.find(([ending]) => name.endsWith(ending))?.[1];

/** A package, and the name that says of which kind it is. */
export interface PackageFile {
  readonly path: string;
  readonly digest: Digest;
}

/** What was found in a package on the own disk. */
export interface Inspection {
  /** Absent for one that is no sound package: then `refused` says why. */
  readonly content?: PackageContent;
  /** What it says it is built for. */
  readonly target?: string;
  /** Absent for kinds that are not signed one by one. */
  readonly signed?: boolean;
  readonly refused?: string;
}

/** What the rights and the target of one file say; times and owners are left out. */
export function odditiesOf(file: {
  readonly path: string;
  readonly kind: "file" | "folder" | "symlink" | "link";
  readonly mode: number;
  readonly to?: string;
}): OddFile[] {
  const { path, kind, mode, to = "" } = file;
  if (kind === "symlink") return to.startsWith("/") ? [{ path, what: "absolute-link", detail: to }] : [];
  if (kind === "link") return [];
  const odd: OddFile[] = [];
  if (kind === "file" && (mode & 0o4000) !== 0) odd.push({ path, what: "set-uid" });
  if (kind === "file" && (mode & 0o2000) !== 0) odd.push({ path, what: "set-gid" });
  const sticky = kind === "folder" && (mode & 0o1000) !== 0;
  if ((mode & 0o002) !== 0 && !sticky) odd.push({ path, what: "world-writable" });
  return odd;
}
