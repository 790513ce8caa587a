/** `swarmd finalize`: what is staged becomes the next epoch of a channel, everywhere or not at all. */
import { channelOption, defaultChannel } from "../channel.ts";
import { type Command, optionText } from "../command.ts";

export const finalize: Command = {
  name: "finalize",
  description: "Make what is staged the next epoch of a channel, on all mirrors",
  options: [
    channelOption,
    { flags: "--reason <text>", description: "Recorded in the release; needed where its risk refuses it" },
  ],
  examples: ["finalize", "finalize --channel testing", 'finalize --reason "security fixes" --json'],
  async run(context, _, options) {
    const channel = optionText(options, "channel") ?? defaultChannel;
    const reason = optionText(options, "reason");
    const { epoch, word } = await context.control.release({
      kind: "finalize",
      channel,
      ...(reason ? { reason } : {}),
    });
    if (context.json) context.output.json({ ok: true, channel, epoch, ...(word ? { word } : {}) });
    else {
      context.output.line(`epoch ${epoch} of ${channel} is released`);
      if (word) context.output.note(word);
    }
    return 0;
  },
};
