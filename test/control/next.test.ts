import { describe, expect, test } from "vitest";
import { type NextBuild, nextAction, specWord } from "../../node/control/next.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";

const build = (name: string, digits: string, more: Partial<NextBuild> = {}): NextBuild => ({
  build: `${name}-${digits.padEnd(10, "0")}` as BuildId,
  name,
  state: "complete",
  submittedAtMs: 1000,
  actions: 5,
  counts: { done: 5, blocked: 0 },
  own: true,
  fetched: true,
  ...more,
});
const alone = { members: 1, aliveMembers: 1, takers: 1, ordered: [] };

describe("what to do next", () => {
  test("nothing was submitted from here: submit, and how to add machines while alone", () => {
    const { command, why } = nextAction({ ...alone, builds: [] });
    expect(command).toEqual(["submit", specWord]);
    expect(why).toContain("swarmd invite");
    expect(nextAction({ ...alone, members: 3, aliveMembers: 3, builds: [] }).why).not.toContain("invite");
    expect(nextAction({ ...alone, builds: [build("a", "1", { own: false })] }).command).toEqual([
      "submit",
      specWord,
    ]);
  });

  test("what came out differently elsewhere is looked at before anything is released", () => {
    const differing = {
      build: "a-1000000000" as BuildId,
      check: "check-a-2000000000" as BuildId,
      first: "compile/a" as ActionName,
      actions: 3,
    };
    const facts = {
      ...alone,
      builds: [build("a", "1")],
      staged: [{ channel: "stable", builds: 1 }],
      mirrors: 1,
    };
    expect(nextAction(facts).command).toEqual(["finalize"]);
    expect(nextAction({ ...facts, differing })).toEqual({
      command: ["rebuild-check", "check-a-2000000000"],
      why: "compile/a and 2 more of a-1000000000 came out differently on another node; see where they differ",
    });
  });

  test("one home on two machines comes before all else, most of all on these machines", () => {
    const facts = { ...alone, builds: [build("a", "1", { state: "running" })] };
    const away = nextAction({ ...facts, twins: [{ name: "pc", own: false }] });
    expect(away.command).toBeNull();
    expect(away.why).toContain("pc runs twice");
    const here = nextAction({
      ...facts,
      twins: [
        { name: "pc", own: false },
        { name: "box", own: true },
      ],
    });
    expect(here.command).toEqual(["stop"]);
    expect(here.why).toContain("box runs twice");
  });

  test("a build that runs is watched, whoever submitted it, before all else", () => {
    const builds = [
      build("a", "1", { state: "failed" }),
      build("b", "2", { state: "running", own: false, counts: { done: 2, blocked: 1 } }),
    ];
    expect(nextAction({ ...alone, builds })).toEqual({
      command: ["watch", "b-2000000000"],
      why: "b is running: 2 of 5 actions are done, 1 blocked (what they came from, and what to run: swarmd fix-blocked b-2000000000)",
    });
  });

  test("work that no node can take is named, with what helps", () => {
    const why = "no node fits; pc comes nearest: it lacks gcc 12.2.0";
    const wait = { why, remedy: { command: ["retry", "a-1000000000"], text: "build it again" } };
    const running = build("a", "1", { state: "running", wait });
    expect(nextAction({ ...alone, builds: [running] })).toEqual({
      command: ["retry", "a-1000000000"],
      why: `a waits: ${why}; build it again`,
    });
    const hopeless = build("a", "1", { state: "running", wait: { why } });
    expect(nextAction({ ...alone, builds: [hopeless] }).command).toEqual(["watch", "a-1000000000"]);
  });

  test("what stands at a breakpoint is let go by a step, what broke at a failure by a resume that names it", () => {
    const held = { kind: "breakpoint" as const, action: "link" as never, by: "pc" };
    const running = build("a", "1", { state: "running", holds: [held] });
    const step = nextAction({ ...alone, builds: [running] });
    expect(step.command).toEqual(["step", "a-1000000000", "link"]);
    expect(step.why).toContain("swarmd breakpoint a-1000000000 link --clear");
    const broke = build("a", "1", { state: "paused", holds: [{ ...held, kind: "failure" }] });
    expect(nextAction({ ...alone, builds: [broke] })).toMatchObject({
      command: ["resume", "a-1000000000"],
      why: "a broke at a failure of link, as pc wanted; why: swarmd why a-1000000000 link",
    });
  });

  test("what rests is resumed where nothing else goes on", () => {
    const paused = build("a", "1", { state: "paused" });
    const running = build("b", "2", { state: "running" });
    expect(nextAction({ ...alone, builds: [paused] }).command).toEqual(["resume", "a-1000000000"]);
    expect(nextAction({ ...alone, builds: [paused, running] }).command).toEqual(["watch", "b-2000000000"]);
    const ordered = [{ name: "pc", order: "drained" as const }];
    const stuck = nextAction({ ...alone, takers: 0, ordered, builds: [running] });
    expect(stuck).toEqual({
      command: ["resume", "pc"],
      why: "b waits: no node takes work, pc is drained",
    });
    expect(nextAction({ ...alone, ordered, builds: [running] }).command).toEqual(["watch", "b-2000000000"]);
    const ended = nextAction({ ...alone, ordered, builds: [build("c", "3")] });
    expect(ended.command).toEqual(["resume", "pc"]);
    expect(ended.why).toContain("pc is drained");
  });

  test("a build that failed may be built again as it is", () => {
    const failed = build("a", "1", { state: "failed" });
    expect(nextAction({ ...alone, builds: [failed] }).why).toContain("swarmd retry a-1000000000");
  });

  test("an own build that failed is opened up, until a later one of its name succeeds", () => {
    const failed = build("a", "1", { state: "failed", failedAction: "compile/x" as ActionName });
    expect(nextAction({ ...alone, builds: [failed] }).command).toEqual(["fix-blocked", "a-1000000000"]);
    const mended = build("a", "2", { submittedAtMs: 2000, fetched: false });
    expect(nextAction({ ...alone, builds: [failed, mended] }).command).toEqual(["fetch", "a-2000000000"]);
    expect(nextAction({ ...alone, builds: [{ ...failed, own: false }, build("b", "3")] }).command).toBeNull();
  });

  test("all fetched: nothing, and it says who is missing", () => {
    expect(nextAction({ ...alone, builds: [build("a", "1")] })).toEqual({
      command: null,
      why: "all builds have ended and their results are fetched",
    });
    expect(nextAction({ ...alone, members: 3, aliveMembers: 2, builds: [build("a", "1")] }).why).toContain(
      "2 of 3 members are here",
    );
  });

  test("does not depend on the order in which builds are told", () => {
    const builds = [
      build("a", "1", { fetched: false }),
      build("b", "2", { fetched: false }),
      build("c", "3", { state: "running" }),
      build("d", "4", { state: "running" }),
    ];
    expect(nextAction({ ...alone, builds: builds.toReversed() })).toEqual(nextAction({ ...alone, builds }));
  });
});
