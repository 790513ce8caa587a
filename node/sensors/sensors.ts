/** The node's sensors put together: read at an interval, told on when a reading changed enough to matter. */
import { availableParallelism } from "node:os";
import type { Sensors } from "../../protocol/ports.ts";
import type { LocalVitals, Unknown } from "../../protocol/swarm/vitals.ts";
import { type Every, everyByTimer } from "../rounds.ts";
import { readDisk } from "./disk.ts";
import { readLoad } from "./load.ts";
import { readMemory } from "./memory.ts";
import { createOthers } from "./others.ts";
import { readOwner } from "./owner.ts";
import { readLeaving } from "./power.ts";
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
  /** Absent: nobody looks whether the owner is there, what others use, or whether the machine is about to go. */
  readonly owner?: {
    /** A terminal counts as its owner's for so long after it was typed into. */
    readonly idleMs: number;
    /** Processor time that this daemon and what it started used; hundredths of a second. */
    readonly ownTicks: () => number;
  };
  /** Of the machine's memory only so much is for actions; absent: all. */
  readonly memoryBytesMax?: number;
  /** Between readings; at least, and by default, a second. */
  readonly intervalMs?: number;
  /** What calls for the next reading; absent: a timer. */
  readonly every?: Every;
}

const intervalMsMin = 1000;

export function createSensors(options: SensorOptions): Sensors {
  const root = (options.root ?? "/").replace(/\/+$/, "");
  const { diskPath, toolchains, distribution, sandbox, target, owner } = options;
  const intervalMs = Math.max(intervalMsMin, options.intervalMs ?? intervalMsMin);
  const cores = availableParallelism();

  const secretNames = () => {
    const names = options.secrets?.() ?? [];
    return names.length > 0 ? { secrets: names } : {};
  };
  const others =
    owner && createOthers({ root, ownTicks: owner.ownTicks, nowMonoMs: () => performance.now() });
  const ownersShare = () => {
    if (!owner || !others) return {};
    const [othersCores, leaving] = [others(), readLeaving(root)];
    return {
      ownerActive: readOwner(root, owner.idleMs, Date.now()),
      ...(othersCores === "unknown" ? {} : { othersCores }),
      ...(leaving === undefined ? {} : { leaving }),
    };
  };
  const memory = () => {
    const { memoryTotalBytes, memoryFreeBytes } = readMemory(root);
    const most = Math.min(options.memoryBytesMax ?? memoryTotalBytes, memoryTotalBytes);
    return { memoryTotalBytes: most, memoryFreeBytes: Math.min(memoryFreeBytes, most) };
  };
  const read = (): LocalVitals => ({
    cores,
    load: readLoad(root),
    pressurePercent: readPressure(root),
    ...readTemperature(root),
    ...memory(),
    ...readDisk(diskPath),
    ...ownersShare(),
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
      return (options.every ?? everyByTimer)(intervalMs, () => {
        const fresh = read();
        if (!matters(told, fresh)) return;
        told = fresh;
        callback(fresh);
      });
    },
  };
}

/** Whether someone who knows `before` would decide otherwise, had he `after`. */
export function matters(before: LocalVitals, after: LocalVitals): boolean {
  const pressure = (vitals: LocalVitals, name: "cpu" | "memory" | "io") =>
    vitals.pressurePercent === "unknown" ? "unknown" : vitals.pressurePercent[name];
  return (
    before.ownerActive !== after.ownerActive ||
    before.leaving !== after.leaving ||
    moved(before.othersCores ?? 0, after.othersCores ?? 0, 0.5) ||
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
