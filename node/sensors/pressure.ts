/** Pressure stall information (PSI): how much of the last ten seconds something had to wait. */
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";
import { readNumber, readText } from "./reading.ts";

/** Percent (`some avg10`) for cpu, memory and io; `unknown` where the kernel keeps none. */
export function readPressure(root: string): LocalVitals["pressurePercent"] {
  const cpu = someOf(root, "cpu");
  const memory = someOf(root, "memory");
  const io = someOf(root, "io");
  if (cpu === "unknown" || memory === "unknown" || io === "unknown") return "unknown";
  return { cpu, memory, io };
}

const someOf = (root: string, resource: string) =>
  readNumber(/^some avg10=([0-9.]+)/m.exec(readText(`${root}/proc/pressure/${resource}`) ?? "")?.[1], 0, 100);
