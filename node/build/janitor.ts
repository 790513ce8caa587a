/** The janitor: removes folders in batches, in a process of its own, so that a thousand finished actions cost the daemon one start. */
import { spawn } from "node:child_process";
import { chmod, readdir, rm } from "node:fs/promises";

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

  /** An action may have taken away its own right to write in a folder; `rm` then fails and the slow way takes over. */
  async function remove(batch: string[]) {
    const clean = await new Promise<boolean>((resolve) => {
      const child = spawn("rm", ["-rf", "--", ...batch], {
        stdio: "ignore",
        env: { PATH: process.env.PATH },
      });
      child.on("error", () => resolve(false));
      child.on("exit", (code) => resolve(code === 0));
    });
    if (!clean) for (const folder of batch) await removeFolder(folder).catch((e) => warn(String(e)));
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

/** Removes a folder whatever modes an action left in it. */
export async function removeFolder(folder: string) {
  const open = async (at: string) => {
    await chmod(at, 0o700);
    for (const entry of await readdir(at, { withFileTypes: true }))
      if (entry.isDirectory()) await open(`${at}/${entry.name}`);
  };
  try {
    await rm(folder, { recursive: true, force: true });
  } catch {
    await open(folder).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}
