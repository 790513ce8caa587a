/**
 * What recording costs: processor time of a daemon that records, beside two that do not. All three build the same in turn, forth and back, so that what a machine does
 * meanwhile, and what a daemon gets slower or quicker with, is the same for all; the two bare ones beside each other say how much of a difference is none.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Farm } from "./farm.ts";
import { ownTicksOf } from "./idle.ts";
import { nothings } from "./specs.ts";

/** Shares of the bare daemons' own processor time, user and system; one for each round, ascending. */
export interface RecordingRun {
  readonly recorded: readonly number[];
  /** One bare daemon beside the other. */
  readonly floor: readonly number[];
}

const setting = "SWARMD_RECORDING_BYTES_MAX";
const actions = 250;
/** A daemon is measured once its code is compiled. */
const warmups = 3;
/** By then all that was gathered is written. */
const writtenMs = 1500;

export async function recording(folder: string, rounds: number): Promise<RecordingRun> {
  const farms: Farm[] = [];
  try {
    for (const bytesMax of ["0", undefined, "0"]) farms.push(await started(bytesMax));
    const [bare, recorded, other] = farms as [Farm, Farm, Farm];
    const pids = await Promise.all(farms.map(async (farm) => (await farm.pids())[0]!));
    const ticks = () => pids.map(ownTicksOf);
    const run: { recorded: number[]; floor: number[] } = { recorded: [], floor: [] };
    for (let round = -warmups; round < rounds; round++) {
      const before = ticks();
      let turn = 0;
      for (const farm of [bare, recorded, other, other, recorded, bare])
        await farm.submit(await nothings(folder, actions, `${round} ${turn++}`));
      await sleep(writtenMs);
      const [a, b, c] = ticks().map((now, at) => now - before[at]!) as [number, number, number];
      if (round < 0) continue;
      run.recorded.push((2 * b) / (a + c) - 1);
      run.floor.push(c / a - 1);
    }
    for (const shares of [run.recorded, run.floor]) shares.sort((x, y) => x - y);
    return run;
  } finally {
    for (const farm of farms) await farm.stop();
  }
}

/** A daemon by itself; `bytesMax`: for recordings, where that is not the usual. */
async function started(bytesMax: string | undefined): Promise<Farm> {
  const before = process.env[setting];
  const set = (value: string | undefined) => {
    if (value === undefined) delete process.env[setting];
    else process.env[setting] = value;
  };
  set(bytesMax);
  try {
    return await Farm.start({ nodes: 1, slotsPerNode: 2, sandbox: "none" });
  } finally {
    set(before);
  }
}
