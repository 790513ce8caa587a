/** The formats that this program writes. Where the home has a key ring, Debian's archives are signed with its key, and signatures of packages are judged by it. */
import { statSync } from "node:fs";
import { DebianFormat } from "./debian.ts";
import { FilesFormat } from "./files.ts";
import type { Format } from "./format.ts";
import { GentooFormat } from "./gentoo.ts";
import { checkSignature, Gpg } from "./gpg.ts";
import { Readings } from "./readings.ts";

export interface KnownFormatsOptions {
  /** A folder for what was read of packages; it may be removed at any time. */
  readonly readings: string;
  /** A GNUPGHOME of the daemon's own; it may be missing. */
  readonly keyRing: string;
  /** For people, in Debian's Release. */
  readonly origin: string;
}

export function knownFormats({ readings: folder, keyRing, origin }: KnownFormatsOptions): Format[] {
  const readings = new Readings(folder);
  // Looked for each time: its owner may bring it while the daemon runs.
  const ring = () =>
    statSync(keyRing, { throwIfNoEntry: false })?.isDirectory() ? new Gpg(keyRing) : undefined;
  return [
    new FilesFormat(),
    new GentooFormat(readings, {
      judge: async (signed) => {
        const gpg = ring();
        if (gpg) await checkSignature(gpg, signed, []);
      },
    }),
    new DebianFormat(readings, {
      origin,
      architectures: [],
      async signing() {
        const gpg = ring();
        const [key] = (await gpg?.signingKeys()) ?? [];
        return gpg && key !== undefined ? { gpg, key } : undefined;
      },
    }),
  ];
}
