/** A build that ran here, fetched from the daemon to be simulated. */
import type { BuildView, Control, NodeView } from "../node/control/api.ts";
import { decodeGraph } from "../protocol/build/graph.ts";
import { sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest } from "../protocol/kernel/ids.ts";
import { type Recorded, recordedOf } from "../sim/recorded.ts";
import { selectBuild } from "./select.ts";
import { type Loaded, plainExperiment } from "./simulation.ts";
import { countText } from "./units.ts";

/** Throws `not-found`, and `refused` for a build of which nothing was measured. */
export async function ofBuild(control: Control, word: string): Promise<Loaded> {
  const { build } = await selectBuild(control, word);
  const view = await control.build(build);
  const nodes = await control.nodes();
  const recorded = recordOf(view, nodes, decodeGraph(await bytesOf(control, view.graph)));
  if (recorded.ran.length === 0)
    throw new SwarmError("refused", `nothing of ${build} ran here: there are no durations to simulate with`, {
      remedy: "name a build that executed something: swarmd history",
    });
  const { workload, cluster } = recordedOf(recorded);
  const cached = view.actionViews.filter((action) => action.cached).length;
  const open = view.state === "running" || view.state === "paused";
  return {
    experiment: { ...plainExperiment(workload, cluster), name: `${view.name} (${build})` },
    recordedMs: view.wallMs,
    notes: [
      ...(cached > 0
        ? [`${countText(cached, "action")} came from the cache: no time is counted for them`]
        : []),
      ...(open ? ["the build has not ended: what has not run yet takes no time"] : []),
    ],
  };
}

function recordOf(view: BuildView, nodes: readonly NodeView[], graph: Recorded["graph"]): Recorded {
  return {
    graph,
    ran: view.actionViews.flatMap(({ name, attempts }) => {
      const done = attempts.find((attempt) => attempt.state === "done" && attempt.usage);
      return done ? [{ action: name, node: done.node, wallMs: done.usage!.wallMs }] : [];
    }),
    outputBytes: new Map(
      view.actionViews.map(({ name, outputs }) => [
        name,
        Math.round(
          outputs.reduce((sum, { digest }) => sum + sizeOf(digest), 0) / Math.max(1, outputs.length),
        ),
      ]),
    ),
    nodes: nodes.flatMap(({ name, vitals }) =>
      vitals
        ? [
            {
              name,
              slots: vitals.slotsMax ?? vitals.slots,
              labels: vitals.labels,
              memoryBytes: vitals.memoryTotalBytes,
            },
          ]
        : [],
    ),
  };
}

async function bytesOf(control: Control, digest: Digest): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of control.getBlob(digest)) parts.push(part);
  return Buffer.concat(parts);
}
