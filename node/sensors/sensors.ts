/** The node's sensors put together: read at an interval, told on when a reading changed enough to matter. */
import { availableParallelism } from "node:os";
import type { Sensors } from "../../protocol/ports.ts";
import type { LocalVitals, Unknown } from "../../protocol/swarm/vitals.ts";
import { readDisk } from "./disk.ts";
import { readLoad } from "./load.ts";
import { readMemory } from "./memory.ts";
import { readOwner } from "./owner.ts";
import { readPressure } from "./pressure.ts";
import { readTemperature } from "./temperature.ts";

export interface SensorOptions {
  /** Where `proc` and `sys` are found. Default: the machine's. */
  readonly root?: string;
  /** Any path on the disk that is watched. */
  readonly diskPath: string;
  /** As they are at the moment. */
  readonly toolchains: () => LocalVitals["toolchains"];
  readonly distribution?: string;
  readonly sandbox: LocalVitals["sandbox"];
  /** Names of the secrets there are; asked at each reading. */
  readonly secrets?: () => readonly string[];
  readonly target: string;
  /** A terminal counts as its owner's for so long after it was typed into; absent: nobody looks whether the owner is there. */
  readonly ownerIdleMs?: number;
  /** Between readings; at least, and by default, a second. */
  readonly intervalMs?: number;
}

const intervalMsMin = 1000;

export function createSensors(options: SensorOptions): Sensors {
  const root = (options.root ?? "/").replace(/\/+$/, "");
  const { diskPath, toolchains, distribution, sandbox, target, ownerIdleMs } = options;
  const intervalMs = Math.max(intervalMsMin, options.intervalMs ?? intervalMsMin);
  const cores = availableParallelism();

  const secretNames = () => {
    const names = options.secrets?.() ?? [];
    return names.length > 0 ? { secrets: names } : {};
  };
  const read = (): LocalVitals => ({
    cores,
    load: readLoad(root),
    pressurePercent: readPressure(root),
    ...readTemperature(root),
    ...readMemory(root),
    ...readDisk(diskPath),
    ...(ownerIdleMs === undefined ? {} : { ownerActive: readOwner(root, ownerIdleMs, Date.now()) }),
    sandbox,
    target,
    ...secretNames(),
    ...(distribution === undefined ? {} : { distribution }),
    toolchains: toolchains(),
  });

  return {
    watch(callback) {
      let told = read();
      callback(told);
      const timer = setInterval(() => {
        const fresh = read();
        if (!matters(told, fresh)) return;
        told = fresh;
        callback(fresh);
      }, intervalMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

/** Whether someone who knows `before` would decide otherwise, had he `after`. */
export function matters(before: LocalVitals, after: LocalVitals): boolean {
  const pressure = (vitals: LocalVitals, name: "cpu" | "memory" | "io") =>
    vitals.pressurePercent === "unknown" ? "unknown" : vitals.pressurePercent[name];
  return (
    before.ownerActive !== after.ownerActive ||
    before.secrets?.join() !== after.secrets?.join() ||
    before.toolchains !== after.toolchains ||
    moved(before.load, after.load, Math.max(0.5, before.cores * 0.1)) ||
    moved(before.temperatureCelsius, after.temperatureCelsius, 2) ||
    moved(before.headroomCelsius, after.headroomCelsius, 2) ||
    (["cpu", "memory", "io"] as const).some((name) =>
      moved(pressure(before, name), pressure(after, name), 10),
    ) ||
    before.memoryTotalBytes !== after.memoryTotalBytes ||
    moved(before.memoryFreeBytes, after.memoryFreeBytes, before.memoryTotalBytes * 0.05) ||
    moved(before.diskFreeBytes, after.diskFreeBytes, Math.max(2 ** 28, before.diskFreeBytes * 0.05))
  );
}

function moved(before: number | Unknown, after: number | Unknown, by: number): boolean {
  if (before === "unknown" || after === "unknown") return before !== after;
  return Math.abs(after - before) >= by && after !== before;
}
