/** Which channel of releases a command is about. */
import type { ChannelView } from "../node/control/publishing.ts";
import { notFound } from "./select.ts";

export const channelOption = { flags: "--channel <name>", description: "The channel; stable if not said" };
export const defaultChannel = "stable";

/** Throws `not-found` for one that nothing was ever staged for; the usual one is there from the beginning. */
export function mustBeKnown(channels: readonly Pick<ChannelView, "channel">[], word: string): void {
  const known = [...new Set([defaultChannel, ...channels.map(({ channel }) => channel)])];
  if (!known.includes(word)) throw notFound("channel", word, known, `the channels: ${known.join(", ")}`);
}
