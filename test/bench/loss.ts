/** How long a build takes on three machines of which each pair loses a third of its packets, both ways, against the same where none is lost. */
import type { BuildResult } from "../../node/control/api.ts";
import { LabFarm } from "../lab/farm.ts";
import { parts, submit } from "../lab/work.ts";

export interface Lossy {
  /** Of the build without loss, and of the one with it. */
  readonly cleanMs: number;
  readonly lossyMs: number;
  /** Runs beyond one for each action: claims that were taken back from members held dead. */
  readonly again: number;
}

/** Two lines lie between two machines: each loses so many that a third is lost on the way. */
const lostPercent = 18.35;
const actionSeconds = 1.5;

/** Throws where a build does not complete. */
export async function lossy(count: number): Promise<Lossy> {
  const farm = await LabFarm.boot(["ann", "ben", "cleo"], {
    SWARMD_SLOTS: "2",
    // Others' work on this machine is no reason to take less.
    SWARMD_PRESSURE_PERCENT_MAX: "100",
  });
  const built = async (name: string, seconds: number) => {
    const build = await submit(farm, "ann", name, parts(count, seconds));
    const result = await farm.json<BuildResult>("ann", "watch", build);
    if (result.state !== "complete") throw new Error(`${name} is ${result.state}`);
    return result;
  };
  try {
    await farm.found("ann", "ben", "cleo");
    const clean = await built("clean", actionSeconds);
    for (const name of farm.lab.names)
      await farm.lab.shape(name, { rate: "200mbit", lossPercent: lostPercent });
    const result = await built("lossy", actionSeconds + 0.001);
    const runs = Object.values(result.byNode).reduce((sum, n) => sum + n, 0);
    return { cleanMs: clean.wallMs, lossyMs: result.wallMs, again: runs - result.executed };
  } finally {
    await farm.close();
  }
}
