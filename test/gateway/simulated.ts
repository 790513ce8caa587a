/** A small report of `swarmd sim` as its `--out` writes it: two modes on three nodes. */
import { changed, plainExperiment } from "../../cli/simulation.ts";
import { clusterSchema } from "../../sim/cluster.ts";
import { talliesOf } from "../../sim/experiment.ts";
import { type ReportFile, reportFileOf } from "../../sim/report-file.ts";
import type { Tally } from "../../sim/tally.ts";
import { layered } from "../../sim/workload.ts";

const warm = { ambient: 25, heat: 3, cool: 0.04, limit: 85, factor: 0.6, hyst: 5, initial: 40 };

export function simulatedReport(): ReportFile {
  const nodes = [
    { id: "a", slots: 2, thermal: warm },
    { id: "b", slots: 2 },
    { id: "c", slots: 1, speed: 2 },
  ];
  const plain = plainExperiment(layered(1, 2, 6, 2000), clusterSchema.parse({ nodes }));
  const experiment = changed(plain, { modes: ["unified", "cache-first"], seeds: 1 });
  const runs: Tally[] = [];
  for (const step of talliesOf(experiment)) if ("makespanMs" in step) runs.push(step);
  return reportFileOf(experiment, runs);
}
