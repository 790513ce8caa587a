/** `npm start`: a swarm of daemons on this machine builds and tests LevelDB, and says who did what. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import type { BuildResult, BuildView } from "../../node/control/api.ts";
import { programDir } from "../../node/program.ts";
import { errorCodes, SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, optionText } from "../command.ts";
import { show } from "../follow.ts";
import { onInterrupt } from "../interrupt.ts";
import { exampleSpec, isClone, mainFile } from "../project.ts";
import { bytesText, countText, durationText } from "../units.ts";
import { pronounce } from "../verdict.ts";
import { fetch } from "./fetch.ts";

const nodesDefault = 3;
const stepsShown = 6;

export const demo: Command = {
  name: "demo",
  description: "Found a swarm of daemons on this machine and build LevelDB with it",
  options: [
    { flags: "--fresh", description: "Start over: forget the swarm and its cache" },
    { flags: "--nodes <n>", description: `How many daemons (${nodesDefault})` },
  ],
  examples: ["demo", "demo --fresh", "demo --nodes 2"],
  async run(context, _, options) {
    const { DemoSwarm, nodesMax } = await import("../demo-swarm.ts");
    const text = optionText(options, "nodes") ?? String(nodesDefault);
    const count = /^[0-9]$/.test(text) ? Number(text) : 0;
    if (count < 1 || count > nodesMax)
      throw new SwarmError("usage", `--nodes takes a number from 1 to ${nodesMax}, not ${text}`, {
        remedy: `--nodes ${nodesDefault}`,
      });
    const spec = sourceOfTheExample();
    const interrupt = onInterrupt();
    const swarm = await DemoSwarm.open(path.resolve(".swarmd"), count, options.fresh === true);
    const kill = () => swarm.killAll();
    process.once("exit", kill);
    const stopped = new Promise<number>((resolve) => {
      interrupt.signal.addEventListener("abort", () => resolve(130), { once: true });
    });
    const work = async (): Promise<number> => {
      const founded = await swarm.isFounded();
      say(
        context,
        founded
          ? "starting the swarm of the last time"
          : `founding a swarm of ${countText(count, "daemon")} on this machine`,
      );
      if (founded) await swarm.start();
      else await swarm.found(swarmd);
      await swarm.meet();
      say(context, `${swarm.nodes.map(({ name }) => name).join(", ")} have met, one slot each`);
      const first = swarm.nodes[0]!;
      return build({ ...context, home: first.home, control: first.control }, spec, interrupt.signal);
    };
    try {
      return await Promise.race([work(), stopped]);
    } finally {
      say(context, "\nstopping the daemons");
      await swarm.stop();
      process.off("exit", kill);
      interrupt.release();
    }
  },
};

function say(context: Context, text: string) {
  if (!context.json) context.output.line(text);
}

/** The spec, where its sources are; LevelDB lies in a dependency of this project, in a clone after `npm ci`. */
function sourceOfTheExample(): string {
  if (!isClone)
    throw new SwarmError(
      "refused",
      "the demo builds LevelDB from the sources in a clone's node_modules, and this is an installed package",
      {
        remedy: "clone the project, then there: npm ci && npm start",
      },
    );
  if (!existsSync(path.join(programDir, "node_modules/classic-level/deps/leveldb")))
    throw new SwarmError("not-found", "LevelDB's sources are not in node_modules", { remedy: "npm ci" });
  return path.relative(process.cwd(), exampleSpec("leveldb"));
}

/** A command of the demo's own, as a process like those that a person starts. */
async function swarmd(home: string, args: readonly string[]): Promise<string> {
  const all = [mainFile, ...args, "--home", home, "--json"];
  try {
    return (await promisify(execFile)(process.execPath, all)).stdout;
  } catch (cause) {
    const { stdout } = cause as { stdout?: string };
    const { error } = JSON.parse(stdout || "{}") as {
      error?: { code: keyof typeof errorCodes; message: string };
    };
    if (!error || !(error.code in errorCodes)) throw cause;
    throw new SwarmError(error.code, error.message, { cause });
  }
}

async function build(context: Context, spec: string, signal: AbortSignal): Promise<number> {
  const { prepare, submit } = await import("../submission.ts");
  const id = await submit(context, await prepare(context, spec));
  say(context, `submitted ${spec} as ${id}\n`);
  const result = await show(context, id, signal);
  if (!result) {
    await context.control.control(id, "cancel", { reason: "the demo was ended" }).catch(() => {});
    return 130;
  }
  if (result.state !== "complete") return pronounce(context, result);
  const view = await context.control.build(id);
  if (context.json) {
    const { actionViews: _, ...summary } = view;
    context.output.json(summary);
    return 0;
  }
  await report(context, id, result, view);
  return 0;
}

async function report(context: Context, id: BuildId, result: BuildResult, view: BuildView) {
  const { output } = context;
  output.line(
    `\n${output.tone("good", "LevelDB is built and tested")} in ${durationText(result.wallMs)}: ${countText(result.actions, "action")}, ${result.executed} executed, ${result.cached} from the cache`,
  );
  if (result.executed === 0)
    output.line("everything came from the cache of the last time; npm start -- --fresh starts over");
  if (view.byNodeUsage.length > 0) {
    output.line();
    output.table(
      [
        { title: "NODE" },
        { title: "EXECUTED", right: true },
        { title: "WALL", right: true },
        { title: "CPU", right: true },
        { title: "FETCHED", right: true },
      ],
      view.byNodeUsage.map((usage) => [
        usage.node,
        String(usage.executed),
        durationText(usage.wallMs),
        durationText(usage.cpuMs),
        bytesText(usage.fetchedBytes),
      ]),
    );
    output.line(
      `\nCPU time in all ${durationText(view.cpuMs)}; ${bytesText(view.fetchedBytes)} crossed the network`,
    );
  }
  const { steps, totalMs } = view.criticalPath;
  if (steps.length > 0) {
    output.line(`\nThe critical path took ${durationText(totalMs)}:`);
    for (const step of steps
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, stepsShown)
      .toSorted((a, b) => steps.indexOf(a) - steps.indexOf(b)))
      output.line(`  ${durationText(step.ms).padStart(12)}  ${step.action} on ${step.node}`);
    if (steps.length > stepsShown) output.line(`  and ${steps.length - stepsShown} shorter ones`);
  }
  output.line();
  await fetch.run(context, [id], { to: [path.join("out", "leveldb")] });
  output.line(`
The same on real machines, with cli/swarmd:
  on one      swarmd init && swarmd run --detach && swarmd invite
  on others   swarmd join TICKET --detach
  on any      swarmd submit ${path.relative(process.cwd(), exampleSpec("leveldb"))}
  then        swarmd status, and do what it says`);
}
