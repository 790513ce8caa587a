/** Coming by word alone, going for good, and going on under another key, also where the machine dies in the middle. */
import { copyFile, rename } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildResult, MembersView, RequestView, StatusView } from "../../node/control/api.ts";
import { obtainIdentity, obtainNextIdentity } from "../../node/identity.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

describe("a member", () => {
  let farm: Farm;
  const members = (at: string) => farm.json<MembersView>(at, "member", "list");
  const idOf = async (name: string, at = "ann") =>
    (await members(at)).members.find((m) => m.name === name)?.peerId;

  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "ben");
  }, 180_000);
  afterAll(() => farm?.close());

  test("comes in without a ticket once an admin has approved it by name, and builds", {
    timeout: 180_000,
  }, async () => {
    const { node } = await farm.json<StatusView>("ann", "status");
    const [, host, port] = /^\/ip4\/([^/]+)\/tcp\/([0-9]+)/.exec(node!.addresses[0]!)!;
    const waiting = farm.begin("cleo", "join", `${host}:${port}`, "--name", "cleo", "--only");
    await waiting.printed("swarmd approve cleo");
    // Admins anywhere hear of it.
    await until(async () =>
      (await farm.json<RequestView[]>("ben", "approve")).some((r) => r.name === "cleo"),
    );
    await farm.good("ann", "approve", "cleo");
    expect((await waiting.ended).code).toBe(0);
    await farm.start("cleo");
    await farm.meet("ann", "ben", "cleo");
  });

  test("that has the ticket of another swarm is told so, by name, and nothing is used up", {
    timeout: 180_000,
  }, async () => {
    await farm.good("eve", "init", "--name", "eve", "--swarm", "meadow");
    await farm.start("eve");
    const foreign = await farm.ticket("eve");
    const { code, stderr } = await farm.run("cleo", "join", foreign, "--name", "cleo", "--only");
    expect(code).toBe(4);
    expect(stderr).toContain("cleo is a member");
    await farm.good("dan", "join", foreign, "--name", "dan", "--only");
    await farm.good("eve", "stop");
  });

  test("goes on under a new key, also when its machine died before, between and after the steps", {
    timeout: 180_000,
  }, async () => {
    const identity = path.join(farm.homeOf("ben"), "identity");
    const first = (await obtainIdentity(identity)).peer;
    // The next key is made, and nobody was told: it goes on as it was.
    const second = (await obtainNextIdentity(identity)).peer;
    await farm.kill("ben");
    await farm.start("ben");
    await farm.meet("ann", "ben", "cleo");
    expect(await idOf("ben")).toBe(first);
    // The key that was made is the one that is used.
    await farm.good("ben", "member", "rotate", "--yes");
    await until(async () => (await idOf("ben")) === second);
    await farm.meet("ann", "ben", "cleo");
    // Everybody was told, and the keys had not changed places, or only half.
    await farm.kill("ben");
    await rename(path.join(identity, "node.key"), path.join(identity, "next.key"));
    await copyFile(path.join(identity, `${first}.key`), path.join(identity, "node.key"));
    await farm.start("ben");
    await farm.meet("ann", "ben", "cleo");
    expect((await obtainIdentity(identity)).peer).toBe(second);
    const { former } = await members("ann");
    expect(former).toMatchObject([{ name: "ben", peerId: first, why: "rotated" }]);
    const file = await farm.terminal.write(
      "under.yaml",
      `swarmd: 1
name: under
actions:
  part: { foreach: { i: { count: 3 } }, run: "sleep 0.5; echo \${i} > \${out}", out: "\${i}.txt" }
`,
    );
    const built = await farm.json<BuildResult>("ben", "submit", file);
    expect(built).toMatchObject({ state: "complete", executed: 3 });
  });

  test("leaves for good: its daemon ends, the others know, and its home does not run again", {
    timeout: 180_000,
  }, async () => {
    const cleo = await idOf("cleo");
    const left = await farm.good("cleo", "leave", "--yes", "--reason", "moving");
    expect(left).toContain("cleo has left");
    for (const name of ["ann", "ben"])
      await until(async () =>
        (await members(name)).former.some((f) => f.peerId === cleo && f.why === "left"),
      );
    const again = await farm.run("cleo", "run");
    expect(again.code).toBe(4);
    expect(again.stderr).toContain("cleo has left the swarm");
    const last = await farm.run("ann", "leave", "--yes");
    expect(last.code).toBe(4);
    expect(last.stderr).toContain("ann is the last admin");
  });
});
