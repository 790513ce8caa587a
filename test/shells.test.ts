/** Rooms of actions for people, as a daemon opens them: what is brought, who is refused and who can, and that a room goes with whoever asked. */
import { expect, test } from "vitest";
import type { LocalExecutor } from "../node/build/executor.ts";
import type { ShellEvent } from "../node/control/shells.ts";
import { Queries } from "../node/queries.ts";
import { OpenShells } from "../node/shells.ts";
import type { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../protocol/kernel/ids.ts";
import { Cores, type Traits } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
const cc = { cc: "0".repeat(32) };

/** A swarm with a build in it, and rooms on ann that nobody need enter. */
function swarm(traits: Readonly<Record<string, Traits>>, fails: readonly string[] = []) {
  const cores = new Cores(traits, {
    run: ({ action }) =>
      fails.includes(action)
        ? { ms: 5, outcome: { kind: "failed", cause: "deterministic", reason: "exit code 7", exitCode: 7 } }
        : { ms: 5 },
  });
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const open: string[] = [];
  let closed = 0;
  const executor: Pick<LocalExecutor, "open" | "sandbox"> = {
    sandbox: "bubblewrap",
    open: async ({ argv, files }, made) => {
      open.push(`${argv.join(" ")}: ${[...files, ...made].map(({ path }) => path).join(" ")}`);
      const room = {
        place: "/work",
        replay: "./replay",
        start: () => ({ argv: ["sh"], env: {}, cwd: "/" }),
        keep: () => {},
        close: () => void closed++,
      };
      return { room, without: [] };
    },
  };
  const shells = new OpenShells({
    desk: core.desk,
    queries,
    recall: { find: async (id) => queries.find(id) },
    artifacts: { fetch: (_wants, done) => done([], 0), readTree: (_want, done) => done(null) },
    blobs: { has: () => true },
    executor,
    home: "nowhere",
  });
  const enter = async (build: BuildId, action: string, signal = new AbortController().signal) => {
    const events = shells.shell({ build, action: action as ActionName, terminal: false }, signal);
    const { value } = await events.next();
    return { opened: value as Extract<ShellEvent, { kind: "open" }>, events };
  };
  return { cores, shells, enter, open, closed: () => closed };
}

const refusal = (promise: Promise<unknown>): Promise<SwarmError> =>
  promise.then(
    () => {
      throw new Error("it was not refused");
    },
    (thrown: SwarmError) => thrown,
  );

test("what failed opens with what it took, what is done with what it made too; a room goes with whoever asked", async () => {
  const { cores, enter, open, shells, closed } = swarm({ ann: {}, bob: {} }, ["b"]);
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
  cores.finish(build);
  const gone = new AbortController();
  const { opened, events } = await enter(build, "b", gone.signal);
  expect(opened.word).toMatch(/^it failed on (ann|bob): exit code 7$/);
  expect(open).toEqual(["make b: in/source out/a"]);
  const made = await enter(build, "a");
  expect(made.opened).toMatchObject({ made: ["out/a"], word: expect.stringMatching(/^it was done on/) });
  expect(open[1]).toBe("make a: in/source out/a");
  gone.abort();
  expect((await events.next()).done).toBe(true);
  expect(closed()).toBe(1);
  expect(await shells.leaveShell(made.opened.room, false)).toEqual({});
  expect(closed()).toBe(2);
  expect((await refusal(shells.leaveShell(made.opened.room, false))).code).toBe("not-found");
});

test("a machine that lacks the toolchain refuses, and names who has it", async () => {
  const { cores, enter } = swarm({
    ann: { vitals: { toolchains: {} } },
    bob: { vitals: { toolchains: cc } },
  });
  const build = cores.submit("ann", graphOf({ a: [] }, { toolchains: cc }));
  cores.finish(build);
  const { code, message, remedy } = await refusal(enter(build, "a"));
  expect(code).toBe("no-eligible-node");
  expect(message).toContain("a cannot run on ann: it lacks cc");
  expect(remedy).toBe(`there it can: bob (on that machine: swarmd shell ${build} a)`);
});

test("what is not made yet cannot be entered, nor a ninth room, nor what there is none of", async () => {
  const { cores, enter } = swarm({ ann: {} }, ["a"]);
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: [] }));
  cores.finish(build);
  expect((await refusal(enter(build, "b"))).message).toContain("what b takes is not there");
  expect((await refusal(enter(build, "z"))).code).toBe("not-found");
  for (let room = 0; room < 8; room++) await enter(build, "c");
  expect((await refusal(enter(build, "c"))).message).toBe("8 rooms of actions are open on this node");
});
