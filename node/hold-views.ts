/** What people hold of a build, for reading. */
import type { Core } from "../protocol/core.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Spoken } from "../protocol/work/holds.ts";
import type { HoldView, WordView } from "./control/words.ts";

const holdsMax = 50;

/** A word as people read it. */
export const wordView = ({ by, atMs, event }: Spoken, nameOf: (peer: PeerId) => string): WordView => ({
  by: nameOf(by),
  atMs,
  ...(event.reason === undefined ? {} : { reason: event.reason }),
});

/** What holds a live build now, or actions of it that could run; a pause first. At most 50. */
export function holdsOf(
  { desk, scheduler }: Core,
  build: Build,
  nameOf: (peer: PeerId) => string,
): HoldView[] {
  const claims = build.claims!;
  if (claims.sealed || claims.cancelled || claims.settled) return [];
  const { wallMs, monoMs } = desk.now;
  const since = (atMs: number) => Math.max(0, Math.round(wallMs - atMs));
  const found: HoldView[] = [];
  for (const word of claims.holds.heads())
    if (word.event.op === "pause")
      found.push({ kind: "pause", ...wordView(word, nameOf), forMs: since(word.atMs) });
  const breakpoints = claims.holds.breakpoints();
  const onFailure = breakpoints.find(({ event }) => event.action === undefined);
  for (const { action } of onFailure ? claims.holds.unanswered() : [])
    found.push({
      kind: "failure",
      action: claims.action(action).name,
      ...wordView(onFailure!, nameOf),
      forMs: since(onFailure!.atMs),
    });
  for (const word of breakpoints) {
    const { action } = word.event;
    const index = action === undefined ? undefined : claims.indexOf.get(action);
    if (index === undefined || claims.actions.get(index) !== "ready") continue;
    if (claims.heldBy(index) !== "breakpoint") continue;
    const forMs = Math.max(0, Math.round(monoMs - scheduler.readySinceMonoMs(build, index)));
    found.push({ kind: "breakpoint", action: action!, ...wordView(word, nameOf), forMs });
  }
  return found.slice(0, holdsMax);
}
