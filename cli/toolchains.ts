/** Toolchains as the command line shows them. */
import { readOffer } from "../protocol/build/toolchain.ts";

/** `gcc 12.2.0 for x86_64-linux-gnu [3f2a…]`: version and target where they are known, and the begin of what tells it from others. */
export function offerWords(name: string, fingerprint: string): string {
  const { version, target, said, exact } = readOffer(fingerprint);
  return [
    name,
    ...(version === undefined ? [] : [version]),
    ...(target === undefined ? [] : [`for ${target}`]),
    `[${said.slice(0, 8)}${exact === undefined ? "" : `, files ${exact.slice(0, 8)}`}]`,
  ].join(" ");
}

/** `ar 2.40, gcc 12.2.0, sh`, or `none`. */
export const toolsText = (toolchains: Readonly<Record<string, string>>): string =>
  Object.entries(toolchains)
    .map(([name, fingerprint]) => [name, readOffer(fingerprint).version ?? ""].join(" ").trim())
    .join(", ") || "none";
