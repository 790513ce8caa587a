/** Where a browser finds a build: `swarmd open`. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

const url = "http://127.0.0.1:4780";

class WithGateway extends MemoryControl {
  override async status() {
    return { ...(await super.status()), gateway: url as string | null } as Awaited<
      ReturnType<MemoryControl["status"]>
    >;
  }
}

test("a view of a build has an address; one that is none, or of nothing, is refused with the right one", async () => {
  await terminal.serve(new WithGateway());
  await terminal.good("submit", await writeSpec(terminal));
  expect(await terminal.good("open", "three", "--view", "replay")).toBe(
    `${url}/#/builds/three-5feceb66ff/replay\n`,
  );
  for (const [args, said] of [
    [["open", "three", "--view", "reply"], "--view replay"],
    [["open", "--view", "replay"], "swarmd open BUILD --view replay"],
  ] as const) {
    const ended = await terminal.run(...args);
    expect([args, ended.code]).toEqual([args, 2]);
    expect(ended.stderr).toContain(said);
  }
});
