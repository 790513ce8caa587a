/** Live output of several members as one: what breaks on one of them is told to whoever reads on, and to nobody else. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { logsOf } from "../node/logs.ts";
import type { TailChunk } from "../node/ports.ts";
import type { ActionName, BuildId } from "../protocol/kernel/ids.ts";

const build = "demo-0123456789" as BuildId;

type Sources = Parameters<typeof logsOf>[2];

const sourcesWith = (tail: () => AsyncIterable<TailChunk>): Sources =>
  ({
    core: { desk: { config: { self: "ann" }, alive: () => ["ann"] } },
    queries: { nameOf: (peer: string) => peer },
    recall: { find: async () => ({ id: build, live: true }) },
    tails: { tail },
    ended: () => new Promise(() => {}),
  }) as unknown as Sources;

test("a tail that breaks while its reader is slow is told when he reads on", async () => {
  async function* tail(): AsyncIterable<TailChunk> {
    yield { build, action: "a" as ActionName, stream: "stdout", text: "one\n" };
    throw new Error("EIO");
  }
  const { signal } = new AbortController();
  const lines = logsOf({ subject: { build }, follow: true }, signal, sourcesWith(tail));
  const reader = lines[Symbol.asyncIterator]();
  expect((await reader.next()).value).toMatchObject({ node: "ann", text: "one\n" });
  // it has broken by now: a rejection that nobody hears would fail this file
  for (let turns = 0; turns < 3; turns++) await turn();
  await expect(reader.next()).rejects.toThrow("EIO");
});

test("a tail that breaks once its reader has gone is told to nobody", async () => {
  const gone = Promise.withResolvers<void>();
  async function* tail(): AsyncIterable<TailChunk> {
    yield { build, action: "a" as ActionName, stream: "stdout", text: "one\n" };
    await gone.promise;
    throw new Error("EIO");
  }
  const { signal } = new AbortController();
  for await (const _ of logsOf({ subject: { build }, follow: true }, signal, sourcesWith(tail))) break;
  gone.resolve();
  for (let turns = 0; turns < 3; turns++) await turn();
});
