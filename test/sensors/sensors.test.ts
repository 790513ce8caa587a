import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ticksOfTree } from "../../node/build/processes.ts";
import { readLoad } from "../../node/sensors/load.ts";
import { busyTicks, createOthers } from "../../node/sensors/others.ts";
import { readOwner } from "../../node/sensors/owner.ts";
import { readLeaving } from "../../node/sensors/power.ts";
import { createSensors, matters } from "../../node/sensors/sensors.ts";
import { readTemperature } from "../../node/sensors/temperature.ts";
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";
import { sensorsContract } from "../contract/sensors.ts";

const machine = (name: string) => path.join(import.meta.dirname, "fixtures", name);
const tools = { cc: "f".repeat(32) };
const about = {
  diskPath: tmpdir(),
  toolchains: () => tools,
  sandbox: "none",
  target: "x-linux-gnu",
} as const;

function readingOf(root: string): LocalVitals {
  let told: LocalVitals | undefined;
  createSensors({ root, ...about }).watch((vitals) => {
    told = vitals;
  })();
  return told!;
}

const copies: string[] = [];
function copyOf(name: string): string {
  const copy = mkdtempSync(path.join(tmpdir(), "swarmd-sensors-"));
  copies.push(copy);
  cpSync(machine(name), copy, { recursive: true });
  return copy;
}
afterEach(() => {
  vi.useRealTimers();
  for (const copy of copies.splice(0)) rmSync(copy, { recursive: true });
});

sensorsContract("this machine", async () => ({
  sensors: createSensors(about),
  settle: async (condition) => expect(condition()).toBe(true),
  close: async () => {},
}));

sensorsContract("a machine of files", async () => {
  vi.useFakeTimers();
  const root = copyOf("desktop");
  return {
    sensors: createSensors({ root, ...about }),
    stir: () => writeFileSync(`${root}/proc/loadavg`, "64.00 2.10 1.08 5/1123 48213\n"),
    settle: async (condition) => {
      await vi.advanceTimersByTimeAsync(1000);
      expect(condition()).toBe(true);
    },
    close: async () => {},
  };
});

describe("sensors", () => {
  it("read a desktop by its processor, not by its hotter disk", () => {
    expect(readingOf(machine("desktop"))).toMatchObject({
      load: 3.52,
      pressurePercent: { cpu: 12.34, memory: 0, io: 4.5 },
      temperatureCelsius: 67,
      headroomCelsius: 33,
      memoryTotalBytes: 32_768_000 * 1024,
      memoryFreeBytes: 20_480_000 * 1024,
      ...{ sandbox: "none", target: "x-linux-gnu", toolchains: tools },
    });
  });

  it("assume a limit where the processor names none", () => {
    expect(readingOf(machine("workstation"))).toMatchObject({
      temperatureCelsius: 88.3,
      headroomCelsius: 6.7,
      pressurePercent: "unknown",
    });
  });

  it("read a board by its thermal zone, up to where it slows down", () => {
    expect(readingOf(machine("raspberry-pi"))).toMatchObject({
      temperatureCelsius: 71.6,
      headroomCelsius: 8.4,
    });
  });

  it("say unknown where there is no sensor", () => {
    expect(readingOf(machine("virtual-machine"))).toMatchObject({
      load: 0,
      pressurePercent: { cpu: 0, memory: 0, io: 0 },
      temperatureCelsius: "unknown",
      headroomCelsius: "unknown",
    });
    expect(readingOf(path.join(machine("virtual-machine"), "no such machine"))).toMatchObject({
      load: "unknown",
      pressurePercent: "unknown",
      temperatureCelsius: "unknown",
      memoryTotalBytes: totalmem(),
    });
  });

  it("believe nothing that makes no sense", () => {
    expect(readingOf(machine("hostile"))).toMatchObject({
      load: "unknown",
      pressurePercent: "unknown",
      temperatureCelsius: 55,
      headroomCelsius: 40,
      memoryTotalBytes: totalmem(),
    });
  });

  it("never throw, whatever stands in a file", () => {
    const root = copyOf("desktop");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        writeFileSync(`${root}/proc/loadavg`, bytes);
        writeFileSync(`${root}/sys/class/hwmon/hwmon2/temp1_input`, bytes);
        const load = readLoad(root);
        expect(load === "unknown" || Number.isFinite(load)).toBe(true);
        expect(readTemperature(root).headroomCelsius).not.toBeNaN();
      }),
      { numRuns: 100 },
    );
  });

  it("keep quiet while nothing matters, and tell at most once a second", async () => {
    vi.useFakeTimers();
    const root = copyOf("desktop");
    const told: LocalVitals[] = [];
    const stop = createSensors({ root, ...about, intervalMs: 10 }).watch((vitals) => told.push(vitals));
    writeFileSync(`${root}/proc/loadavg`, "3.60 2 1 5/1123 48213\n");
    await vi.advanceTimersByTimeAsync(5000);
    expect(told).toHaveLength(1);
    writeFileSync(`${root}/sys/class/hwmon/hwmon2/temp2_input`, "91000\n");
    await vi.advanceTimersByTimeAsync(900);
    expect(told).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(told.map((vitals) => vitals.temperatureCelsius)).toEqual([67, 91]);
    stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("find a sensor that comes or goes worth telling", () => {
    const vitals = readingOf(machine("desktop"));
    expect(matters(vitals, vitals)).toBe(false);
    expect(matters(vitals, { ...vitals, temperatureCelsius: "unknown" })).toBe(true);
    expect(matters({ ...vitals, pressurePercent: "unknown" }, vitals)).toBe(true);
    expect(matters(vitals, { ...vitals, diskFreeBytes: vitals.diskFreeBytes / 2 })).toBe(true);
    expect(matters(vitals, { ...vitals, memoryFreeBytes: 0 })).toBe(true);
  });
});

describe("the owner of the machine", () => {
  const nowMs = 1_700_000_000_000;
  /** A machine with one session of logind and its terminal, last typed into so long ago. */
  const owned = (session: string, terminal?: string, idleMs = 0) => {
    const root = mkdtempSync(path.join(tmpdir(), "swarmd-owner-"));
    copies.push(root);
    mkdirSync(path.join(root, "run/systemd/sessions"), { recursive: true });
    mkdirSync(path.join(root, "dev/pts"), { recursive: true });
    writeFileSync(path.join(root, "run/systemd/sessions/2"), session);
    if (terminal !== undefined) {
      writeFileSync(path.join(root, "dev", terminal), "");
      utimesSync(path.join(root, "dev", terminal), (nowMs - idleMs) / 1000, nowMs / 1000);
    }
    return readOwner(root, 300_000, nowMs);
  };

  it("is there while a session is in front of a screen, or a terminal was typed into lately", () => {
    expect(owned("CLASS=user\nTYPE=wayland\nACTIVE=1\n")).toBe(true);
    expect(owned("CLASS=user\nTYPE=tty\nTTY=pts/3\n", "pts/3", 60_000)).toBe(true);
    expect(owned("CLASS=user\nTYPE=tty\nTTY=tty2\n", "tty2", 299_000)).toBe(true);
  });

  it("is away when the session is in the background, is a greeter's, or its terminal is idle or odd", () => {
    expect(owned("CLASS=user\nTYPE=x11\nACTIVE=0\n")).toBe(false);
    expect(owned("CLASS=greeter\nTYPE=wayland\nACTIVE=1\n")).toBe(false);
    expect(owned("CLASS=user\nTYPE=tty\nTTY=pts/3\n", "pts/3", 301_000)).toBe(false);
    expect(owned("CLASS=user\nTYPE=tty\nTTY=../../etc/passwd\n")).toBe(false);
    expect(owned("CLASS=user\nTYPE=tty\nTTY=pts/9\n")).toBe(false);
    expect(readOwner("/nowhere", 300_000, nowMs)).toBe(false);
  });

  it("is not looked for unless the configuration says so", () => {
    expect(readingOf(machine("virtual-machine")).ownerActive).toBeUndefined();
  });
});

describe("what leaves less for the swarm", () => {
  const rootWith = (files: Readonly<Record<string, string>>) => {
    const root = mkdtempSync(path.join(tmpdir(), "swarmd-power-"));
    copies.push(root);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      writeFileSync(path.join(root, name), text);
    }
    return root;
  };
  const supply = (name: string, fields: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, text]) => [`sys/class/power_supply/${name}/${key}`, `${text}\n`]),
    );
  const lid = (state: string) => ({ "proc/acpi/button/lid/LID0/state": `state:      ${state}\n` });

  it("is a battery that is being used up, and no mains", () => {
    const battery = supply("BAT0", { type: "Battery", status: "Discharging" });
    expect(readLeaving(rootWith(battery))).toBe("battery");
    expect(readLeaving(rootWith({ ...battery, ...supply("AC", { type: "Mains", online: "0" }) }))).toBe(
      "battery",
    );
    expect(
      readLeaving(rootWith({ ...battery, ...supply("AC", { type: "Mains", online: "1" }) })),
    ).toBeUndefined();
    expect(
      readLeaving(rootWith({ ...battery, ...supply("C1", { type: "USB", online: "1" }) })),
    ).toBeUndefined();
    expect(readLeaving(rootWith(supply("BAT0", { type: "Battery", status: "Charging" })))).toBeUndefined();
  });

  it("is not the battery of a mouse", () => {
    const mouse = { type: "Battery", status: "Discharging", scope: "Device" };
    expect(readLeaving(rootWith(supply("hidpp_battery_0", mouse)))).toBeUndefined();
    expect(readLeaving("/nowhere")).toBeUndefined();
  });

  it("is a lid that is closed", () => {
    expect(readLeaving(rootWith(lid("closed")))).toBe("lid");
    expect(readLeaving(rootWith(lid("open")))).toBeUndefined();
  });

  it("is what others use: at once when they begin, and for five seconds after they ended", () => {
    const root = rootWith({ "proc/stat": "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 1 1 1\n" });
    let [seconds, machine, own] = [0, 0, 0];
    const others = createOthers({ root, ownTicks: () => own, nowMonoMs: () => seconds * 1000 });
    const second = (machineCores: number, ownCores: number) => {
      seconds++;
      machine += machineCores * 100;
      own += ownCores * 100;
      writeFileSync(path.join(root, "proc/stat"), `cpu  ${machine} 0 0 999 999 0 0 0 0 0\n`);
      return others();
    };
    expect(others()).toBe("unknown");
    expect(second(4, 4)).toBe(0);
    expect(second(7, 4)).toBe(3);
    expect([second(4, 4), second(4, 4), second(4, 4), second(4, 4), second(4, 4)]).toEqual([3, 3, 3, 3, 3]);
    expect(second(4, 4)).toBe(0);
    expect(second(1, 4)).toBe(0);
    expect(others()).toBe(0);
    writeFileSync(path.join(root, "proc/stat"), "cpu nonsense\n");
    seconds++;
    expect(others()).toBe("unknown");
  });

  it("is told of this very machine", () => {
    const told: LocalVitals[] = [];
    createSensors({ ...about, owner: { idleMs: 300_000, ownTicks: () => ticksOfTree(process.pid) } }).watch(
      (vitals) => told.push(vitals),
    )();
    expect(told[0]).toHaveProperty("ownerActive");
    expect(ticksOfTree(process.pid)).toBeGreaterThan(10);
    expect(ticksOfTree(process.pid)).toBeLessThanOrEqual(
      busyTicks(readFileSync("/proc/stat", "utf8")) as number,
    );
  });

  it("is memory that is not for actions", () => {
    const root = machine("workstation");
    const told: LocalVitals[] = [];
    createSensors({ root, ...about, memoryBytesMax: 2 ** 30 }).watch((vitals) => told.push(vitals))();
    expect(told[0]!.memoryTotalBytes).toBe(2 ** 30);
    expect(told[0]!.memoryFreeBytes).toBeLessThanOrEqual(2 ** 30);
  });
});
