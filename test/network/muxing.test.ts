import { multiaddrConnectionPair } from "@libp2p/utils";
import { afterEach, beforeEach, expect, test } from "vitest";
import { muxing } from "../../node/network/muxing.ts";

/** What would end a daemon. */
const faults: unknown[] = [];
const note = (fault: unknown) => void faults.push(fault);
const others = process.listeners("uncaughtException");
beforeEach(() => {
  faults.length = 0;
  process.removeAllListeners("uncaughtException").on("uncaughtException", note);
});
afterEach(() => {
  process.off("uncaughtException", note);
  for (const other of others) process.on("uncaughtException", other);
});

/** Past all microtasks, and past a turn of the loop for what they threw. */
const settled = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

test("a connection that goes just as a stream is opened aborts the stream, and ends no process", async () => {
  const [here] = multiaddrConnectionPair();
  const muxer = muxing()().createStreamMuxer(here);
  const opening = muxer.createStream();
  // It takes nothing any more, and has not told its streams yet.
  void here.close();
  const late = await opening;
  await settled();
  expect(faults).toEqual([]);
  expect(late.status).toBe("aborted");
});

test("streams are opened, and carry bytes", async () => {
  const [here, there] = multiaddrConnectionPair();
  const [one, other] = [here, there].map((end) => muxing()().createStreamMuxer(end));
  const heard = new Promise<string>((resolve) =>
    other!.addEventListener("stream", ({ detail: stream }) =>
      stream.addEventListener("message", ({ data }) => resolve(Buffer.from(data.subarray()).toString())),
    ),
  );
  (await one!.createStream()).send(Buffer.from("hello"));
  expect(await heard).toBe("hello");
});
