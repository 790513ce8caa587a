import { expect, test } from "vitest";
import { faultKinds, faultSchema } from "../../sim/faults.ts";
import { mixOf } from "../../sim/mix.ts";

const mixes = Array.from({ length: 300 }, (_, seed) => mixOf(seed));

test("one seed draws one mix, another seed another", () => {
  const text = (seed: number) => JSON.stringify(mixOf(seed));
  expect(text(5)).toBe(text(5));
  expect(new Set(Array.from({ length: 50 }, (_, seed) => text(seed))).size).toBe(50);
});

test("mixes are of 3 to 7 members and up to three builds of 20 to 80 actions", () => {
  const members = (m: (typeof mixes)[number]) => m.hosts.filter((h) => !h.stranger).length;
  expect(new Set(mixes.map(members))).toEqual(new Set([3, 4, 5, 6, 7]));
  for (const { works } of mixes) {
    expect(works.length).toBeGreaterThanOrEqual(1);
    expect(works.length).toBeLessThanOrEqual(3);
    for (const { workload } of works) {
      expect(workload.graph.actions.length).toBeGreaterThanOrEqual(18);
      expect(workload.graph.actions.length).toBeLessThanOrEqual(80);
    }
  }
});

test("every kind of fault is drawn, all within their vocabulary and the time of trouble", () => {
  const kinds = new Set<string>();
  for (const { faults, troubleMs } of mixes)
    for (const fault of faults) {
      kinds.add(faultSchema.parse(fault).kind);
      expect(fault.atMs).toBeLessThan(troubleMs);
    }
  expect([...kinds].sort()).toEqual([...faultKinds].sort());
});

test("one host at most lies or has a clone, and the first can always build", () => {
  for (const { faults, villain, hosts } of mixes) {
    for (const fault of faults)
      if (fault.kind === "byzantine" || fault.kind === "clone") expect(fault.host).toBe(villain);
    expect(hosts[0]!.slots).toBeGreaterThan(0);
    expect(villain).not.toBe(hosts[0]!.name);
  }
});

test("who is revoked, loses its roles or goes is one host, never the first, and another admin stays", () => {
  const governed = mixes.filter((m) => m.goer !== undefined);
  expect(governed.length).toBeGreaterThan(50);
  for (const { faults, goer, hosts } of governed) {
    for (const fault of faults)
      if (fault.kind === "revoke" || fault.kind === "demote" || fault.kind === "leave")
        expect(fault.host).toBe(goer);
    expect(goer).not.toBe(hosts[0]!.name);
    expect(hosts.filter((h) => h.stranger)).toHaveLength(1);
  }
});

test("a mix can be held to some kinds of faults", () => {
  for (let seed = 0; seed < 20; seed++)
    expect(new Set(mixOf(seed, ["crash"]).faults.map((f) => f.kind))).toEqual(new Set(["crash"]));
});
