import { EventEmitter } from "node:events";
import { beforeEach, expect, test } from "vitest";
import { leaveLastWords } from "../../cli/last-words.ts";

class Process extends EventEmitter {
  readonly codes: number[] = [];
  exit(code: number) {
    this.codes.push(code);
    this.emit("exit", code);
  }
}

let mortal: Process;
let said: { level: string; fields: Record<string, unknown>; words: string }[];
let over: () => void;
beforeEach(() => {
  mortal = new Process();
  said = [];
  const line = (level: string) => (fields: Record<string, unknown>, words: string) =>
    void said.push({ level, fields, words });
  ({ over } = leaveLastWords({ error: line("error"), fatal: line("fatal") } as never, mortal as never));
});

test("a fault that nobody caught is in the log, with where it came from, before the daemon ends", () => {
  mortal.emit("uncaughtException", new Error("broken invariant: x"));
  expect(said).toMatchObject([{ level: "fatal", words: "a fault of ours ends this daemon" }]);
  expect(said[0]!.fields.fault).toMatch(/^Error: broken invariant: x\n +at .*last-words\.test\.ts/);
  expect(mortal.codes).toEqual([1]);
});

test("a promise that failed unheard ends it too, unless it only tells that a connection went", () => {
  for (const gone of [
    Object.assign(new Error("gone"), { name: "StreamResetError" }),
    Object.assign(new Error("gone"), { code: "ECONNRESET" }),
  ])
    mortal.emit("unhandledRejection", gone);
  expect(said.map(({ level }) => level)).toEqual(["error", "error"]);
  expect(mortal.codes).toEqual([]);
  mortal.emit("unhandledRejection", new Error("broken invariant: y"));
  expect(said.at(-1)).toMatchObject({ level: "fatal" });
  expect(mortal.codes).toEqual([1]);
  mortal.emit("unhandledRejection", undefined);
  expect(said).toHaveLength(3);
});

test("what libp2p throws within itself as a connection goes ends nothing, what breaks off ours does", () => {
  const foreign = Object.assign(new Error("Cannot write to a stream that is closed"), {
    name: "StreamStateError",
  });
  foreign.stack = `StreamStateError: Cannot write to a stream that is closed
    at YamuxMuxer.sendFrame (file:///x/node_modules/@libp2p/yamux/dist/src/muxer.js:401:21)
    at new Promise (<anonymous>)
    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)`;
  mortal.emit("uncaughtException", foreign);
  expect(mortal.codes).toEqual([]);
  foreign.stack += "\n    at Runtime.now (file:///x/node_modules/swarmd/dist/protocol/runtime.js:1:1)";
  mortal.emit("uncaughtException", foreign);
  expect(mortal.codes).toEqual([1]);
});

test("an end that nobody asked for is in the log, one that was asked for is not", () => {
  mortal.emit("exit", 13);
  expect(said).toMatchObject([{ level: "fatal", fields: { code: 13 } }]);
  over();
  mortal.emit("exit", 0);
  expect(said).toHaveLength(1);
});
