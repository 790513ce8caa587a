/** A part of a file that is made of parts: a member of an archive, a section of a program. */

export interface Part {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What else is said of it, in words: times, owners, rights. */
  readonly facts: Readonly<Record<string, string>>;
}

export interface Parts {
  readonly kind: "ar" | "tar" | "zip" | "elf" | "gzip" | "xz" | "zstd" | "bzip2" | "folder";
  /** In their order; several of one name are told apart by `#2`, `#3` … */
  readonly parts: readonly Part[];
}

/** Of anyone's archive. */
export const partsMax = 100_000;

/** Names that come again get a number. */
export function numbered(parts: readonly Part[]): Part[] {
  const seen = new Map<string, number>();
  return parts.map((part) => {
    const nth = (seen.get(part.name) ?? 0) + 1;
    seen.set(part.name, nth);
    return nth === 1 ? part : { ...part, name: `${part.name}#${nth}` };
  });
}
