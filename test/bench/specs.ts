/** The builds that are measured, written to a folder. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseDocument } from "yaml";

const example = path.resolve(import.meta.dirname, "../../specs/examples/leveldb.yaml");

/** LevelDB without running its tests, which sleep: compile, link, archive. Its inputs are found from `folder`. */
export async function leveldbWithoutTests(folder: string): Promise<string> {
  const spec = parseDocument(await readFile(example, "utf8"));
  if (!spec.deleteIn(["actions", "test"])) throw new Error("the example has no action `test` to leave out");
  const inputs = spec.get("inputs") as { items: { key: { value: string }; value: { value: string } }[] };
  for (const { key, value } of inputs.items)
    spec.setIn(
      ["inputs", key.value],
      path.relative(folder, path.resolve(path.dirname(example), value.value)),
    );
  const file = path.join(folder, "leveldb.yaml");
  await writeFile(file, spec.toString());
  return file;
}

/** `count` actions that do nothing, each under a key of its own, so that none is found in the cache. */
export async function nothings(folder: string, count: number, tag: string): Promise<string> {
  const file = path.join(folder, "nothings.yaml");
  await writeFile(
    file,
    `swarmd: 1\nname: nothings\nactions:\n  nothing:\n    foreach: {n: {count: ${count}}}\n    run: ["true", "${tag}", "\${n}"]\n`,
  );
  return file;
}

/** 1,000 small actions that all leave an output: side by side, or each in a chain of ten. */
export async function thousand(folder: string, shape: "flat" | "deep", tag: string): Promise<string> {
  const action = (name: string, count: number, from?: string) =>
    `  ${name}:\n    foreach: {n: {count: ${count}}}\n    run: "echo ${tag} \${n} ${from ? `| cat \${in} - ` : ""}> \${out}"\n` +
    `${from ? `    in: ["${from}/\${n}.txt"]\n` : ""}    out: ${name}/\${n}.txt\n`;
  const actions =
    shape === "flat"
      ? [action("one", 1000)]
      : Array.from({ length: 10 }, (_, i) => action(`l${i}`, 100, i > 0 ? `l${i - 1}` : undefined));
  const file = path.join(folder, `${shape}.yaml`);
  await writeFile(file, `swarmd: 1\nname: ${shape}\nactions:\n${actions.join("")}`);
  return file;
}
