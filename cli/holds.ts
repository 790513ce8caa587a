/** What holds a build, in words, with the command that lets it go. */
import type { HoldView } from "../node/control/words.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import { durationText } from "./units.ts";

/** `link stands at a breakpoint of ann for 12 s (the linker): swarmd step demo-0123456789 link`. */
export function holdText(
  build: BuildId,
  { kind, action, by, reason, forMs }: HoldView,
  command: (args: readonly string[]) => string,
): string {
  const because = reason === undefined ? "" : ` (${reason})`;
  const since = `for ${durationText(forMs)}`;
  if (kind === "pause") return `paused by ${by} ${since}${because}: ${command(["resume", build])}`;
  if (kind === "failure")
    return `${action} failed, and ${by} wants nothing new begun then${because}; why: ${command(["why", build, action!])}, go on: ${command(["resume", build])}`;
  return `${action} stands at a breakpoint of ${by} ${since}${because}: ${command(["step", build, action!])}`;
}
