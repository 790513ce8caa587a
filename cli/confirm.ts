/** A question to the person at the terminal, with no as the default. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Context } from "./command.ts";

/** Whether the answer is yes; Ctrl-C and Ctrl-D are a no. Throws `usage` where nobody can be asked, naming the `args` that do not ask. */
export async function confirm(context: Context, question: string, args: readonly string[]): Promise<boolean> {
  if (!context.output.terminal || !process.stdin.isTTY)
    throw new SwarmError("usage", "there is nobody to ask", {
      remedy: `run it at once: ${context.commandLine(args)}`,
    });
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const closed = once(asking, "close").then(() => "");
  const answer = await Promise.race([asking.question(`${question} [y/N] `).catch(() => ""), closed]);
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}
