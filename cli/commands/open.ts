/** `swarmd open`: where a browser finds this node's page, opened in one where there is a screen. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command } from "../command.ts";

export const open: Command = {
  name: "open",
  description: "Print the address of this node's page, and open it in a browser",
  options: [{ flags: "--print", description: "Only print it" }],
  examples: ["open", "open --print"],
  async run(context, _, options) {
    const { gateway, node } = await context.control.status();
    if (gateway === null)
      throw new SwarmError("not-found", `${node.name} runs without a gateway`, {
        remedy: `start it with one: ${context.commandLine(["run", "--gateway-listen", "127.0.0.1:4780"])}`,
      });
    const opened = options.print === undefined && !context.json && (await openInBrowser(gateway));
    if (context.json) context.output.json({ gateway });
    else context.output.line(opened ? `${gateway} opens in your browser` : gateway);
    return 0;
  },
};

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
