/** The recorder on a real disk: what it writes is what was, bounded, and what is damaged is told. */
import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { verifyRecorded } from "../cli/verify-recorded.ts";
import { Recorder } from "../node/recorder.ts";
import { isSound, readStretch, recordedIn } from "../node/recordings.ts";
import { version } from "../node/version.ts";
import { untaped } from "../protocol/explain/tape.ts";
import type { Incarnation } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
import { patient } from "./patience.ts";
import { graphOf } from "./work/facts.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "recorder-"));
});
afterEach(() => rm(dir, { recursive: true }));

const everything = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

/** Two nodes, of which ann is recorded while it builds. */
async function recorded(program = version, bytesMax = 1 << 20) {
  const cores = new Cores({ ann: {}, bob: {} });
  const ann = cores.node("ann");
  const inc = "1-00000001" as Incarnation;
  const recorder = new Recorder({
    dir,
    bytesMax,
    core: ann.core,
    stretch: { program, node: "ann", peer: ann.peer, inc },
    log: { warn: () => {} },
  });
  recorder.begin(cores.now().wallMs);
  let steps = 0;
  cores.rules = {
    stepped(node, input, effects) {
      if (node !== ann) return;
      steps++;
      recorder.stepped(input, cores.now(), effects);
    },
  };
  cores.finish(cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"] })));
  await recorder.close();
  return { steps, file: path.join(dir, (await readdir(dir))[0]!) };
}

test("what a node lived through is on the disk once it is closed, and can be lived again", async () => {
  const { steps, file } = await recorded();
  const { head, torn } = await readStretch(file);
  expect(head).toMatchObject({ v: 1, program: version, node: "ann" });
  expect(torn).toBe(false);
  const { stretches, keptBytes } = await verifyRecorded(dir, everything);
  expect(stretches).toMatchObject([{ steps, torn: false }]);
  expect(stretches[0]!.difference).toBeUndefined();
  expect(keptBytes).toBe((await stat(file)).size);
});

test("a stretch whose end was torn off is verified up to there; what is damaged, foreign or of another program is told", async () => {
  const { file } = await recorded();
  const { size } = await stat(file);
  await truncate(file, size - 3);
  expect((await verifyRecorded(dir, everything)).stretches).toMatchObject([{ torn: true, steps: 0 }]);
  const bytes = await readFile(file);
  bytes.fill(7, 30, 60);
  await writeFile(file, bytes);
  await writeFile(path.join(dir, "foreign.tape"), "no recording");
  const { stretches } = await verifyRecorded(dir, everything);
  expect(stretches.map(({ why }) => why).toSorted()).toEqual([
    expect.stringMatching(/damaged/),
    expect.stringMatching(/foreign\.tape is no recording/),
  ]);
  await rm(dir, { recursive: true });
  await recorded("0.0.1");
  expect((await verifyRecorded(dir, everything)).stretches[0]!.why).toContain("0.0.1");
});

test("the oldest stretches go where there is no room, and other times are passed over", async () => {
  const { file } = await recorded();
  await writeFile(path.join(dir, "0-old.tape"), Buffer.alloc(64));
  expect((await recordedIn(dir)).length).toBe(2);
  await rm(path.join(dir, "0-old.tape"));
  const { mtimeMs } = await stat(file);
  expect((await verifyRecorded(dir, { fromMs: mtimeMs + 60_000, toMs: mtimeMs + 90_000 })).stretches).toEqual(
    [],
  );
  expect((await verifyRecorded(path.join(dir, "none"), everything)).stretches).toEqual([]);
});

test("what comes after a calm is on the disk as soon as what comes after anything else", async () => {
  const { core, peer } = new Cores({ ann: {} }).node("ann");
  const recorder = new Recorder({
    dir,
    bytesMax: 1 << 20,
    core,
    stretch: { program: version, node: "ann", peer, inc: "1-00000001" as Incarnation },
    log: { warn: () => {} },
  });
  const step = (kind: "tick" | "looked") => recorder.stepped({ kind }, { monoMs: 0, wallMs: 0 }, []);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  recorder.begin(0);
  step("tick");
  vi.advanceTimersByTime(1_500);
  for (let i = 0; i < 20; i++) step("looked");
  vi.advanceTimersByTime(1_000);
  vi.useRealTimers();
  await vi.waitFor(
    async () => expect([...(await readStretch((await recordedIn(dir))[0]!.file)).steps]).toHaveLength(21),
    patient,
  );
  await recorder.close();
});

test("what comes while the disk is busy stands behind what came before, and none of it is lost", async () => {
  const { core, peer } = new Cores({ ann: {} }).node("ann");
  const recorder = new Recorder({
    dir,
    bytesMax: 1 << 28,
    core,
    stretch: { program: version, node: "ann", peer, inc: "1-00000001" as Incarnation },
    log: { warn: () => {} },
  });
  recorder.begin(0);
  const bytes = randomBytes(100 << 10);
  for (let at = 0; at < 40; at++) {
    recorder.stepped({ kind: "blob-read", at, bytes } as never, { monoMs: at, wallMs: at }, []);
    // now and then a frame is written before the next step comes
    if (at % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await recorder.close();
  const { steps, torn } = await readStretch((await recordedIn(dir))[0]!.file);
  const kept = [...steps];
  expect(torn).toBe(false);
  expect(kept.map(([, monoMs]) => monoMs)).toEqual(Array.from({ length: 40 }, (_, at) => at));
  for (const [at, step] of kept.entries()) {
    const input = untaped(step, undefined) as unknown as { at: number; bytes: Uint8Array };
    expect(input.at).toBe(at);
    expect(Buffer.compare(input.bytes, bytes)).toBe(0);
  }
});

describe("a disk that fills in the middle of a write", () => {
  let takes: number[];
  beforeEach(async () => {
    const probe = await open(path.join(dir, "probe"), "w");
    const whole = Object.getPrototypeOf(probe) as FileHandle;
    const { write } = whole;
    await probe.close();
    // What each write takes; 0: the disk is full; then it takes everything.
    takes = [];
    async function taking(this: FileHandle, bytes: Buffer, at = 0) {
      const most = takes.shift() ?? bytes.length;
      if (most === 0) throw new Error("ENOSPC: no space left on device, write");
      return write.call(this, bytes as never, at as never, Math.min(most, bytes.length - at) as never);
    }
    vi.spyOn(whole, "write").mockImplementation(taking as never);
    vi.spyOn(whole, "writev").mockImplementation(function (this: FileHandle, parts: Uint8Array[]) {
      return taking.call(this, Buffer.concat(parts));
    } as never);
  });
  afterEach(() => vi.restoreAllMocks());

  const recorderOn = () => {
    const { core, peer } = new Cores({ ann: {} }).node("ann");
    return new Recorder({
      dir,
      bytesMax: 1 << 28,
      core,
      stretch: { program: version, node: "ann", peer, inc: "1-00000001" as Incarnation },
      log: { warn: () => {} },
    });
  };
  const bytes = randomBytes(300 << 10);
  /** Two frames on one stretch, at once; what is there of them afterwards. */
  const framesAfter = async (...taken: number[]) => {
    const recorder = recorderOn();
    recorder.begin(0);
    await vi.waitFor(async () => expect((await recordedIn(dir))[0]!.bytes).toBeGreaterThan(0), patient);
    takes = taken;
    for (let at = 0; at < 2; at++)
      recorder.stepped({ kind: "blob-read", at, bytes } as never, { monoMs: at, wallMs: at }, []);
    await recorder.close();
    const { file } = (await recordedIn(dir))[0]!;
    const { steps, torn } = await readStretch(file);
    return { at: [...steps].map(([, monoMs]) => monoMs), torn, sound: await isSound(await readFile(file)) };
  };

  test("and has room again at once: nothing is lost", async () => {
    expect(await framesAfter(10)).toEqual({ at: [0, 1], torn: false, sound: true });
  });

  test("and has room again later: the stretch ends with what is whole, and is no damage", async () => {
    expect(await framesAfter(10, 0)).toEqual({ at: [], torn: true, sound: true });
  });

  test("where a stretch begins: nothing of it stays", async () => {
    takes = [10, 0];
    const recorder = recorderOn();
    recorder.begin(0);
    await recorder.close();
    expect(await recordedIn(dir)).toEqual([]);
    // A daemon that died before its first write.
    expect(await isSound(Buffer.alloc(0))).toBe(true);
  });
});

test("an input that cannot be kept ends the stretch and nothing else", async () => {
  const cores = new Cores({ ann: {} });
  const { core, peer } = cores.node("ann");
  const warned: unknown[] = [];
  const recorder = new Recorder({
    dir,
    bytesMax: 1 << 20,
    core,
    stretch: { program: version, node: "ann", peer, inc: "1-00000001" as Incarnation },
    log: { warn: (what: unknown) => warned.push(what) } as never,
  });
  recorder.begin(0);
  recorder.stepped({ kind: "tick" }, cores.now(), []);
  class Odd extends Error {}
  const odd = { kind: "published", id: 1, error: new Odd("no room") };
  recorder.stepped(odd as never, cores.now(), []);
  recorder.stepped({ kind: "tick" }, cores.now(), []);
  await recorder.close();
  expect(warned).toMatchObject([{ why: expect.stringContaining("published") }]);
});
