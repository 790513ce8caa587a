/** One action out of a `foreach`: the values of its variables, its name within the group, and what it makes. */
import { didYouMean } from "./nearest.ts";
import type { Trouble } from "./problem.ts";

/** A variable's value. `base`: the fixed folder of the pattern that found the path; absent for plain values. */
export interface Bound {
  readonly text: string;
  readonly base?: string;
}

export type Bindings = ReadonlyMap<string, Bound>;

const fileOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function extensionOf(path: string): string {
  const file = fileOf(path);
  const dot = file.lastIndexOf(".");
  return dot > 0 ? file.slice(dot) : "";
}

const relativeTo = (base: string, path: string): string => (base === "" ? path : path.slice(base.length + 1));

const fields: Readonly<Record<string, (path: string, base: string) => string>> = {
  path: (path) => path,
  dir: (path) => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "."),
  name: fileOf,
  stem: (path) => fileOf(path).slice(0, fileOf(path).length - extensionOf(path).length),
  ext: extensionOf,
  rel: (path, base) => relativeTo(base, path),
};

/** `cc` or `cc.stem`; undefined when no variable has that name. */
export function fieldOf(bindings: Bindings, reference: string): string | Trouble | undefined {
  const dot = reference.indexOf(".");
  const name = dot < 0 ? reference : reference.slice(0, dot);
  const bound = bindings.get(name);
  if (!bound) return undefined;
  if (dot < 0) return bound.text;
  const field = reference.slice(dot + 1);
  if (bound.base === undefined)
    return { message: `${name} stands for a plain value, not for a file`, hint: `write \${${name}}` };
  const part = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (part) return part(bound.text, bound.base);
  const known = Object.keys(fields);
  return {
    message: `\${${reference}} is not known`,
    hint: didYouMean(field, known) ?? `a file has ${known.map((k) => `.${k}`).join(" ")}`,
  };
}

const withoutExtension = (path: string): string => path.slice(0, path.length - extensionOf(path).length);

/** From short to long; the first that tells all values of a variable apart is taken. */
const shortNames: readonly ((bound: Bound) => string)[] = [
  (b) => (b.base === undefined ? b.text : fields.stem!(b.text, b.base)),
  (b) => (b.base === undefined ? b.text : withoutExtension(relativeTo(b.base, b.text))),
  (b) => (b.base === undefined ? b.text : relativeTo(b.base, b.text)),
  (b) => b.text,
];

const readable = (text: string): string => text.replace(/[^\p{L}\p{N}._+=,@~/-]/gu, "_").slice(0, 200);

/** A name for each value, unique and as short as that allows; in the order given. */
function shortNamesOf(values: readonly Bound[]): string[] {
  for (const short of shortNames) {
    const names = values.map((value) => readable(short(value)));
    if (new Set(names).size === names.length) return names;
  }
  return values.map((value, i) => `${readable(value.text)}~${i + 1}`);
}

/** Every combination of the variables' values, the last one changing fastest, each with its name. At least one variable. */
export function combinations(
  variables: readonly { readonly name: string; readonly values: readonly Bound[] }[],
): { name: string; bindings: Bindings }[] {
  let rows: { name: string; bindings: Bindings }[] = [{ name: "", bindings: new Map() }];
  for (const variable of variables) {
    const names = shortNamesOf(variable.values);
    rows = rows.flatMap((row) =>
      variable.values.map((value, i) => ({
        name: row.name === "" ? names[i]! : `${row.name}/${names[i]}`,
        bindings: new Map([...row.bindings, [variable.name, value]]),
      })),
    );
  }
  return rows;
}
