import { afterEach, describe, expect, test } from "vitest";
import type { Finding, NodeView, ReachView } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab, missingForNat } from "./lab.ts";
import { complete, parts, submit } from "./work.ts";

const missing = await missingForLab();
if (missing) console.warn(`networks as they are at home are not tried: there is no ${missing}`);
const missingNat = missing ?? (await missingForNat());
if (missingNat && !missing) console.warn(`a machine behind NAT is not tried: there is no ${missingNat}`);

describe.skipIf(missing !== undefined)("networks as they are at home", { timeout: 300_000 }, () => {
  let farm: LabFarm;
  afterEach(() => farm?.close());

  const join = async (name: string, through: string) => {
    await farm.good(name, "join", await farm.ticket(through), "--name", name, "--only");
    await farm.start(name);
  };
  /** Who reaches whom, as one of them says it: `ann>ben`. */
  const reached = async (at: string) => {
    const { rows } = await farm.json<ReachView>(at, "node", "reach");
    return rows.flatMap(({ node, ways }) => (ways ?? []).map((way) => `${node}>${way.node}`));
  };

  test("three with no way between two of them: both are full members through the third, which shows in the table", async () => {
    farm = await LabFarm.boot(["ann", "ben", "cleo"]);
    await farm.lab.cut("ann", "cleo");
    await farm.lab.cut("cleo", "ann");
    await farm.found("ben");
    for (const name of ["ann", "cleo"]) await join(name, "ben");
    await farm.meet("ann", "ben", "cleo");
    for (const [i, name] of ["ann", "cleo"].entries()) {
      const build = await submit(farm, name, `from-${name}`, parts(12, 0.5 + i / 1000));
      for (const seen of ["ann", "cleo"]) {
        const { byNode } = await complete(farm, seen, build);
        expect(Object.keys(byNode).sort()).toEqual(["ann", "ben", "cleo"]);
      }
      await farm.good(name === "ann" ? "cleo" : "ann", "fetch", build, "--to", `got-from-${name}`);
    }
    expect((await reached("ann")).sort()).toEqual(["ann>ben", "ben>ann", "ben>cleo", "cleo>ben"]);
    expect(await farm.good("ann", "node", "reach")).toContain(
      "ann and cleo do not reach each other: they work through ben",
    );
    const fleet = await farm.json<{ node: string; via?: string; findings?: Finding[] }[]>(
      "ann",
      "doctor",
      "--fleet",
    );
    expect(fleet.find(({ node }) => node === "cleo")).toMatchObject({
      via: "ben",
      findings: expect.any(Array),
    });
  });

  test.skipIf(missingNat !== undefined)("one behind NAT, which nobody can dial: a full member", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    await farm.found("ann", "ben");
    await farm.lab.addBehindNat("eve");
    await join("eve", "ann");
    await farm.meet("ann", "ben", "eve");
    for (const [i, name] of ["eve", "ben"].entries()) {
      const build = await submit(farm, name, `from-${name}`, parts(12, 0.5 + i / 1000));
      for (const seen of ["ann", "ben", "eve"])
        expect((await complete(farm, seen, build)).byNode.eve).toBeGreaterThan(0);
      await farm.good(name === "ben" ? "eve" : "ben", "fetch", build, "--to", `got-from-${name}`);
    }
    const findings = await farm.json<Finding[]>("eve", "doctor");
    expect(findings.find(({ check }) => check === "dialled back")).toMatchObject({ level: "note" });
    // The others find it again: it dials them.
    await farm.kill("ann");
    await farm.start("ann");
    await farm.meet("ann", "ben", "eve");
    expect(await reached("ann")).toEqual(
      expect.arrayContaining(["ann>eve", "ben>eve", "eve>ann", "eve>ben"]),
    );
  });

  test("lines of 200 Mbit/s and 50 ms, a third of the packets lost on one: the build completes, nothing is lost", async () => {
    farm = await LabFarm.boot(["ann", "ben", "cleo"]);
    for (const name of farm.lab.names) await farm.lab.shape(name, { rate: "200mbit", delayMs: 25 });
    await farm.found("ann", "ben", "cleo");
    const far = await complete(farm, "ann", await submit(farm, "ann", "far", parts(24, 1)));
    await farm.lab.shape("cleo", { rate: "200mbit", delayMs: 25, lossPercent: 33 });
    const build = await submit(farm, "ann", "lossy", parts(24, 1.001));
    const lossy = await complete(farm, "ann", build);
    await complete(farm, "cleo", build);
    expect(lossy.actions).toBe(25);
    // Twice the time is what is promised; a machine that is busy with other things is given more.
    expect(lossy.wallMs).toBeLessThan(4 * far.wallMs + 20_000);
  });

  test("an address that changes is told, and one that restarts finds the others although its first contact is dead", async () => {
    farm = await LabFarm.boot(["ann", "ben", "cleo"], { SWARMD_LISTEN: "0.0.0.0:4701" });
    await farm.found("ann", "ben", "cleo");
    const addressesOf = async (at: string, name: string) =>
      (await farm.json<NodeView>(at, "node", "show", name)).addresses.join(" ");
    await farm.lab.machine("cleo").ip("addr add 10.77.0.77/24 dev eth0");
    for (const name of ["ann", "ben"])
      await until(async () => (await addressesOf(name, "cleo")).includes("/ip4/10.77.0.77/tcp/4701"));
    await farm.lab
      .machine("cleo")
      .ip(`addr del ${farm.lab.address("cleo")}/24 dev eth0`, "addr replace 10.77.0.77/24 dev eth0");
    await farm.meet("ann", "ben", "cleo");
    await until(async () => (await reached("ben")).includes("ben>cleo"));
    // ann invited them all.
    await farm.kill("ann");
    await farm.kill("cleo");
    await farm.start("cleo");
    await until(async () => (await reached("cleo")).includes("cleo>ben"));
  });
});
