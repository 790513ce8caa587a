/** `swarmd release SPEC`: builds what a spec releases, judges it, and makes it the next epoch; run again it goes on where it stood. */
import { setTimeout as pause } from "node:timers/promises";
import type { BuildSummary } from "../../node/control/api.ts";
import type { ChannelView } from "../../node/control/publishing.ts";
import type { Risk } from "../../protocol/build/verdict.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { type Interrupt, onInterrupt } from "../interrupt.ts";
import { pronounce } from "../verdict.ts";
import { priorityOf, priorityOption, setOption, valuesOf } from "./submit.ts";

/** What a complete build releases is listed by one of the members within seconds; where that takes so long, something is in the way. */
const stagingMsMax = 120_000;
const lookMs = 300;

/** What has become of a build's release. */
type Stage =
  | { readonly at: "nowhere" | "staged" }
  | { readonly at: "released"; readonly epoch: number; readonly still: boolean };

export const release: Command = {
  name: "release",
  args: "<spec>",
  description:
    "Build a spec, judge what it releases and make it the next epoch; run again, it goes on where it stood",
  options: [
    { flags: "--reason <text>", description: "Recorded in the release; needed where its risk refuses it" },
    { flags: "--anew", description: "Build it again, also where this very plan was built before" },
    priorityOption,
    setOption,
  ],
  examples: [
    "release specs/examples/debian.yaml",
    'release specs/examples/gentoo.yaml --reason "set-uid is meant"',
    "release build.yaml --set mode=release --json",
  ],
  async run(context, [spec], options) {
    const priority = priorityOf(options);
    const { prepare, submit } = await import("../submission.ts");
    const { sameBuild } = await import("../same-build.ts");
    const prepared = await prepare(context, spec!, valuesOf(options));
    const { channel } = prepared.graph.release ?? {};
    if (channel === undefined)
      throw new SwarmError("usage", `${spec} releases nothing`, {
        remedy: "say what: release: {include: ACTION}; or build it: swarmd submit",
      });
    if (prepared.trouble) throw prepared.trouble;
    const known = options.anew === true ? undefined : await sameBuild(context, prepared.graph);
    let build: BuildId;
    let heading: string;
    if (known) {
      prepared.dispose();
      build = known.build;
      heading = `goes on with ${build}, which is ${known.state}`;
    } else {
      const fresh = options.anew === true;
      build = await submit(context, prepared, { ...(priority === undefined ? {} : { priority }), fresh });
      heading = `submitted ${build}`;
    }
    if (known?.state === "complete") {
      if (!context.json) context.output.line(heading);
    } else {
      const ended = await built(context, build, heading, known);
      if (ended !== 0) return ended;
    }
    const again = ["release", spec!, ...(options.anew === true ? ["--anew"] : [])];
    return published(context, { build, channel, again, reason: optionText(options, "reason") });
  },
};

/** Follows a build to its end: 0 for a complete one. */
async function built(
  context: Context,
  build: BuildId,
  heading: string,
  known: BuildSummary | undefined,
): Promise<number> {
  if (known?.state === "paused")
    context.output.note(`it is paused; let it go on: ${context.commandLine(["resume", build])}`);
  const { follow } = await import("../follow.ts");
  const result = await follow(context, build, heading).catch((thrown: unknown) => {
    if (!(thrown instanceof SwarmError) || thrown.code !== "daemon-unreachable") throw thrown;
    throw new SwarmError(thrown.code, thrown.message, {
      remedy: "start the daemon, then run the same again: it goes on where it stood",
      cause: thrown,
    });
  });
  if (!result) {
    context.output.note("run the same again to go on with its release");
    return 130;
  }
  if (result.state === "complete") return 0;
  return pronounce(context, result);
}

interface Publication {
  readonly build: BuildId;
  readonly channel: string;
  /** The command line that goes on. */
  readonly again: readonly string[];
  readonly reason: string | undefined;
}

/** From a complete build to an epoch that holds it. */
async function published(context: Context, { build, channel, again, reason }: Publication): Promise<number> {
  const { control, output, json } = context;
  const interrupt = onInterrupt();
  try {
    const before = await staged(context, build, channel, interrupt);
    if (before === undefined) return 130;
    if (before.at === "released") return told(context, { build, channel, ...before });
    const { risk } = await control.release({ kind: "verify", channel });
    if (risk && !json && risk.parts.length > 0) {
      const { showRisk } = await import("../risk-table.ts");
      showRisk(output, risk, `the next epoch of ${channel}`);
    }
    if (risk?.refuses && reason === undefined) return refused(context, { build, channel, again }, risk);
    if (interrupt.signal.aborted) return 130;
    const epoch = await finalized(context, { build, channel, reason });
    return told(context, { build, channel, epoch, still: true, ...(risk ? { risk } : {}) });
  } finally {
    interrupt.release();
  }
}

/** Waits until what the build releases is staged, or was released; undefined when the person stops it. Throws `timed-out`. */
async function staged(
  context: Context,
  build: BuildId,
  channel: string,
  { signal }: Interrupt,
): Promise<Stage | undefined> {
  const endMs = performance.now() + stagingMsMax;
  for (;;) {
    const stage = await stageOf(context, build, channel);
    if (stage.at !== "nowhere") return stage;
    if (signal.aborted) return undefined;
    if (performance.now() > endMs)
      throw new SwarmError("timed-out", `nothing of ${build} waits for ${channel}, and no epoch holds it`, {
        remedy: `if it was left out of staging build it again: ${context.commandLine(["release", "SPEC", "--anew"])}`,
      });
    await pause(lookMs);
  }
}

async function stageOf({ control }: Context, build: BuildId, channel: string): Promise<Stage> {
  const { channels } = await control.releases();
  const view: ChannelView | undefined = channels.find((one) => one.channel === channel);
  if (!view) return { at: "nowhere" };
  if (view.staged.some((one) => one.build === build)) return { at: "staged" };
  if (view.current === 0) return { at: "nowhere" };
  const current = await control.releaseManifest(channel, view.current);
  if (!current.builds.includes(build)) return { at: "nowhere" };
  let epoch = view.current;
  while (epoch > 1) {
    const older = await control.releaseManifest(channel, epoch - 1).catch(() => undefined);
    if (!older?.builds.includes(build)) break;
    epoch--;
  }
  return { at: "released", epoch, still: current.items.some((item) => item.build === build) };
}

/** The epoch that was made; that of another coordinator where one was faster. */
async function finalized(
  context: Context,
  { build, channel, reason }: { build: BuildId; channel: string; reason: string | undefined },
): Promise<number> {
  const { control, output } = context;
  try {
    const { epoch, word } = await control.release({
      kind: "finalize",
      channel,
      ...(reason === undefined ? {} : { reason }),
    });
    if (word) output.note(word);
    return epoch!;
  } catch (thrown) {
    const stage = await stageOf(context, build, channel);
    if (stage.at === "released") return stage.epoch;
    throw thrown;
  }
}

function refused(
  context: Context,
  { build, channel, again }: Omit<Publication, "reason">,
  risk: Risk,
): number {
  const { output, json } = context;
  const onward = [...again, "--reason", "TEXT"];
  if (json) output.json({ ok: false, build, channel, risk, next: onward });
  else {
    output.line(
      output.tone("bad", `${build} is built and staged, and not released: its risk is ${risk.score}`),
    );
    output.line(`if it is right all the same: ${context.commandLine(onward)}`);
    output.line(
      `to leave it out: ${context.commandLine(["staging", "drop", build, "--channel", channel, "--reason", "TEXT"])}`,
    );
  }
  return 4;
}

function told(
  context: Context,
  done: { build: BuildId; channel: string; epoch: number; still: boolean; risk?: Risk },
): number {
  const { output, json } = context;
  const { build, channel, epoch, still, risk } = done;
  if (json) output.json({ ok: true, build, channel, epoch, current: still, ...(risk ? { risk } : {}) });
  else {
    output.line(`epoch ${epoch} of ${channel} is released: it holds ${build}`);
    if (!still)
      output.note(
        `the present epoch holds it no more; see why: ${context.commandLine(["releases", "list", "--channel", channel])}`,
      );
  }
  return 0;
}
