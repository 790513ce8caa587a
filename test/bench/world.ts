/**
 * Runs one made-up build in a simulated swarm, alone in its process: `node test/bench/world.ts HOSTS ACTIONS [MINUTES]`. Prints one line of JSON. It is broken
 * off once it has taken so many minutes of processor, or more memory than a world may.
 */
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";

/** What one run came to. */
export interface WorldRun {
  /** Whether it came to its end. */
  readonly ended: boolean;
  /** Actions that were done by then. */
  readonly done: number;
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

/** What a world may take. */
const peakMiBMax = 8_192;
/** So many events pass between two looks at what was taken. */
const lookEvents = 50_000;

function run(hosts: number, actions: number, minutes: number): WorldRun {
  const beganMs = performance.now();
  const before = process.cpuUsage();
  const swarm = new Swarm({ seed: 1, hosts }).start();
  for (let ms = 0; ms < 60_000 && !swarm.met; ms += 500) swarm.world.runFor(500);
  const width = Math.min(actions, 2 * hosts);
  const build = swarm.submit(swarm.hosts[0]!, layered(1, Math.round(actions / width), width, 10_000));
  let ended = false;
  swarm.watch((host) => {
    ended ||= host.core.desk.builds.get(build)?.claims?.sealed !== undefined;
  });
  let looks = 0;
  const over = (): boolean => {
    if (++looks % lookEvents !== 0) return false;
    const { user, system } = process.cpuUsage(before);
    return user + system > minutes * 60e6 || process.memoryUsage.rss() > peakMiBMax * 2 ** 20;
  };
  swarm.world.runUntil(() => ended || over(), 3_600_000);
  if (ended) {
    const { state } = swarm.finish(build);
    if (state !== "complete") throw new Error(`the build ended ${state}`);
  }
  const cpu = process.cpuUsage(before);
  const { nowMs, events } = swarm.world;
  const { counts } = swarm.network;
  const rate = (count: number) => Math.round((count * 10_000) / nowMs / hosts) / 10;
  return {
    ended,
    done: swarm.hosts[0]!.core.desk.builds.get(build)?.claims?.actions.counts.done ?? 0,
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

if (process.argv[1]?.endsWith("world.ts")) {
  const [hosts, actions, minutes = Number.POSITIVE_INFINITY] = process.argv.slice(2).map(Number);
  process.stdout.write(`${JSON.stringify(run(hosts!, actions!, minutes))}\n`);
}
