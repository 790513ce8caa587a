/** Paths that cannot stand together: two makers of one path, a file where a folder must be, an output over an input. */
import type { Expanded } from "./expand.ts";
import type { InputFile } from "./graph.ts";
import type { Problem } from "./problem.ts";
import { problemAt, type Spec } from "./spec.ts";

/** All problems of that kind, and actions whose names are the same. */
export function overlaps(spec: Spec, files: readonly InputFile[], actions: readonly Expanded[]): Problem[] {
  const problems: Problem[] = [];
  const inputs = new Set<string>();
  const inputFolders = new Map<string, string>();
  for (const { path } of files) {
    if (inputs.has(path))
      problems.push(
        problemAt(spec, ["inputs"], {
          message: `two inputs bring ${path}`,
          hint: "give one of them another name",
        }),
      );
    inputs.add(path);
    for (const folder of foldersAbove(path)) {
      if (inputFolders.has(folder)) break;
      inputFolders.set(folder, path);
    }
  }
  const fileBelowFile = [...inputs].find((path) => inputFolders.has(path));
  if (fileBelowFile !== undefined)
    problems.push(
      problemAt(spec, ["inputs"], {
        message: `the input file ${fileBelowFile} is also a folder of ${inputFolders.get(fileBelowFile)}`,
        hint: "give one of them another name",
      }),
    );

  const makers = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const action of actions)
    for (const { path } of action.outputs)
      for (const folder of foldersAbove(path)) {
        if (folders.has(folder)) break;
        folders.set(folder, path);
      }
  const names = new Set<string>();
  for (const action of actions) {
    const refuse = (message: string, hint: string) => {
      problems.push(problemAt(spec, [...action.spec.at, "out"], { message, hint }));
    };
    if (names.has(action.name))
      refuse(`two actions are named ${action.name}`, "the files of a foreach must differ in their names");
    names.add(action.name);
    for (const { path } of action.outputs) {
      const other = makers.get(path);
      const inputBelow = inputFolders.get(path);
      const outputAbove = foldersAbove(path).find((folder) => makers.has(folder));
      const outputBelow = folders.get(path);
      const inputAbove = foldersAbove(path).find((folder) => inputs.has(folder));
      if (other !== undefined)
        refuse(
          `${path} is made by ${other === action.name ? `${other} twice` : `both ${other} and ${action.name}`}`,
          "put what differs into the path: of a foreach over files, .rel tells all apart",
        );
      else if (inputs.has(path) || inputBelow !== undefined || inputAbove !== undefined)
        refuse(
          `the output ${path} of ${action.name} lies over the input ${inputs.has(path) ? path : (inputBelow ?? inputAbove)}`,
          "inputs never change: write to another path",
        );
      else if (outputAbove !== undefined)
        refuse(
          `the output ${path} of ${action.name} lies within ${outputAbove}, an output of ${makers.get(outputAbove)}`,
          "outputs lie beside each other, never inside",
        );
      else if (outputBelow !== undefined)
        refuse(
          `the output ${outputBelow} lies within ${path}, an output of ${action.name}`,
          "outputs lie beside each other, never inside",
        );
      makers.set(path, action.name);
    }
  }
  return problems;
}

/** The folders above a path, the nearest first. */
function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let cut = path.lastIndexOf("/"); cut > 0; cut = path.lastIndexOf("/", cut - 1))
    folders.push(path.slice(0, cut));
  return folders;
}
