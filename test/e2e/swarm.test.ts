import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { BuildResult } from "../../node/control/api.ts";
import type { WireStats } from "../../node/control/data.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";
import { Naps } from "./naps.ts";

let farm: Farm;
let naps: Naps;
beforeEach(() => {
  naps = new Naps();
});

/** `count` actions that sleep until they are woken, one that takes all their outputs; none is another spec's. */
const spec = (name: string, count: number) =>
  farm.terminal.write(
    `${name}.yaml`,
    `swarmd: 1
name: ${name}
actions:
  part:
    foreach: { i: { count: ${count} } }
    run: true ${name}; echo part \${i}; ${naps.command} && echo \${i} > \${out}
    out: parts/\${i}.txt
  whole:
    run: true ${name}; cat \${part.out} > \${out}
    out: whole.txt
`,
  );

/** One round of all three is done, as far as a member knows. */
async function someDone(at: string, name: string): Promise<void> {
  await until(() => naps.count === 3);
  naps.wake();
  await until(async () =>
    (await farm.control(at).builds()).some((build) => build.name === name && build.counts.done > 1),
  );
}

interface Replayed {
  readonly same: boolean;
  readonly stretches: readonly { readonly steps: number }[];
}

const lines = (count: number) => Array.from({ length: count }, (_, i) => `${i}\n`).sort();

describe("three daemons", () => {
  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "ben", "cleo");
  }, 240_000);
  // Who was killed, or did not come back, is no trouble of the next.
  beforeEach(() => farm.mend(), 240_000);
  afterAll(() => farm?.close());

  test("share a build; any of them watches it, shows its logs and fetches it", {
    timeout: 240_000,
  }, async () => {
    const following = farm.begin("ann", "submit", await spec("shared", 9), "--json");
    await until(async () => (await farm.control("cleo").builds()).length > 0);
    const watching = farm.json<BuildResult>("cleo", "watch", "shared");
    // Each has one slot.
    await until(() => naps.count === 3);
    const watched = await naps.wakeUntil(watching);
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(watched);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    // Each exactly once where none of them is held up for seconds: test/sim/swarm.test.ts.
    expect(watched).toMatchObject({ state: "complete", actions: 10, executed: 10, failed: 0 });
    expect(Object.keys(watched.byNode).sort()).toEqual(["ann", "ben", "cleo"]);
    await farm.good("ben", "fetch", "shared", "--to", "got");
    const whole = await readFile(path.join(farm.terminal.dir, "got/whole.txt"), "utf8");
    expect(whole.split(/(?<=\n)/).sort()).toEqual(lines(9));
    // What ran is counted alike wherever it is asked; where others take all cores the first answer may be late.
    const ran = Object.entries(watched.byNode).sort();
    await until(async () => {
      const { items } = await farm.json<{ items: { name: string; runs: number }[] }>(
        "cleo",
        "stats",
        "--by",
        "node",
      );
      expect(items.map(({ name, runs }) => [name, runs]).sort()).toEqual(ran);
      return true;
    });
    const { byPeer } = await farm.json<WireStats>("cleo", "wire", "--stats");
    expect(byPeer.map(({ node, received }) => [node, received.count > 0])).toEqual([
      ["ann", true],
      ["ben", true],
    ]);
    for (const name of ["ann", "ben", "cleo"]) {
      expect(await farm.good(name, "logs", "shared", "part/4")).toBe("part 4\n");
      // Each lives again what it lived through, while it was looked at too: the same effects, bit for bit.
      const { same, stretches } = await farm.json<Replayed>(name, "replay", "shared", "--verify");
      expect({ name, same, stretches }).toMatchObject({ name, same: true, stretches: [{ torn: false }] });
      expect(stretches[0]!.steps).toBeGreaterThan(50);
    }
  });

  test("cancel from a member that did not submit ends the build everywhere", {
    timeout: 240_000,
  }, async () => {
    const following = farm.begin("ann", "submit", await spec("long", 4));
    await following.printed("submitted");
    await until(async () =>
      (await farm.control("ben").builds()).some(({ name, state }) => name === "long" && state === "running"),
    );
    expect(await farm.good("ben", "status")).toMatch(/^long-\S+ +running/m);
    // What ben runs is seen live from ann, until the one who looks has enough.
    const looking = farm.begin("ann", "logs", "ben", "--follow");
    await looking.printed("part ");
    looking.process.kill("SIGINT");
    expect((await looking.ended).code).toBe(130);
    await farm.good("ben", "cancel", "long", "--yes");
    const { code, stdout } = await following.ended;
    expect(code).toBe(1);
    expect(stdout).toContain("cancelled");
    await until(async () => {
      const nodes = await farm.control("ann").nodes();
      return nodes.every((node) => node.running.length === 0);
    });
  });

  test("kill -9 of the submitter's in the middle: the others finish; restarted, it finds them by its peer book", {
    timeout: 240_000,
  }, async () => {
    const following = farm.begin("ann", "submit", await spec("survivor", 12));
    await following.printed("submitted");
    await someDone("ben", "survivor");
    await farm.kill("ann");
    const left = await following.ended;
    expect(left.code).toBe(3);
    expect(left.stderr).toContain("the build goes on without it");
    const result = await naps.wakeUntil(farm.json<BuildResult>("ben", "watch", "survivor"));
    expect(result).toMatchObject({ state: "complete", actions: 13 });
    await farm.good("ben", "fetch", "survivor", "--to", "survived");
    const whole = await readFile(path.join(farm.terminal.dir, "survived/whole.txt"), "utf8");
    expect(whole.split(/(?<=\n)/).sort()).toEqual(lines(12));
    await farm.start("ann");
    await farm.meet("ann", "ben", "cleo");
    expect(await farm.json<BuildResult>("ann", "watch", "survivor")).toMatchObject({ state: "complete" });
  });

  test("kill -9 of the submitter's the moment submit has returned: the others have all they need", {
    timeout: 240_000,
  }, async () => {
    await farm.terminal.write("seed.txt", "sown\n");
    const file = await farm.terminal.write(
      "orphan.yaml",
      `swarmd: 1
name: orphan
inputs: { seed.txt: seed.txt }
actions:
  grow: { run: "cat \${in} \${in} > \${out}", in: [seed.txt], out: grown.txt }
`,
    );
    await farm.good("ann", "submit", file, "--detach");
    await farm.kill("ann");
    const result = await farm.json<BuildResult>("ben", "watch", "orphan");
    expect(result).toMatchObject({ state: "complete", actions: 1 });
    await farm.good("ben", "fetch", "orphan", "--to", "orphaned");
    expect(await readFile(path.join(farm.terminal.dir, "orphaned/grown.txt"), "utf8")).toBe("sown\nsown\n");
  });

  test("kill -9 of another in the middle: its work is taken over and the follower sees the end", {
    timeout: 240_000,
  }, async () => {
    const following = farm.begin("ann", "submit", await spec("robust", 12));
    await someDone("ann", "robust");
    await farm.kill("ben");
    const { code, stdout } = await naps.wakeUntil(following.ended);
    expect(stdout).toMatch(/robust-\S+ complete in .*: 13 actions, 13 executed/);
    expect(code).toBe(0);
    await until(async () =>
      (await farm.control("ann").nodes()).some(({ name, state }) => name === "ben" && state === "dead"),
    );
    expect(await farm.good("ann", "status")).toMatch(/^ben +dead/m);
    await farm.start("ben");
    await farm.meet("ann", "ben", "cleo");
  });
});

describe("one daemon", () => {
  beforeEach(async () => {
    farm = await Farm.open();
  });
  afterEach(() => farm?.close());

  test("kill -9 leaves no process of its actions", { timeout: 240_000 }, async () => {
    await farm.found("ann");
    await farm.good("ann", "submit", await spec("sleepy", 1), "--detach");
    await until(() => naps.count > 0);
    await farm.kill("ann");
    await until(() => naps.count === 0);
  });

  test("SIGTERM ends it in good order, a second daemon on its home is refused, stop ends it too", {
    timeout: 240_000,
  }, async () => {
    await farm.found("ann");
    for (const args of [["run"], ["run", "--detach"]]) {
      const second = await farm.run("ann", ...args);
      expect(second.code).toBe(4);
      expect(second.stderr).toMatch(/is in use by process \d+\n→ stop its daemon: swarmd stop/);
    }
    expect(await farm.good("ann", "stop")).toBe("the daemon has stopped\n");
    expect((await farm.run("ann", "stop")).code).toBe(3);
    const daemon = await farm.start("ann");
    daemon.process.kill("SIGTERM");
    expect((await daemon.ended).code).toBe(0);
    expect(await readdir(farm.homeOf("ann"))).not.toContain("control.sock");
  });

  test("what keeps a detached daemon from starting is said at once", { timeout: 240_000 }, async () => {
    await farm.good("ann", "init");
    const { code, stderr } = await farm.run(
      "ann",
      "run",
      "--detach",
      "--listen",
      "127.0.0.1:1",
      "--slots",
      "many",
    );
    expect(code).toBe(2);
    expect(stderr).toContain("--slots");
  });

  test("a ticket is good once; a bad, cut or foreign one is refused with 4 and says why", {
    timeout: 240_000,
  }, async () => {
    await farm.found("ann");
    const ticket = await farm.ticket("ann");
    const refused = async (name: string, text: string) => {
      const { code, stderr } = await farm.run(name, "join", text, "--name", name, "--only");
      expect(code).toBe(4);
      expect(stderr).toMatch(/^swarmd: .+\n→ .+\n$/);
      return stderr;
    };
    expect(await refused("ben", "hello")).toContain("this is not a ticket");
    expect(await refused("ben", ticket.slice(0, -20))).toContain("the end of the ticket is missing");
    expect(
      await refused(
        "ben",
        ticket.replace(/.$/, (last) => (last === "a" ? "b" : "a")),
      ),
    ).toContain("ticket");
    await farm.good("ben", "join", ticket, "--name", "ben", "--only");
    await refused("cleo", ticket);
    expect(await refused("ben", await farm.ticket("ann"))).toContain("is a member");
    await farm.kill("ann");
    const late = await refused("cleo", ticket);
    expect(late).toContain("none of these addresses answers");
  });
});
