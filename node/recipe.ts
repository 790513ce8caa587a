/** An action as it was planned, for reading: command, environment, inputs with their digests as far as they are made. */
import type { Graph, GraphAction } from "../protocol/build/graph.ts";
import { readOffer } from "../protocol/build/toolchain.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import type { Output } from "../protocol/timeline/events.ts";
import type { RecipeInput, RecipeView } from "./control/recipe.ts";

const inputsMax = 1000;

/** `madeBy`: the outputs of an action's valid result; nothing while there is none. */
export function recipeOf(
  graph: Graph,
  action: GraphAction,
  madeBy: (action: ActionName) => readonly Output[],
): RecipeView {
  const { argv, env, secrets = [], requires = {}, toolchains, outputs } = action;
  const target = targetOf(action);
  const { inputs, count } = inputsOf(graph, action, madeBy);
  return {
    action: action.name,
    argv,
    env,
    secrets,
    ...(target === undefined ? {} : { target }),
    requires: {
      cpus: requires.cpus ?? 1,
      ...(requires.memoryBytes === undefined ? {} : { memoryBytes: requires.memoryBytes }),
      ...(requires.diskBytes === undefined ? {} : { diskBytes: requires.diskBytes }),
      labels: requires.labels ?? [],
    },
    toolchains,
    timeoutMs: action.timeoutMs,
    silenceMs: action.silenceMs,
    attemptsMax: action.attemptsMax,
    cache: action.cache,
    inputs,
    inputCount: count,
    outputs: outputs.map(({ path, kind }) => ({ path, kind })),
  };
}

/** What an action compiles for: what it asks of a node, else what the first of its toolchains that says so makes. */
export function targetOf({ requires, toolchains }: GraphAction): string | undefined {
  if (requires?.target !== undefined) return requires.target;
  for (const fingerprint of Object.values(toolchains)) {
    const { target } = readOffer(fingerprint);
    if (target !== undefined) return target;
  }
  return undefined;
}

const filesOf = new WeakMap<Graph, ReadonlyMap<string, Graph["files"][number]>>();

function submitted(graph: Graph): ReadonlyMap<string, Graph["files"][number]> {
  const files = filesOf.get(graph) ?? new Map(graph.files.map((file) => [file.path, file]));
  filesOf.set(graph, files);
  return files;
}

function inputsOf(
  graph: Graph,
  action: GraphAction,
  madeBy: (action: ActionName) => readonly Output[],
): { inputs: RecipeInput[]; count: number } {
  const inputs: RecipeInput[] = [];
  let count = 0;
  const add = (input: RecipeInput) => {
    count++;
    if (inputs.length < inputsMax) inputs.push(input);
  };
  const sets = action.inputs.map((index) => graph.sets[index]!);
  for (const { from, paths } of sets)
    if (from === undefined)
      for (const path of paths ?? []) {
        const digest = submitted(graph).get(path)?.digest;
        add({ path, ...(digest === undefined ? {} : { digest }) });
      }
  for (const { from, output, paths } of sets) {
    if (from === undefined) continue;
    if (paths) for (const path of paths) add({ path, from });
    else {
      const digest = madeBy(from).find((made) => made.path === output)?.digest;
      add({ path: output!, from, ...(digest === undefined ? {} : { digest }) });
    }
  }
  return { inputs, count };
}
