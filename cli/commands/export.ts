/** `swarmd export BUILD`: one file that answers for a build anywhere, without the swarm; or a trace of it for the tools of others. */
import { stat } from "node:fs/promises";
import type { LogChoice } from "../../node/recording/contents.ts";
import type { OtlpRequest } from "../../protocol/explain/otlp-trace.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { choiceOf } from "../choice.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { heard } from "../heard.ts";
import { onInterrupt } from "../interrupt.ts";
import { writeNewFile } from "../new-file.ts";
import { type Subject, subjectOf, subjectOptions } from "../subject.ts";
import { bytesText, countText } from "../units.ts";

const progressMs = 250;

/** What it may be, and how its file is called where nobody says. */
const formats = {
  swarm: ".swarm",
  chrome: ".trace.json",
  otlp: ".otlp.jsonl",
  jsonl: ".events.jsonl",
} as const;
type Format = keyof typeof formats;

export const exportBuild: Command = {
  name: "export",
  args: "<build> [file]",
  description: "Write a build into one signed file that replay, why and autopsy open anywhere, or as a trace",
  options: [
    {
      flags: "--format <format>",
      description:
        "swarm (as if not said); chrome: for Perfetto; otlp: OpenTelemetry; jsonl: an event per line",
    },
    { flags: "--logs <which>", description: "Whose output goes along: failed (as if not said), all, none" },
    {
      flags: "--no-tapes",
      description: "Without what this node recorded of itself, which replay --verify needs",
    },
    { flags: "--otlp-endpoint <url>", description: "Give the trace to a collector in place of a file" },
    { flags: "--force", description: "In place of a file that is there" },
    ...subjectOptions,
  ],
  examples: [
    "export leveldb out.swarm",
    "export leveldb-0123 out.swarm --logs all",
    "export leveldb --format chrome trace.json",
    "export out.swarm --format jsonl -",
    "export leveldb --otlp-endpoint http://localhost:4318",
  ],
  async run(outer, [word, given], options) {
    const endpoint = optionText(options, "otlpEndpoint");
    const format = formatOf(options, endpoint);
    const { logChoices } = await import("../../node/recording/contents.ts");
    const logs = choiceOf("--logs", optionText(options, "logs") ?? "failed", logChoices);
    if (endpoint !== undefined) (await import("../../node/otlp.ts")).tracesUrl(endpoint);
    const subject = await subjectOf(outer, word!, options);
    if (subject.recording && format === "swarm")
      throw new SwarmError("usage", `${word} is a recording already`, {
        remedy: "copy the file; or make a trace of it: --format chrome",
      });
    const { awaited = 0 } = subject.recording ? {} : await heard(outer, subject.build.build);
    // A recording says itself what is not in it.
    if (awaited > 0 && format !== "swarm")
      outer.output.note(
        `without what ${countText(awaited, "action")} made: this node has not heard of it yet; export it again in a while`,
      );
    const interrupt = onInterrupt();
    const { signal } = interrupt;
    try {
      if (endpoint !== undefined) return await post(subject, endpoint, signal);
      const file = given ?? `${subject.build.build}${formats[format]}`;
      const bytes = bytesIn(subject, format, { logs, tapes: options.noTapes !== true }, signal);
      if (file === "-") await toPipe(subject.context, format, bytes);
      else await toFile(subject.context, file, bytes, options.force === true, signal);
      if (signal.aborted) return 130;
      if (file !== "-") await (format === "swarm" ? tellRecording : tellTrace)(subject, file, format);
      return 0;
    } catch (thrown) {
      if (signal.aborted) return 130;
      throw thrown;
    } finally {
      interrupt.release();
    }
  },
};

function formatOf(options: Options, endpoint: string | undefined): Format {
  const word = optionText(options, "format") ?? (endpoint === undefined ? "swarm" : "otlp");
  if (endpoint !== undefined && word !== "otlp")
    throw new SwarmError("usage", "a collector takes --format otlp alone", { remedy: "leave --format out" });
  return choiceOf("--format", word, Object.keys(formats) as Format[]);
}

function bytesIn(
  { context: { control }, build: { build } }: Subject,
  format: Format,
  recorded: { readonly logs: LogChoice; readonly tapes: boolean },
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  if (format === "swarm") return control.exportBuild({ build, ...recorded }, signal);
  if (format !== "jsonl") return control.traceBuild({ build, format });
  const lines = control.timeline({ build, follow: false }, signal);
  return (async function* () {
    for await (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
  })();
}

async function toPipe({ output }: Context, format: Format, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  if (format === "swarm" && process.stdout.isTTY)
    throw new SwarmError("usage", "a recording is no text: a terminal cannot show it", {
      remedy: "name a file, or lead it into a pipe",
    });
  for await (const chunk of bytes) await output.bytes(chunk);
}

async function toFile(
  { output, json }: Context,
  file: string,
  bytes: AsyncIterable<Uint8Array>,
  force: boolean,
  signal: AbortSignal,
): Promise<void> {
  let toldMs = performance.now();
  const progress = (written: number) => {
    if (json || performance.now() - toldMs < progressMs) return;
    toldMs = performance.now();
    output.live([`written: ${bytesText(written)}`]);
  };
  try {
    await writeNewFile(file, bytes, { force, signal, progress });
  } finally {
    output.live([]);
  }
}

/** Opens what was written, as whoever gets it will. */
async function tellRecording(
  { context: { output, json, commandLine } }: Subject,
  file: string,
): Promise<void> {
  const { Recording } = await import("../../node/recording/recording.ts");
  const recording = await Recording.open(file);
  const { build, left, trust, head } = recording;
  const { size: bytes } = await stat(file);
  const entries = recording.entries.length;
  const logs = [...recording.blobs()].length - head.builds.length;
  const tapes = recording.stretches().length;
  await recording.close();
  if (json) return output.json({ file, bytes, build, entries, logs, tapes, left, ...trust });
  output.line(
    `${file}: ${bytesText(bytes)}, ${entries} entries, ${countText(logs, "log")}, ${countText(tapes, "recording")}; sealed by ${trust.node}`,
  );
  for (const { what, why } of left) output.note(`without ${what}: ${why}`);
  output.note(`to look into it, anywhere: ${commandLine(["replay", file])}`);
}

async function tellTrace(
  { context: { output, json }, build }: Subject,
  file: string,
  format: Format,
): Promise<void> {
  const { size: bytes } = await stat(file);
  if (json) return output.json({ file, bytes, build: build.build, format });
  output.line(`${file}: ${bytesText(bytes)}`);
  if (format === "chrome")
    output.note(
      "it opens in Perfetto (ui.perfetto.dev, which reads it on your machine) and chrome://tracing",
    );
}

async function post({ context, build }: Subject, endpoint: string, signal: AbortSignal): Promise<number> {
  const { postTrace, tracesUrl } = await import("../../node/otlp.ts");
  const lines = linesOf(context.control.traceBuild({ build: build.build, format: "otlp" }));
  const requests = (async function* () {
    for await (const line of lines) yield JSON.parse(line) as OtlpRequest;
  })();
  const spans = await postTrace(endpoint, requests, { signal });
  if (context.json) context.output.json({ build: build.build, endpoint, spans });
  else
    context.output.line(`${countText(spans, "span")} of ${build.build} are with ${tracesUrl(endpoint).href}`);
  return 0;
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
