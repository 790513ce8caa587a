/** A terminal with a screen and keys. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { quoted } from "../../cli/arguments.ts";
import { mainFile, type Terminal } from "./terminal.ts";

/** Below what a test may take. */
const drawnMs = 90_000;

/** Runs `swarmd` in a terminal of its own (util-linux's script): what it draws, and keys to press. */
export function screen(
  terminal: Terminal,
  args: readonly string[],
  { columns = 60, rows = 12, env = {} } = {},
) {
  const line = [process.execPath, mainFile, ...args].map(quoted).join(" ");
  const child = spawn(
    "script",
    ["-qec", `stty cols ${columns} rows ${rows} -echo; exec ${line}`, "/dev/null"],
    {
      cwd: terminal.dir,
      env: { PATH: process.env.PATH, HOME: terminal.dir, SWARMD_HOME: terminal.home, TERM: "xterm", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  terminal.own(child);
  let drawn = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text) => {
    drawn += text;
    for (const look of watchers) look();
  });
  return {
    press: (keys: string) => child.stdin.write(keys),
    /** Rejects with all that was drawn once patience is at its end: what a test that waits in vain is told by. */
    drawn: (what: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const late = () => {
          watchers.delete(look);
          reject(new Error(`${what} is not drawn. What is: ${JSON.stringify(drawn)}`));
        };
        AbortSignal.timeout(drawnMs).addEventListener("abort", late);
        const look = () => {
          if (!what.test(drawn)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    ended: once(child, "close").then(([code]) => ({ code: code as number, drawn })),
  };
}
