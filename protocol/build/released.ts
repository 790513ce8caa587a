/** What a spec may say of its release beside its files: fields at the head of an index; and names that formats make themselves. */
import { z } from "zod";

/** What the formats put at the top of an epoch: no released file lies there. */
const formatNames: ReadonlySet<string> = new Set([
  "SHA256SUMS",
  "manifest.json",
  "Packages",
  "Packages.gz",
  "blobs",
  "pool",
  "dists",
  "provenance",
]);

/** Why nothing may be released at this path; undefined where it may. */
export function reservedBecause(path: string): string | undefined {
  const [top] = path.split("/", 1);
  if (top!.startsWith(".")) return "it is hidden, and hidden files are served to nobody";
  return formatNames.has(top!) ? `${top} is something that a release makes itself` : undefined;
}

/** Fields of Gentoo's `Packages` that say for which machines it is. What counts the index, dates it or leads elsewhere is not for specs to say. */
const headerFields = new Set([
  "ACCEPT_KEYWORDS",
  "ACCEPT_LICENSE",
  "ACCEPT_PROPERTIES",
  "ACCEPT_RESTRICT",
  "ARCH",
  "CBUILD",
  "CHOST",
  "CONFIG_PROTECT",
  "CONFIG_PROTECT_MASK",
  "ELIBC",
  "FEATURES",
  "GENTOO_MIRRORS",
  "INSTALL_MASK",
  "IUSE_IMPLICIT",
  "KERNEL",
  "PROFILE",
  "TTL",
  "USE",
]);

const isHeaderField = (name: string): boolean =>
  headerFields.has(name) || /^USE_EXPAND(_[A-Z0-9_]{1,48})?$/.test(name);

/** Fields of the first block of an index, by their own names; one line each. */
export const headerSchema = z.record(
  z.string().refine(isHeaderField, `must be one of ${[...headerFields].join(", ")} or USE_EXPAND…`),
  z
    .string({ error: "must be text" })
    .min(1, "must not be empty")
    .max(4096, "must have at most 4096 characters")
    .regex(/^[^\0\r\n]*$/, "must be one line"),
);

export type IndexHeader = z.infer<typeof headerSchema>;
