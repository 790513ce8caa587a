import { afterEach, describe, expect, test } from "vitest";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";
import { complete, parts, submit } from "./work.ts";

const missing = await missingForLab();
if (missing) console.warn(`machines with wrong clocks are not tried: there is no ${missing}`);

describe.skipIf(missing !== undefined)("a machine whose clock was never set", { timeout: 200_000 }, () => {
  let farm: LabFarm;
  afterEach(() => farm?.close());

  const secondsTo = (moment: string) => Math.round((Date.parse(moment) - Date.now()) / 1000);
  const says = (name: string, words: RegExp) =>
    until(async () => words.test((await farm.run(name, "status")).stdout));

  test("1970: it joins, both sides name the offset, and builds go on from both", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    await farm.shiftClock("ben", secondsTo("1970-01-01T00:10:00Z"));
    await farm.found("ann", "ben");
    await says("ann", /the clock of ben is [0-9]{5} d [0-9]{2} h behind this node's/);
    await says("ben", /the clock of ann is [0-9]{5} d [0-9]{2} h ahead of this node's/);
    for (const name of ["ann", "ben"]) {
      const build = await submit(farm, name, `from-${name}`, parts(4, 0.2));
      for (const seen of ["ann", "ben"]) await complete(farm, seen, build);
    }
    const { code, stdout } = await farm.run("ben", "doctor");
    expect(code).toBe(4);
    expect(stdout).toMatch(/bad +clock +it says 1970-01-01/);
  });

  test("2039, when all certificates have ended: it lets nobody in, and both sides say why and by how much", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    await farm.found("ann", "ben");
    await farm.kill("ben");
    await farm.shiftClock("ben", secondsTo("2039-01-19T03:14:08Z"));
    const daemon = await farm.start("ben");
    await says("ann", /the clock of ben is [0-9]{4} d [0-9]{2} h ahead of this node's/);
    await says("ben", /the clock of ann is [0-9]{4} d [0-9]{2} h behind this node's/);
    await farm.kill("ben");
    const { stderr } = await daemon.ended;
    expect(stderr).toContain("a member's clock differs");
    expect(stderr).not.toContain("stranger");
    await farm.shiftClock("ben", 0);
    await farm.start("ben");
    await farm.meet("ann", "ben");
  });
});
