/** Whether the machine may sleep any moment: it runs on a battery, or its lid is closed. Source: the kernel's Documentation/ABI/testing/sysfs-class-power. */
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";
import { readNames, readText } from "./reading.ts";

/** The battery before the lid; undefined on mains with an open lid, and on machines that have neither. */
export function readLeaving(root: string): LocalVitals["leaving"] {
  if (onBattery(root)) return "battery";
  return lidClosed(root) ? "lid" : undefined;
}

/** A battery that is being used up, and no mains. Those of mice and headsets are none of the machine's. */
function onBattery(root: string): boolean {
  const folder = `${root}/sys/class/power_supply`;
  let discharging = false;
  for (const name of readNames(folder, /^[A-Za-z0-9_.:-]{1,64}$/)) {
    const of = (what: string) => readText(`${folder}/${name}/${what}`)?.trim();
    if (of("scope") === "Device") continue;
    const type = of("type");
    if (type !== "Battery" && of("online") === "1") return false;
    if (type === "Battery" && of("status") === "Discharging") discharging = true;
  }
  return discharging;
}

function lidClosed(root: string): boolean {
  const folder = `${root}/proc/acpi/button/lid`;
  return readNames(folder, /^[A-Za-z0-9_]{1,32}$/).some((name) =>
    /\bclosed\b/.test(readText(`${folder}/${name}/state`) ?? ""),
  );
}
