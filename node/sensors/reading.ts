/** Reading small files of /proc and /sys, where anything may be absent, unreadable or nonsense: bounded, and never throwing. */
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import type { Unknown } from "../../protocol/swarm/vitals.ts";

const textBytesMax = 16 << 10;
const namesMax = 256;
const buffer = Buffer.alloc(textBytesMax);

/** At most the first 16 KiB; undefined when it cannot be read. */
export function readText(file: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, "r");
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, textBytesMax, 0));
  } catch {
    return undefined; // absent, or a sensor that is asleep
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Names in a folder that match, sorted by their numbers; none when there is no such folder. */
export function readNames(folder: string, pattern: RegExp): string[] {
  // an error for a folder that is not there costs more than to ask first
  if (!existsSync(folder)) return [];
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort((a, b) => Number(a.replace(/\D/g, "")) - Number(b.replace(/\D/g, "")))
      .slice(0, namesMax);
  } catch {
    return [];
  }
}

/** A plain decimal number within [min, max]; everything else is `unknown`. */
export function readNumber(text: string | undefined, min: number, max: number): number | Unknown {
  const trimmed = text?.trim() ?? "";
  if (!/^-?[0-9]{1,18}(\.[0-9]{1,9})?$/.test(trimmed)) return "unknown";
  const value = Number(trimmed);
  return value >= min && value <= max ? value : "unknown";
}
