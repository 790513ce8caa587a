/** The blob of a graph that is submitted here, made one that says what this node knows of its actions' durations. */
import { decodeGraph, encodeGraph } from "../protocol/build/graph.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import type { Estimates } from "../protocol/work/estimates.ts";
import { foretold } from "../protocol/work/foretell.ts";
import type { BlobStore } from "./ports.ts";

/** The digest of the graph to submit, whose blob is here. What is no graph, or has no room for estimates, stays as it is: the core judges it. */
export async function foretoldBlob(
  digest: Digest,
  blobs: Pick<BlobStore, "has" | "read" | "put">,
  estimates: Estimates,
): Promise<Digest> {
  if (!blobs.has(digest)) return digest;
  try {
    const plain = decodeGraph(await blobs.read(digest));
    const graph = foretold(plain, estimates);
    return graph === plain ? digest : await blobs.put(encodeGraph(graph).bytes);
  } catch (error) {
    if (error instanceof SwarmError) return digest;
    throw error;
  }
}
