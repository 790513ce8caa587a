/** `swarmd verify`: the risk of packages on this disk, or of what waits to be released, in parts that are explained. Files need no daemon. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { reasonOf } from "../../node/files.ts";
import type { Risk } from "../../protocol/build/verdict.ts";
import { digestFrom } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Candidate, Lack } from "../../protocol/release/risk.ts";
import { channelOption, defaultChannel } from "../channel.ts";
import { type Command, type Context, optionList, optionText } from "../command.ts";
import { showRisk } from "../risk-table.ts";

const packagesMax = 50_000;

export const verify: Command = {
  name: "verify",
  args: "[packages...]",
  description:
    "Judge packages (gpkg, xpak, deb), or what is staged: a risk from 0 to 100 in explained parts; 10 and more ends with 4",
  options: [
    { ...channelOption, description: "Without packages: whose staged artifacts; stable if not said" },
    {
      flags: "--target <target>",
      description: "what they are for, where they do not say so (x86_64-linux-gnu)",
    },
    {
      flags: "--base <sonames>",
      description: "sonames that machines have which install them, beside those of glibc and gcc",
    },
    {
      flags: "--foreign <folders>",
      description: "where files of other machines may lie, as usr/lib/firmware/",
    },
  ],
  examples: [
    "verify",
    "verify out/demo_1.0_amd64.deb",
    "verify out/demo.gpkg.tar --target x86_64-linux-gnu --base libssl.so.3,libcrypto.so.3",
    "verify out/firmware.deb --foreign usr/lib/firmware/ --json",
  ],
  async run(context, files, options) {
    if (files.length === 0) return staged(context, optionText(options, "channel") ?? defaultChannel);
    if (files.length > packagesMax)
      throw new SwarmError("usage", `verify takes at most ${packagesMax} packages`, {
        remedy: "name fewer",
      });
    // These take time to load, and every command loads this file.
    const { hashesOf } = await import("../../node/release/formats/file-hashes.ts");
    const { Readings } = await import("../../node/release/formats/readings.ts");
    const { kindOfPackage } = await import("../../protocol/build/content.ts");
    const { baseSonames } = await import("../../protocol/release/targets.ts");
    const { riskOf } = await import("../../protocol/release/risk.ts");
    const scratch = await mkdtemp(path.join(tmpdir(), "swarmd-verify-"));
    try {
      const readings = new Readings(scratch);
      const candidates: Candidate[] = [];
      const lacks: Lack[] = [];
      for (const file of files) {
        if (kindOfPackage(file) === undefined)
          throw new SwarmError("usage", `${file} is no package of a kind that is known`, {
            remedy: "its name ends in .gpkg.tar, .xpak, .tbz2 or .deb",
          });
        const { sha256, sizeBytes } = await hashesOf(file).catch((cause: NodeJS.ErrnoException) => {
          throw new SwarmError("not-found", `${file} cannot be read: ${reasonOf(cause)}`, {
            remedy: "name files that are there",
          });
        });
        try {
          const { fields, content } = await readings.of({
            path: file,
            file,
            digest: digestFrom(sha256, sizeBytes),
          });
          const said = new Map(fields);
          const target = optionText(options, "target") ?? said.get("CHOST") ?? said.get("Architecture");
          candidates.push({
            path: file,
            sizeBytes,
            content,
            builders: [],
            dissenters: [],
            doubted: [],
            ...(target !== undefined && { target }),
          });
        } catch (cause) {
          if (!(cause instanceof SwarmError) || cause.code === "tool-missing") throw cause;
          lacks.push({ name: file, why: "refused", detail: cause.message });
        }
      }
      const risk = riskOf({
        candidates,
        lacks,
        policy: {
          builders: 0,
          signed: false,
          base: [...baseSonames, ...(optionList(options, "base") ?? [])],
          foreign: optionList(options, "foreign") ?? [],
        },
      });
      return show(context, risk, `${files.length} package${files.length === 1 ? "" : "s"}`);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
};

/** What the next finalize would release, judged as it would be. */
async function staged(context: Context, channel: string): Promise<number> {
  const { epoch, risk } = await context.control.release({ kind: "verify", channel });
  return show(context, risk ?? { score: 0, refuses: false, parts: [] }, `epoch ${epoch} of ${channel}`);
}

function show({ output, json }: Context, risk: Risk, what: string): number {
  if (json) output.json(risk);
  else showRisk(output, risk, what);
  return risk.refuses ? 4 : 0;
}
