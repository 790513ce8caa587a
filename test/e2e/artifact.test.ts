import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ArtifactView, HolderView } from "../../node/control/api.ts";
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
    await vi.waitFor(async () => {
      const { holders } = await farm.json<{ holders: HolderView[] }>("bob", "artifact", "where", stat.cid);
      expect(holders).toContainEqual(
        expect.objectContaining({ holds: "yes", by: expect.arrayContaining(["fact", "record"]) }),
      );
    }, 30_000);
    for (const name of ["ann", "bob"]) {
      await farm.good(name, "artifact", "get", stat.cid, "-o", `${name}.bin`);
      const got = await readFile(path.join(farm.terminal.dir, `${name}.bin`));
      expect(got.equals(Buffer.alloc(9_000_000))).toBe(true);
    }
    const { holders } = await farm.json<{ holders: HolderView[] }>("ann", "artifact", "where", digest);
    expect(holders.filter(({ holds }) => holds === "yes").map(({ node }) => node)).toEqual(
      expect.arrayContaining(["ann", "bob"]),
    );
  });
});
