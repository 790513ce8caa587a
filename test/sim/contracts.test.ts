/** The simulated ports keep the same promises as the real ones. */
import { HostClock } from "../../sim/clock.ts";
import { Disk } from "../../sim/disk.ts";
import { Process } from "../../sim/process.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { World } from "../../sim/world.ts";
import { clockContract } from "../contract/clock.ts";
import { eventsContract } from "../contract/events.ts";
import { signerContract } from "../contract/signer.ts";

/** Virtual time passes until the condition holds. */
const settleIn = (world: World) => (condition: () => boolean) => {
  if (!world.runUntil(condition, 60_000)) throw new Error("it never happened");
};

for (const options of [{}, { driftPpm: 200, offsetMs: -3_600_000 }, { driftPpm: -500_000 }])
  clockContract(`simulated, ${JSON.stringify(options)}`, () => {
    const world = new World({ seed: 1 });
    const clock = new HostClock(world, options).port(new Process(world, "ann"));
    return { clock, settle: settleIn(world) };
  });

signerContract("simulated", () => [fakeSigner(fakePeer("ann")), fakeSigner(fakePeer("bob"))]);

eventsContract("simulated", () => {
  const world = new World({ seed: 1 });
  const disk = new Disk(world, "ann");
  let process = new Process(world, "ann");
  return {
    store: disk.port(process),
    settle: settleIn(world),
    restart() {
      process.end("kill");
      process = new Process(world, "ann");
      const store = disk.port(process);
      return { store, restored: store.restore() };
    },
    stop() {},
  };
});
