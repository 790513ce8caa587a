/** The recorder on a real disk: what it writes is what was, bounded, and what is damaged is told. */
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { verifyRecorded } from "../cli/verify-recorded.ts";
import { Recorder } from "../node/recorder.ts";
import { readStretch, recordedIn } from "../node/recordings.ts";
import { version } from "../node/version.ts";
import type { Incarnation } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
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
