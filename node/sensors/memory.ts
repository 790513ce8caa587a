/** Memory, as the kernel counts it. */
import { freemem, totalmem } from "node:os";
import { readNumber, readText } from "./reading.ts";

const kibMax = 2 ** 43;

/** Bytes in all, and bytes that programs can still have (`MemAvailable`). What /proc does not say, the runtime does. */
export function readMemory(root: string): {
  readonly memoryTotalBytes: number;
  readonly memoryFreeBytes: number;
} {
  const text = readText(`${root}/proc/meminfo`) ?? "";
  const total = kib(text, "MemTotal");
  const free = kib(text, "MemAvailable");
  const known = total !== "unknown" && free !== "unknown" && free <= total;
  return {
    memoryTotalBytes: known ? total * 1024 : totalmem(),
    memoryFreeBytes: known ? free * 1024 : freemem(),
  };
}

const kib = (text: string, name: string) =>
  readNumber(new RegExp(`^${name}:\\s+([0-9]+) kB$`, "m").exec(text)?.[1], 0, kibMax);
