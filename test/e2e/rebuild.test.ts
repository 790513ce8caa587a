import { afterAll, beforeAll, expect, test } from "vitest";
import type { BuildResult, NextAction } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
let build: string;
beforeAll(async () => {
  farm = await Farm.open();
  await farm.found("ann", "ben");
  const spec = await farm.terminal.write(
    "chance.yaml",
    `swarmd: 1
name: chance
toolchain: [cc, ar]
actions:
  same:
    run: echo 'int same(void) { return 1; }' > s.c && cc -c s.c -o \${out}
    out: same.o
  when:
    run: echo "const char when[] = \\"made at $(date +%s.%N)\\";" > w.c && cc -c w.c -o \${out}
    out: when.o
  library:
    in: [same.o]
    run: date +%s.%N > stamp && ar rcD \${out} same.o stamp
    out: lib/all.a
  packed:
    run: mkdir t && echo constant > t/a && date +%s.%N > t/stamp && tar -C t -cf \${out} .
    out: all.tar
`,
  );
  build = (await farm.json<BuildResult>("ann", "submit", spec)).build;
}, 120_000);
afterAll(() => farm.close());

interface Part {
  readonly name: string;
  readonly inside?: readonly Part[];
}
interface Checked {
  readonly check: string;
  readonly counts: Record<string, number>;
  readonly actions: readonly {
    readonly action: string;
    readonly verdict: string;
    readonly by: string[];
    readonly again: string[];
    readonly outputs: readonly { readonly path: string; readonly difference: Part }[];
  }[];
}

test("what chance went into is found by running it again on the other node, down to the member and the section", {
  timeout: 240_000,
}, async () => {
  const { code, stdout } = await farm.run("ben", "rebuild-check", "chance", "--json");
  expect(code).toBe(1);
  const checked = JSON.parse(stdout) as Checked;
  expect(checked.counts).toEqual({ different: 3, unchecked: 0, pending: 0, equal: 1 });
  for (const { by, again } of checked.actions) {
    expect(by.length).toBeGreaterThan(0);
    expect(again.length).toBeGreaterThan(0);
    expect(by.filter((name) => again.includes(name))).toEqual([]);
  }
  const found = (action: string) => checked.actions.find((one) => one.action === action)!;
  expect(found("same").verdict).toBe("equal");
  expect(found("when").outputs[0]!.difference.inside!.map(({ name }) => name)).toEqual([".rodata"]);
  expect(found("library").outputs[0]).toMatchObject({
    path: "lib/all.a",
    difference: { kind: "ar", inside: [{ name: "stamp" }] },
  });
  expect(found("packed").outputs[0]!.difference.inside!.map(({ name }) => name)).toContain("./stamp");

  // What was found is told wherever one asks of the build, and the check can be come back to from any node.
  const again = await farm.run("ann", "rebuild-check", checked.check);
  expect(again.code).toBe(1);
  expect(again.stdout).toMatch(/different when: (ann|ben) made one result, (ann|ben) another/);
  expect(again.stdout).toMatch(/\.rodata: .*the first different byte is at \d+/);
  expect(await farm.good("ben", "why", "chance", "when")).toMatch(
    /run again to check it\nmade by (ann|ben); run again on (ann|ben) for check-chance-\S+ it came to something else/,
  );
  expect(await farm.good("ben", "autopsy", "chance")).toMatch(
    /came out differently when run again\n {2}\S+: made by/,
  );
  await farm.good("ann", "fetch", "chance");
  await until(async () => (await farm.control("ann").status()).next.command?.[0] === "rebuild-check");
  const { next } = await farm.json<{ next: NextAction }>("ann", "status");
  expect(next.command).toEqual(["rebuild-check", checked.check]);
  expect(await farm.good("ann", "status")).toContain("made unequal results of the same inputs");
});

test("an action alone, a share, and what makes no sense", { timeout: 240_000 }, async () => {
  const alone = await farm.json<Checked>("ann", "rebuild-check", build, "--action", "same");
  expect(alone.actions.map(({ action, verdict }) => [action, verdict])).toEqual([["same", "equal"]]);
  const begun = await farm.json<{ check: string; picked: number; of: number }>(
    "ann",
    "rebuild-check",
    build,
    "25%",
    "--detach",
  );
  expect(begun).toMatchObject({ picked: 1, of: 4 });
  const refused = async (...args: string[]) => {
    const { code, stderr } = await farm.run("ann", "rebuild-check", ...args);
    return `${code} ${stderr}`;
  };
  expect(await refused(build, "2")).toMatch(/^2 .*a share is above 0 and at most 1/);
  expect(await refused(build, "0.5", "--action", "same")).toMatch(/^2 .*checked alone/);
  expect(await refused(build, "--action", "sam")).toMatch(/^2 .*no action sam[\s\S]*did you mean same\?/);
  expect(await refused(alone.check, "10%")).toMatch(/^2 .*takes no more options/);
  expect(await refused("nothing")).toMatch(/^2 .*no build nothing/);
});
