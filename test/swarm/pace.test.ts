import { expect, test } from "vitest";
import type { Instant } from "../../protocol/contract.ts";
import { Pace } from "../../protocol/swarm/pace.ts";
import { fakePeer } from "../../sim/signer.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";

const [bob, eve] = [fakePeer("bob"), fakePeer("eve")];
const at = (monoMs: number): Instant => ({ monoMs, wallMs: 1_764_000_000_000 + monoMs });
const admitted = (pace: Pace, peer: typeof bob, count: number, everyMs: number, fromMs = 0): number =>
  Array.from({ length: count }, (_, i) => pace.admits(peer, "sync", at(fromMs + i * everyMs))).filter(Boolean)
    .length;

test("a peer that asks now and then is always heard; one that floods is heard at a pace", () => {
  const pace = new Pace();
  expect(admitted(pace, bob, 500, 200)).toBe(500);
  expect(admitted(pace, eve, 10_000, 1)).toBeLessThan(170);
  expect(admitted(pace, bob, 5, 200, 100_000)).toBe(5);
});

test("after a silence it is heard again, and answers are never counted", () => {
  const pace = new Pace();
  admitted(pace, eve, 1000, 0);
  expect(pace.admits(eve, "sync", at(0))).toBe(false);
  expect(pace.admits(eve, "ask", at(0))).toBe(true);
  expect(pace.admits(eve, "sync", at(1000))).toBe(true);
  for (let i = 0; i < 5000; i++) expect(pace.admits(eve, "grant", at(0))).toBe(true);
});

test("a clock that stands still or is told twice gives nothing away", () => {
  const pace = new Pace();
  admitted(pace, eve, 100, 0, 5000);
  expect(pace.admits(eve, "sync", at(4000))).toBe(false);
  expect(pace.admits(eve, "sync", at(4050))).toBe(false);
});

test("a member that asks for everything again and again gets it so many times, and the build goes on", () => {
  const cores = new Cores({ ann: {}, bob: {}, eve: {} });
  cores.runFor(3000);
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"] }));
  cores.runFor(20);
  const ann = cores.node("ann");
  let answers = 0;
  for (let i = 0; i < 2000; i++) {
    const effects = cores.step(ann, {
      kind: "message",
      from: eve,
      message: { kind: "sync", heads: [], ledgers: [], reply: true },
    });
    answers +=
      effects.filter((e) => (e.kind === "send" || e.kind === "serve") && e.to === eve).length > 0 ? 1 : 0;
  }
  expect(answers).toBeGreaterThan(0);
  expect(answers).toBeLessThanOrEqual(64);
  cores.runFor(5000);
  expect(ann.build(build).claims?.state).toBe("complete");
});
