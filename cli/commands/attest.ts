/** `swarmd attest`: where an artifact comes from, as signed statements that others' tools read; or whether such a file holds. */
import path from "node:path";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, optionText } from "../command.ts";

const fileBytesMax = 16 << 20;

export const attest: Command = {
  name: "attest",
  args: "[artifact]",
  description:
    "Say where an artifact comes from, as signed in-toto statements (SLSA provenance v1), one in each line",
  options: [
    { flags: "-o, --output <file>", description: "the file to write (else standard output)" },
    { flags: "--check <file>", description: "check the signatures of statements in a file; who signed what" },
  ],
  examples: [
    "attest e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "attest e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -o demo.intoto.jsonl",
    "attest --check demo.intoto.jsonl",
  ],
  async run(context, [word], options) {
    const { output } = context;
    const file = optionText(options, "check");
    if ((word === undefined) === (file === undefined))
      throw new SwarmError("usage", "attest takes an artifact, or --check and a file", {
        remedy: "the digests of a build's results: swarmd fetch BUILD --json",
      });
    const { readSmallFile, reasonOf, writeFileAtomic } = await import("../../node/files.ts");
    if (file !== undefined) {
      const { openEnvelope } = await import("../../node/release/attestation.ts");
      const text = await readSmallFile(file, fileBytesMax);
      if (text === undefined)
        throw new SwarmError("not-found", `there is no file ${file}`, {
          remedy: "swarmd attest ARTIFACT -o FILE",
        });
      const opened = text
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map(openEnvelope);
      if (opened.length === 0)
        throw new SwarmError("malformed", `${file} holds no statement`, {
          remedy: "swarmd attest ARTIFACT -o FILE",
        });
      const checked = opened.map(({ statement, signers }) => ({ subject: subjectOf(statement), signers }));
      if (context.json) output.json({ checked });
      else
        for (const { subject, signers } of checked)
          output.line(`${subject}: signed by ${signers.join(", ")}`);
      return 0;
    }
    const envelopes = await context.control.attest(word!);
    const text = envelopes.map((envelope) => `${JSON.stringify(envelope)}\n`).join("");
    const to = optionText(options, "output");
    if (to !== undefined) {
      await writeFileAtomic(path.resolve(to), text, 0o644).catch((cause: NodeJS.ErrnoException) => {
        throw new SwarmError("usage", `${to} cannot be written: ${reasonOf(cause)}`, {
          remedy: "name a file in a folder of yours",
        });
      });
      if (context.json) output.json({ statements: envelopes.length, file: to });
      else output.line(`${envelopes.length} statement${envelopes.length === 1 ? "" : "s"}, in ${to}`);
    } else if (context.json) output.json({ envelopes });
    else for (const envelope of envelopes) output.line(JSON.stringify(envelope));
    return 0;
  },
};

/** The name and sum of what a statement speaks of, as text of anyone. */
function subjectOf(statement: unknown): string {
  const { subject } = (statement ?? {}) as { subject?: { name?: unknown; digest?: { sha256?: unknown } }[] };
  const [first] = Array.isArray(subject) ? subject : [];
  return JSON.stringify([first?.name ?? null, first?.digest?.sha256 ?? null]).slice(1, -1);
}
