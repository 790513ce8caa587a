/** Folders whose lists of files nobody in reach has. */
import { expect, test } from "vitest";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

test("a folder that nobody has is asked for now and then, not without end, and brought once somebody has it", () => {
  let away = true;
  const cores = new Cores({ ann: {}, bob: {} }, {});
  cores.rules.instead = (node, effect) => {
    if (!away || effect.kind !== "read-tree") return false;
    cores.later(node, 0, { kind: "tree-read", digest: effect.want.digest, files: null });
    return true;
  };
  const build = cores.submit("ann", graphOf({ a: [] }, { outputs: [{ path: "out/a", kind: "folder" }] }));
  cores.runFor(60_000);
  const asked = cores.nodes.reduce((sum, node) => sum + node.of("read-tree").length, 0);
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(40);
  away = false;
  cores.finish(build, 10_000);
});
