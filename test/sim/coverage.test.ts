import { expect, test } from "vitest";
import { addCounts, Coverage, neverSeen, noCounts, reachable, tableOf } from "../../sim/coverage.ts";
import { Swarm } from "../../sim/swarm.ts";
import { chain } from "../../sim/workload.ts";

function covered() {
  const swarm = new Swarm({ seed: 1, hosts: 2 });
  const coverage = new Coverage(swarm);
  swarm.start();
  swarm.finish(swarm.submit(swarm.hosts[0]!, chain(3, 5000)));
  return coverage.counts;
}

test("what hosts do is counted by kind: inputs, effects, events, messages", () => {
  const counts = covered();
  expect(counts.inputs).toMatchObject({ started: 2, command: 1, executed: 3 });
  expect(counts.effects).toMatchObject({ execute: 3, reply: 1 });
  expect(counts.events).toMatchObject({ "node.up": 2, "build.submitted": 1, done: 3, sealed: 1 });
  expect(counts.messages["gossip vitals"]).toBeGreaterThan(2);
});

test("transitions are counted as each host folds them, from which state to which", () => {
  const { transitions } = covered();
  // Each of two hosts sees each of three actions go through its states; what was claimed before a host had its graph open is not seen to begin.
  for (const step of ["waiting → ready", "ready → claimed", "claimed → running", "running → done"])
    expect(transitions[step], step).toBeGreaterThan(3);
});

test("what was declared and never reached is named, and NEVER in the table", () => {
  const counts = noCounts();
  addCounts(counts, covered());
  const missing = neverSeen(counts);
  expect(missing).toContain("faults: crash");
  expect(missing).toContain("transitions: waiting → held");
  expect(missing).not.toContain("transitions: running → done");
  expect(tableOf(counts)).toContain("crash NEVER");
  for (const fault of reachable.faults!) counts.faults[fault] = 1;
  expect(neverSeen(counts).filter((m) => m.startsWith("faults"))).toEqual([]);
});
