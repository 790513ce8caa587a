/** What an epoch holds follows from the epoch before it and from what builds staged: whoever makes one and whoever votes on it compose it alike. */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import type { BuildId } from "../kernel/ids.ts";
import { type Manifest, merged, mergedHeader, type StagedSet } from "./manifest.ts";

export interface Ingredients {
  readonly base: Manifest | undefined;
  /** The epoch that a rollback brings back. */
  readonly old: Manifest | undefined;
  /** What is added, in the order in which it counts, and the builds that staged it. */
  readonly sets: readonly StagedSet[];
  readonly builds: readonly BuildId[];
}

export type Composition = Pick<Manifest, "format" | "header" | "items" | "builds">;

export function compose({ base, old, sets, builds }: Ingredients): Composition {
  const header = old ? old.header : mergedHeader(base?.header, sets);
  return {
    format: sets.at(-1)?.format ?? old?.format ?? base?.format ?? "files",
    ...(header ? { header } : {}),
    items: old ? old.items : merged(base?.items ?? [], sets),
    builds: [...(base?.builds ?? []), ...(old ? [] : builds)],
  };
}

/** Whether a manifest holds exactly that. */
export const isComposedOf = (manifest: Manifest, ingredients: Ingredients): boolean => {
  const { format, header, items, builds } = manifest;
  return nameOf({ format, ...(header ? { header } : {}), items, builds }) === nameOf(compose(ingredients));
};

/** The builds that a manifest adds to those before; undefined when it does not go on from them. */
export function addedBuilds(manifest: Manifest, base: Manifest | undefined): readonly BuildId[] | undefined {
  const before = base?.builds ?? [];
  return before.every((build, index) => manifest.builds[index] === build)
    ? manifest.builds.slice(before.length)
    : undefined;
}

const nameOf = (composition: Composition): string => sha256Hex(encode(composition));
