/**
 * Temperatures: the processor's sensors of hwmon, or thermal zones where there are none. Sources: the kernel's
 * Documentation/hwmon/sysfs-interface and driver-api/thermal/sysfs-api; all values are millidegrees.
 */
import type { Unknown } from "../../protocol/swarm/vitals.ts";
import { readNames, readNumber, readText } from "./reading.ts";

/** Where no limit is told, processors throttle about here. */
const assumedLimitCelsius = 95;

/** Chips that measure a processor or a board's SoC. Disks, network cards and power supplies have other limits and other owners. */
const processorChips =
  /^(coretemp|k10temp|k8temp|zenpower|cpu_thermal|cpu-thermal|soc_thermal|scpi_sensors|acpitz|thinkpad|dell_smm|cpu.*|bigcore.*|littlecore.*|soc.*)$/;
const processorZones = /^(x86_pkg_temp|cpu.*|soc.*|bigcore.*|littlecore.*|acpitz|TCPU.*)$/i;

export interface Temperature {
  /** Of the sensor nearest to its limit. */
  readonly temperatureCelsius: number | Unknown;
  /** Degrees left there; below 0 when it is over. */
  readonly headroomCelsius: number | Unknown;
}

interface Reading {
  readonly celsius: number;
  readonly limitCelsius: number;
}

export function readTemperature(root: string): Temperature {
  const chips = hwmonReadings(root);
  const readings = chips.length > 0 ? chips : zoneReadings(root);
  let nearest: Reading | undefined;
  for (const reading of readings)
    if (!nearest || reading.limitCelsius - reading.celsius < nearest.limitCelsius - nearest.celsius)
      nearest = reading;
  if (!nearest) return { temperatureCelsius: "unknown", headroomCelsius: "unknown" };
  return {
    temperatureCelsius: nearest.celsius,
    headroomCelsius: Math.round((nearest.limitCelsius - nearest.celsius) * 10) / 10,
  };
}

function hwmonReadings(root: string): Reading[] {
  const readings: Reading[] = [];
  const base = `${root}/sys/class/hwmon`;
  for (const chip of readNames(base, /^hwmon[0-9]+$/)) {
    const folder = `${base}/${chip}`;
    if (!processorChips.test(readText(`${folder}/name`)?.trim() ?? "")) continue;
    for (const input of readNames(folder, /^temp[0-9]+_input$/)) {
      const prefix = `${folder}/${input.slice(0, -"_input".length)}`;
      addReading(readings, celsiusOf(`${prefix}_input`), [
        celsiusOf(`${prefix}_max`),
        celsiusOf(`${prefix}_crit`),
      ]);
    }
  }
  return readings;
}

function zoneReadings(root: string): Reading[] {
  const readings: Reading[] = [];
  const base = `${root}/sys/class/thermal`;
  for (const zone of readNames(base, /^thermal_zone[0-9]+$/)) {
    const folder = `${base}/${zone}`;
    if (!processorZones.test(readText(`${folder}/type`)?.trim() ?? "")) continue;
    const limits: (number | Unknown)[] = [];
    for (const type of readNames(folder, /^trip_point_[0-9]+_type$/)) {
      const kind = readText(`${folder}/${type}`)?.trim();
      // "active" points start fans; the others mark where the machine slows down or stops.
      if (kind === "passive" || kind === "hot" || kind === "critical")
        limits.push(celsiusOf(`${folder}/${type.replace("_type", "_temp")}`));
    }
    addReading(readings, celsiusOf(`${folder}/temp`), limits);
  }
  return readings;
}

function addReading(readings: Reading[], celsius: number | Unknown, limits: readonly (number | Unknown)[]) {
  if (celsius === "unknown") return;
  const plausible = limits.filter((limit) => limit !== "unknown" && limit >= 40 && limit <= 130) as number[];
  readings.push({
    celsius,
    limitCelsius: plausible.length > 0 ? Math.min(...plausible) : assumedLimitCelsius,
  });
}

/** Sensors that are off read 0, -273 or 255; none of these is a temperature of something that runs. */
function celsiusOf(file: string): number | Unknown {
  const millis = readNumber(readText(file), -40_000, 150_000);
  return millis === "unknown" || millis === 0 ? "unknown" : Math.round(millis / 100) / 10;
}
