/** Prints the transcript's hash of one story with faults: `node test/sim/hash.ts SEED`. A test runs it in several processes. */
import { Checkers } from "../../sim/checkers.ts";
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";

export function hashOf(seed: number): string {
  const swarm = new Swarm({ seed, hosts: 4, network: { conditions: { gossipLoss: 0.2, gossipTwice: 0.1 } } });
  new Checkers(swarm);
  const [ann, bob, cat] = swarm.start().hosts;
  const build = swarm.submit(ann!, layered(seed, 4, 5, 2000));
  swarm.world.runFor(2000);
  swarm.network.cut([ann!.peer], [cat!.peer]);
  bob!.unplug();
  swarm.world.runFor(5000);
  swarm.network.heal();
  bob!.start();
  swarm.finish(build);
  return `${swarm.world.transcript.hash()} ${swarm.world.transcript.count}`;
}

if (process.argv[1]?.endsWith("hash.ts")) process.stdout.write(hashOf(Number(process.argv[2])));
