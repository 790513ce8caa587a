import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ArtifactView, HolderView } from "../../node/control/api.ts";
import { patient, until } from "../patience.ts";
import { Farm } from "./farm.ts";

const spec = `swarmd: 1
name: big
actions:
  make:
    run: head -c 9000000 /dev/zero > zeros
    out: [zeros]
`;

describe("artifacts of a swarm", () => {
  let farm: Farm;
  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "bob");
  }, 120_000);
  afterAll(() => farm.close());

  it("are found by their CID through the DHT, described, and brought from whoever made them", async () => {
    await farm.good("ann", "submit", await farm.terminal.write("big.yaml", spec));
    const { digests } = await farm.json<{ digests: Record<string, string> }>("ann", "fetch", "big");
    const digest = digests.zeros!;
    const stat = await farm.json<ArtifactView>("bob", "artifact", "stat", digest);
    expect(stat).toMatchObject({ sizeBytes: 9_000_000, kind: "file" });
    expect(stat.origins).toMatchObject([{ action: "make", path: "zeros" }]);
    const found = { holds: "yes", by: expect.arrayContaining(["fact", "record"]) };
    await until(async () => {
      expect(await farm.control("bob").holders(stat.digest)).toContainEqual(expect.objectContaining(found));
      return true;
    });
    const told = await farm.json<{ holders: HolderView[] }>("bob", "artifact", "where", stat.cid);
    expect(told.holders).toContainEqual(expect.objectContaining(found));
    for (const name of ["ann", "bob"]) {
      await farm.good(name, "artifact", "get", stat.cid, "-o", `${name}.bin`);
      const got = await readFile(path.join(farm.terminal.dir, `${name}.bin`));
      expect(got.equals(Buffer.alloc(9_000_000))).toBe(true);
    }
    await vi.waitFor(async () => {
      const { holders } = await farm.json<{ holders: HolderView[] }>("ann", "artifact", "where", digest);
      expect(holders.filter(({ holds }) => holds === "yes").map(({ node }) => node)).toEqual(
        expect.arrayContaining(["ann", "bob"]),
      );
    }, patient);
  });

  it("go from each disk when nothing there needs them, are found where they are kept, and once they are nowhere that is said", async () => {
    const submit = async (letter: string) => {
      const run = `head -c 100000 /dev/zero | tr '\\0' ${letter} > \${out}`;
      const text = `swarmd: 1\nname: again\nactions:\n  make: { run: "${run.replaceAll("\\", "\\\\")}", out: a.txt }\n`;
      await farm.good("ann", "submit", await farm.terminal.write(`${letter}.yaml`, text));
      const { digests } = await farm.json<{ digests: Record<string, string> }>("ann", "fetch", "again");
      for (const name of ["ann", "bob"]) await farm.good(name, "artifact", "get", digests["a.txt"]!);
      return digests["a.txt"]!;
    };
    const holders = async (digest: string) => {
      // where nobody holds it the command fails, and says what it found all the same
      const { stdout } = await farm.run("ann", "artifact", "where", digest, "--json");
      const view = JSON.parse(stdout) as { holders: HolderView[] };
      expect(view.holders.map(({ holds }) => holds)).not.toContain("unknown");
      return view.holders.filter(({ holds }) => holds === "yes").map(({ node }) => node);
    };
    /** Whoever does not answer within two seconds is asked again. */
    const heldBy = (digest: string, ...names: string[]) =>
      vi.waitFor(async () => expect((await holders(digest)).sort()).toEqual(names), patient);
    const collect = (name: string) => farm.good(name, "gc", "--unused", "0s");
    const old = await submit("a");
    await heldBy(old, "ann", "bob");
    // Of one name the latest build is needed alone.
    const latest = await submit("b");
    await collect("bob");
    await heldBy(old, "ann");
    await farm.good("bob", "artifact", "get", old);
    await collect("ann");
    await heldBy(old, "bob");
    await collect("bob");
    await heldBy(old);
    const gone = await farm.run("ann", "artifact", "get", old);
    expect(gone.code).not.toBe(0);
    expect(gone.stderr).toContain("→");
    // What the submitter needs is still there, for the other one too.
    await vi.waitFor(async () => expect(await holders(latest)).toContain("ann"), patient);
    await farm.good("bob", "artifact", "get", latest);
  });
});
