import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { HolderView } from "../../node/control/api.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { patient, until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";

const missing = await missingForLab();
if (missing) console.warn(`transfers between machines are not tried: there is no ${missing}`);

/** ann and cleo do not reach each other; ben reaches both. */
describe.skipIf(missing !== undefined)("artifacts between three machines in a row", () => {
  let farm: LabFarm;

  beforeAll(async () => {
    farm = await LabFarm.boot(["ann", "ben", "cleo"]);
    await farm.lab.cut("ann", "cleo");
    await farm.lab.cut("cleo", "ann");
    await farm.found("ben");
    await Promise.all(["ann", "cleo"].map((name) => farm.admit(name, "ben")));
    await farm.meet("ann", "ben", "cleo");
  }, 120_000);
  afterAll(() => farm?.close());

  async function give(name: string, bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    await farm.control(name).putBlob(
      digest,
      (async function* () {
        yield bytes;
      })(),
    );
    return digest;
  }
  const holders = async (name: string, digest: Digest) => {
    const { stdout } = await farm.run(name, "artifact", "where", digest, "--json");
    return (JSON.parse(stdout) as { holders: HolderView[] }).holders;
  };

  test("small and large come through the member in between", { timeout: 240_000 }, async () => {
    for (const size of [100_000, 6_000_000]) {
      const digest = await give("ann", randomBytes(size));
      await farm.good("cleo", "artifact", "get", digest, "-o", `far-${size}`);
      // Whoever does not answer within two seconds is asked again.
      await vi.waitFor(async () => {
        const held = (await holders("cleo", digest)).filter(({ holds }) => holds === "yes");
        expect(held.map(({ node }) => node).sort()).toEqual(["ben", "cleo"]);
      }, patient);
    }
  });

  test("one that broke off by kill -9 of the receiver goes on", { timeout: 240_000 }, async () => {
    const digest = await give("ben", randomBytes(10_000_000));
    // Whoever is held up for seconds still comes before its end.
    await farm.lab.shape("cleo", { rate: "4mbit" });
    farm.begin("cleo", "artifact", "get", digest, "-o", "broken-off");
    await until(async () => {
      const { hereBytes } = await farm.control("cleo").artifact(digest);
      return hereBytes > 1_000_000;
    });
    await farm.kill("cleo");
    const kept = await readdir(path.join(farm.outsideOf("cleo"), "blobs/partial"));
    expect(kept.filter((name) => name.endsWith(".pieces"))).toHaveLength(1);
    await farm.lab.shape("cleo", {});
    await farm.start("cleo");
    await farm.meet("ben", "cleo");
    await farm.good("cleo", "artifact", "get", digest, "-o", "whole");
    expect(await readdir(path.join(farm.outsideOf("cleo"), "blobs/partial"))).toEqual([]);
  });

  test("what rotted at its holder is refused, noted, and taken from another", {
    timeout: 240_000,
  }, async () => {
    const text = "what every machine knows ".repeat(1000);
    const digest = await give("ben", Buffer.from(text));
    await farm.rot("ben", text);
    expect(await farm.run("ann", "artifact", "get", digest, "-o", "rotten")).toMatchObject({ code: 4 });
    // who is told so reads its own again, and serves it no more
    await until(async () => (await farm.control("ann").holders(digest)).every(({ holds }) => holds === "no"));
    expect(await holders("ann", digest)).toMatchObject([{ node: "ben", corrupt: 1 }]);
    expect(await readdir(path.join(farm.outsideOf("ben"), "blobs/bad"))).toHaveLength(1);
    await farm.lab.heal();
    await give("cleo", Buffer.from(text));
    await farm.meet("ann", "ben", "cleo");
    await until(async () => (await farm.control("ann").holders(digest)).some(({ node }) => node === "cleo"));
    await farm.good("ann", "artifact", "get", digest, "-o", "sound");
  });
});
