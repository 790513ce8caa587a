import { expect, test } from "vitest";
import type { GraphAction, Requirements } from "../../protocol/build/graph.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import {
  busy,
  diskFreeBytesMin,
  ineligible,
  isHeavy,
  shortfalls,
  slotsFor,
  whyNobody,
} from "../../protocol/work/eligible.ts";
import { peerNamed } from "../contract/chain.ts";
import { graphOf } from "./facts.ts";
import { vitalsOf } from "./vitals.ts";

const [ann, bob] = [peerNamed("ann"), peerNamed("bob")];
const gib = 2 ** 30;
const action: GraphAction = { ...graphOf({ a: [] }).actions[0]!, toolchains: { cc: "1" } };
const needing = (requires: Requirements): GraphAction => ({ ...action, requires });

test.each<[string, Partial<Vitals>, RegExp | undefined]>([
  ["fits", {}, undefined],
  ["has no slots", { slots: 0 }, /has no slots/],
  ["is too hot", { slots: 0, slotsMax: 4, limitedBy: "hot" }, /too hot/],
  ["is used by its owner", { slots: 0, slotsMax: 4, limitedBy: "owner" }, /owner/],
  ["lacks a toolchain", { toolchains: {} }, /lacks cc/],
  ["has another compiler of that name", { toolchains: { cc: "2" } }, /another cc/],
  ["takes only its own work", { foreign: false }, /sandbox/],
  ["is fenced", { fenced: true, labels: ["gpu"] }, /only what asks for gpu/],
  ["is out of disk", { diskFreeBytes: diskFreeBytesMin - 1 }, /disk/],
  ["has the least of disk", { diskFreeBytes: diskFreeBytesMin }, undefined],
])("a node that %s", (_, fields, reason) => {
  const said = ineligible(vitalsOf(fields), action, ann);
  if (reason) expect(said).toMatch(reason);
  else expect(said).toBeUndefined();
});

test.each<[string, Requirements, Partial<Vitals>, RegExp | undefined]>([
  ["as many cpus as it has slots", { cpus: 4 }, {}, undefined],
  ["more cpus than it has slots", { cpus: 16 }, {}, /has 4 slots, 16 are needed/],
  ["more cpus than are left of its slots", { cpus: 4 }, { slots: 2, slotsMax: 4 }, undefined],
  ["its whole memory", { memoryBytes: 16 * gib }, {}, undefined],
  ["more memory than it has", { memoryBytes: 64 * gib }, {}, /has 16 GiB of memory, 64 GiB are needed/],
  ["more disk than is free", { diskBytes: 600 * gib }, {}, /disk free, 600 GiB are needed/],
  ["its target", { target: "x86_64-linux-gnu" }, {}, undefined],
  ["another target", { target: "aarch64-linux-gnu" }, {}, /builds for x86_64-linux-gnu, not for aarch64/],
  ["labels it has", { labels: ["gpu", "big"] }, { labels: ["big", "gpu", "old"] }, undefined],
  ["a label it lacks", { labels: ["gpu", "big"] }, { labels: ["big"] }, /lacks the label gpu/],
  ["the label of its fence", { labels: ["gpu"] }, { labels: ["gpu"], fenced: true }, undefined],
])("an action that asks for %s", (_, requires, fields, reason) => {
  const said = ineligible(vitalsOf(fields), needing(requires), ann);
  if (reason) expect(said).toMatch(reason);
  else expect(said).toBeUndefined();
});

test("a node without a sandbox takes its own submitter's work", () => {
  expect(ineligible(vitalsOf({ foreign: false }), action, bob)).toBeUndefined();
});

test("who came to a result does not check it, nor does a node without a sandbox, whoever asks", () => {
  const checking = (by: readonly PeerId[]): GraphAction => ({ ...action, checks: { by, outputs: [] } });
  expect(ineligible(vitalsOf({}), checking([ann]), ann)).toBeUndefined();
  expect(ineligible(vitalsOf({}), checking([ann, bob]), ann)).toBe("came to the result that is checked");
  expect(ineligible(vitalsOf({ foreign: false }), checking([ann]), bob)).toMatch(/no sandbox/);
});

test("what fits a node waits until it fits beside what runs there", () => {
  expect(busy(vitalsOf(), needing({ cpus: 3 }), 1, 0)).toBeUndefined();
  expect(busy(vitalsOf(), needing({ cpus: 3 }), 2, 0)).toMatch(/has 2 of 4 slots free, 3 are needed/);
  expect(busy(vitalsOf(), needing({ memoryBytes: 8 * gib }), 0, 8 * gib)).toBeUndefined();
  expect(busy(vitalsOf(), needing({ memoryBytes: 8 * gib }), 0, 9 * gib)).toMatch(/7 GiB of memory free/);
  const full = vitalsOf({ memoryFreeBytes: gib });
  expect(busy(full, needing({ memoryBytes: 2 * gib }), 0, 0)).toMatch(/1 GiB of memory free, 2 GiB/);
});

test("a heavy action takes the slots it asks for, and while they are cut those that are left", () => {
  expect(isHeavy(needing({ cpus: 2 }))).toBe(true);
  expect(isHeavy(needing({ memoryBytes: 1 }))).toBe(true);
  expect(isHeavy(needing({ cpus: 1, labels: ["gpu"] }))).toBe(false);
  expect([
    slotsFor(needing({ cpus: 8 }), 16),
    slotsFor(needing({ cpus: 8 }), 4),
    slotsFor(action, 0),
  ]).toEqual([8, 4, 1]);
});

test("of nodes that do not fit the one is named that lacks least, and whether waiting helps", () => {
  const unfit = (name: string, fields: Partial<Vitals>, requires: Requirements) => ({
    name,
    shortfalls: shortfalls(vitalsOf(fields), needing(requires), ann),
  });
  const big = { cpus: 16, memoryBytes: 64 * gib };
  expect(
    whyNobody([
      unfit("pi", {}, big),
      unfit("pc", { slots: 16, memoryTotalBytes: 32 * gib }, big),
      unfit("nas", { slots: 16, memoryTotalBytes: 8 * gib }, big),
    ]),
  ).toBe(
    "no node fits; pc comes nearest: it has 32 GiB of memory, 64 GiB are needed; 2 others lack as much or more",
  );
  expect(
    whyNobody([
      unfit("pi", { toolchains: {} }, {}),
      unfit("pc", { slots: 0, slotsMax: 4, limitedBy: "hot" }, {}),
    ]),
  ).toBe("waits: pc is too hot; 1 other lacks as much or more");
  expect(whyNobody([])).toBe("no node is heard of");
});
