/** On a LAN nobody types an address first: swarms are found by multicast, and whoever found one asks at its door. */
import { afterEach, describe, expect, test } from "vitest";
import type { MembersView } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";

const missing = await missingForLab();
if (missing) console.warn(`finding swarms on a LAN is not tried: there is no ${missing}`);

interface Found {
  readonly name: string;
  readonly members: number;
  readonly seen: number;
  readonly command: readonly string[];
}

describe.skipIf(missing !== undefined)("a machine that knows nobody", () => {
  let farm: LabFarm;
  afterEach(() => farm?.close());

  test("finds the swarms around it by name, and comes in through the door it is shown", {
    timeout: 240_000,
  }, async () => {
    farm = await LabFarm.boot(["ann", "ben", "cleo"], { SWARMD_MDNS: "yes" });
    for (const [name, swarm] of [
      ["ann", "garden"],
      ["ben", "meadow"],
    ] as const) {
      await farm.good(name, "init", "--name", name, "--swarm", swarm);
      await farm.start(name);
    }
    let found: Found[] = [];
    await until(async () => {
      found = await farm.json<Found[]>("cleo", "join", "--timeout", "4s");
      return found.length === 2;
    });
    expect(found.map(({ name, members, seen }) => [name, members, seen])).toEqual([
      ["garden", 1, 1],
      ["meadow", 1, 1],
    ]);
    const waiting = farm.begin("cleo", ...found[0]!.command, "--name", "cleo", "--only");
    await waiting.printed("swarmd approve cleo");
    await farm.good("ann", "approve", "cleo");
    expect((await waiting.ended).code).toBe(0);
    const { swarm, members } = await farm.json<MembersView>("ann", "member", "list");
    expect(swarm.name).toBe("garden");
    expect(members.map((m) => m.name).sort()).toEqual(["ann", "cleo"]);
  });
});
