/** `swarmd open`: where a browser finds this node's page, a build in it, or a recording, opened in one where there is a screen. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { choiceOf } from "../choice.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { isRecordingName, type Subject, subjectOf, subjectOptions } from "../subject.ts";

const listenDefault = "127.0.0.1:4780";
/** Of a build, as its page has them. */
const views: readonly string[] = ["graph", "timeline", "replay", "decisions", "autopsy", "debug", "log"];

export const open: Command = {
  name: "open",
  args: "[build]",
  description:
    "Print the address of this node's page, or of a build in it, and open it in a browser; of a recording until Ctrl-C",
  options: [
    { flags: "--print", description: "Only print it" },
    { flags: "--no-browser", description: "The same" },
    { flags: "--view <name>", description: `What of the build: ${views.join(", ")}` },
    {
      flags: "--listen <host:port>",
      description: `Where a recording is shown (${listenDefault}, or the next free port)`,
    },
    ...subjectOptions,
  ],
  examples: [
    "open",
    "open leveldb --view replay",
    "open --print",
    "open out.swarm",
    "open out.swarm --no-browser --listen 127.0.0.1:9000",
  ],
  async run(context, [word], options) {
    const quiet = options.print !== undefined || options.noBrowser !== undefined || context.json;
    const view = viewOf(optionText(options, "view"), word);
    if (word !== undefined && isRecordingName(word)) return showFile(context, word, view, options, quiet);
    const subject = word === undefined ? undefined : await subjectOf(context, word, options);
    const { gateway, node } = await context.control.status();
    if (gateway === null)
      throw new SwarmError("not-found", `${node.name} runs without a gateway`, {
        remedy: `start it with one: ${context.commandLine(["run", "--gateway-listen", listenDefault])}`,
      });
    await tell(context, subject ? pageOf(gateway, subject, view) : gateway, quiet);
    return 0;
  },
};

/** Throws `usage` for a view that is none, or of nothing. */
function viewOf(name: string | undefined, word: string | undefined): string {
  if (name === undefined) return "graph";
  choiceOf("--view", name, views);
  if (word === undefined)
    throw new SwarmError("usage", "--view is about a build, and none is named", {
      remedy: `swarmd open BUILD --view ${name}`,
    });
  return name;
}

const pageOf = (gateway: string, { build }: Subject, view: string): string =>
  `${gateway}/#/builds/${build.build}${view === "graph" ? "" : `/${view}`}`;

/** The gateway over a file, as a daemon's is over what it knows; ends with the first signal. */
async function showFile(
  outer: Context,
  file: string,
  view: string,
  options: Options,
  quiet: boolean,
): Promise<number> {
  const subject = await subjectOf(outer, file, options);
  const { context, recording } = subject;
  const { openGateway } = await import("../../node/gateway/gateway.ts");
  const interrupt = onInterrupt();
  const gateway = await openGateway({
    listen: optionText(options, "listen") ?? listenDefault,
    hosts: [],
    views: context.control,
    onFault: (fault, path) => context.output.note(`${path} failed by a fault of ours: ${String(fault)}`),
  });
  try {
    await tell(context, pageOf(gateway.url, subject, view), quiet);
    context.output.note("Ctrl-C ends it");
    if (!interrupt.signal.aborted) await once(interrupt.signal, "abort");
  } finally {
    await gateway.close();
    await recording?.close();
    interrupt.release();
  }
  return 0;
}

async function tell({ output, json }: Context, gateway: string, quiet: boolean): Promise<void> {
  const opened = !quiet && (await openInBrowser(gateway));
  if (json) output.json({ gateway });
  else output.line(opened ? `${gateway} opens in your browser` : gateway);
}
/** Whether there is a screen, and something that opens addresses on it. */
async function openInBrowser(url: string): Promise<boolean> {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (!process.stdout.isTTY || (!DISPLAY && !WAYLAND_DISPLAY)) return false;
  const child = spawn("xdg-open", [url], { stdio: "ignore", detached: true });
  try {
    await once(child, "spawn");
    child.unref();
    return true;
  } catch {
    return false;
  }
}
