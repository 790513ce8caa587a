/** Whom `${name.out}` means where an action writes it: in its own file first, and of a matrix both share, at the same place. */
import { byText } from "../kernel/ids.ts";
import type { Cell } from "./matrix.ts";
import type { LeftOut, SpecAction } from "./spec.ts";

interface Named<T> {
  readonly all: { readonly cell: Cell; readonly is: T }[];
  /** By their whole place, for whoever has the same variables. */
  readonly byPlace: Map<string, T>;
}

/** Actions under their names; `T` is what is wanted of each. */
export class Others<T> {
  private readonly byName = new Map<string, Named<T>>();
  private readonly leftOut = new Set<string>();

  constructor(all: Iterable<readonly [SpecAction, T]>, leftOut: readonly LeftOut[]) {
    for (const [action, is] of all) {
      let named = this.byName.get(action.name);
      if (!named) {
        named = { all: [], byPlace: new Map() };
        this.byName.set(action.name, named);
      }
      named.all.push({ cell: action.cell, is });
      named.byPlace.set(placeOf(action.cell), is);
    }
    for (const { group } of leftOut) this.leftOut.add(group);
  }

  /** Those that `reference` (`compile.out`) means for `asker`, in order; none when all were left out; undefined when it is no such name. */
  meant(asker: Pick<SpecAction, "prefix" | "cell">, reference: string): readonly T[] | undefined {
    if (!reference.endsWith(".out")) return undefined;
    const written = reference.slice(0, -".out".length);
    for (const name of asker.prefix === "" ? [written] : [asker.prefix + written, written]) {
      const named = this.byName.get(name);
      if (named) return inReach(asker.cell, named);
      if (this.leftOut.has(name)) return [];
    }
    return undefined;
  }
}

function inReach<T>(place: Cell, { all, byPlace }: Named<T>): readonly T[] {
  const variables = all[0]!.cell.values;
  if (place.values.size > 0 && place.values.size === variables.size) {
    const same = [...place.values.keys()].every((name) => variables.has(name));
    const found = byPlace.get(placeOf(place));
    if (same) return found === undefined ? [] : [found];
  }
  return all.filter(({ cell }) => agree(place, cell)).map(({ is }) => is);
}

const placeOf = ({ values }: Cell): string =>
  [...values]
    .map(([name, value]) => `${name}=${value}`)
    .sort(byText)
    .join("\0");

/** Whether two places have the same value of every variable that both matrices have. */
function agree(a: Cell, b: Cell): boolean {
  for (const [name, value] of a.values) {
    const other = b.values.get(name);
    if (other !== undefined && other !== value) return false;
  }
  return true;
}
