/** Echoes over streams that break: they say that nothing came back, and nothing that is not awaited rejects later. */
import type { Connection } from "@libp2p/interface";
import { streamPair } from "@libp2p/utils";
import { expect, test } from "vitest";
import { echoes, latencyOf } from "../../node/network/ways.ts";

type Pair = Awaited<ReturnType<typeof streamPair>>;

/** A connection that gives this end of a stream; the other end sends back what comes if it is to answer. */
const over = ([own, other]: Pair, answers: boolean): Connection => {
  if (answers) other.addEventListener("message", ({ data }) => other.send(data));
  return { newStream: async () => own } as unknown as Connection;
};

test("what answers is there, and its round trip is measured", async () => {
  expect(await echoes(over(await streamPair(), true), 10_000)).toBe(true);
  expect(await latencyOf(over(await streamPair(), true))).toBeGreaterThan(0);
});

test("what does not answer in time is not", async () => {
  expect(await echoes(over(await streamPair(), false), 20)).toBe(false);
});

test("a stream that is gone before anything is sent gives no echo, and nothing rejects once its time is over", async () => {
  const [own, other] = await streamPair();
  own.abort(new Error("the connection broke"));
  expect(await echoes(over([own, other], true), 5)).toBe(false);
  const after = AbortSignal.timeout(30);
  await new Promise((resolve) => after.addEventListener("abort", resolve));
  // an unhandled rejection would fail this file
});

test("time that is over already is not waited for again", async () => {
  const pair = await streamPair();
  const connection = {
    async newStream(_: string, { signal }: { signal: AbortSignal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return pair[0];
    },
  } as unknown as Connection;
  expect(await echoes(connection, 5)).toBe(false);
});
