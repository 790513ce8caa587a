/** `swarmd secret`: values that this node may give to actions that name them. Works on the home; a running daemon notices. */
import { chmod, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { openSecrets } from "../../node/build/secrets.ts";
import { giveToOwnerOf, writeFileAtomic } from "../../node/files.ts";
import { placesOf } from "../../node/home-places.ts";
import { isSecretName, secretBytesMax, secretBytesMin } from "../../protocol/build/secret.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command } from "../command.ts";

export const secret: Command = {
  name: "secret",
  args: "<verb> [name]",
  description: "Set (from standard input), list or remove values for actions that name them, on this node",
  examples: ["secret set npm-token", "secret list", "secret remove npm-token", "secret list --json"],
  async run(context, [verb, name]) {
    const { output } = context;
    const dir = placesOf(context.home).secrets;
    const secrets = openSecrets(dir);
    if (verb === "list" && name === undefined) {
      const unfit = secrets.unfit();
      if (context.json) output.json({ secrets: secrets.names(), unfit });
      else {
        for (const one of secrets.names()) output.line(one);
        for (const one of unfit)
          output.line(`${output.tone("note", "not offered")}: ${one.name} ${one.why}\n→ ${one.remedy}`);
        if (secrets.names().length + unfit.length === 0)
          output.line(`no secrets here; give one: ${context.commandLine(["secret", "set", "NAME"])}`);
      }
      return 0;
    }
    if ((verb !== "set" && verb !== "remove") || name === undefined)
      throw new SwarmError("usage", "secret takes set NAME, remove NAME or list", {
        remedy: "swarmd secret set npm-token < token.txt",
      });
    if (!isSecretName(name))
      throw new SwarmError("usage", `${name} is no name for a secret`, {
        remedy: "a letter, then letters, digits, dots, dashes and underscores (64 at most)",
      });
    const file = path.join(dir, name);
    if (verb === "remove") {
      if (secrets.file(name) === undefined && !secrets.unfit().some((one) => one.name === name))
        throw new SwarmError("not-found", `there is no secret ${name} here`, {
          remedy: "swarmd secret list",
        });
      await rm(file);
      if (context.json) output.json({ removed: name });
      else output.line(`${name} is removed`);
      return 0;
    }
    const value = await readValue();
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    await writeFileAtomic(file, value, 0o600);
    await giveToOwnerOf(context.home, dir, file);
    if (context.json) output.json({ set: name });
    else output.line(`${name} is set; actions that name it may run here`);
    return 0;
  },
};

/** Standard input, to its end. It is never taken from the command line: others could read it there. */
async function readValue(): Promise<Buffer> {
  if (process.stdin.isTTY)
    process.stderr.write(
      "the value, then Ctrl-D (it will be shown; better: swarmd secret set NAME < FILE)\n",
    );
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > secretBytesMax)
      throw new SwarmError("too-large", `a secret has at most ${secretBytesMax} bytes`);
  }
  if (bytes < secretBytesMin)
    throw new SwarmError("usage", `a secret has at least ${secretBytesMin} bytes`, {
      remedy: "shorter ones cannot be kept out of logs",
    });
  return Buffer.concat(pieces);
}
