/** Live output of a member that is not connected, and what noise in gossip leaves in the log. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TailChunk } from "../../node/ports.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { TestSwarm, until } from "./swarm.ts";

let swarm: TestSwarm;
beforeEach(() => {
  swarm = new TestSwarm();
});
afterEach(async () => await swarm.stop());

const chunk = (text: string): TailChunk => ({
  build: "leveldb-0123456789" as BuildId,
  action: "compile/db_impl" as ActionName,
  stream: "stdout",
  text,
});
const never = () => new AbortController().signal;

test("output comes through a member that reaches both, ends with its source, and for nobody at all that is said", async () => {
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => swarm.start(name)));
  swarm.introduce(a!, b!);
  swarm.introduce(c!, b!);
  await until(() => [a!, b!, c!].map((one) => one.connected().length).join() === "1,2,1");
  // Whoever carries it is not taken for its source.
  b!.tail = async function* () {
    yield chunk("of b");
  };
  c!.tail = async function* ({ action }) {
    for (let n = 0; n < 50; n++) yield chunk(`${n} ${action} ${"ü".repeat(50_000)}`);
  };
  const request = { action: "compile/db_impl" as ActionName, follow: true };
  const chunks = await Array.fromAsync(a!.mesh.tail(c!.peer, request, never()));
  expect(chunks.map(({ text }) => text.slice(0, 20))).toEqual(
    Array.from({ length: 50 }, (_, n) => `${n} compile/db_impl ${"ü".repeat(50)}`.slice(0, 20)),
  );
  const ended: string[] = [];
  c!.tail = async function* (_, signal) {
    try {
      yield chunk("first");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    } finally {
      ended.push("source");
    }
  };
  for await (const { text } of a!.mesh.tail(c!.peer, { follow: true }, never())) {
    expect(text).toBe("first");
    break;
  }
  await until(() => ended.length === 1);
  await swarm.end(c!);
  await until(() => b!.connected().length === 1);
  await expect(Array.fromAsync(a!.mesh.tail(c!.peer, { follow: true }, never()))).rejects.toMatchObject({
    code: "peer-unreachable",
  });
});

test("a flood of gossip that nobody understands is five lines in the log, each with who handed it on", async () => {
  const [a, b] = await swarm.pair();
  const lines = () => b.log.filter(({ msg }) => msg === "a gossiped message was not understood");
  // One message is told once: each is another.
  const understood = () => a.mesh.gossip(Buffer.from(`understood ${Math.random()}`));
  await until(() => {
    understood();
    return b.gossiped.length > 0;
  });
  for (let n = 0; n < 200; n++) a.mesh.gossip(Buffer.from([1, 0xff, n, 7, 7, 7]));
  await until(() => lines().length >= 5);
  const heard = b.gossiped.length;
  await until(() => {
    understood();
    return b.gossiped.length > heard;
  });
  expect(lines().map(({ peer }) => peer)).toEqual(Array(5).fill(a.peer));
  expect(lines()[4]).toMatchObject({ silence: expect.stringContaining("minute") });
});
