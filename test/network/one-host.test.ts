/** Many daemons behind one address: gossipsub by default takes them for one attacker and cuts them off beyond thirteen. */
import { expect, it } from "vitest";
import { TestSwarm, until } from "./swarm.ts";

it("gossips with each of 16 members that share its address", async () => {
  const swarm = new TestSwarm();
  try {
    const hub = await swarm.start("hub");
    const others = await Promise.all(Array.from({ length: 16 }, (_, i) => swarm.start(`m${i}`)));
    for (const other of others) swarm.introduce(hub, other);
    const texts = (gossiped: readonly Uint8Array[]) =>
      new Set(gossiped.map((g) => Buffer.from(g).toString()));
    let round = 0;
    await until(() => {
      round++;
      hub.mesh.gossip(Buffer.from(`hub ${round}`));
      for (const other of others) other.mesh.gossip(Buffer.from(`${other.peer} ${round}`));
      return (
        others.every(({ gossiped }) => gossiped.length > 0) &&
        others.every(({ peer }) => [...texts(hub.gossiped)].some((text) => text.startsWith(peer)))
      );
    });
    // scores are reckoned by now; what is said from here on is said once
    hub.mesh.gossip(Buffer.from("to all"));
    for (const other of others) other.mesh.gossip(Buffer.from(`${other.peer} to the hub`));
    await until(
      () =>
        others.every(({ gossiped }) => texts(gossiped).has("to all")) &&
        others.every(({ peer }) => texts(hub.gossiped).has(`${peer} to the hub`)),
    );
    expect(hub.connected().length).toBe(others.length);
  } finally {
    await swarm.stop();
  }
});
