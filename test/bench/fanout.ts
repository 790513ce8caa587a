/** A blob that three machines want at once from a fourth, all on lines of one rate: how much longer it takes than one of them alone would need. */
import { createReadStream, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { LabFarm } from "../lab/farm.ts";
import { makeBlob } from "./transfer.ts";

export interface FanOut {
  readonly tookMs: number;
  /** Size over rate: what the line alone would take. */
  readonly lineMs: number;
  /** How much of all processors was taken meanwhile, by whomever, in percent: near 100 it is not the lines that are measured. */
  readonly busyPercent: number;
}

/** In network namespaces; needs what test/lab needs. */
export async function fanOut(sizeBytes: number, megabitsPerSecond: number): Promise<FanOut> {
  const names = ["holder", "one", "two", "three"] as const;
  const farm = await LabFarm.boot(names, { SWARMD_SANDBOX: "none", SWARMD_UNSAFE_NO_SANDBOX: "yes" });
  const file = path.join(farm.terminal.dir, "blob");
  try {
    const digest = await makeBlob(file, sizeBytes);
    await farm.found(...names);
    const [holder, ...takers] = names.map((name) =>
      controlClient(placesOf(farm.outsideOf(name)).controlSocket),
    );
    await holder!.putBlob(digest, createReadStream(file, { highWaterMark: 1 << 20 }));
    for (const name of names) await farm.lab.shape(name, { rate: `${megabitsPerSecond}mbit` });
    const before = processorTicks();
    const startMs = performance.now();
    await Promise.all(
      takers.map(async (taker) => {
        for await (const _ of taker.bring(digest, new AbortController().signal));
      }),
    );
    const tookMs = performance.now() - startMs;
    const after = processorTicks();
    return {
      tookMs,
      busyPercent: (100 * (after.busy - before.busy)) / (after.all - before.all),
      lineMs: (sizeOf(digest) * 8) / 1000 / megabitsPerSecond,
    };
  } finally {
    await rm(file, { force: true });
    await farm.close();
  }
}

/** Of all processors since the machine started. */
function processorTicks(): { readonly busy: number; readonly all: number } {
  const [user, nice, system, idle, wait, ...rest] = readFileSync("/proc/stat", "latin1")
    .split("\n")[0]!
    .trim()
    .split(/\s+/)
    .slice(1, 9)
    .map(Number);
  const busy = [user!, nice!, system!, ...rest].reduce((a, b) => a + b, 0);
  return { busy, all: busy + idle! + wait! };
}
