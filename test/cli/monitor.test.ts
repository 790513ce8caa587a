import { afterEach, beforeEach, expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { MemoryControl } from "../control/memory.ts";
import { screen } from "./screen.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

test("the monitor shows the swarm, acts by keys, asks for a name before it resets, and quits", async () => {
  const memory = new MemoryControl({ nodes: ["alpha", "beta"] });
  memory.debugAnswer = { moved: 1, lost: 0, actions: ["compile/a" as ActionName] };
  await terminal.serve(memory);
  await terminal.start(["submit", await writeSpec(terminal), "--detach"]).ended;
  const shown = screen(terminal, ["monitor", "--interval", "100ms"], {
    columns: 100,
    rows: 40,
    env: { NO_COLOR: "1" },
  });
  await shown.drawn(
    /BUILDS[\s\S]*▸ three-\S+ +running[\s\S]*NODES[\s\S]*alpha[\s\S]*beta[\s\S]*RUNNING[\s\S]*OUTPUT of three/,
  );
  shown.press("?");
  await shown.drawn(/KEYS[\s\S]*rebalance[\s\S]*s +step: of a build that is held/);
  shown.press("?");
  shown.press("b");
  await shown.drawn(/three-\S+ is shared out anew: 1 action moved/);
  shown.press("p");
  await shown.drawn(/three-\S+ rests/);
  await shown.drawn(/▸ three-\S+ +paused/);
  shown.press("s");
  await shown.drawn(/three-\S+ lets compile\/a run: 1 action moved/);
  shown.press("u");
  await shown.drawn(/three-\S+ is unblocked: 1 action moved/);
  shown.press("r");
  await shown.drawn(/three-\S+ is tried again: 1 action moved/);
  shown.press("R");
  await shown.drawn(/type three and Enter/);
  shown.press("other\r");
  await shown.drawn(/"other" is not its name: nothing was done/);
  shown.press("R");
  await shown.drawn(/nothing was done[\s\S]*type three and Enter/);
  shown.press("three\r");
  await shown.drawn(/begins anew, its results kept/);
  shown.press("q");
  const { code } = await shown.ended;
  expect(code).toBe(0);
  const words = JSON.stringify(memory.words);
  expect(words).toContain('"rebalance"');
  expect(words).toContain('"pause"');
  expect(memory.debugged.map(({ word }) => word)).toEqual([{ op: "step" }]);
  expect(words).toContain('"unblock"');
  expect(words).toContain('"retry-failures"');
  expect(words.match(/"reset"/g)).toHaveLength(1);
});

test("without a terminal it says what to read instead, and wrong intervals are refused", async () => {
  await terminal.serve(new MemoryControl());
  const piped = await terminal.start(["monitor"]).ended;
  expect(piped.code).toBe(2);
  expect(piped.stderr).toContain("status --json");
  const wrong = await terminal.start(["monitor", "--interval", "soon"]).ended;
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("500ms, 2s or 1m");
});
