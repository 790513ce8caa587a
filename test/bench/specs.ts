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
