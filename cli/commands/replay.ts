/** `swarmd replay BUILD`: a build at any moment, event by event, or lived again from what this node recorded, bit for bit. */
import type { ReplayLine } from "../../node/control/account.ts";
import type { BuildSummary } from "../../node/control/api.ts";
import { placesOf } from "../../node/home-places.ts";
import type { Recording } from "../../node/recording/recording.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { subjectOf, subjectOptions } from "../subject.ts";
import { bytesText, clockText, countText, durationText, parseDurationMs } from "../units.ts";

const shownMax = 12;

export const replay: Command = {
  name: "replay",
  args: "<build>",
  description:
    "Show a build as it stood at a moment, step through it, or verify what this node decided; with a slider in a browser: open BUILD --view replay",
  options: [
    {
      flags: "--at <time>",
      description: "So long after the submit: 90s, 5m; or a moment: 2030-01-31T09:05:10",
    },
    {
      flags: "--step",
      description: "Event by event, with what each changed; on a terminal Enter goes on, q ends",
    },
    {
      flags: "--verify",
      description:
        "Feed recorded inputs (this node's, or those in the file) through a saved core again: the same decisions, bit for bit",
    },
    ...subjectOptions,
  ],
  examples: [
    "replay leveldb",
    "replay leveldb --at 30s",
    "replay leveldb-0123 --step --json",
    "replay leveldb --verify",
    "replay out.swarm --at 30s",
    "replay out.swarm --verify --root 12D3KooW…",
  ],
  async run(outer, [word], options) {
    const at = optionText(options, "at");
    if ([at !== undefined, options.step === true, options.verify === true].filter(Boolean).length > 1)
      throw new SwarmError("usage", "--at, --step and --verify exclude each other", {
        remedy: "swarmd replay BUILD --step",
      });
    const { context, build: summary, recording } = await subjectOf(outer, word!, options);
    if (options.verify) return verifyBuild(context, summary, recording);
    if (options.step) return step(context, summary);
    const atMs = at === undefined ? undefined : momentOf(at, summary);
    const [moment] = await linesOf(context, summary, atMs);
    if (context.json) context.output.json(moment);
    else if (moment?.kind === "moment") show(context, moment);
    return 0;
  },
};

async function linesOf(
  context: Context,
  { build }: BuildSummary,
  atMs: number | undefined,
): Promise<ReplayLine[]> {
  const lines: ReplayLine[] = [];
  const request = { build, steps: false, ...(atMs === undefined ? {} : { atMs }) };
  for await (const line of context.control.replay(request, new AbortController().signal)) lines.push(line);
  return lines;
}

/** Wall milliseconds. */
function momentOf(text: string, { submittedAtMs }: BuildSummary): number {
  const after = parseDurationMs(text);
  const atMs =
    after === undefined ? (/^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN) : submittedAtMs + after;
  if (atMs >= 0) return Math.floor(atMs);
  throw new SwarmError("usage", `--at takes a time, not ${text}`, {
    remedy: "--at 30s (after the submit), --at 2030-01-31T09:05:10",
  });
}

function show({ output }: Context, moment: Extract<ReplayLine, { kind: "moment" }>): void {
  const { counts } = moment;
  output.line(
    `${moment.build} at ${clockText(moment.atMs)}, ${durationText(moment.sinceMs)} after its submit: ${moment.state}`,
  );
  output.line(
    `done ${counts.done}   running ${counts.claimed + counts.running}   ready ${counts.ready}   waiting ${counts.waiting}   blocked ${counts.blocked + counts.held}   (${moment.entries} of ${moment.of} entries, state ${moment.digest.slice(0, 16)})`,
  );
  if (moment.nodes.length > 0) {
    output.line();
    output.table(
      [
        { title: "NODE" },
        { title: "RUNNING", right: true },
        { title: "SLOTS", right: true },
        { title: "LOAD", right: true },
        { title: "TEMPERATURE", right: true },
        { title: "HEADROOM", right: true },
        { title: "" },
      ],
      moment.nodes.map(({ node, running, slots, load, temperatureCelsius, headroomCelsius, limitedBy }) => [
        node,
        String(running),
        slots === undefined ? "" : String(slots),
        typeof load === "number" ? load.toFixed(2) : "",
        temperatureCelsius === undefined
          ? ""
          : temperatureCelsius === "unknown"
            ? "no sensor"
            : `${Math.round(temperatureCelsius)} °C`,
        headroomCelsius === undefined
          ? ""
          : headroomCelsius === "unknown"
            ? "no sensor"
            : `${Math.round(headroomCelsius)} °C`,
        limitedBy ?? "",
      ]),
    );
  }
  for (const { action, node, sinceMs } of moment.running.slice(0, shownMax))
    output.line(`  ${action}  ${node}  ${durationText(sinceMs)}`);
  if (moment.queue.length > 0)
    output.line(
      `next in the queue: ${moment.queue.slice(0, shownMax).join(", ")}${moment.queue.length > shownMax ? " …" : ""}`,
    );
}

async function step(context: Context, { build }: BuildSummary): Promise<number> {
  const { output } = context;
  const interrupt = onInterrupt();
  const asks = output.terminal && process.stdin.isTTY === true && !context.json;
  try {
    for await (const line of context.control.replay({ build, steps: true }, interrupt.signal)) {
      if (context.json) {
        output.json(line);
        continue;
      }
      if (line.kind !== "step") continue;
      const changed = line.changed.slice(0, shownMax).map(({ action, state }) => `${action} ${state}`);
      output.line(
        `${durationText(line.sinceMs).padStart(10)}  ${line.node.padEnd(10)}  ${line.text}${
          changed.length > 0 ? output.tone("faint", `  → ${changed.join(", ")}`) : ""
        }`,
      );
      if (asks && (await key()) === "q") return 0;
    }
  } finally {
    interrupt.release();
  }
  return interrupt.signal.aborted ? 130 : 0;
}

/** The next line that is typed. */
const key = (): Promise<string> =>
  new Promise((resolve) => {
    process.stdin.resume();
    process.stdin.once("data", (data) => {
      process.stdin.pause();
      resolve(data.toString().trim());
    });
  });

async function verifyBuild(
  context: Context,
  summary: BuildSummary,
  recording: Recording | undefined,
): Promise<number> {
  const { output } = context;
  const { verifyRecorded, verifyRecording } = await import("../verify-recorded.ts");
  const span = { fromMs: summary.submittedAtMs, toMs: summary.submittedAtMs + summary.wallMs };
  const found = recording
    ? await verifyRecording(recording, span)
    : await verifyRecorded(placesOf(context.home).recordings, span);
  const same = found.stretches.every(({ difference, why }) => !difference && why === undefined);
  if (context.json) output.json({ build: summary.build, same: same && found.stretches.length > 0, ...found });
  else {
    for (const one of found.stretches) {
      const span = one.fromMs === undefined ? "" : `${clockText(one.fromMs)} to ${clockText(one.toMs!)}: `;
      if (one.why !== undefined)
        output.line(`${output.tone("note", "cannot be replayed")}  ${one.name}: ${one.why}`);
      else if (one.difference)
        output.line(
          `${output.tone("bad", "differs")}  ${span}step ${one.difference.step} (${one.difference.input}) at ${clockText(one.difference.wallMs)}: recorded ${one.difference.recorded}, replayed ${one.difference.replayed}`,
        );
      else
        output.line(
          `${output.tone("good", "the same")}  ${span}${countText(one.steps, "input")}, ${countText(one.effects, "effect")}, ${countText(one.decisions, "event")} said${one.torn ? "; its end was torn off" : ""}`,
        );
    }
    if (found.stretches.length === 0 && recording)
      output.line(
        `no inputs of a node are in ${recording.name}: it was made with --no-tapes, or the node that made it recorded nothing of that time`,
      );
    else if (found.stretches.length === 0)
      output.line(
        `nothing of ${summary.build} is recorded here: it is older than what is kept (${bytesText(found.keptBytes)}), recording is off (recordingBytesMax), or this node was not running`,
      );
    output.note(
      recording
        ? "it has what one node recorded: the others can export theirs"
        : "each node verifies what it recorded itself: run this on the others too",
    );
  }
  return same && found.stretches.length > 0 ? 0 : 1;
}
