/** `swarmd releases list|show|diff|log`: the epochs of a channel, what each holds, what changed, and who signed it. */
import type { ChannelView } from "../../node/control/publishing.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { channelOption, defaultChannel, mustBeKnown } from "../channel.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { notFound } from "../select.ts";
import { bytesText } from "../units.ts";
import { epochOf } from "./rollback.ts";

const uses =
  "swarmd releases list, show EPOCH, diff FROM TO, log, bisect NAME --good N --bad M, pin [EPOCH], unpin";

export const releases: Command = {
  name: "releases",
  args: "<list|show|diff|log|bisect|pin|unpin> [epoch] [to]",
  description:
    "List epochs, show what one holds, what changed, who voted; find the one that broke a package; keep a channel on one",
  options: [
    channelOption,
    { flags: "--good <epoch>", description: "bisect: the package worked there" },
    { flags: "--bad <epoch>", description: "bisect: and there no more; the present one if not said" },
    {
      flags: "--run <command>",
      description: "bisect: tries an epoch; its package is $1, 0 says good, 125 that it cannot tell",
    },
    { flags: "--reason <text>", description: "pin, unpin: why, for those who ask later" },
  ],
  examples: [
    "releases list",
    "releases show 3",
    "releases diff 2 3",
    "releases log --json",
    "releases bisect greet --good 3 --bad 9",
    "releases bisect greet --good 3 --run 'dpkg -x $1 x && x/usr/bin/greet'",
    'releases pin --reason "conference week"',
    "releases unpin",
  ],
  async run(context, [what, first, second], options) {
    const { channels } = await context.control.releases();
    const name = optionText(options, "channel") ?? defaultChannel;
    const channel = channels.find((c) => c.channel === name);
    if (what === "list" || what === "log") mustBeKnown(channels, name);
    if (what === "list") return list(context, channel);
    if (what === "log") return log(context, channel);
    if (what === "pin" || what === "unpin") return pin(context, what, name, channel, first, options);
    if (what === "bisect") return halve(context, name, channel, first, options);
    if (what !== "show" && what !== "diff")
      throw new SwarmError("usage", `releases has no command ${what}`, { remedy: uses });
    if (!channel || channel.current === 0)
      throw notFound(
        "channel",
        name,
        channels.filter((c) => c.current > 0).map((c) => c.channel),
        "release something: swarmd finalize",
      );
    const to = first === undefined ? channel.current : epochOf(first);
    if (what === "show") return show(context, name, to);
    const from = second === undefined ? to - 1 : to;
    const until = second === undefined ? to : epochOf(second);
    return diff(context, name, from, until);
  },
};

/** Keeps the channel on its epoch, or on an older one, which becomes a new one first; or lets it go on. */
async function pin(
  context: Context,
  what: "pin" | "unpin",
  name: string,
  channel: ChannelView | undefined,
  word: string | undefined,
  options: Options,
): Promise<number> {
  const { control, output } = context;
  const reason = optionText(options, "reason");
  const because = reason === undefined ? {} : { reason };
  let epoch: number | null = null;
  if (what === "pin") {
    epoch = word === undefined ? (channel?.current ?? 0) : epochOf(word);
    if (epoch === 0)
      throw new SwarmError("not-found", `${name} has no epoch yet`, {
        remedy: "release something: swarmd finalize",
      });
    if (channel && epoch < channel.current)
      epoch = (await control.release({ kind: "rollback", channel: name, epoch, ...because })).epoch!;
  } else if (word !== undefined) throw new SwarmError("usage", "unpin takes no epoch", { remedy: uses });
  await control.release({ kind: "pin", channel: name, epoch, ...because });
  if (context.json) output.json({ ok: true, channel: name, pinned: epoch });
  else
    output.line(
      epoch === null
        ? `${name} goes on`
        : `${name} stays on epoch ${epoch}${word !== undefined && String(epoch) !== word ? `, which holds what epoch ${word} held` : ""}`,
    );
  return 0;
}

async function halve(
  context: Context,
  channel: string,
  view: ChannelView | undefined,
  name: string | undefined,
  options: Options,
): Promise<number> {
  const good = optionText(options, "good");
  const bad = optionText(options, "bad") ?? String(view?.current ?? 0);
  if (name === undefined || good === undefined)
    throw new SwarmError("usage", "releases bisect takes a package and an epoch in which it worked", {
      remedy: "swarmd releases bisect NAME --good 3 --bad 9",
    });
  const { bisect } = await import("../bisecting.ts");
  const run = optionText(options, "run");
  return bisect(context, { channel, name, good: epochOf(good), bad: epochOf(bad), run });
}

function list(context: Context, channel: ChannelView | undefined): number {
  const { output } = context;
  if (context.json) output.json(channel?.epochs ?? []);
  else if (!channel || channel.epochs.length === 0) output.line("nothing is released yet");
  else
    output.table(
      [{ title: "EPOCH", right: true }, { title: "DATE" }, { title: "BY" }, { title: "SHOWN BY" }],
      channel.epochs
        .toReversed()
        .map((e) => [String(e.epoch), new Date(e.atMs).toISOString(), e.by, e.shownBy.join(", ") || "-"]),
    );
  if (channel?.pinned && !context.json)
    output.note(
      `${channel.channel} stays on epoch ${channel.current}, by the word of ${channel.pinned.by}${channel.pinned.reason ? `: ${channel.pinned.reason}` : ""}`,
    );
  return 0;
}

/** The oldest first, each with what proves it. */
function log(context: Context, channel: ChannelView | undefined): number {
  const { output } = context;
  if (context.json) output.json({ epochs: channel?.epochs ?? [], conflicts: channel?.conflicts ?? [] });
  else {
    if (!channel || channel.epochs.length === 0) output.line("nothing is released yet");
    for (const e of channel?.epochs ?? []) {
      output.line(`epoch ${e.epoch} ${new Date(e.atMs).toISOString()} by ${e.by} in round ${e.round}`);
      output.line(`  release ${e.value}`);
      output.line(`  manifest ${e.manifest}`);
      for (const vote of e.votes) output.line(`  vote of ${vote.node} in entry ${vote.entry}`);
      output.line(`  next voters ${e.nextVoters.join(", ")}`);
    }
    for (const epoch of channel?.conflicts ?? [])
      output.line(
        output.tone(
          "bad",
          `voters signed two releases for epoch ${epoch}: nothing is published from there on`,
        ),
      );
  }
  return 0;
}

async function show(context: Context, channel: string, epoch: number): Promise<number> {
  const manifest = await context.control.releaseManifest(channel, epoch);
  const { output } = context;
  if (context.json) output.json(manifest);
  else {
    output.line(
      `epoch ${epoch} of ${channel}, ${new Date(manifest.atMs).toISOString()}, ${manifest.items.length} files`,
    );
    if (manifest.rollback !== undefined) output.line(`it holds what epoch ${manifest.rollback} held`);
    if (manifest.risk)
      output.line(
        `risk ${manifest.risk.score} of 100: ${manifest.risk.parts.map(({ kind, points, count }) => `${kind} ${points} (${count})`).join(", ")}`,
      );
    if (manifest.reason !== undefined) output.line(`because: ${manifest.reason}`);
    output.table(
      [{ title: "FILE" }, { title: "SIZE", right: true }, { title: "BUILD" }],
      manifest.items.map((i) => [
        i.link === undefined ? i.path : `${i.path} -> ${i.link}`,
        bytesText(sizeOf(i.digest)),
        i.build,
      ]),
    );
  }
  return 0;
}

async function diff(context: Context, channel: string, from: number, to: number): Promise<number> {
  const read = async (epoch: number) =>
    epoch === 0 ? [] : (await context.control.releaseManifest(channel, epoch)).items;
  const { differenceOf } = await import("../../protocol/release/manifest.ts");
  const { added, removed, changed } = differenceOf(await read(from), await read(to));
  const { output } = context;
  if (context.json) output.json({ channel, from, to, added, removed, changed });
  else {
    for (const item of added) output.line(`+ ${item.path}`);
    for (const item of removed) output.line(`- ${item.path}`);
    for (const { to: item } of changed) output.line(`~ ${item.path}`);
    if (added.length + removed.length + changed.length === 0)
      output.line(`epochs ${from} and ${to} hold the same`);
  }
  return 0;
}
