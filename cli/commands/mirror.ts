/** `swarmd mirror add|remove|list`: whether this node serves releases and may vote on them, as its owner wants it. */
import type { ReleasesView } from "../../node/control/publishing.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";

export const mirror: Command = {
  name: "mirror",
  args: "<add|remove|list>",
  description: "Serve releases from this node, or no more; list who serves and votes",
  options: [{ flags: "--no-vote", description: "Serve only: it is never chosen to vote on releases" }],
  examples: ["mirror add", "mirror add --no-vote", "mirror remove", "mirror list", "mirror list --json"],
  async run(context, [what], options) {
    const { control, output } = context;
    if (what === "list") return list(context, await control.releases());
    if (what !== "add" && what !== "remove")
      throw new SwarmError("usage", `mirror has no command ${what}`, {
        remedy: "swarmd mirror add, swarmd mirror remove, swarmd mirror list",
      });
    const votes = what === "add" && options.noVote !== true;
    const { word } = await control.release({ kind: "mirror", op: what, votes });
    if (context.json) output.json({ ok: true, mirror: what === "add", votes, ...(word ? { word } : {}) });
    else {
      output.line(
        what === "remove"
          ? "this node serves no releases any more"
          : `this node serves releases${votes ? " and may be chosen to vote on them" : ""}`,
      );
      if (word) output.note(word);
    }
    return 0;
  },
};

function list(context: Context, view: ReleasesView): number {
  const { output } = context;
  if (context.json) {
    output.json({
      mirrors: view.mirrors,
      channels: view.channels.map(({ channel, current, voters, atRisk }) => ({
        channel,
        current,
        voters,
        atRisk,
      })),
    });
    return 0;
  }
  if (view.mirrors.length === 0)
    output.line(`no node serves releases; let this one: ${context.commandLine(["mirror", "add"])}`);
  else
    output.table(
      [{ title: "MIRROR" }, { title: "STATE" }, { title: "MAY VOTE" }, { title: "SHOWS" }],
      view.mirrors.map((m) => [
        m.node,
        m.state,
        m.votes ? "yes" : "no",
        m.shows
          .map(
            ({ channel, epoch, of, lags }) =>
              `${channel} ${epoch}${epoch < of ? ` of ${of}` : ""}${lags ? ` (${lags})` : ""}`,
          )
          .join(", ") || "nothing yet",
      ]),
    );
  for (const { channel, current, voters, atRisk } of view.channels) {
    output.line(`${channel}: on epoch ${current + 1} vote ${voters.map((v) => v.node).join(", ")}`);
    if (atRisk) output.note(`${channel}: ${atRisk}`);
  }
  return 0;
}
