/**
 * Loaded into a daemon before its own code (`node --import`): makes it a liar of the kind that `SWARMD_TEST_LIE` names. Its core, disk, keys and
 * network are real; what goes out of it, or what it runs, is bent as in the simulator.
 */
import { Random } from "../../protocol/kernel/random.ts";
import type { Executor, Ports } from "../../protocol/ports.ts";
import { Runtime } from "../../protocol/runtime.ts";
import { byzantine } from "../../sim/byzantine.ts";
import type { Host } from "../../sim/host.ts";
import type { Process } from "../../sim/process.ts";
import { lasting } from "../patience.ts";

/** Beside those of the simulator: something else is run than was asked for, and its outputs are handed over, bytes and all. */
const lies = ["flooding", "never-runs", "equivocation", "forged-results"] as const;
export type Lie = (typeof lies)[number];

const lie = lies.find((known) => known === process.env.SWARMD_TEST_LIE);
// What the daemon starts is no liar.
delete process.env.NODE_OPTIONS;
delete process.env.SWARMD_TEST_LIE;

const forging = 'for out; do echo forged > "$out"; done';

const forger = (executor: Executor): Executor => ({
  execute: (request, done) => {
    const argv = ["/bin/sh", "-c", forging, "sh", ...request.outputs.map((output) => output.path)];
    executor.execute({ ...request, argv }, done);
  },
  kill: (claim, reason) => executor.kill(claim, reason),
  survey: (tools) => executor.survey(tools),
});

/** What a bend of the simulator needs of the machine it bends. */
function bentPorts(how: Exclude<Lie, "forged-results">, { core }: Runtime, ports: Ports): Ports {
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
    const bent =
      lie === "forged-results" ? { ...ports, executor: forger(ports.executor) } : bentPorts(lie, this, ports);
    Object.assign(this, { ports: bent });
    process.stdout.write(`lies: ${lie}\n`);
    start.call(this, restored);
  };
}
