import { expect, test } from "vitest";
import { latestRetry, type RetryParts, retryEnded } from "../node/retry.ts";
import type { CommandReply } from "../protocol/contract.ts";
import type { ActionName, BuildId, Digest } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const graph = graphOf({ good: [], bad: [], after: ["bad"] });

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
  const parts: RetryParts = {
    desk: cores.node("ann").core.desk,
    bring: async (digests) => void brought.push(...digests),
    read: async (digest) => cores.graphs.get(digest)!,
    command: async (command) => cores.command("ann", command) as Extract<CommandReply, { ok: true }>,
  };
  const tryAgain = (id: BuildId = build, dryRun = false) => retryEnded(parts, { build: id }, dryRun);
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
  await expect(retryEnded(parts, { build, action }, false)).rejects.toMatchObject({
    code: "not-found",
    remedy: 'did you mean "bad"?',
  });
});
