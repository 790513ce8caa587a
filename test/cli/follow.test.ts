import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildEvent } from "../../node/control/api.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

/** The first action is lost once it was done, and made again. */
class Losing extends MemoryControl {
  override async *watch(...args: Parameters<MemoryControl["watch"]>): AsyncGenerator<BuildEvent> {
    let first: ActionName | undefined;
    for await (const event of super.watch(...args)) {
      yield event;
      if (event.kind !== "action" || event.state !== "done" || first !== undefined) continue;
      first = event.action;
      const { counts } = event;
      yield {
        ...event,
        state: "ready",
        counts: { ...counts, ready: counts.ready + 1, done: counts.done - 1 },
      };
      yield event;
    }
  }
}

test("what is lost and made again is counted once", async () => {
  await terminal.serve(new Losing());
  const { stdout } = await terminal.start(["submit", await writeSpec(terminal)]).ended;
  expect(stdout.match(/\[\d+\/3\]/g)).toEqual(["[1/3]", "[1/3]", "[2/3]", "[3/3]"]);
});
