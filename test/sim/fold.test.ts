/** The fold of a build's facts does not know in which order they came: facts of whole stories, shuffled, doubled, in parts. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { Build } from "../../protocol/work/build.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";

/** A build that went through a cut, a death and failures; and the host that knows all of it. */
function troubled(seed: number): { build: BuildId; host: Host } {
  const swarm = new Swarm({
    seed,
    hosts: 4,
    twist: ({ action }, { before }) =>
      before === 0 && action.endsWith("3") ? { ends: seed % 2 ? "fails" : "breaks" } : undefined,
  }).start();
  const [ann, bob, cat, dan] = swarm.hosts as [Host, Host, Host, Host];
  const build = swarm.submit(ann, layered(seed, 4, 5, 3000));
  swarm.world.runFor(3000);
  swarm.network.cut([ann.peer, bob.peer], [cat.peer, dan.peer]);
  swarm.world.runFor(12_000);
  dan.kill();
  swarm.network.heal();
  swarm.finish(build);
  expect(swarm.settle(build)).toBe(true);
  return { build, host: ann };
}

describe.each([1, 2, 3])("facts of a troubled build (seed %i)", (seed) => {
  let build: BuildId;
  let host: Host;
  let facts: readonly SignedEntry[];
  let digest: string;

  beforeAll(() => {
    ({ build, host } = troubled(seed));
    facts = host.core.desk.builds.get(build)!.facts();
    digest = host.core.desk.builds.get(build)!.claims!.digest();
    const kinds = new Set(facts.flatMap((f) => f.entry.events.map((e) => e.kind)));
    for (const kind of ["claim", "start", "done", "fail", "expire", "sealed"]) expect(kinds).toContain(kind);
  });

  /** Folds parts in turn, the graph coming between the first and the others. */
  const fold = (parts: readonly (readonly SignedEntry[])[], graphAfter: number): string => {
    const { members } = host.core.desk;
    const { graph } = host.core.desk.builds.get(build)!;
    const fresh = new Build(build, new Ledger(build, 1), 0);
    parts.forEach((part, i) => {
      if (i === graphAfter) fresh.open(graph!, new Estimates(), members);
      fresh.take(part, members);
    });
    if (!fresh.claims) fresh.open(graph!, new Estimates(), members);
    return fresh.claims!.digest();
  };

  test("give one state in any order, however often and in whatever parts they come", () => {
    const places = fc.shuffledSubarray(
      facts.map((_, i) => i),
      { minLength: facts.length },
    );
    const doubled = fc.array(fc.nat(facts.length - 1), { maxLength: facts.length });
    fc.assert(
      fc.property(
        places,
        doubled,
        fc.integer({ min: 1, max: 9 }),
        fc.nat(9),
        (order, twice, size, graphAfter) => {
          const all = [...order, ...twice].map((i) => facts[i]!);
          const parts: SignedEntry[][] = [];
          for (let at = 0; at < all.length; at += size * 5) parts.push(all.slice(at, at + size * 5));
          expect(fold(parts, graphAfter)).toBe(digest);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("give another state when any claim, result or failure is missing", () => {
    const telling = new Set(["claim", "done", "fail"]);
    for (const missing of facts) {
      if (!missing.entry.events.some((e) => telling.has(e.kind))) continue;
      expect(fold([facts.filter((f) => f !== missing)], 0)).not.toBe(digest);
    }
  });
});
