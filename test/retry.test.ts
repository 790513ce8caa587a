import { expect, test } from "vitest";
import { latestRetry, type RetryParts, retryAnew } from "../node/retry.ts";
import type { CommandReply } from "../protocol/contract.ts";
import { digestOf } from "../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Digest } from "../protocol/kernel/ids.ts";
import { chooseToolchains } from "../protocol/work/tooling.ts";
import { Cores } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const graph = graphOf({ good: [], bad: [], after: ["bad"] });

/** What ann needs to build something again. */
function partsOf(cores: Cores, brought: Digest[] = []): RetryParts {
  const { desk } = cores.node("ann").core;
  return {
    desk,
    bring: async (digests) => void brought.push(...digests),
    read: async (digest) => cores.graphs.get(digest)!,
    keep: async (bytes) => {
      const digest = digestOf(bytes);
      cores.graphs.set(digest, bytes);
      cores.node("ann").blobs.add(digest);
      return digest;
    },
    resolve: async (sets) =>
      chooseToolchains(
        sets,
        desk.seen().map((vitals) => ({ name: vitals.name, vitals })),
        desk.config.self,
      ),
    command: async (command) => cores.command("ann", command) as Extract<CommandReply, { ok: true }>,
  };
}

/** A build that ended as failed, and what ann needs to build it again. */
function failed() {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} });
  const play = { broken: true, hangs: false };
  cores.rules.run = ({ action }) =>
    action === "bad" && play.hangs
      ? { ms: 1, never: true }
      : action === "bad" && play.broken
        ? { ms: 10, outcome: { kind: "failed", cause: "deterministic", reason: "it is broken" } }
        : undefined;
  const build = cores.submit("ann", graph);
  cores.finish(build);
  const brought: Digest[] = [];
  const parts = partsOf(cores, brought);
  const tryAgain = (id: BuildId = build, dryRun = false) => retryAnew(parts, { build: id }, dryRun);
  return { cores, play, build, parts, tryAgain, brought };
}

test("a build that failed is submitted again under its name, once, with its inputs at hand", async () => {
  const { cores, play, build, tryAgain, parts, brought } = failed();
  expect(await tryAgain(build, true)).toEqual({ moved: 2, lost: 0, build });
  expect(latestRetry(parts.desk, build)).toBe(build);
  expect(brought).toEqual([]);
  play.broken = false;
  const again = (await tryAgain())!;
  expect(again).toMatchObject({ moved: 2, lost: 0 });
  expect(again.build).toMatch(/^demo-/);
  expect(again.build).not.toBe(build);
  expect(brought).toEqual([cores.node("ann").build(build).submission!.event.graph, graph.files[0]!.digest]);
  // While it lives a retry is the core's affair; once it is complete there is nothing to do.
  expect(latestRetry(parts.desk, build)).toBe(again.build);
  expect(await tryAgain()).toBeUndefined();
  cores.finish(again.build!);
  expect(cores.node("bob").build(again.build!).claims!.state).toBe("complete");
  expect(await tryAgain()).toEqual({ moved: 0, lost: 0, build: again.build });
});

test("a retry that failed or was cancelled may be tried again; what a person cancelled stays so", async () => {
  const { cores, play, tryAgain } = failed();
  const second = (await tryAgain())!.build!;
  cores.finish(second);
  play.hangs = true;
  const third = (await tryAgain())!.build!;
  cores.runUntil(() => cores.nodes.some((n) => n.running.size > 0));
  expect([second, third]).not.toContain(undefined);
  expect(third).not.toBe(second);
  cores.command("ann", { kind: "control", build: third, op: "cancel" });
  cores.finish(third);
  expect(await tryAgain(third)).toBeUndefined();
  expect((await tryAgain())!.build).not.toBe(third);
});

test("a live build, an unknown one and an unknown action are left to others or refused", async () => {
  const { cores, build, tryAgain, parts } = failed();
  const live = cores.submit("ann", graph);
  expect(await tryAgain(live)).toBeUndefined();
  expect(await tryAgain("gone-0123456789" as BuildId)).toBeUndefined();
  const action = "bda" as ActionName;
  await expect(retryAnew(parts, { build, action }, false)).rejects.toMatchObject({
    code: "not-found",
    remedy: "did you mean bad?",
  });
});

const gcc12 = "12.2.0/x86_64-linux-gnu/aaaa";
const gcc14 = "14.2.0/x86_64-linux-gnu/bbbb";
const demanding = graphOf({ a: [] }, { toolchains: { gcc: gcc12 }, demands: { gcc: "gcc >= 12" } });

test("a live build whose toolchain is gone is built again with what there is, and the old one cancelled", async () => {
  const offered = { gcc: gcc12 };
  const cores = new Cores({ ann: { vitals: { toolchains: offered } }, bob: {} });
  const parts = partsOf(cores);
  // Whenever the sensors are read from here on.
  offered.gcc = gcc14;
  cores.step(cores.node("ann"), { kind: "sensed", vitals: cores.node("ann").vitals });
  const build = cores.submit("ann", demanding);
  cores.runFor(2000);
  expect(cores.states(build).ann).toEqual(["ready"]);
  const changes = [{ demand: "gcc >= 12", from: gcc12, to: gcc14 }];
  expect(await retryAnew(parts, { build }, true)).toEqual({ moved: 1, lost: 0, build, toolchains: changes });
  expect(cores.node("ann").build(build).claims!.cancelled).toBeFalsy();
  const again = (await retryAnew(parts, { build }, false))!;
  expect(again).toMatchObject({ moved: 1, toolchains: changes });
  expect(again.build).not.toBe(build);
  expect(latestRetry(parts.desk, build)).toBe(again.build);
  cores.finish(again.build!);
  const { claims } = cores.node("ann").build(again.build!);
  expect(claims!.state).toBe("complete");
  expect(claims!.action(0).toolchains).toEqual({ gcc: gcc14 });
  expect(cores.node("ann").build(build).claims!.state).toBe("cancelled");
});

test("where nothing can stand in for a toolchain that is gone, the build waits on and the refusal says what is missing", async () => {
  const cores = new Cores({ ann: { vitals: { toolchains: { gcc: "11.1.0/x86_64-linux-gnu/cccc" } } } });
  const build = cores.submit("ann", demanding);
  cores.runFor(2000);
  await expect(retryAnew(partsOf(cores), { build }, false)).rejects.toMatchObject({
    code: "no-eligible-node",
    message: expect.stringContaining("has gcc 11.1.0, >= 12 is needed"),
  });
  expect(cores.node("ann").build(build).claims!.cancelled).toBeFalsy();
});

test("a live build that waits for something else than toolchains is left alone", async () => {
  const cores = new Cores({ ann: { vitals: { toolchains: { gcc: gcc12 } } } });
  const fenced = {
    ...demanding,
    actions: demanding.actions.map((a) => ({ ...a, requires: { labels: ["gpu"] } })),
  };
  const build = cores.submit("ann", fenced);
  cores.runFor(2000);
  expect(await retryAnew(partsOf(cores), { build }, false)).toBeUndefined();
});
