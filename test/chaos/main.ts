/** `npm run chaos`: real daemons, random trouble by seed, and the simulator's checkers on what their disks hold afterwards. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { missingForLab } from "../lab/lab.ts";
import { Chaos } from "./chaos.ts";

const help = `npm run chaos -- [options]

  --minutes N   trouble for so long (3), then all is mended and judged
  --seed N      what befalls whom, and when (drawn)
  --daemons N   so many, each on a machine of its own (5)
  --json        end with one line {"seed","faults","builds","refused","violations"}
  --help        this page

  npm run chaos -- --minutes 3
  npm run chaos -- --minutes 0.5 --seed 17 --daemons 3

Needs root and network namespaces. Exit code: 0 when every invariant held, 1 when not, 2 for bad usage, 4 where it cannot run, 130 when
broken off. Invariants: specs/sim.md.`;

function usage(message: string): never {
  process.stderr.write(`${message}\nrun: npm run chaos -- --help\n`);
  process.exit(2);
}

function optionsOf(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { minutes: text, seed: text, daemons: text, json: flag, help: flag },
    }).values;
  } catch (error) {
    return usage((error as Error).message.split(". ")[0]!);
  }
}

function number(
  name: string,
  text: string | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = text === undefined ? fallback : Number(text);
  if (text?.trim() === "" || !(value >= least && value <= most))
    return usage(`--${name} takes a number from ${least} to ${most}, not ${text}`);
  return value;
}

const values = optionsOf(process.argv.slice(2));
if (values.help) {
  process.stdout.write(`${help}\n`);
  process.exit(0);
}
const seedMax = 2 ** 32 - 1;
const options = {
  seed: Math.floor(number("seed", values.seed, randomInt(seedMax), 0, seedMax)),
  forMs: number("minutes", values.minutes, 3, 0.1, 6_000) * 60_000,
  daemons: Math.floor(number("daemons", values.daemons, 5, 3, 50)),
  // With --json standard output is for the result.
  tell: (line: string) => (values.json ? process.stderr : process.stdout).write(`${line}\n`),
};
const missing = await missingForLab();
if (missing) {
  process.stderr.write(`chaos needs network namespaces, and here there is no ${missing}\n`);
  process.exit(4);
}
let chaos: Chaos | undefined;
let broken = false;
// Whatever is open ends with this process; only the folder must be cleared away.
const breakOff = () => (chaos?.close() ?? Promise.resolve()).finally(() => process.exit(130));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    broken = true;
    if (chaos) void breakOff();
  });
options.tell(`seed ${options.seed}: ${options.daemons} daemons, ${values.minutes ?? 3} min`);
chaos = await Chaos.open(options);
if (broken) await breakOff();
try {
  await chaos.found();
  const report = await chaos.run();
  const { faults, builds, refused, violations } = report;
  options.tell(
    `seed ${options.seed}: ${faults.length} faults, ${builds} builds, ${refused} refused, ${violations.length} violations`,
  );
  if (violations.length > 0)
    options.tell(
      `again: npm run chaos -- --seed ${options.seed} --minutes ${values.minutes ?? 3} --daemons ${options.daemons}`,
    );
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = violations.length > 0 ? 1 : 0;
} catch (error) {
  // Broken off it fails wherever it is, and ends once the folder is gone.
  if (!broken) throw error;
} finally {
  if (!broken) await chaos.close();
}
