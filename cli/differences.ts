/** Where two outputs differ: their bytes are fetched from whoever holds them, and opened here, not in the daemon. */

import type { Difference } from "../node/compare/compare.ts";
import type { Control } from "../node/control/api.ts";
import { hashOf, sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import type { DifferentOutput } from "../protocol/work/rebuilt.ts";

/** Larger files are told by size and digest alone. */
const openedBytesMax = 128 << 20;
/** Files of one folder that are opened. */
const filesMax = 50;

/** An output and what was found in it; `why` where it could not be opened. */
export interface OpenedOutput extends DifferentOutput {
  readonly difference?: Difference;
  readonly why?: string;
}

/** Never throws for what cannot be had: that it differs is known all the same. */
export async function opened(control: Control, output: DifferentOutput): Promise<OpenedOutput> {
  const { kind, before, after } = output;
  if (before === after) return output;
  try {
    const difference =
      kind === "folder" ? await folders(control, before, after) : await files(control, before, after);
    return { ...output, ...(difference ? { difference } : {}) };
  } catch (thrown) {
    if (!(thrown instanceof SwarmError)) throw thrown;
    return { ...output, why: thrown.message };
  }
}

async function files(control: Control, before: Digest, after: Digest): Promise<Difference | undefined> {
  const known = { name: "", before: sideOf(before), after: sideOf(after) };
  if (Math.max(sizeOf(before), sizeOf(after)) > openedBytesMax) return known;
  const { compare } = await import("../node/compare/compare.ts");
  const [one, other] = await Promise.all([bytesOf(control, before), bytesOf(control, after)]);
  return compare(one, other);
}

async function folders(control: Control, before: Digest, after: Digest): Promise<Difference> {
  const [old, fresh] = await Promise.all([control.getTree(before), control.getTree(after)]);
  const [was, is] = [old, fresh].map((tree) => new Map(tree.map((file) => [file.path, file])));
  const inside: Difference[] = [];
  let more = 0;
  for (const path of new Set([...was!.keys(), ...is!.keys()])) {
    const [one, other] = [was!.get(path), is!.get(path)];
    const facts = one && other ? factsOf(one, other) : undefined;
    if (one && other && one.digest === other.digest && !facts) continue;
    if (inside.length >= filesMax) more++;
    else if (one && other) {
      const found = one.digest === other.digest ? undefined : await files(control, one.digest, other.digest);
      inside.push({ ...found, name: path, ...(facts ? { facts } : {}) });
    } else
      inside.push({
        name: path,
        ...(one ? { before: sideOf(one.digest) } : { after: sideOf(other!.digest) }),
      });
  }
  return { name: "", kind: "folder", inside, ...(more > 0 ? { more } : {}) };
}

type TreeFile = Awaited<ReturnType<Control["getTree"]>>[number];

function factsOf(one: TreeFile, other: TreeFile): Difference["facts"] {
  const facts: Record<string, readonly [string, string]> = {};
  if (one.executable !== other.executable)
    facts["may be run"] = [one.executable ? "yes" : "no", other.executable ? "yes" : "no"];
  if (one.link !== other.link) facts.link = [one.link ?? "", other.link ?? ""];
  return Object.keys(facts).length > 0 ? facts : undefined;
}

const sideOf = (digest: Digest) => ({ bytes: sizeOf(digest), sha256: hashOf(digest) });

async function bytesOf(control: Control, digest: Digest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of control.getBlob(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
