/** What a world builds: a graph, how long each action works, how much it makes. Made up by rule, or read from a measured build. */
import { z } from "zod";
import type { FileSet, Graph, GraphAction, InputFile } from "../protocol/build/graph.ts";
import { graphActionsMax } from "../protocol/build/graph.ts";
import { digestFrom, sha256Hex } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { Random } from "../protocol/kernel/random.ts";
import { checked, readDocument, refusalAt } from "./document.ts";

/** The toolchain every action of a workload needs, and every host of a world offers unless told otherwise. */
export const toolchain = { "sim-cc": "0".repeat(32) } as const;

const workloadCharsMax = 64 << 20;

/** What an action costs. */
export interface Cost {
  /** On a host of speed 1. */
  readonly workMs: number;
  readonly outputBytes: number;
}

export interface Workload {
  readonly graph: Graph;
  readonly costs: ReadonlyMap<ActionName, Cost>;
}

/** An action before it becomes part of a graph. */
export interface Task {
  readonly id: string;
  readonly deps: readonly string[];
  readonly workMs: number;
  readonly outputBytes: number;
  readonly group: string;
  /** Sizes of the submitted files it reads, in bytes. Within one workload a size names a file: headers are shared by it. */
  readonly inputs: readonly number[];
}

/** Makes the refusal of a task, and of the dependency by place that is wrong with it, where it has one. */
type Refuse = (message: string, task: Task, dep?: number) => SwarmError;

const plainly: Refuse = (message) => new SwarmError("spec-invalid", message);

/** A graph of tasks, in dependency order. Throws `spec-invalid`: unknown or doubled names, a cycle (printed as a path, at the task that closes it). */
export function workloadOf(name: string, tasks: readonly Task[], refuse: Refuse = plainly): Workload {
  const byId = new Map<string, Task>();
  for (const task of tasks) {
    if (byId.has(task.id)) throw refuse(`two tasks are named ${task.id}`, task);
    byId.set(task.id, task);
  }
  const files = new Map<number, InputFile>();
  const sets: FileSet[] = [];
  const setOf = new Map<string, number>();
  const actions: GraphAction[] = [];
  const outputOf = (id: string): string => `out/${id}`;

  for (const { id, deps, group, inputs } of sorted(byId, refuse)) {
    const paths = [...new Set(inputs)].map((size) => {
      const path = `src/file-${size}`;
      const digest = digestFrom(sha256Hex(`${name} ${size}`), size);
      files.set(size, { path, digest, executable: false });
      return path;
    });
    const indexes = paths.length > 0 ? [sets.push({ paths }) - 1] : [];
    for (const dep of new Set(deps)) {
      const index = setOf.get(dep) ?? sets.push({ from: dep as ActionName, output: outputOf(dep) }) - 1;
      setOf.set(dep, index);
      indexes.push(index);
    }
    actions.push({
      name: id as ActionName,
      group,
      argv: ["build", id],
      env: {},
      inputs: indexes,
      outputs: [{ path: outputOf(id), kind: "file" }],
      toolchains: toolchain,
      timeoutMs: 3_600_000,
      silenceMs: 0,
      attemptsMax: 5,
      cache: true,
    });
  }
  return {
    graph: { version: 1, name, files: [...files.values()], sets, actions },
    costs: new Map(
      tasks.map(({ id, workMs, outputBytes }) => [id as ActionName, { workMs, outputBytes }] as const),
    ),
  };
}

/** Tasks with every dependency before what depends on it, else in the order given. */
function sorted(byId: ReadonlyMap<string, Task>, refuse: Refuse): Task[] {
  const done = new Set<string>();
  const order: Task[] = [];
  for (const root of byId.keys()) {
    // The path from the root, each with the dependencies that are still to be looked at.
    const path: { task: Task; left: string[] }[] = [];
    const entered = new Set<string>();
    const enter = (id: string, by: Task): void => {
      const task = byId.get(id);
      if (!task) throw refuse(`${by.id} depends on ${id}, which is no task`, by, by.deps.indexOf(id));
      if (entered.has(id)) {
        const ids = path.map((p) => p.task.id);
        const cycle = [...ids.slice(ids.indexOf(id)), id].join(" → ");
        throw refuse(`a cycle: ${cycle}`, by, by.deps.indexOf(id));
      }
      entered.add(id);
      path.push({ task, left: [...task.deps].reverse() });
    };
    if (!done.has(root)) enter(root, byId.get(root)!);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const dep = top.left.pop();
      if (dep === undefined) {
        done.add(top.task.id);
        entered.delete(top.task.id);
        order.push(top.task);
        path.pop();
      } else if (!done.has(dep)) enter(dep, top.task);
    }
  }
  return order;
}

const taskSchema = z.strictObject({
  id: z.string().min(1).max(256),
  deps: z.array(z.string().min(1).max(256)).max(graphActionsMax),
  seconds: z.number().nonnegative().max(86_400),
  inputs: z.array(z.int().nonnegative()).max(100_000),
  output_bytes: z.int().nonnegative(),
  kind: z.string().min(1).max(256),
  label: z.string().max(4096),
});
const fileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  source: z.string().max(4096),
  licence: z.string().max(4096),
  tasks: z.array(taskSchema).min(1).max(graphActionsMax),
});

/** A measured build from the text of its file (specs/sim.md). Throws `spec-invalid` at line and column, `too-large`. */
export function readWorkload(text: string, file = "workload"): Workload {
  const document = readDocument(text, file, "workload", workloadCharsMax);
  const { name, tasks } = checked(document, fileSchema);
  const places = new Map<Task, number>();
  const all = tasks.map(({ id, deps, seconds, inputs, output_bytes, kind }, i): Task => {
    const workMs = Math.round(seconds * 1000);
    const task = { id, deps, workMs, outputBytes: output_bytes, group: kind, inputs };
    places.set(task, i);
    return task;
  });
  return workloadOf(name, all, (message, task, dep) => {
    const at = ["tasks", places.get(task)!, ...(dep === undefined ? ["id"] : ["deps", dep])];
    return refusalAt(document, at, message, "a task depends on tasks that end before it begins");
  });
}

/** A build graph of another origin, as a world runs it: every host has its toolchains and secrets, and each action costs what is said. */
export function workloadOfGraph(graph: Graph, costOf: (action: GraphAction) => Cost): Workload {
  return {
    graph: {
      ...graph,
      actions: graph.actions.map(({ secrets: _, ...action }) => ({ ...action, toolchains: toolchain })),
    },
    costs: new Map(graph.actions.map((action) => [action.name, costOf(action)])),
  };
}

const plain = (id: string, deps: readonly string[], workMs: number): Task => ({
  id,
  deps,
  workMs,
  outputBytes: 10_000,
  group: id.replace(/[0-9]+$/, ""),
  inputs: [],
});

/** Each action needs the one before it. */
export const chain = (length: number, workMs: number): Workload =>
  workloadOf(
    "chain",
    Array.from({ length }, (_, i) => plain(`link${i}`, i === 0 ? [] : [`link${i - 1}`], workMs)),
  );

/** Independent actions, and one that needs them all. */
export const fan = (width: number, workMs: number): Workload =>
  workloadOf("fan", [
    ...Array.from({ length: width }, (_, i) => plain(`part${i}`, [], workMs)),
    plain(
      "whole",
      Array.from({ length: width }, (_, i) => `part${i}`),
      workMs,
    ),
  ]);

/** One action, `width` that need it, one that needs those. */
export const diamond = (width: number, workMs: number): Workload =>
  workloadOf("diamond", [
    plain("top", [], workMs),
    ...Array.from({ length: width }, (_, i) => plain(`side${i}`, ["top"], workMs)),
    plain(
      "bottom",
      Array.from({ length: width }, (_, i) => `side${i}`),
      workMs,
    ),
  ]);

/** `layers` of `width` actions; each needs one to three of the layer before and works 0.2 to 1.8 times `workMs`. */
export function layered(seed: number, layers: number, width: number, workMs: number): Workload {
  const random = Random.fromNumber(seed);
  const tasks: Task[] = [];
  for (let layer = 0; layer < layers; layer++)
    for (let i = 0; i < width; i++) {
      const needed = layer === 0 ? 0 : 1 + random.below(Math.min(3, width));
      const deps = new Set<string>();
      while (deps.size < needed) deps.add(`layer${layer - 1}-${random.below(width)}`);
      tasks.push({
        ...plain(`layer${layer}-${i}`, [...deps], Math.round(workMs * (0.2 + 1.6 * random.float()))),
        group: `layer${layer}`,
        outputBytes: 1000 + random.below(1_000_000),
      });
    }
  return workloadOf("layered", tasks);
}
