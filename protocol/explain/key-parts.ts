/** The parts of an action's key, and which of them changed between two builds: why a result that is known was of no use. */
import { byText } from "../kernel/ids.ts";
import type { Build } from "../work/build.ts";
import type { Trees } from "../work/inputs.ts";

export type PartKind =
  | "file"
  | "flag"
  | "environment"
  | "toolchain"
  | "output"
  | "limit"
  | "secret"
  | "target";

/** A part that differs. */
export interface Change {
  readonly part: PartKind;
  /** A path, an option, the name of a variable, a toolchain … */
  readonly name: string;
  /** Absent: it was not there. */
  readonly before?: string;
  /** Absent: it is not there. */
  readonly after?: string;
  /** The action that made this file: it was made anew, or otherwise. */
  readonly from?: string;
}

interface Part {
  readonly kind: PartKind;
  readonly name: string;
  readonly value: string;
  readonly from?: string;
}

/** Whether this and the earlier one can be told apart by their flags in order alone. */
const orderName = "order of the arguments";

/** All that the key of an action follows from, by kind and name, as far as its inputs are made. Folders that were not read count as one. */
function partsOf(build: Build, index: number, trees: Trees): Map<string, Part> {
  const claims = build.claims!;
  const action = claims.action(index);
  const parts = new Map<string, Part>();
  const add = (kind: PartKind, name: string, value: string, from?: string) =>
    parts.set(`${kind}\n${name}`, { kind, name, value, ...(from === undefined ? {} : { from }) });
  const counts = new Map<string, number>();
  for (const word of action.argv) counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const [word, count] of counts) add("flag", word, String(count));
  add("flag", orderName, action.argv.join("\0"));
  for (const [name, value] of Object.entries(action.env)) add("environment", name, value);
  for (const [name, pin] of Object.entries(action.toolchains)) add("toolchain", name, pin);
  for (const { path, kind, promised } of action.outputs)
    add("output", path, [kind, ...(promised ?? [])].join(" "));
  add("limit", "timeout", `${action.timeoutMs} ms`);
  if (action.requires?.target !== undefined) add("target", "target", action.requires.target);
  for (const name of action.secrets ?? []) add("secret", name, "given");
  for (const set of action.inputs.map((at) => claims.graph.sets[at]!)) {
    if (set.from === undefined) {
      for (const path of set.paths ?? []) {
        const file = build.inputFiles.get(path);
        if (file) add("file", path, `${file.digest}${file.executable ? " executable" : ""}`);
      }
      continue;
    }
    const dependency = claims.indexOf.get(set.from)!;
    const output = claims.resultOf(dependency)?.result.outputs.find((o) => o.path === set.output);
    if (!output) continue;
    const tree = output.kind === "folder" ? trees.get(output.digest) : undefined;
    if (!tree) {
      add("file", output.path, `${output.digest}${output.executable ? " executable" : ""}`, set.from);
      continue;
    }
    const wanted = set.paths && new Set(set.paths);
    for (const file of tree) {
      const path = `${output.path}/${file.path}`;
      if (!wanted || wanted.has(path)) add("file", path, file.link ?? file.digest, set.from);
    }
  }
  return parts;
}

const kindOrder: readonly PartKind[] = [
  "toolchain",
  "flag",
  "environment",
  "file",
  "target",
  "secret",
  "output",
  "limit",
];

/** What differs between an action now and the same one before; empty where their keys are equal. */
export function changesBetween(
  before: { readonly build: Build; readonly index: number },
  after: { readonly build: Build; readonly index: number },
  trees: Trees,
): Change[] {
  const old = partsOf(before.build, before.index, trees);
  const fresh = partsOf(after.build, after.index, trees);
  const changes: Change[] = [];
  for (const [key, part] of fresh) {
    const was = old.get(key);
    if (was?.value === part.value) continue;
    changes.push({
      part: part.kind,
      name: part.name,
      ...(was ? { before: was.value } : {}),
      after: part.value,
      ...(part.from === undefined ? {} : { from: part.from }),
    });
  }
  for (const [key, part] of old)
    if (!fresh.has(key))
      changes.push({
        part: part.kind,
        name: part.name,
        before: part.value,
        ...(part.from === undefined ? {} : { from: part.from }),
      });
  // The order tells nothing where words came or went.
  const flags = changes.filter(({ part, name }) => part === "flag" && name !== orderName);
  return changes
    .filter(({ part, name }) => part !== "flag" || name !== orderName || flags.length === 0)
    .sort((a, b) => kindOrder.indexOf(a.part) - kindOrder.indexOf(b.part) || byText(a.name, b.name));
}

const short = (value: string) =>
  /^[0-9a-f]{64}\//.test(value) ? value.slice(0, 8) : value.length > 60 ? `${value.slice(0, 59)}…` : value;

/** A change in words. */
export function changeText({ part, name, before, after, from }: Change): string {
  if (part === "flag") {
    if (name === orderName) return "its arguments stand in another order";
    return before === undefined
      ? `the flag ${short(name)} was added`
      : after === undefined
        ? `the flag ${short(name)} is gone`
        : `the flag ${short(name)} stands ${after} times, not ${before}`;
  }
  const what = {
    file: "the file",
    environment: "the variable",
    toolchain: "the toolchain",
    output: "the output",
    limit: "the limit",
    secret: "the secret",
    target: "the",
  }[part];
  const by = from === undefined ? "" : `, which ${from} makes`;
  if (before === undefined) return `${what} ${name}${by} was added`;
  if (after === undefined) return `${what} ${name}${by} is gone`;
  return `${what} ${name}${by} changed: ${short(before)} → ${short(after)}`;
}
