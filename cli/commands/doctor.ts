/** `swarmd doctor`: what this machine has and lacks, each with its remedy. It works without a daemon. */
import type { Finding } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { lookAtHome } from "../local.ts";
import { checkMachine } from "../machine.ts";

export const doctor: Command = {
  name: "doctor",
  description: "Show what this machine has and lacks, each with its remedy",
  examples: ["doctor", "doctor --json"],
  async run(context) {
    const findings = [...(await checkMachine(context.home)), ...(await checkDaemon(context))];
    const { output } = context;
    if (context.json) output.json(findings);
    else {
      const width = Math.max(...findings.map((finding) => finding.check.length));
      for (const { check, level, text, remedy } of findings) {
        const mark = { ok: "good", note: "note", bad: "bad" } as const;
        output.line(`${output.tone(mark[level], level.padEnd(4))}  ${check.padEnd(width)}  ${text}`);
        if (remedy !== undefined && level !== "ok") output.line(`${" ".repeat(width + 8)}→ ${remedy}`);
      }
    }
    return findings.some((finding) => finding.level === "bad") ? 4 : 0;
  },
};

async function checkDaemon(context: Context): Promise<Finding[]> {
  try {
    const found = await context.control.doctor();
    return [{ check: "daemon", level: "ok", text: `answers for ${context.home}` }, ...found];
  } catch (thrown) {
    if (!(thrown instanceof SwarmError)) throw thrown;
    if (thrown.code !== "daemon-unreachable")
      return [{ check: "daemon", level: "bad", text: thrown.message, remedy: thrown.remedy }];
    const { swarm } = await lookAtHome(context.home).catch(() => ({ swarm: undefined }));
    return [
      {
        check: "daemon",
        level: "note",
        text: swarm ? `is not running for ${context.home}` : `${context.home} is in no swarm yet`,
        remedy: context.commandLine(swarm ? ["run", "--detach"] : ["init"]),
      },
    ];
  }
}
