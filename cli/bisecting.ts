/** `swarmd releases bisect`: which epoch broke a package, by halving; tried by a command, or by a person who says what was good and what was bad. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ReleaseItem } from "../protocol/release/manifest.ts";
import { type Judgement, judged, nextStep, type Search } from "./bisect.ts";
import type { Context } from "./command.ts";
import { countText } from "./units.ts";

export interface Bisection {
  readonly channel: string;
  /** Its path, or how its file's name begins. */
  readonly name: string;
  readonly good: number;
  readonly bad: number;
  readonly run: string | undefined;
}

/** As `git bisect run` has it: 0 good, 125 cannot be tried, else bad; from 128 on it was ended by a signal and says nothing. */
const skipCode = 125;

interface Epoch {
  readonly epoch: number;
  /** The package's files in it. */
  readonly items: readonly ReleaseItem[];
}

/** 0 once it is found, also when a person has to try the next one first. */
export async function bisect(context: Context, bisection: Bisection): Promise<number> {
  const { output, json } = context;
  const { channel, name, good, bad, run } = bisection;
  const epochs = await changesOf(context, bisection);
  const at = (epoch: number): Epoch => epochs.find((one) => one.epoch === epoch)!;
  let search: Search = { candidates: epochs.map(({ epoch }) => epoch), good, bad, skipped: new Set() };
  for (;;) {
    const step = nextStep(search);
    if (step.kind === "found") return told(context, bisection, at(step.epoch), step.or);
    if (run === undefined) {
      const again = (which: "good" | "bad") =>
        context.commandLine([
          ...["releases", "bisect", name, "--channel", channel],
          ...["--good", String(which === "good" ? step.epoch : search.good)],
          ...["--bad", String(which === "bad" ? step.epoch : search.bad)],
        ]);
      const { items } = at(step.epoch);
      if (json)
        output.json({
          channel,
          name,
          try: step.epoch,
          left: step.left,
          files: items.map(({ path: p, digest }) => ({ path: p, digest })),
        });
      else {
        output.line(
          `try epoch ${step.epoch}; ${countText(step.left, "epoch")} left in which ${name} changed`,
        );
        for (const { path: file, digest } of items)
          output.line(
            `  get it:      ${context.commandLine(["artifact", "get", digest, "-o", path.basename(file)])}`,
          );
        output.line(`  if it works: ${again("good")}`);
        output.line(`  if not:      ${again("bad")}`);
      }
      return 0;
    }
    const judgement = await tried(context, at(step.epoch), run, channel);
    if (!json) output.line(`epoch ${step.epoch}: ${judgement === "skip" ? "cannot be tried" : judgement}`);
    search = judged(search, step.epoch, judgement);
  }
}

/** The epochs from the good to the bad one in which the package is another than before. Throws `not-found`, `usage`. */
async function changesOf(context: Context, { channel, name, good, bad }: Bisection): Promise<Epoch[]> {
  if (good >= bad)
    throw new SwarmError("usage", "the good epoch comes before the bad one", {
      remedy: "swarmd releases bisect NAME --good 3 --bad 9",
    });
  const epochs: Epoch[] = [];
  let last: string | undefined;
  for (let epoch = good; epoch <= bad; epoch++) {
    const isEnd = epoch === good || epoch === bad;
    const manifest = await context.control.releaseManifest(channel, epoch).catch((thrown: unknown) => {
      if (isEnd || !(thrown instanceof SwarmError) || thrown.code !== "blob-missing") throw thrown;
      context.output.note(`nobody in reach knows what epoch ${epoch} held; it is passed over`);
      return undefined;
    });
    if (!manifest) continue;
    const items = manifest.items.filter((item) => item.link === undefined && isOf(item.path, name));
    if (items.length === 0 && isEnd)
      throw new SwarmError("not-found", `epoch ${epoch} of ${channel} holds no ${name}`, {
        remedy: `what it holds: swarmd releases show ${epoch} --channel ${channel}`,
      });
    const content = items.map((item) => `${item.path} ${item.digest}`).join("\n");
    if (content === last && !isEnd) continue;
    if (content === last && epochs.length === 1)
      throw new SwarmError(
        "refused",
        `${name} is the same in epoch ${good} and in epoch ${bad}, and all between`,
        {
          remedy: "look for what else changed: swarmd releases diff",
        },
      );
    last = content;
    epochs.push({ epoch, items });
  }
  return epochs;
}

/** `greet` means `greet_1.0-1_amd64.deb`, `pool/greet.deb` and `bin/greet`, not `greeting.deb`. */
const isOf = (file: string, name: string): boolean => {
  const base = path.posix.basename(file);
  return (
    file === name ||
    base === name ||
    (base.startsWith(name) &&
      /^[._-][^/]*$/.test(base.slice(name.length)) &&
      !/^-[a-z]/i.test(base.slice(name.length)))
  );
};

/** Runs the command in a folder of its own that holds the package's files. */
async function tried(
  context: Context,
  { epoch, items }: Epoch,
  command: string,
  channel: string,
): Promise<Judgement> {
  const folder = await mkdtemp(path.join(tmpdir(), `swarmd-bisect-${epoch}-`));
  try {
    const files: string[] = [];
    for (const { path: name, digest, executable } of items) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      await pipeline(Readable.from(context.control.getBlob(digest)), createWriteStream(file));
      if (executable) await chmod(file, 0o755);
      files.push(file);
    }
    if (files.length === 0) return "skip";
    const child = spawn("/bin/sh", ["-c", command, "sh", ...files], {
      cwd: folder,
      stdio: ["ignore", context.json ? "ignore" : "inherit", "inherit"],
      env: { ...process.env, SWARMD_EPOCH: String(epoch), SWARMD_CHANNEL: channel },
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject).on("close", resolve);
    });
    if (code === null || code >= 128)
      throw new SwarmError("refused", `the command was ended by a signal in epoch ${epoch}`, {
        remedy: "run it again, narrower: --good and --bad",
      });
    return code === 0 ? "good" : code === skipCode ? "skip" : "bad";
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function told(
  context: Context,
  { channel, name }: Bisection,
  { epoch, items }: Epoch,
  or: readonly number[],
): number {
  const { output, json } = context;
  const builds = [...new Set(items.map(({ build }) => build))];
  if (json) output.json({ channel, name, first: epoch, or, builds });
  else {
    const doubt = or.length > 0 ? `, or one of ${or.join(", ")}, which could not be tried` : "";
    output.line(
      `epoch ${epoch} of ${channel} is the first bad one${doubt}: ${name} came there from ${builds.join(", ")}`,
    );
    output.note(
      `what changed: ${context.commandLine(["releases", "diff", String(epoch - 1), String(epoch), "--channel", channel])}`,
    );
    output.note(`go back: ${context.commandLine(["rollback", String(epoch - 1), "--channel", channel])}`);
  }
  return 0;
}
