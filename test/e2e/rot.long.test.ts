/** Two real daemons, one of them on a disk that gives back other bytes than it was given: what is damaged is found, put aside, told, and had again. */
import { readdir } from "node:fs/promises";
import { Level } from "level";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BuildResult, BuildSummary, Finding, StatusView } from "../../node/control/api.ts";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import { patient, until } from "../patience.ts";
import { Farm } from "./farm.ts";

const spec = (name: string) => `swarmd: 1
name: ${name}
actions:
  make:
    foreach: { i: { count: 4 } }
    run: echo \${i} > \${out}
    out: made/\${i}.txt
`;
/** So many end before the first is archived. */
const ended = 52;

describe("a swarm of two, one with a bad disk", () => {
  let farm: Farm;
  let first: string;

  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "bob");
    const submit = async (n: number) => {
      const file = await farm.terminal.write(`s${n}.yaml`, spec(`s${n}`));
      return farm.json<BuildResult>("ann", "submit", file);
    };
    first = (await submit(0)).build;
    for (let n = 1; n < ended; n += 6) await Promise.all(Array.from({ length: 6 }, (_, i) => submit(n + i)));
    // What it has not heard of yet it is not behind with: the first must have gone from its memory to its archive.
    const archived = async () => {
      const { behind, builds } = await farm.json<StatusView>("bob", "status");
      const known = await farm.json<BuildSummary[]>("bob", "history", "--limit", "100");
      const isIn = (all: readonly BuildSummary[]) => all.some(({ build }) => build === first);
      return isIn(known) && !isIn(builds) && behind.builds + behind.entries === 0;
    };
    await until(archived);
  }, 400_000);
  afterAll(() => farm?.close());

  const stop = async (name: string) => {
    await farm.good(name, "stop");
    await farm.ended(name);
  };
  /** What follows from the entries alone: what a node heard of others' load is its own. */
  const stateOf = async (name: string) => {
    const { nodes: _, ...state } = await farm.json<Record<string, unknown>>(name, "replay", first);
    return JSON.stringify(state);
  };

  test("finds flipped bits in what it archived, puts it aside, tells it, and has all of it from the other", {
    timeout: 300_000,
  }, async () => {
    await vi.waitFor(async () => expect(await stateOf("bob")).toBe(await stateOf("ann")), patient);
    const before = await stateOf("bob");
    await stop("bob");
    const places = placesOf(farm.homeOf("bob"));
    const level = new Level<string, Uint8Array>(places.timeline, { valueEncoding: "view" });
    let hit = 0;
    for (const [key, value] of await level.iterator({ gte: "s/", lt: "s/~" }).all()) {
      const bytes = Buffer.from(value);
      bytes[bytes.length >> 1]! ^= 4;
      await level.put(key, bytes);
      hit++;
    }
    await level.close();
    expect(hit).toBeGreaterThan(0);
    await farm.start("bob");
    await farm.meet("ann", "bob");
    // Whoever reads finds it: the account of the build whose segment rotted.
    await farm.run("bob", "replay", first);
    const control = controlClient(places.controlSocket);
    await until(async () => (await control.status()).damaged?.missing === 0);
    expect((await control.status()).damaged!.files).toBeGreaterThan(0);
    expect(await farm.good("bob", "status")).toContain("damaged on this disk");
    const findings = await farm.json<readonly Finding[]>("bob", "doctor").catch(() => []);
    const words = JSON.stringify(findings);
    expect(words).toContain("quarantine");
    expect(await stateOf("bob")).toBe(before);
    const names = await readdir(places.quarantine);
    expect(names.some((name) => name.startsWith("segment-"))).toBe(true);
  });
});
