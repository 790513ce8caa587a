/** Work whose actions leave folders behind. */
import type { Workload } from "../../sim/workload.ts";

/** The same work with folders for outputs. */
export const inFolders = ({ graph, costs }: Workload): Workload => ({
  costs,
  graph: {
    ...graph,
    actions: graph.actions.map((a) => ({
      ...a,
      outputs: a.outputs.map((o) => ({ ...o, kind: "folder" as const })),
    })),
  },
});
