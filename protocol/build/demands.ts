/** What a spec writes under `toolchain:`, read as demands: texts and maps, with variables of `foreach` in them or without. */
import type { Trouble } from "./problem.ts";
import type { DataPath } from "./source.ts";
import { type Lookup, referencesOf, renderArguments } from "./template.ts";
import { type Demand, demandText, parseDemand } from "./toolchain.ts";

/** One tool, as the form of a spec has it. */
interface ToolForm {
  readonly name: string;
  readonly version?: string | undefined;
  readonly target?: string | undefined;
  readonly exact?: boolean | undefined;
}

type Item = string | ToolForm;

export interface DemandText {
  readonly text: string;
  readonly at: DataPath;
}

/** Each demand once, as `demandText` writes it; those that hold a reference as they stand. */
export function demandTexts(
  form: Item | readonly Item[],
  at: DataPath,
): { texts: DemandText[]; troubles: (Trouble & { readonly at: DataPath })[] } {
  const texts: DemandText[] = [];
  const troubles: (Trouble & { readonly at: DataPath })[] = [];
  const names = new Map<string, string>();
  const add = (item: Item, here: DataPath) => {
    const written = textOf(item);
    if (referencesOf(written).length > 0) {
      texts.push({ text: written, at: here });
      return;
    }
    const demand = parseDemand(written);
    if ("message" in demand) {
      troubles.push({ ...demand, at: here });
      return;
    }
    const text = demandText(demand);
    const other = names.get(demand.name);
    if (other === undefined) texts.push({ text, at: here });
    else if (other !== text) troubles.push({ ...twice(demand.name, other, text), at: here });
    names.set(demand.name, text);
  };
  if (isItem(form)) add(form, at);
  else for (const [i, item] of form.entries()) add(item, [...at, i]);
  return { texts, troubles };
}

/** The demands of one action, its variables put in. */
export function renderDemands(
  items: readonly DemandText[],
  lookup: Lookup,
): { demands: Demand[]; troubles: (Trouble & { readonly at: DataPath })[] } {
  const demands = new Map<string, Demand>();
  const troubles: (Trouble & { readonly at: DataPath })[] = [];
  for (const { text, at } of items) {
    const rendered = renderArguments(text, lookup);
    if ("trouble" in rendered) {
      troubles.push({ ...rendered.trouble, at });
      continue;
    }
    for (const value of rendered.value) {
      const demand = parseDemand(value);
      if ("message" in demand) {
        troubles.push({ ...demand, at });
        continue;
      }
      const other = demands.get(demand.name);
      if (other && demandText(other) !== demandText(demand))
        troubles.push({ ...twice(demand.name, demandText(other), demandText(demand)), at });
      demands.set(demand.name, demand);
    }
  }
  return { demands: [...demands.values()], troubles };
}

const isItem = (form: Item | readonly Item[]): form is Item => !Array.isArray(form);

function textOf(item: Item): string {
  if (typeof item === "string") return item;
  const { name, version, target, exact } = item;
  return [
    name,
    ...(version === undefined ? [] : [version]),
    ...(target === undefined ? [] : [`for ${target}`]),
    ...(exact ? ["exact"] : []),
  ].join(" ");
}

const twice = (name: string, one: string, other: string): Trouble => ({
  message: `${name} is named twice: "${one}" and "${other}"`,
  hint: "say all of it in one: several ranges stand behind one name, with commas",
});
