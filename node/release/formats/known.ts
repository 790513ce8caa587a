/** The formats that this program writes. Where the home has a key ring, Debian's archives and Gentoo's packages are signed with its key, and signatures of packages are judged by it. */
import { statSync } from "node:fs";
import path from "node:path";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { DebianFormat } from "./debian.ts";
import { FilesFormat } from "./files.ts";
import type { Format } from "./format.ts";
import { GentooFormat } from "./gentoo.ts";
import { checkSignature, Gpg } from "./gpg.ts";
import { Readings } from "./readings.ts";
import { SignedPackages } from "./signed-packages.ts";

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
  const signing = async () => {
    const gpg = ring();
    const [key] = (await gpg?.signingKeys()) ?? [];
    // A mirror lags rather than shows what its clients would refuse.
    if (key && !key.usable)
      throw new SwarmError("refused", `the key ${key.key} that signs here has expired or was revoked`, {
        remedy: `prolong it, or make another: gpg --homedir ${keyRing} --quick-set-expire ${key.key} 1y`,
      });
    return gpg && key && { gpg, ...key };
  };
  const signed = new SignedPackages(path.join(folder, "signed"));
  return [
    new FilesFormat(),
    new GentooFormat(readings, {
      judge: async (manifest) => {
        const gpg = ring();
        if (gpg) await checkSignature(gpg, manifest, []);
      },
      signer: async () => {
        const by = await signing();
        return by && signed.by(by);
      },
    }),
    new DebianFormat(readings, { origin, architectures: [], signing }),
  ];
}
