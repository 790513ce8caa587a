/** `swarmd gc`: artifacts that nothing needs leave this disk, as many as room is short for. */
import type { CollectionView } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { optionText } from "../command.ts";
import { bytesText, countText, durationText, parseDurationMs } from "../units.ts";

/** Of what would go, so many are named. */
const namedMax = 20;

const reasons: Readonly<Record<keyof CollectionView["kept"], string>> = {
  live: "of builds that go on",
  released: "staged or released",
  own: "of the latest builds submitted or sealed here",
  logs: "output of what ran here lately",
  recent: "used just now",
  room: "not needed, but there is room",
};

export const gc: Command = {
  name: "gc",
  description:
    "Remove artifacts that nothing needs, as many as room is short for, and what was kept long enough of the timeline; the daemon does so by itself",
  options: [
    { flags: "--dry-run", description: "Say what would go, and why the rest stays" },
    {
      flags: "--unused <time>",
      description: "All that nothing needs and nobody used for so long, also where there is room: 7d",
    },
  ],
  examples: ["gc --dry-run", "gc", "gc --unused 7d --dry-run", "gc --unused 7d"],
  async run(context, _, options) {
    const unused = optionText(options, "unused");
    const unusedMs = unused === undefined ? undefined : parseDurationMs(unused);
    if (unused !== undefined && unusedMs === undefined)
      throw new SwarmError("usage", `--unused takes a time, not ${unused}`, {
        remedy: "--unused 12h, --unused 7d",
      });
    const view = await context.control.collect({
      dryRun: options.dryRun === true,
      ...(unusedMs === undefined ? {} : { unusedMs }),
    });
    if (context.json) context.output.json(view);
    else print(context, view, { unusedMs, nowMs: Date.now() });
    return 0;
  },
};

function timelineText(
  { builds, entries, first, keptMs }: NonNullable<CollectionView["timeline"]>,
  dryRun: boolean,
): string {
  const kept = `ended builds are kept in full for ${durationText(keptMs)}`;
  if (builds === 0) return `timeline: ${kept}; none is older`;
  const names = `${first.join(", ")}${builds > first.length ? ", …" : ""}`;
  return `timeline: ${kept}; of ${countText(builds, "older one")} ${dryRun ? "would go" : "went"} ${entries} entries: ${names}`;
}

function print(
  { output, commandLine }: Context,
  view: CollectionView,
  { unusedMs, nowMs }: { readonly unusedMs: number | undefined; readonly nowMs: number },
): void {
  const { dryRun, goes, count, bytes, kept, shortBytes } = view;
  if (dryRun)
    for (const one of goes.slice(0, namedMax))
      output.line(
        `${one.digest}  ${bytesText(one.bytes)}, unused for ${durationText(Math.max(0, nowMs - one.usedMs))}`,
      );
  if (dryRun && count > namedMax) output.line(`and ${countText(count - namedMax, "more artifact")}`);
  const what = `${countText(count, "artifact")}, ${bytesText(bytes)}`;
  output.line(
    count === 0 ? `nothing ${dryRun ? "would go" : "went"}` : `${what}, ${dryRun ? "would go" : "went"}`,
  );
  output.table(
    [{ title: "STAYS" }, { title: "ARTIFACTS", right: true }, { title: "BYTES", right: true }],
    Object.entries(reasons).flatMap(([why, text]) => {
      const sum = kept[why as keyof typeof kept];
      return sum.count === 0 ? [] : [[text, String(sum.count), bytesText(sum.bytes)]];
    }),
  );
  if (view.timeline) output.line(timelineText(view.timeline, dryRun));
  output.line(
    `artifacts took ${bytesText(view.usedBytes)} of ${bytesText(view.usedBytesMax)}; ${bytesText(view.freeBytes)} of the disk were free, ${bytesText(view.freeBytesMin)} are to be`,
  );
  if (shortBytes > 0)
    output.note(
      `${bytesText(shortBytes)} more should go, but all that is left is needed or was used just now; let artifacts take more, or free space: ${commandLine(["config", "show"])}`,
    );
  else if (unusedMs === undefined && count === 0 && kept.room.count > 0)
    output.note(`there is room; to remove it all the same: ${commandLine(["gc", "--unused", "7d"])}`);
}
