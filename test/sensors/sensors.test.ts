import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readLoad } from "../../node/sensors/load.ts";
import { readOwner } from "../../node/sensors/owner.ts";
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
