/** Earlier builds of the very same plan: so that a release that was interrupted goes on with its build, and does not begin another. */

import type { BuildSummary } from "../node/control/api.ts";
import { decodeGraph, encodeGraph, type Graph } from "../protocol/build/graph.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import type { Context } from "./command.ts";

/** Builds of the name that are looked at, the latest first. */
const builtMax = 8;

/** The latest build with this plan that runs or is complete; undefined when there is none. What a daemon adds of expected durations does not count. */
export async function sameBuild(context: Context, graph: Graph): Promise<BuildSummary | undefined> {
  const { control } = context;
  const wanted = identityOf(graph);
  const candidates = (await control.builds())
    .filter(({ name, state }) => name === graph.name && state !== "failed" && state !== "cancelled")
    .sort((a, b) => b.submittedAtMs - a.submittedAtMs)
    .slice(0, builtMax);
  for (const summary of candidates) {
    const { graph: digest } = await control.build(summary.build);
    const chunks: Uint8Array[] = [];
    for await (const chunk of control.getBlob(digest)) chunks.push(chunk);
    if (identityOf(decodeGraph(Buffer.concat(chunks))) === wanted) return summary;
  }
  return undefined;
}

const identityOf = (graph: Graph): Digest =>
  encodeGraph({ ...graph, actions: graph.actions.map(({ estimateMs: _, ...action }) => action) }).digest;
