/** Whether this machine's clock can be right at all, and whether something keeps it so. */
import type { Finding } from "../control/api.ts";
import type { Probe } from "./probe.ts";

/** No machine that runs this program is older. */
const firstPossibleMs = Date.UTC(2026, 0, 1);
/** Where signed 32 bits of seconds end: clocks that were never set may stand there too. */
const lastPlausibleMs = Date.UTC(2038, 0, 1);
/** Programs that keep a clock right. */
const keepers = ["chronyd", "ntpd", "openntpd", "systemd-timesyn", "timesyncd"];
/** Names of processes, as the kernel cuts them, that are looked at. */
const processesMax = 4096;

export async function checkTime(probe: Probe, wallMs: number): Promise<Finding[]> {
  return [clockOf(wallMs), await keeperOf(probe)];
}

function clockOf(wallMs: number): Finding {
  const check = "clock";
  const text = new Date(wallMs).toISOString().replace(/\.\d+Z$/, "Z");
  if (wallMs >= firstPossibleMs && wallMs < lastPlausibleMs) return { check, level: "ok", text };
  return {
    check,
    level: "bad",
    text: `it says ${text}: it was never set, or its battery is empty`,
    remedy: "timedatectl set-ntp true, or by hand: date -s 'YYYY-MM-DD HH:MM'",
  };
}

async function keeperOf(probe: Probe): Promise<Finding> {
  const check = "time service";
  const told = await probe.run("timedatectl", "show", "--property=NTP", "--property=NTPSynchronized");
  if (told?.includes("NTPSynchronized=yes"))
    return { check, level: "ok", text: "the clock is kept right by NTP" };
  const running = await keeperRunning(probe);
  if (told?.includes("NTP=yes") || running !== undefined)
    return told?.includes("NTPSynchronized=no")
      ? {
          check,
          level: "note",
          text: `${running ?? "NTP"} is on, and has not reached a time server yet`,
          remedy: "see why: timedatectl timesync-status, or chronyc tracking",
        }
      : { check, level: "ok", text: `${running} keeps the clock right` };
  return {
    check,
    level: "note",
    text: "nothing keeps this clock right: it wanders, and tickets and certificates may seem to have ended",
    remedy:
      told === undefined ? "install a time service: chrony, or busybox ntpd" : "timedatectl set-ntp true",
  };
}

async function keeperRunning(probe: Probe): Promise<string | undefined> {
  const ids = (await probe.list("/proc")).filter((name) => /^[0-9]+$/.test(name)).slice(0, processesMax);
  for (const id of ids) {
    const name = (await probe.read(`/proc/${id}/comm`))?.trim();
    if (name !== undefined && keepers.includes(name)) return name;
  }
  return undefined;
}
