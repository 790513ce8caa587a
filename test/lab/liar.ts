/**
 * Loaded into a daemon before its own code (`node --import`): makes it a liar of the kind that `SWARMD_TEST_LIE` names. Its core, disk, keys and
 * network are real; what goes out of it, or what it runs, is bent as in the simulator.
 */
import { Random } from "../../protocol/kernel/random.ts";
import type { Ports } from "../../protocol/ports.ts";
import { Runtime } from "../../protocol/runtime.ts";
import { byzantine } from "../../sim/byzantine.ts";
import type { Host } from "../../sim/host.ts";
import type { Process } from "../../sim/process.ts";
import { lasting } from "../patience.ts";

const lies = ["flooding", "never-runs", "equivocation"] as const;
export type Lie = (typeof lies)[number];

const lie = lies.find((known) => known === process.env.SWARMD_TEST_LIE);
// What the daemon starts is no liar.
delete process.env.NODE_OPTIONS;
delete process.env.SWARMD_TEST_LIE;

/** What a bend of the simulator needs of the machine it bends. */
function bentPorts(how: Lie, { core }: Runtime, ports: Ports): Ports {
  const { self, name } = core.desk.config;
  const host = { name, peer: self, place: self, core } as Host;
  const life = {
    after: (ms: number, act: () => void) => void lasting(ms).then(act),
    world: { record: () => {} },
  } as unknown as Process;
  const bend = byzantine(how, Random.fromNumber(1), { add: () => {} } as never);
  const bent = bend.ports!(host, ports, life);
  return { ...ports, ...bent, network: { ...ports.network, ...bent.network } };
}

if (lie) {
  const start = Runtime.prototype.start;
  Runtime.prototype.start = function (restored) {
    const { ports } = this as unknown as { ports: Ports };
    Object.assign(this, { ports: bentPorts(lie, this, ports) });
    start.call(this, restored);
  };
}
