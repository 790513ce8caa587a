import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildResult, NextAction, QueuedBuild } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";
import { Naps } from "./naps.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(() => farm.close());

interface Answer {
  readonly ok: boolean;
  readonly moved: number;
  readonly lost: number;
  readonly build: string;
}

const spec = (name: string, actions: string) =>
  farm.terminal.write(`${name}.yaml`, `swarmd: 1\nname: ${name}\nactions:\n${actions}`);

/** Independent actions that do something first. */
const parts = (count: number, first: string) => `  part:
    foreach: { i: { count: ${count} } }
    run: ${first} && echo \${i} > \${out}
    out: parts/\${i}.txt
`;
/** Fails or not, as it is woken. */
const mended = (naps: Naps) => `  bad:
    run: ${naps.command} && echo good > \${out}
    out: bad.txt
    retries: 0
`;

const states = async (at: string, build: string) =>
  (await farm.control(at).builds()).find((one) => one.name === build)!;
const next = async (at: string) => (await farm.json<{ next: NextAction }>(at, "status")).next;

test("builds and nodes rest, go on and begin anew at a person's word, from any member", {
  timeout: 240_000,
}, async () => {
  await farm.found("ann", "ben");

  // A node that is drained takes nothing, also after a restart, until it is resumed.
  expect(await farm.good("ann", "drain", "ben")).toBe("ben is drained\n");
  await until(async () => (await farm.control("ben").status()).node.vitals?.limitedBy === "drained");
  expect(await farm.good("ben", "status")).toMatch(/^ben +self, drained/m);
  const refused = await farm.run("ben", "drain", "ann");
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain("only an admin, or ann itself, may say what ann does");
  await farm.kill("ben");
  await farm.start("ben");
  await farm.meet("ann", "ben");
  const alone = await farm.json<BuildResult>("ben", "submit", await spec("alone", parts(4, "true")));
  expect(alone).toMatchObject({ state: "complete", byNode: { ann: 4 } });
  await farm.good("ben", "fetch", "alone");
  expect(await next("ben")).toMatchObject({ command: ["resume", "ben"] });
  expect(await farm.good("ben", "resume")).toBe("ben goes on\n");

  // A build is queued, paused, resumed, shared out anew, begun anew, cancelled.
  const queued = await farm.json<{ build: string }>(
    "ann",
    "queue",
    "add",
    await spec("long", parts(8, "sleep 600")),
  );
  await until(async () => (await states("ben", "long"))?.counts.running === 2);
  expect(await farm.json<QueuedBuild[]>("ben", "queue", "list")).toMatchObject([
    { build: queued.build, place: 1, submitter: "ann", share: 1 },
  ]);
  expect(await farm.json<Answer>("ben", "pause")).toMatchObject({ ok: true, build: queued.build, lost: 0 });
  await until(async () => (await states("ann", "long")).state === "paused");
  expect(await next("ann")).toMatchObject({ command: ["resume", queued.build] });
  expect(await farm.json<Answer>("ann", "resume", "long")).toMatchObject({ moved: 6 });
  expect(await farm.json<Answer>("ben", "rebalance")).toMatchObject({ ok: true, moved: 0, lost: 0 });
  const asked = await farm.run("ben", "reset", "long");
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain("swarmd reset long-");
  expect(await farm.json<Answer>("ben", "reset", "long", "--yes")).toMatchObject({ moved: 2, lost: 2 });
  expect(await farm.json<Answer>("ann", "drain", "ben", "--now", "--dry-run")).toMatchObject({ ok: true });
  expect((await farm.json<Answer>("ben", "cancel", "long", "--yes")).moved).toBe(8);
  await until(async () => (await states("ann", "long")).state === "cancelled");

  // What failed is tried again where it is, and by a new build where all has ended.
  const [bad, other] = [new Naps(), new Naps()];
  await farm.good("ann", "submit", await spec("mending", mended(bad) + parts(1, other.command)), "--detach");
  await until(() => bad.count === 1 && other.count === 1);
  bad.startle();
  await until(async () => (await states("ben", "mending"))?.counts.blocked === 1);
  expect(await farm.json<Answer>("ben", "unblock")).toMatchObject({ moved: 1, lost: 0 });
  const mending = farm.json<BuildResult>("ben", "watch", "mending");
  expect(await bad.wakeUntil(other.wakeUntil(mending))).toMatchObject({ state: "complete" });
  const worse = new Naps();
  const failing = farm.run("ann", "submit", await spec("failing", mended(worse) + parts(2, "test 1")));
  await until(() => worse.count === 1);
  worse.startle();
  expect((await failing).code).toBe(1);
  // Who did not submit it may hear later that it is over.
  await until(async () => (await states("ben", "failing")).state === "failed");
  const refusal = await farm.run("ben", "unblock", "failing");
  expect(refusal.code).toBe(4);
  expect(refusal.stderr).toContain("build again what failed: swarmd retry failing-");
  const again = await farm.json<Answer>("ben", "retry", "failing");
  expect(again).toMatchObject({ ok: true, moved: 1, lost: 0 });
  await until(async () => (await farm.control("ann").builds()).some((one) => one.build === again.build));
  expect(await worse.wakeUntil(farm.json<BuildResult>("ann", "watch", again.build))).toMatchObject({
    state: "complete",
    executed: 1,
    cached: 2,
  });
});
