/** What serving released files costs: many small requests, and large files, by the server's own processor time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import path from "node:path";
import { createInterface } from "node:readline";

const smallRequests = 10_000;
const largeBytes = 256 << 20;
const largeRequests = 4;
const atOnce = 16;

export interface Serving {
  /** Per second of one core that the server had for itself. */
  readonly smallPerSecond: number;
  readonly megabytesPerSecond: number;
}

export async function serving(folder: string): Promise<Serving> {
  const dir = path.join(folder, "served");
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, "small"), Buffer.alloc(1000, 1));
  await writeFile(path.join(dir, "large"), Buffer.alloc(largeBytes, 1));
  const small = await cpuMsOf(dir, "small", smallRequests);
  const large = await cpuMsOf(dir, "large", largeRequests);
  return {
    smallPerSecond: (smallRequests * 1000) / small,
    megabytesPerSecond: (largeBytes * largeRequests) / 1e3 / large,
  };
}

async function cpuMsOf(dir: string, name: string, count: number): Promise<number> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "binhost.ts"), "serve", dir], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async () => JSON.parse((await lines.next()).value ?? "{}");
  const { address } = (await said()) as { address: string };
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let left = count;
  const one = async () => {
    while (left-- > 0) {
      const request = get(`http://${address}/c/${name}`, { agent });
      const [response] = await once(request, "response");
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
      response.resume();
      await once(response, "end");
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, one));
  agent.destroy();
  child.stdin.end();
  const { cpuMs } = (await said()) as { cpuMs: number };
  await once(child, "close");
  return cpuMs;
}
