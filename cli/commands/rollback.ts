/** `swarmd rollback EPOCH`: what an epoch held becomes the next epoch of its channel. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { channelOption, defaultChannel } from "../channel.ts";
import { type Command, optionText } from "../command.ts";

export const rollback: Command = {
  name: "rollback",
  args: "<epoch>",
  description: "Release again what an earlier epoch held, as a new epoch",
  options: [channelOption, { flags: "--reason <text>", description: "Recorded in the release" }],
  examples: [
    "rollback 3",
    'rollback 3 --reason "epoch 4 breaks login"',
    "rollback 12 --channel testing --json",
  ],
  async run(context, [word], options) {
    const epoch = epochOf(word!);
    const channel = optionText(options, "channel") ?? defaultChannel;
    const reason = optionText(options, "reason");
    const done = await context.control.release({
      kind: "rollback",
      channel,
      epoch,
      ...(reason ? { reason } : {}),
    });
    if (context.json) context.output.json({ ok: true, channel, epoch: done.epoch, content: epoch });
    else
      context.output.line(`epoch ${done.epoch} of ${channel} is released: it holds what epoch ${epoch} held`);
    return 0;
  },
};

/** Throws `usage` for what is no number of an epoch. */
export function epochOf(word: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(word)) return Number(word);
  throw new SwarmError("usage", `${word} is no epoch`, {
    remedy: "epochs are counted from 1: swarmd releases list",
  });
}
