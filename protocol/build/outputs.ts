/** What an action makes: declared paths with the variables put in, and what a folder promises to hold. */
import { byText } from "../kernel/ids.ts";
import { type Bindings, fieldOf } from "./element.ts";
import type { GraphOutput } from "./graph.ts";
import { pathTrouble, withoutDot } from "./path.ts";
import { compileExcept, escapePattern, isPattern, patternTrouble } from "./patterns.ts";
import type { Problem, Trouble } from "./problem.ts";
import { problemAt, type Spec, type SpecAction, type SpecOutput, type SpecText } from "./spec.ts";
import { renderPath, withoutReferences } from "./template.ts";
import { lookupIn } from "./values.ts";
import type { Workspace } from "./workspace.ts";

/** The output of one action as the spec writes it; nothing, and a problem, where it cannot stand. */
export function outputOf(
  spec: Spec,
  { values }: Pick<SpecAction, "values">,
  output: SpecOutput,
  bindings: Bindings,
  workspace: Workspace,
  problems: Problem[],
): GraphOutput[] {
  const refuse = (text: SpecText, trouble: Trouble): [] => {
    problems.push(problemAt(spec, text.at, trouble));
    return [];
  };
  const rendered = renderPath(output.path.text, (reference) => {
    const value = fieldOf(bindings, reference);
    if (value !== undefined) return typeof value === "string" ? [value] : value;
    const listed = values.get(reference);
    if (listed) return listed;
    const known = [...bindings.keys(), ...values.keys()];
    return {
      message: `\${${reference}} is not known in out`,
      hint:
        known.length > 0
          ? `known: ${known.slice(0, 12).join(", ")}`
          : "only variables of foreach, matrix and vars can stand here",
    };
  });
  if ("trouble" in rendered) return refuse(output.path, rendered.trouble);
  const written = withoutDot(rendered.value);
  const folder = written.endsWith("/");
  const path = folder ? written.slice(0, -1) : written;
  const wrong = pathTrouble(path, `the output ${rendered.value}`);
  if (wrong) return refuse(output.path, wrong);
  if (isPattern(withoutReferences(output.path.text)))
    return refuse(output.path, {
      message: `the output ${rendered.value} is a pattern`,
      hint: "name each output, or a folder with a trailing slash",
    });
  if (!output.like) return [{ path, kind: folder ? "folder" : "file" }];
  if (!folder)
    return refuse(output.path, {
      message: `the output ${path} is a file, and like: is for folders`,
      hint: `write ${path}/`,
    });
  const like = renderPath(output.like.text, lookupIn(values, "like"));
  if ("trouble" in like) return refuse(output.like, like.trouble);
  const promised = promisedBy(spec, output, like.value, path, workspace, problems);
  return promised ? [{ path, kind: "folder", promised }] : [];
}

/** The files of the input folder that `like` names, as they will lie in the output. */
function promisedBy(
  spec: Spec,
  output: SpecOutput,
  written: string,
  folder: string,
  workspace: Workspace,
  problems: Problem[],
): string[] | undefined {
  const like = output.like!;
  const from = withoutDot(written).replace(/\/$/, "");
  const files = workspace.matching(`${escapePattern(from)}/**`).filter((file) => !file.maker);
  const troubles = output.except
    .map((e) => ({ e, trouble: patternTrouble(e.text) }))
    .filter((t) => t.trouble);
  for (const { e, trouble } of troubles) problems.push(problemAt(spec, e.at, trouble!));
  if (troubles.length > 0) return undefined;
  const excepts = output.except.map((e) => compileExcept(withoutDot(e.text)));
  const promised = files
    .map((file) => file.path.slice(from.length + 1))
    .filter((relative) => !excepts.some((except) => except(relative)))
    .map((relative) => `${folder}/${relative}`)
    .sort(byText);
  if (promised.length > 0) return promised;
  problems.push(
    problemAt(spec, like.at, {
      message: `no input files lie in ${written}`,
      hint: "like: names a folder of inputs:, by its path in the workspace",
    }),
  );
  return undefined;
}
