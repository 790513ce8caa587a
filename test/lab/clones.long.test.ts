/** One home on two machines: each copy hears of the other through a member that is connected to both. */
import { cp } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";

const missing = await missingForLab();
if (missing) console.warn(`two machines from one home are not tried: there is no ${missing}`);

const status = (farm: LabFarm, name: string) => farm.control(name).status();

describe.skipIf(missing !== undefined)("a copied home", () => {
  let farm: LabFarm;

  beforeEach(async () => {
    farm = await LabFarm.boot(["ann", "ben", "copy"]);
    await farm.found("ann", "ben");
  });
  afterEach(() => farm?.close());

  test("of a stopped machine: neither takes work, status and log say why, and one alone works again", {
    timeout: 240_000,
  }, async () => {
    await farm.good("ben", "stop");
    await cp(farm.homeOf("ben"), farm.homeOf("copy"), { recursive: true });
    const ben = await farm.start("ben");
    const copy = await farm.start("copy");
    for (const name of ["ben", "copy"])
      await until(async () => {
        const { node, next } = await status(farm, name);
        return node.vitals?.limitedBy === "clone" && next.why.includes("ben runs twice");
      });
    await until(async () => (await status(farm, "ann")).next.why.includes("ben runs twice"));
    await farm.good("copy", "stop");
    expect((await copy.ended).stderr).toContain("this node runs twice");
    // The one that stays is no newer than the one that went: it starts again, above it.
    await until(async () => {
      const { node, next } = await status(farm, "ben").catch(() => ({ node: undefined, next: undefined }));
      return node?.vitals?.slots === 1 && !next?.why.includes("twice");
    });
    await farm.meet("ann", "ben");
    await farm.good("ben", "stop");
    expect((await ben.ended).stderr).toContain("this node runs twice");
  });

  test("of a running machine: the newer start stays, the older ends and says what to do", {
    timeout: 240_000,
  }, async () => {
    // Its peer book is on disk once it has stopped.
    await farm.good("ben", "stop");
    const ben = await farm.start("ben");
    await farm.meet("ann", "ben");
    await cp(farm.homeOf("ben"), farm.homeOf("copy"), {
      recursive: true,
      filter: (file) => !file.endsWith(".sock") && !file.endsWith("/lock"),
    });
    await farm.start("copy");
    const { code, stderr } = await ben.ended;
    expect(code).toBe(4);
    expect(stderr).toContain("a newer start of this node runs on another machine");
    await until(async () => (await status(farm, "copy")).node.vitals?.slots === 1);
    await until(async () => {
      const { peers } = await status(farm, "ann");
      return peers.some(({ name, state }) => name === "ben" && state === "alive");
    });
  });
});
