/** The janitor: removes folders in batches, in a process of its own, so that a thousand finished actions cost the daemon one start. */
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";

const gatherMs = 200;
const batchMax = 1000;

export interface Janitor {
  /** The folder goes some time soon. */
  discard(folder: string): void;
  /** Nothing is removed any more; resolves when no removal is under way. */
  stop(): Promise<void>;
}

export function startJanitor(warn: (message: string) => void): Janitor {
  let waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let busy: Promise<void> | undefined;
  let stopped = false;

  function schedule() {
    if (stopped || busy || timer || waiting.length === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      busy = remove(batch).finally(() => {
        busy = undefined;
        schedule();
      });
    }, gatherMs);
    timer.unref();
  }

  async function remove(batch: string[]) {
    if (await run("rm", ["-rf", "--", ...batch])) return;
    for (const folder of batch) await removeFolder(folder).catch((e) => warn(String(e)));
  }

  return {
    discard(folder) {
      waiting.push(folder);
      schedule();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await busy;
    },
  };
}

/**
 * Removes a folder whatever an action left in it: modes that forbid it, or paths longer than a path may be, which only programs that
 * go down step by step get rid of. Throws when something stays.
 */
export async function removeFolder(folder: string): Promise<void> {
  try {
    return await rm(folder, { recursive: true, force: true });
  } catch (cause) {
    await run("chmod", ["-R", "u+rwx", "--", folder]);
    if (!(await run("rm", ["-rf", "--", folder]))) throw cause;
  }
}

/** Whether a program ended well. Never rejects: one that there is no memory for is thrown, as is a list that is too long for one. */
const run = (program: string, args: readonly string[]): Promise<boolean> =>
  new Promise<boolean>((resolve) => {
    const child = spawn(program, args, { stdio: "ignore", env: { PATH: process.env.PATH } });
    child.on("error", () => resolve(false));
    child.on("exit", (code) => resolve(code === 0));
  }).catch(() => false);
