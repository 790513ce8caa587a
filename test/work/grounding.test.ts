import { expect, test } from "vitest";
import type { ClaimId, Incarnation } from "../../protocol/kernel/ids.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import { Grounding } from "../../protocol/work/grounding.ts";
import { peerNamed } from "../contract/chain.ts";

const bob = peerNamed("bob");
const inc = "1-00000001" as Incarnation;
const later = "2-00000002" as Incarnation;
const limits = defaultScheduling.grounding;
const minutes = (n: number) => n * 60_000;
const failing = (times: number, everyMs = 1000) => {
  const grounding = new Grounding();
  for (let i = 0; i < times; i++) grounding.failed(bob, inc, i * everyMs);
  return grounding;
};

test("a node that fails waits a second, then two, four … and at most half a minute; a success ends it", () => {
  const grounding = new Grounding();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    grounding.failed(bob, inc, 0);
    const standing = grounding.standing(bob, inc, 0);
    if (standing.kind === "waiting") waits.push(standing.untilMonoMs);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(grounding.deadline(0)).toBe(30_000);
  expect(grounding.standing(bob, inc, 30_000)).toEqual({ kind: "free" });
  grounding.failed(bob, inc, 31_000);
  grounding.succeeded(bob, inc, 31_001);
  expect(grounding.standing(bob, inc, 31_001)).toEqual({ kind: "free" });
});

test("eight failures within half an hour are due to be grounded for five minutes, seven or old ones are not", () => {
  expect(failing(7).due(bob, inc, limits, 8000)).toBeUndefined();
  expect(failing(8).due(bob, inc, limits, 8000)).toEqual({ failures: 8, forMs: minutes(5) });
  expect(failing(8, minutes(5)).due(bob, inc, limits, minutes(35))).toBeUndefined();
});

test("a grounded node comes back by one success; one that fails its probe is grounded for twice as long", () => {
  const grounding = failing(8);
  grounding.said(bob, inc, minutes(5), 10_000);
  expect(grounding.standing(bob, inc, 11_000)).toEqual({
    kind: "grounded",
    untilMonoMs: minutes(5) + 10_000,
  });
  expect(grounding.due(bob, inc, limits, 11_000)).toBeUndefined();
  // What it began before says nothing of now.
  grounding.succeeded(bob, inc, 20_000);
  grounding.failed(bob, inc, 20_000);
  expect(grounding.standing(bob, inc, 20_000).kind).toBe("grounded");
  const probeMs = minutes(5) + 10_000;
  expect(grounding.standing(bob, inc, probeMs)).toEqual({ kind: "probe" });
  grounding.failed(bob, inc, probeMs + 1000);
  expect(grounding.due(bob, inc, limits, probeMs + 1000)).toEqual({ failures: 1, forMs: minutes(10) });
  grounding.said(bob, inc, minutes(10), probeMs + 1000);
  const againMs = probeMs + 1000 + minutes(10);
  expect(grounding.standing(bob, inc, againMs)).toEqual({ kind: "probe" });
  grounding.succeeded(bob, inc, againMs + 1);
  expect(grounding.standing(bob, inc, againMs + 1)).toEqual({ kind: "free" });
  for (let i = 0; i < 8; i++) grounding.failed(bob, inc, againMs + 2);
  expect(grounding.due(bob, inc, limits, againMs + 2)).toEqual({ failures: 8, forMs: minutes(5) });
});

test("a restart ends the waiting, not the proving", () => {
  const grounding = failing(8);
  grounding.said(bob, inc, minutes(5), 10_000);
  expect(grounding.standing(bob, later, 11_000)).toEqual({ kind: "probe" });
});

test("what is being said is not said twice, and nobody is believed who grounds for ever", () => {
  const grounding = failing(8);
  grounding.saying(bob);
  expect(grounding.due(bob, inc, limits, 9000)).toBeUndefined();
  grounding.said(bob, inc, minutes(60 * 24 * 365), 10_000);
  expect(grounding.standing(bob, inc, minutes(60 * 24) + 10_000)).toEqual({ kind: "probe" });
});

test("a person's word forgives what was counted so far, once", () => {
  const grounding = failing(8);
  grounding.said(bob, inc, minutes(5), 10_000);
  grounding.forgave(bob, 1);
  expect(grounding.standing(bob, inc, 11_000)).toEqual({ kind: "free" });
  grounding.failed(bob, inc, 12_000);
  grounding.forgave(bob, 1);
  expect(grounding.standing(bob, inc, 12_000).kind).toBe("waiting");
});

test("the end of a claim counts once", () => {
  const grounding = new Grounding();
  expect([1, 2].map(() => grounding.fresh("a.1-00000001.0" as ClaimId))).toEqual([true, false]);
});
