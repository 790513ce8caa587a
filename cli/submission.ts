/** From a spec on disk to a graph, its blobs at the daemon, and a build. */
import { createReadStream } from "node:fs";
import { readInputs, readSpec } from "../node/build/inputs.ts";
import { encodeGraph, type Graph } from "../protocol/build/graph.ts";
import { resolveSpec } from "../protocol/build/resolve.ts";
import type { LeftOut, Spec } from "../protocol/build/spec.ts";
import { sameForAll, toolSetsOf } from "../protocol/build/tool-sets.ts";
import type { Values } from "../protocol/build/values.ts";
import { sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId, Digest } from "../protocol/kernel/ids.ts";
import type { ToolChoices } from "../protocol/work/tooling.ts";
import type { Context } from "./command.ts";
import { bytesText } from "./units.ts";

const uploadsMax = 8;
const unresolved = "unresolved";

export interface Prepared {
  readonly graph: Graph;
  /** What the spec says of it. */
  readonly priority: number;
  /** What its conditions leave out. */
  readonly leftOut: readonly LeftOut[];
  /** Where each input's content lies on this disk. */
  readonly sources: ReadonlyMap<Digest, string>;
  /** Removes what was unpacked for it; `submit` does. */
  readonly dispose: () => void;
  /** What toolchains were resolved to; absent where they were not. */
  readonly tools?: ToolChoices;
  /** Why toolchains could not be resolved; the graph's fingerprints are placeholders then. */
  readonly trouble?: SwarmError;
}

/**
 * Reads and resolves a spec. `vars`: values in place of its own. What is wrong with the spec is thrown; what is wrong with the swarm is told in
 * `trouble`.
 */
export async function prepare(
  context: Context,
  specFile: string,
  vars: Values = new Map(),
): Promise<Prepared> {
  const { spec, trouble: unknownLabels } = await read(context, specFile, vars);
  const { files, sources, dispose } = await readInputs(specFile, spec);
  const sets = toolSetsOf(spec, files);
  const { priority, leftOut } = spec;
  const common = { priority, leftOut, sources, dispose };
  try {
    const tools: ToolChoices =
      sets.length > 0 ? await context.control.resolveToolchains(sets) : { fingerprints: {}, choices: [] };
    const graph = resolveSpec(spec, files, tools.fingerprints);
    return { graph, ...common, tools, ...(unknownLabels ? { trouble: unknownLabels } : {}) };
  } catch (thrown) {
    if (!(thrown instanceof SwarmError) || thrown.code === "spec-invalid") throw thrown;
    return { graph: resolveSpec(spec, files, sameForAll(sets, unresolved)), ...common, trouble: thrown };
  }
}

/** The spec; where one of its conditions asks what nodes offer, the daemon is asked first. */
async function read(
  context: Context,
  specFile: string,
  vars: Values,
): Promise<{ spec: Spec; trouble?: SwarmError }> {
  const first = await readSpec(specFile, specFile, { vars });
  if (!first.asksLabels) return { spec: first };
  try {
    const nodes = await context.control.nodes();
    const labels = nodes.flatMap((node) =>
      node.state !== "dead" && node.roles.includes("builder") ? (node.vitals?.labels ?? []) : [],
    );
    return { spec: await readSpec(specFile, specFile, { vars, labels }) };
  } catch (thrown) {
    if (!(thrown instanceof SwarmError) || thrown.code === "spec-invalid") throw thrown;
    return { spec: first, trouble: thrown };
  }
}

/** Uploads what the daemon lacks and submits, with the spec's own priority if no other is given; `fresh`: without the action cache. Throws what stood in the way. */
export async function submit(
  context: Context,
  prepared: Prepared,
  { priority = prepared.priority, fresh = false }: { priority?: number; fresh?: boolean } = {},
): Promise<BuildId> {
  if (prepared.trouble) throw prepared.trouble;
  const { graph, sources } = prepared;
  const { bytes, digest } = encodeGraph(graph);
  await upload(context, sources, await context.control.missingBlobs([...sources.keys()]));
  prepared.dispose();
  await context.control.putBlob(digest, once(bytes));
  const { build, word } = await context.control.submit({
    name: graph.name,
    graph: digest,
    priority,
    ...(fresh ? { fresh } : {}),
  });
  if (word) context.output.note(word);
  return build;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function upload(context: Context, sources: ReadonlyMap<Digest, string>, digests: readonly Digest[]) {
  const total = digests.reduce((sum, digest) => sum + sizeOf(digest), 0);
  const queue = [...digests];
  let sent = 0;
  const show = () => {
    if (!context.json)
      context.output.live([
        `sending inputs: ${bytesText(sent)} of ${bytesText(total)}, ${queue.length} files to go`,
      ]);
  };
  const worker = async () => {
    for (let digest = queue.shift(); digest !== undefined; digest = queue.shift()) {
      const file = sources.get(digest);
      if (file === undefined) throw new Error(`the daemon asks for ${digest}, which is no input`);
      await context.control.putBlob(digest, createReadStream(file)).catch((cause: unknown) => {
        const changed =
          cause instanceof SwarmError && (cause.code === "blob-corrupt" || cause.code === "too-large");
        throw changed
          ? new SwarmError("blob-corrupt", `${file} changed while it was submitted`, {
              remedy: "submit again",
              cause,
            })
          : cause;
      });
      sent += sizeOf(digest);
      show();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(uploadsMax, digests.length) }, worker));
  } finally {
    context.output.live([]);
  }
}
