import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BuildResult, RequestView, StatusView } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";
import { Naps } from "./naps.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(() => farm.close());

/** `host:port` of a daemon that runs. */
async function doorOf(name: string): Promise<string> {
  const { node } = await farm.json<StatusView>(name, "status");
  const [, host, port] = /^\/ip4\/([^/]+)\/tcp\/([0-9]+)/.exec(node!.addresses[0]!)!;
  return `${host}:${port}`;
}

const members = async (at: string) => (await farm.control(at).members()).members;

describe("who has no ticket", () => {
  test("is turned away with the reason, and told of a name that is taken", { timeout: 240_000 }, async () => {
    await farm.found("ann");
    const door = await doorOf("ann");
    const taken = await farm.run("cleo", "join", door, "--name", "ann", "--only");
    expect(taken.code).toBe(4);
    expect(taken.stderr).toContain("a member is named ann already\n→ ask under another name");
    const waiting = farm.begin("cleo", "join", door, "--name", "cleo", "--only");
    await waiting.printed("swarmd approve cleo");
    await farm.good("ann", "deny", "cleo", "--reason", "who is that?");
    const { code, stderr } = await waiting.ended;
    expect(code).toBe(4);
    expect(stderr).toContain("ann does not let this node in: who is that?");
    expect((await farm.run("ann", "approve", "cleo")).code).toBe(2);
  });
});

describe("who has a ticket", () => {
  test("waits for an admin when its issuer is away, and holds it up to others; a foreign swarm refuses it", {
    timeout: 240_000,
  }, async () => {
    await farm.found("ann", "ben");
    await farm.good("ann", "member", "role", "ben", "+admin");
    await until(async () =>
      (await members("ben")).some((m) => m.name === "ben" && m.roles.includes("admin")),
    );
    const ticket = await farm.ticket("ann");
    await until(async () => (await members("ben")).length === 2);
    await farm.kill("ann");
    const waiting = farm.begin("cleo", "join", ticket, "--name", "cleo", "--only");
    await waiting.printed("the node that issued the ticket does not answer");
    await until(async () => (await farm.control("ben").members()).requests.length === 1);
    expect((await farm.json<RequestView[]>("ben", "approve"))[0]).toMatchObject({
      name: "cleo",
      ticket: { issuer: "ann", good: true },
    });
    await farm.good("ben", "approve", "cleo");
    expect((await waiting.ended).code).toBe(0);
    // Once is once, also for the issuer that was away.
    await farm.start("ann");
    await until(async () => (await members("ann")).some((m) => m.name === "cleo"));
    const late = await farm.run("dan", "join", ticket, "--name", "dan", "--only");
    expect(late.code).toBe(4);
    expect(late.stderr).toContain("the ticket was used already");
  });
});

describe("who is a member no more", () => {
  test("loses its connections and its work, and hears why; the build goes on without it", {
    timeout: 240_000,
  }, async () => {
    await farm.found("ann", "ben", "cleo");
    const naps = new Naps();
    const spec = await farm.terminal.write(
      "slow.yaml",
      `swarmd: 1
name: slow
actions:
  part:
    foreach: { i: { count: 6 } }
    run: ${naps.command} && echo \${i} > \${out}
    out: \${i}.txt
`,
    );
    const following = farm.begin("ann", "submit", spec, "--json");
    // Each has one slot.
    await until(() => naps.count === 3);
    await farm.good("ann", "member", "revoke", "ben", "--reason", "sold", "--yes");
    for (const name of ["ann", "cleo"])
      await until(async () => (await members(name)).every((m) => m.name !== "ben"));
    await farm.ended("ben");
    expect((await farm.run("ben", "status")).stdout).toContain("no daemon answers");
    const { code, stderr } = await farm.run("ben", "run");
    expect(code).toBe(4);
    expect(stderr).toContain("ben was revoked by ann: sold");
    const { code: built, stdout } = await naps.wakeUntil(following.ended);
    expect(built).toBe(0);
    expect(JSON.parse(stdout) as BuildResult).toMatchObject({ state: "complete", actions: 6 });

    // Another name goes with all that the node did, and stays when it starts again.
    expect((await farm.run("ann", "node", "rename", "cleo", "ann")).stderr).toContain(
      "there is a node ann already",
    );
    await farm.good("ann", "node", "rename", "cleo", "attic");
    await until(async () => (await farm.control("cleo").status()).node.vitals?.name === "attic");
    expect((await farm.run("ann", "node", "forget", "attic")).code).toBe(4);
    await until(
      async () => JSON.parse(await readFile(`${farm.homeOf("cleo")}/home.json`, "utf8")).name === "attic",
    );
    await farm.kill("cleo");
    await until(async () => (await farm.control("ann").status()).peers[0]?.state === "dead");
    await farm.good("ann", "node", "forget", "attic", "--yes");
    expect((await members("ann")).map((m) => m.name)).toEqual(["ann"]);
    expect((await farm.json<BuildResult>("ann", "watch", "slow")).byNode).toHaveProperty("attic");
  });
});
