/**
 * The graph of one build, as `submit` resolves it from a spec: every action by name, every input by content. It travels as
 * one blob; all members fold the facts of the build over the same graph. It holds no state.
 */
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { digestOf, isDigest } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  type Digest,
  isBuildId,
  isPeerId,
  type PeerId,
} from "../kernel/ids.ts";
import { leadsTo } from "./links.ts";
import { isPath } from "./path.ts";
import { headerSchema, type IndexHeader } from "./released.ts";
import { secretPattern } from "./secret.ts";

const graphBytesMax = 64 << 20;
/** Forty for each of the most actions there may be. */
const graphValuesMax = 8_000_000;
export const graphActionsMax = 200_000;
/** An action's result is said in one entry (64 KiB): what its outputs take there, about, stays below this. */
const resultBytesMax = 48 << 10;
const outputBytes = 100;

/** A file of the submitted inputs, at its place in the workspace; or what lies in a folder that an action made. */
export interface InputFile {
  readonly path: string;
  /** Of a link or an empty folder: that of nothing. */
  readonly digest: Digest;
  readonly executable: boolean;
  /** A link inside a folder that was made: its text, which leads to something in that folder (`leadsTo`). */
  readonly link?: string;
  /** An empty folder inside one that was made. */
  readonly folder?: true;
}

/**
 * Files that actions take together, listed once and shared by index (a thousand compiles take the same headers).
 * `from` absent: submitted inputs. `from` an action: of its output `output`; for a folder, `paths` (workspace paths) are the files
 * taken out of it, and `paths` absent means the whole of it.
 */
export interface FileSet {
  readonly from?: ActionName;
  readonly output?: string;
  readonly paths?: readonly string[];
}

export interface GraphOutput {
  /** Workspace path without a trailing slash. */
  readonly path: string;
  readonly kind: "file" | "folder";
  /** For a folder: the workspace paths that the spec promises (`like:`); the action fails when one is missing. */
  readonly promised?: readonly string[];
}

/** What an action asks of a node. */
export interface Requirements {
  /** Slots it takes; 1 when absent. */
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  /** Every one of them must be among the node's. */
  readonly labels?: readonly string[];
  /** What the node must build for natively (`aarch64-linux-gnu`). */
  readonly target?: string;
}

export interface GraphAction {
  readonly name: ActionName;
  /** The spec's action it was expanded from: `compile` of `compile/db_impl`. Durations are learned per group. */
  readonly group: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Indexes into `sets`. */
  readonly inputs: readonly number[];
  readonly outputs: readonly GraphOutput[];
  /** Toolchain name → fingerprint; only nodes that offer all of them may build it. */
  readonly toolchains: Readonly<Record<string, string>>;
  /** Toolchain name → what the spec demanded of it, where that is more than the name. It is no part of the key. */
  readonly demands?: Readonly<Record<string, string>>;
  /** Hard limit of the run, in milliseconds. */
  readonly timeoutMs: number;
  /** Limit of a run without a byte of output; 0 = none. */
  readonly silenceMs: number;
  /** So many failures by the command's own doing block it, wherever they happened; infrastructure failures never do. */
  readonly attemptsMax: number;
  /** What the submitter's history says it takes at speed 1, milliseconds: one guess for everybody. It is no part of the key. */
  readonly estimateMs?: number;
  /** What it needs of a node beside toolchains. */
  readonly requires?: Requirements;
  /** Names of secrets of the node that runs it, sorted. The values are nowhere but there. */
  readonly secrets?: readonly string[];
  /** Within the build, higher goes first, and with it what it waits for; 0 when absent. */
  readonly priority?: number;
  /** false: never served from the cache nor written to it (REAPI do_not_cache). */
  readonly cache: boolean;
  /** It was done before, and runs again to see whether the same comes out (specs/explain.md). It is no part of the key. */
  readonly checks?: CheckedResult;
}

/** A result that is checked by rebuilding, and the members that came to it: none of them may build it again. */
export interface CheckedResult {
  readonly by: readonly PeerId[];
  readonly outputs: readonly {
    readonly path: string;
    readonly digest: Digest;
    readonly kind: "file" | "folder";
    readonly executable?: boolean;
  }[];
}

/** Of a build that checks another by rebuilding: how its actions were picked. */
export interface Picking {
  readonly build: BuildId;
  /** Above 0, at most 1. */
  readonly share: number;
  /** Drawn when the check was asked for: who made the results could not know it. */
  readonly salt: string;
  /** Executed actions of that build, of which the share is one. */
  readonly of: number;
  /** Picked, and not to be checked. */
  readonly left: readonly { readonly action: ActionName; readonly why: string }[];
}

export interface Graph {
  /** 2: with `checks`, which those that know only 1 must not work on. */
  readonly version: 1 | 2;
  readonly name: string;
  readonly files: readonly InputFile[];
  readonly sets: readonly FileSet[];
  /** In dependency order: an action stands behind all it depends on. */
  readonly actions: readonly GraphAction[];
  readonly release?: {
    readonly channel: string;
    readonly format: string;
    /** Fields at the head of the format's index. */
    readonly header?: IndexHeader;
    readonly include: readonly ActionName[];
  };
  readonly checks?: Picking;
}

const path = z.string().refine(isPath);
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const checkedMakersMax = 1024;
const actionName = z.string().min(1).max(512) as unknown as z.ZodType<ActionName>;

/** The form of what an action asks of a node. */
export const requirementsSchema: z.ZodType<Requirements> = z.strictObject({
  cpus: z.int().positive().max(4096).optional(),
  memoryBytes: z.int().nonnegative().optional(),
  diskBytes: z.int().nonnegative().optional(),
  labels: z.array(z.string().min(1).max(64)).max(32).optional(),
  target: z.string().min(1).max(64).optional(),
});

const graphSchema: z.ZodType<Graph> = z.object({
  version: z.union([z.literal(1), z.literal(2)]),
  name: z.string().min(1).max(64),
  files: z.array(
    z.object({
      path,
      digest,
      executable: z.boolean(),
      link: z.string().min(1).max(4096).optional(),
      folder: z.literal(true).optional(),
    }),
  ),
  sets: z.array(
    z.object({ from: actionName.optional(), output: path.optional(), paths: z.array(path).optional() }),
  ),
  actions: z
    .array(
      z.object({
        name: actionName,
        group: z.string().min(1).max(256),
        argv: z.array(z.string()).min(1),
        env: z.record(z.string(), z.string()),
        inputs: z.array(z.int().nonnegative()),
        outputs: z.array(
          z.object({ path, kind: z.enum(["file", "folder"]), promised: z.array(path).optional() }),
        ),
        toolchains: z.record(z.string(), z.string()),
        demands: z.record(z.string(), z.string().max(1024)).optional(),
        timeoutMs: z.int().positive(),
        silenceMs: z.int().nonnegative(),
        attemptsMax: z.int().positive(),
        cache: z.boolean(),
        estimateMs: z
          .number()
          .nonnegative()
          .max(30 * 86_400_000)
          .optional(),
        secrets: z.array(z.string().regex(secretPattern)).min(1).max(64).optional(),
        priority: z.int().min(-100).max(100).optional(),
        requires: requirementsSchema.optional(),
        checks: z
          .object({
            by: z.array(peer).max(checkedMakersMax),
            outputs: z.array(
              z.object({
                path,
                digest,
                kind: z.enum(["file", "folder"]),
                executable: z.boolean().optional(),
              }),
            ),
          })
          .optional(),
      }),
    )
    .max(graphActionsMax),
  release: z
    .object({
      channel: z.string(),
      format: z.string(),
      header: headerSchema.optional(),
      include: z.array(actionName),
    })
    .optional(),
  checks: z
    .object({
      build: z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v)),
      share: z.number().positive().max(1),
      salt: z.string().min(1).max(64),
      of: z.int().nonnegative(),
      left: z.array(z.object({ action: actionName, why: z.string().max(1024) })).max(graphActionsMax),
    })
    .optional(),
});

export function encodeGraph(graph: Graph): { bytes: Uint8Array; digest: Digest } {
  const bytes = encode(graph);
  if (bytes.length > graphBytesMax)
    throw new SwarmError("too-large", `the graph takes ${bytes.length} bytes, more than ${graphBytesMax}`, {
      remedy: "split the spec into several builds",
    });
  return { bytes, digest: digestOf(bytes) };
}

const decoded = new WeakMap<Uint8Array, Graph>();

/**
 * The graph of a blob, checked as a whole: indexes in range, dependency order kept, names and outputs unique. The same array of bytes,
 * which nobody may write to any more, gives the same graph. Throws `malformed` or `too-large`.
 */
export function decodeGraph(bytes: Uint8Array): Graph {
  let graph = decoded.get(bytes);
  if (!graph) {
    graph = checked(bytes);
    decoded.set(bytes, graph);
  }
  return graph;
}

function checked(bytes: Uint8Array): Graph {
  const parsed = graphSchema.safeParse(decode(bytes, graphBytesMax, graphValuesMax));
  if (!parsed.success)
    throw new SwarmError("malformed", `not a build graph: ${parsed.error.issues[0]?.path.join(".")}`);
  const graph = parsed.data;
  if (graph.version === 1 && graph.files.some((f) => f.link !== undefined || f.folder))
    throw new SwarmError("malformed", "links and empty folders stand in graphs of version 2 alone");
  for (const { path, link } of graph.files)
    if (link !== undefined && leadsTo(path, link) === undefined)
      throw new SwarmError("malformed", `the link ${path} leads out of the workspace`);
  const files = new Set(graph.files.map((f) => f.path));
  const outputs = new Map<ActionName, Set<string>>();
  const owners = new Set<string>();
  for (const action of graph.actions) {
    if (outputs.has(action.name)) throw new SwarmError("malformed", `two actions are named ${action.name}`);
    for (const index of action.inputs) {
      const set = graph.sets[index];
      if (!set) throw new SwarmError("malformed", `${action.name} takes a file set that is not there`);
      if (set.from !== undefined && !outputs.get(set.from)?.has(set.output ?? ""))
        throw new SwarmError(
          "malformed",
          `${action.name} takes an output of ${set.from} that is not declared before it`,
        );
      if (set.from !== undefined && !(set.paths ?? []).every((p) => p.startsWith(`${set.output}/`)))
        throw new SwarmError(
          "malformed",
          `${action.name} takes files of ${set.output} that do not lie in it`,
        );
      if (set.from === undefined && !(set.paths ?? []).every((p) => files.has(p)))
        throw new SwarmError("malformed", `${action.name} takes an input file that is not there`);
    }
    if (action.outputs.reduce((sum, o) => sum + outputBytes + Buffer.byteLength(o.path), 0) > resultBytesMax)
      throw new SwarmError("too-large", `${action.name} has too many outputs for one result`, {
        remedy: "let it make a folder, and name the folder as its output",
      });
    for (const output of action.outputs) {
      if (owners.has(output.path)) throw new SwarmError("malformed", `two actions make ${output.path}`);
      if (!(output.promised ?? []).every((p) => p.startsWith(`${output.path}/`)))
        throw new SwarmError("malformed", `${action.name} promises files outside of ${output.path}`);
      owners.add(output.path);
    }
    outputs.set(action.name, new Set(action.outputs.map((o) => o.path)));
  }
  for (const name of graph.release?.include ?? [])
    if (!outputs.has(name))
      throw new SwarmError("malformed", `the release includes ${name}, which is no action`);
  return graph;
}

/** The actions that an action takes outputs of, each once, in the order it names them. */
export function dependenciesOf(graph: Graph, action: GraphAction): ActionName[] {
  const names = new Set<ActionName>();
  for (const index of action.inputs) {
    const from = graph.sets[index]?.from;
    if (from !== undefined) names.add(from);
  }
  return [...names];
}

/** What follows from a graph alone. */
export interface Structure {
  readonly indexOf: ReadonlyMap<ActionName, number>;
  /** Per action: indexes of those it takes outputs of, and of those that take its outputs. */
  readonly dependencies: readonly (readonly number[])[];
  readonly dependents: readonly (readonly number[])[];
}

const structures = new WeakMap<Graph, Structure>();

/** Found once per graph: folds of one graph share it. */
export function structureOf(graph: Graph): Structure {
  let structure = structures.get(graph);
  if (!structure) {
    const indexOf = new Map(graph.actions.map(({ name }, index) => [name, index]));
    const dependencies = graph.actions.map((a) => dependenciesOf(graph, a).map((name) => indexOf.get(name)!));
    const dependents: number[][] = graph.actions.map(() => []);
    dependencies.forEach((on, index) => {
      for (const dependency of on) dependents[dependency]!.push(index);
    });
    structure = { indexOf, dependencies, dependents };
    structures.set(graph, structure);
  }
  return structure;
}
