/** `swarmd wire`: which messages this node sent and got, how many and how large; never what stood in them. */
import type { WireCount, WireDensity, WireLine, WireStats } from "../../node/control/data.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { matchNode } from "../select.ts";
import { sinceOf } from "../since.ts";
import { bytesText, clockText, durationText } from "../units.ts";

const shownDefault = 100;
const barMax = 40;

export const wire: Command = {
  name: "wire",
  description: "List the messages this node sent and got: kind, peer, size, entries; never their content",
  options: [
    { flags: "--stats", description: "Counts, bytes and rates per kind and peer since the daemon started" },
    { flags: "--density", description: "Messages over time" },
    { flags: "--peer <node>", description: "With this node alone" },
    { flags: "--kind <kind>", description: "Of this kind alone: sync, ledger, vitals …" },
    { flags: "--since <time>", description: "Not what is older: 30s, 5m (the density goes an hour back)" },
    { flags: "--limit <n>", description: `The last n (${shownDefault}; with --json all that are held)` },
    { flags: "--follow", description: "Go on with what comes" },
  ],
  examples: [
    "wire",
    "wire --peer pc --kind ledger --follow",
    "wire --stats",
    "wire --density --since 30m --json",
  ],
  async run(context, _, options) {
    if (options.stats === true || options.density === true) return sums(context, options);
    const { control, output } = context;
    const word = optionText(options, "peer");
    const peer = word === undefined ? undefined : (matchNode(await control.nodes(), word)?.peerId ?? word);
    const kind = optionText(options, "kind");
    const sinceMs = sinceOf(options);
    const limit = limitOf(options) ?? (context.json ? undefined : shownDefault);
    const interrupt = onInterrupt();
    let lines = 0;
    try {
      for await (const line of control.wire(
        {
          ...(peer === undefined ? {} : { peer }),
          ...(kind === undefined ? {} : { kind }),
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(limit === undefined ? {} : { limit }),
          follow: options.follow === true,
        },
        interrupt.signal,
      )) {
        lines++;
        if (context.json) output.json(line);
        else output.line(textOf(line));
      }
    } finally {
      interrupt.release();
    }
    if (lines === 0 && !context.json && !interrupt.signal.aborted) output.note("no message that fits");
    return interrupt.signal.aborted ? 130 : 0;
  },
};

async function sums(context: Context, options: Options): Promise<number> {
  const other = ["stats", "density", "peer", "kind", "limit", "follow"].filter(
    (name) => options[name] !== undefined,
  );
  if (other.length > 1 || (options.stats === true && options.since !== undefined))
    throw new SwarmError("usage", `--${other[0]} stands alone`, {
      remedy: "swarmd wire --stats, swarmd wire --density --since 10m",
    });
  const { control, output } = context;
  if (options.stats === true) {
    const stats = await control.wireStats();
    if (context.json) output.json(stats);
    else printStats(context, stats);
    return 0;
  }
  const sinceMs = sinceOf(options);
  const density = await control.wireDensity(sinceMs === undefined ? {} : { sinceMs });
  if (context.json) output.json(density);
  else printDensity(context, density);
  return 0;
}

function textOf({ atMs, direction, way, kind, node, bytes, build, entryCount, entries }: WireLine): string {
  const other = node ?? "all";
  const said =
    entryCount === 0 ? "" : `  ${entryCount} × ${entries[0]!.slice(0, 12)}${entryCount > 1 ? "…" : ""}`;
  return `${clockText(atMs)}  ${direction === "out" ? "→" : "←"} ${other.padEnd(10)}  ${way.padEnd(7)}  ${kind.padEnd(8)}  ${bytesText(bytes).padStart(8)}${
    build === undefined ? "" : `  ${build}`
  }${said}`.trimEnd();
}

function printStats({ output }: Context, stats: WireStats): void {
  const { sinceMs, atMs, sent, received, perSecond, byKind, byPeer, held, heldMax } = stats;
  const pair = ({ count, bytes }: WireCount) => [String(count), bytesText(bytes)];
  const titles = [
    { title: "SENT", right: true },
    { title: "", right: true },
    { title: "GOT", right: true },
    { title: "", right: true },
  ];
  output.line(
    `${sent.count} sent (${bytesText(sent.bytes)}), ${received.count} got (${bytesText(received.bytes)}) in ${durationText(atMs - sinceMs)}; now ${perSecond.sent.count} and ${perSecond.received.count} a second; the last ${held} of at most ${heldMax} are held`,
  );
  output.line();
  output.table(
    [{ title: "KIND" }, { title: "WAY" }, ...titles],
    byKind.map((one) => [one.kind, one.way, ...pair(one.sent), ...pair(one.received)]),
  );
  if (byPeer.length === 0) return;
  output.line();
  output.table(
    [{ title: "NODE" }, ...titles],
    byPeer.map((one) => [one.node, ...pair(one.sent), ...pair(one.received)]),
  );
}

function printDensity({ output }: Context, { fromMs, stepMs, steps }: WireDensity): void {
  const most = Math.max(1, ...steps.map(({ sent, received }) => sent.count + received.count));
  for (const [at, { sent, received }] of steps.entries()) {
    const count = sent.count + received.count;
    const bar = "█".repeat(Math.ceil((count / most) * barMax));
    output.line(
      `${clockText(fromMs + at * stepMs).slice(0, 8)}  ${String(sent.count).padStart(6)} →  ${String(received.count).padStart(6)} ←  ${bar}`.trimEnd(),
    );
  }
  output.note(`each line: ${durationText(stepMs)}`);
}

function limitOf(options: Options): number | undefined {
  const word = optionText(options, "limit");
  if (word !== undefined && !/^[1-9][0-9]{0,4}$/.test(word))
    throw new SwarmError("usage", `--limit takes a number up to 99999, not ${word}`, {
      remedy: "--limit 50",
    });
  return word === undefined ? undefined : Number(word);
}
