/** Runs one made-up build in a simulated swarm, alone in its process: `node test/bench/world.ts HOSTS ACTIONS`. Prints one line of JSON. */
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";

/** What one run came to. */
export interface WorldRun {
  readonly virtualMs: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly peakMiB: number;
  readonly events: number;
  /** Per host and virtual second. */
  readonly gossipsPerSecond: number;
  readonly gossipBytesPerSecond: number;
  readonly unicastsPerSecond: number;
  readonly unicastBytesPerSecond: number;
}

function run(hosts: number, actions: number): WorldRun {
  const beganMs = performance.now();
  const before = process.cpuUsage();
  const swarm = new Swarm({ seed: 1, hosts }).start();
  for (let ms = 0; ms < 60_000 && !swarm.met; ms += 500) swarm.world.runFor(500);
  const width = Math.min(actions, 2 * hosts);
  const build = swarm.submit(swarm.hosts[0]!, layered(1, Math.round(actions / width), width, 10_000));
  const { state } = swarm.finish(build, 3_600_000);
  if (state !== "complete") throw new Error(`the build ended ${state}`);
  const cpu = process.cpuUsage(before);
  const { nowMs, events } = swarm.world;
  const { counts } = swarm.network;
  const rate = (count: number) => Math.round((count * 10_000) / nowMs / hosts) / 10;
  return {
    virtualMs: Math.round(nowMs),
    cpuMs: Math.round((cpu.user + cpu.system) / 1000),
    wallMs: Math.round(performance.now() - beganMs),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    events,
    gossipsPerSecond: rate(counts.gossips),
    gossipBytesPerSecond: rate(counts.gossipBytes),
    unicastsPerSecond: rate(counts.unicasts),
    unicastBytesPerSecond: rate(counts.unicastBytes),
  };
}

if (process.argv[1]?.endsWith("world.ts"))
  process.stdout.write(`${JSON.stringify(run(Number(process.argv[2]), Number(process.argv[3])))}\n`);
