/** `swarmd staging`: what waits to be released, what of it is missing and why; `staging drop BUILD` leaves a build out. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { mustBeKnown } from "../channel.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { notFound } from "../select.ts";
import { bytesText } from "../units.ts";

export const staging: Command = {
  name: "staging",
  args: "[list|drop] [build]",
  description: "Show what waits to be released, or leave a build out of it",
  options: [
    { flags: "--channel <name>", description: "Only this channel" },
    { flags: "--reason <text>", description: "Why it is left out; it is recorded" },
  ],
  examples: ["staging", "staging --json", 'staging drop hello-0123456789 --reason "wrong branch"'],
  async run(context, [what = "list", build], options) {
    const only = optionText(options, "channel");
    const view = await context.control.releases();
    if (only !== undefined) mustBeKnown(view.channels, only);
    const channels = view.channels.filter(({ channel }) => only === undefined || channel === only);
    if (what === "list" && build === undefined) return list(context, channels);
    if (what !== "drop" || build === undefined)
      throw new SwarmError("usage", `staging takes list, or drop with a build`, {
        remedy: "swarmd staging drop BUILD --reason TEXT",
      });
    const reason = optionText(options, "reason");
    if (!reason)
      throw new SwarmError("usage", "staging drop takes a reason", {
        remedy: `swarmd staging drop ${build} --reason TEXT`,
      });
    const staged = channels.flatMap((c) => c.staged.map((s) => ({ channel: c.channel, build: s.build })));
    const fits = staged.filter((s) => s.build === build || s.build.startsWith(`${build}-`));
    const [found] = fits;
    if (!found)
      throw notFound(
        "staged build",
        build,
        staged.map((s) => s.build),
        "what waits: swarmd staging",
      );
    if (fits.length > 1)
      throw new SwarmError("ambiguous", `${build} may be any of ${fits.map((f) => f.build).join(", ")}`, {
        remedy: "write it in full",
      });
    await context.control.release({ kind: "drop", ...found, reason });
    if (context.json) context.output.json({ ok: true, ...found });
    else context.output.line(`${found.build} is left out of ${found.channel}`);
    return 0;
  },
};

function list(
  context: Context,
  channels: Awaited<ReturnType<Context["control"]["releases"]>>["channels"],
): number {
  const { output } = context;
  if (context.json) {
    output.json(
      channels.map(({ channel, current, staged, atRisk }) => ({
        channel,
        next: current + 1,
        staged,
        atRisk,
      })),
    );
    return 0;
  }
  const waiting = channels.filter((c) => c.staged.length > 0);
  if (waiting.length === 0) {
    output.line("nothing waits to be released");
    return 0;
  }
  for (const { channel, current, staged, atRisk } of waiting) {
    output.line(`${channel}: for epoch ${current + 1}`);
    output.table(
      [
        { title: "BUILD" },
        { title: "FILES", right: true },
        { title: "SIZE", right: true },
        { title: "BY" },
        { title: "HERE" },
      ],
      staged.map((s) => [
        s.build,
        String(s.items),
        bytesText(s.bytes),
        s.stagedBy,
        s.waitsFor ??
          (s.missingHere === 0 ? "all" : `${s.missingHere} missing (${bytesText(s.missingBytes)})`),
      ]),
    );
    if (atRisk) output.note(atRisk);
    output.note(
      `release it: ${context.commandLine(["finalize", ...(channel === "stable" ? [] : ["--channel", channel])])}`,
    );
  }
  return 0;
}
