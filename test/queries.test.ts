/** What a daemon says of its builds, read from cores of the simulator. */
import { expect, test } from "vitest";
import { Queries } from "../node/queries.ts";
import { Swarm } from "../sim/swarm.ts";
import { chain } from "../sim/workload.ts";

test("a complete build stays complete with all its actions, also where bytes are found lost as it is sealed", () => {
  const swarm = new Swarm({ seed: 1, hosts: 2 }).start();
  const [ann, bob] = swarm.hosts as [(typeof swarm.hosts)[0], (typeof swarm.hosts)[0]];
  const id = swarm.submit(ann, chain(3, 500));
  expect(swarm.finish(id).state).toBe("complete");
  swarm.world.runUntil(() => bob.core.desk.builds.get(id)?.claims?.sealed !== undefined, 5_000);
  const claims = bob.core.desk.builds.get(id)!.claims!;
  const results = claims.sourcesOf(2, claims.resultOf(2)!);
  const { name } = claims.action(2);
  bob.core.desk.say(
    id,
    { kind: "lost", action: name, results, reason: "as it was sealed" },
    { urgent: true },
  );
  swarm.world.runFor(3_000);
  expect(ann.core.desk.builds.get(id)!.claims!.actions.counts.done).toBe(2);
  const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
  const [seen] = new Queries(ann.core, mesh).builds();
  expect(seen).toMatchObject({ state: "complete", counts: { done: 3, ready: 0 } });
});
