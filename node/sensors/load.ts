/** How busy the machine is: the load average. */
import type { Unknown } from "../../protocol/swarm/vitals.ts";
import { readNumber, readText } from "./reading.ts";

/** One-minute load average of the system below `root`. */
export function readLoad(root: string): number | Unknown {
  return readNumber(readText(`${root}/proc/loadavg`)?.split(" ")[0], 0, 1_000_000);
}
