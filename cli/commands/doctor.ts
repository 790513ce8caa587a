/** `swarmd doctor`: what this machine, its node and their company lack, each with its remedy; without a daemon, the machine. `--fleet`: of all members. */
import type { Finding } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { lookAtHome } from "../local.ts";
import type { Output } from "../output.ts";

export const doctor: Command = {
  name: "doctor",
  description: "Show what this machine has and lacks, each with its remedy",
  options: [{ flags: "--fleet", description: "All members, each asked itself: what is not as it should be" }],
  examples: ["doctor", "doctor --fleet", "doctor --json"],
  async run(context, _, options) {
    if (options.fleet) return fleet(context);
    const findings = await examine(context);
    if (context.json) context.output.json(findings);
    else print(context.output, findings);
    return exitCode(findings);
  },
};

const exitCode = (findings: readonly Finding[]) => (findings.some(({ level }) => level === "bad") ? 4 : 0);

function print(output: Output, findings: readonly Finding[], indent = ""): void {
  const width = Math.max(...findings.map((finding) => finding.check.length));
  for (const { check, level, text, remedy } of findings) {
    const mark = { ok: "good", note: "note", bad: "bad" } as const;
    output.line(`${indent}${output.tone(mark[level], level.padEnd(4))}  ${check.padEnd(width)}  ${text}`);
    if (remedy !== undefined && level !== "ok") output.line(`${indent}${" ".repeat(width + 8)}→ ${remedy}`);
  }
}

async function fleet(context: Context): Promise<number> {
  const { output } = context;
  const patients = await context.control.fleet();
  if (context.json) output.json(patients);
  else
    for (const { node, via, findings, why, state } of patients) {
      const wrong = findings?.filter(({ level }) => level !== "ok") ?? [];
      const through = via === undefined ? "" : `, asked through ${via}`;
      if (!findings) output.line(`${output.tone("bad", node)}: ${state}; ${why}`);
      else if (wrong.length === 0)
        output.line(`${output.tone("good", node)}: all ${findings.length} checks are good${through}`);
      else {
        output.line(`${output.tone("note", node)}: ${wrong.length} of ${findings.length} checks${through}`);
        print(output, wrong, "  ");
      }
    }
  return exitCode(patients.flatMap(({ findings }) => findings ?? []));
}

/** What the daemon finds, the machine with it; without one, the machine alone. */
async function examine(context: Context): Promise<Finding[]> {
  try {
    const found = await context.control.doctor();
    return [...found, { check: "daemon", level: "ok", text: `answers for ${context.home}` }];
  } catch (thrown) {
    if (!(thrown instanceof SwarmError)) throw thrown;
    const { checkMachine } = await import("../../node/doctor/machine.ts");
    const machine = await checkMachine(context.home, undefined, await portWanted(context.home));
    if (thrown.code !== "daemon-unreachable")
      return [...machine, { check: "daemon", level: "bad", text: thrown.message, remedy: thrown.remedy }];
    const { swarm } = await lookAtHome(context.home).catch(() => ({ swarm: undefined }));
    return [
      ...machine,
      {
        check: "daemon",
        level: "note",
        text: swarm ? `is not running for ${context.home}` : `${context.home} is in no swarm yet`,
        remedy: context.commandLine(swarm ? ["run", "--detach"] : ["init"]),
      },
    ];
  }
}

/** The port that a daemon of this home would listen on; undefined where its settings do not say, or are wrong. */
async function portWanted(home: string): Promise<number | undefined> {
  const [{ loadConfig }, { placesOf }] = await Promise.all([
    import("../../node/config.ts"),
    import("../../node/home-places.ts"),
  ]);
  const told = await loadConfig({ file: placesOf(home).config, env: process.env, flags: {} }).catch(
    () => undefined,
  );
  const port = told?.listen.flatMap((address) => /\/tcp\/([0-9]+)/.exec(address)?.[1] ?? [])[0];
  return port === undefined ? undefined : Number(port);
}
