/** What a build costs on the wire and on disk beside its blobs: every byte that a daemon's connections to others received, and what its timeline takes. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Bytes received so far over all TCP connections of a process, encryption and acknowledged repeats of the daemon's protocols included; undefined without `ss`. */
export async function receivedBytes(pid: number): Promise<number | undefined> {
  try {
    const { stdout } = await run("ss", ["-tinHp"]);
    let bytes = 0;
    let own = false;
    for (const line of stdout.split("\n")) {
      if (/^\S/.test(line)) own = line.includes(`pid=${pid},`);
      if (own) bytes += Number(/\bbytes_received:(\d+)/.exec(line)?.[1] ?? 0);
    }
    return bytes;
  } catch {
    return undefined;
  }
}

/** Bytes of all files of the event store of a home. */
export function storedBytes(home: string): number {
  const folder = path.join(home, "timeline");
  if (!existsSync(folder)) return 0;
  let bytes = 0;
  for (const name of readdirSync(folder))
    bytes += statSync(path.join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}
