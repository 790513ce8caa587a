import { expect, test } from "vitest";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";
import { diskFreeBytesMin } from "../../protocol/work/eligible.ts";
import { type Circumstances, Room } from "../../protocol/work/room.ts";
import { isPrimary, Standby } from "../../protocol/work/standby.ts";
import { vitalsOf } from "./vitals.ts";

const at = (nowMonoMs: number, sensed: Partial<LocalVitals> = {}, more: Partial<Circumstances> = {}) => ({
  nowMonoMs,
  declared: 8,
  scheduling: defaultScheduling,
  sensed: vitalsOf(sensed),
  stopping: false,
  twins: false,
  order: undefined,
  standsBy: false,
  grounded: false,
  foreseenSlots: 8,
  ...more,
});
const pressed = (memory: number, cpu = 0) => ({ pressurePercent: { cpu, memory, io: 0 } });

test("a node gives all its slots until something limits it", () => {
  const room = new Room(8);
  expect(room.look(at(0))).toBe(false);
  expect([room.slots, room.startable, room.limitedBy]).toEqual([8, 8, undefined]);
});

test.each<[string, Partial<LocalVitals>, Partial<Circumstances>, number, number]>([
  ["hot", { temperatureCelsius: 85 }, {}, 0, 0],
  ["hot", { temperatureCelsius: 70 }, { foreseenSlots: 5 }, 5, 5],
  ["owner", { ownerActive: true }, {}, 0, 0],
  ["owner", { ownerActive: true }, { scheduling: { ...defaultScheduling, ownerSlots: 3 } }, 3, 3],
  ["owner", { ownerActive: false, cores: 8, othersCores: 2.6 }, {}, 5, 5],
  ["owner", { ownerActive: false, cores: 8, othersCores: 9 }, {}, 0, 0],
  ["owner", { ownerActive: false, cores: 4, othersCores: 1 }, {}, 6, 6],
  ["owner", { ownerActive: false, leaving: "battery" }, {}, 0, 0],
  [
    "owner",
    { ownerActive: false, leaving: "lid" },
    { scheduling: { ...defaultScheduling, ownerSlots: 1 } },
    1,
    1,
  ],
  ["space", { diskFreeBytes: diskFreeBytesMin - 1 }, {}, 0, 0],
  ["disk", {}, { mute: true }, 0, 0],
  ["standby", {}, { standsBy: true }, 0, 0],
  ["paused", {}, { order: "paused" }, 0, 8],
  ["drained", {}, { order: "drained" }, 0, 0],
  ["grounded", {}, { grounded: true }, 1, 1],
  ["stopping", {}, { stopping: true, order: "drained" }, 0, 0],
])("what takes slots at once is named: %s", (limit, sensed, more, slots, startable) => {
  const room = new Room(8);
  expect(room.look(at(0, sensed, more))).toBe(true);
  expect([room.limitedBy, room.slots, room.startable]).toEqual([limit, slots, startable]);
  expect(room.look(at(1))).toBe(true);
  expect(room.slots).toBe(8);
});

test("a node that hovers about its limit for a minute has half of its slots, until it was well below for half of that", () => {
  const room = new Room(8);
  const seconds: [number, number, number][] = [
    [0, 85, 0],
    [20, 82, 8],
    [40, 86, 0],
    [60, 83, 4],
    [80, 79, 4],
    [100, 81, 4],
    [101, 79, 4],
    [131, 79, 8],
  ];
  for (const [second, temperatureCelsius, slots] of seconds) {
    room.look(at(second * 1000, { temperatureCelsius }));
    expect([second, room.slots]).toEqual([second, slots]);
  }
});

test("a short heat leaves nothing behind", () => {
  const room = new Room(8);
  room.look(at(0, { temperatureCelsius: 90 }));
  room.look(at(10_000, { temperatureCelsius: 60 }));
  room.look(at(80_000, { temperatureCelsius: 82 }));
  expect([room.slots, room.limitedBy]).toEqual([8, undefined]);
});

test("under pressure slots halve after a minute, end after a second one, and come back when it has gone", () => {
  const room = new Room(8);
  const slotsAt = (second: number, memory: number): number => {
    room.look(at(second * 1000, pressed(memory)));
    return room.slots;
  };
  expect([slotsAt(0, 41), slotsAt(59, 41), slotsAt(60, 41)]).toEqual([8, 8, 4]);
  expect(room.limitedBy).toBe("pressure");
  expect([slotsAt(119, 41), slotsAt(120, 41)]).toEqual([4, 0]);
  // Below the limit is not yet well below it; then it takes half again, and all when that has lasted.
  expect([slotsAt(130, 35), slotsAt(140, 10), slotsAt(169, 10), slotsAt(170, 10)]).toEqual([0, 4, 4, 8]);
});

test("pressure on the processor alone counts late and never ends the work", () => {
  const room = new Room(8);
  const slotsAt = (second: number, cpu: number): number => {
    room.look(at(second * 1000, pressed(0, cpu)));
    return room.slots;
  };
  expect([slotsAt(0, 60), slotsAt(600, 60)]).toEqual([8, 8]);
  expect([slotsAt(700, 75), slotsAt(760, 75), slotsAt(2000, 75)]).toEqual([8, 4, 4]);
});

test("a node wakes by itself when a strain begins or ceases to count", () => {
  const room = new Room(8);
  expect(room.deadline()).toBe(Number.POSITIVE_INFINITY);
  room.look(at(0, pressed(50)));
  expect(room.deadline()).toBe(60_000);
  room.look(at(60_000, pressed(50)));
  expect(room.deadline()).toBe(120_000);
  room.look(at(61_000, pressed(0)));
  expect(room.deadline()).toBe(91_000);
});

test("half of one slot is one", () => {
  const room = new Room(1);
  for (const second of [0, 60]) room.look(at(second * 1000, pressed(50), { declared: 1, foreseenSlots: 1 }));
  expect(room.slots).toBe(1);
});

test("a standby node works once the hold-off has passed without a primary, and stops when one is back", () => {
  const standby = new Standby();
  expect(standby.standsBy(false, 30_000, 1000)).toBe(true); // it has just started
  expect(standby.standsBy(true, 30_000, 20_000)).toBe(true);
  expect(standby.deadline()).toBe(50_000);
  expect(standby.standsBy(false, 30_000, 49_999)).toBe(true);
  expect(standby.standsBy(false, 30_000, 50_000)).toBe(false);
  expect(standby.standsBy(true, 30_000, 60_000)).toBe(true);
});

test("a primary is whoever works, is no standby node, and shares a label where there are labels", () => {
  const is = (labels: string[], fields: Parameters<typeof vitalsOf>[0]) =>
    isPrimary(labels, vitalsOf(fields));
  expect(is([], {})).toBe(true);
  expect(is([], { policy: "standby" })).toBe(false);
  expect(is([], { slots: 0 })).toBe(false);
  expect(is(["gpu"], {})).toBe(false);
  expect(is(["gpu"], { labels: ["big", "gpu"] })).toBe(true);
});

test("work of others on a machine that can do both takes no slot, and on one whose owner does not come first neither", () => {
  const room = new Room(8);
  room.look(at(0, { ownerActive: false, cores: 16, othersCores: 8 }));
  expect([room.slots, room.limitedBy]).toEqual([8, undefined]);
  room.look(at(1, { cores: 8, othersCores: 6, leaving: "battery" }));
  expect([room.slots, room.limitedBy]).toEqual([8, undefined]);
});

test("where the owner comes first, pressure takes half of the slots after two seconds", () => {
  const room = new Room(8);
  const slotsAt = (second: number, memory: number): number => {
    room.look(at(second * 1000, { ...pressed(memory), ownerActive: false, othersCores: 0 }));
    return room.slots;
  };
  expect([slotsAt(0, 41), slotsAt(1.9, 41), room.deadline(), slotsAt(2, 41)]).toEqual([8, 8, 2000, 4]);
  expect([slotsAt(119, 41), slotsAt(120, 41)]).toEqual([4, 0]);
  expect([slotsAt(121, 0), slotsAt(150, 0), slotsAt(151, 0)]).toEqual([4, 4, 8]);
});

test("a disk that was out of room has some again only once there is clearly more than the least", () => {
  const room = new Room(8);
  const shares = [1, 0.9, 1, 1.2, 1.25, 1.1, 0.99];
  const limits = shares.map((share) => {
    room.look(at(0, { diskFreeBytes: diskFreeBytesMin * share }));
    return room.limitedBy;
  });
  expect(limits).toEqual([undefined, "space", "space", "space", undefined, undefined, "space"]);
});
