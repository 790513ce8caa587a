/** Many daemons behind one address, which gossipsub by default takes for one attacker. */
import { it } from "vitest";
import { gossipReachesAll, TestSwarm, until } from "./swarm.ts";

it("delivers every gossiped message to all of 24 members on one host", async () => {
  const swarm = new TestSwarm();
  try {
    const members = await Promise.all(Array.from({ length: 24 }, (_, i) => swarm.start(`m${i}`)));
    members.forEach((from, at) => {
      for (const to of members.slice(at + 1)) {
        to.members.add(from.peer);
        swarm.introduce(from, to);
      }
    });
    await gossipReachesAll(members, 60_000);
    // from here on nothing is said twice
    const heard = (m: (typeof members)[number]) =>
      new Set(m.gossiped.map((g) => Buffer.from(g).toString()).filter((text) => text.includes(" says ")))
        .size;
    for (let round = 1; round <= 5; round++) {
      for (const m of members) m.mesh.gossip(Buffer.from(`${m.peer} says ${round}`));
      await until(() => members.every((m) => heard(m) === round * (members.length - 1)), 20_000);
    }
  } finally {
    await swarm.stop();
  }
}, 180_000);
