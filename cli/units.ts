/** Numbers as people read them, units last. */

/** `850 ms`, `12.3 s`, `2 min 05 s`, `1 h 03 min`, `2 d 04 h`. */
export function durationText(ms: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${two(Math.floor((minutes % 1440) / 60))} h`;
}

/** `0.3 ms`, `12 ms`, `1.2 s`. */
export const latencyText = (ms: number): string => (ms < 9.95 ? `${ms.toFixed(1)} ms` : durationText(ms));

/** Powers of 1024, as the dashboard has them: `0 B`, `1023 B`, `1.2 KiB`, `120 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    value /= 1024;
    if (value < 9.95) return `${value.toFixed(1)} ${unit}`;
    if (value < 1023.5) return `${Math.round(value)} ${unit}`;
  }
  return `${Math.round(value)} TiB`;
}

/** The day of a moment in local time: `2030-01-31`. */
export const dayText = (ms: number): string => momentText(ms).slice(0, 10);

/** A moment of a day in local time: `09:05:03.120`. */
export function clockText(ms: number): string {
  const at = new Date(ms);
  const digits = (n: number, count: number) => String(n).padStart(count, "0");
  return `${momentText(ms).slice(11)}:${digits(at.getSeconds(), 2)}.${digits(at.getMilliseconds(), 3)}`;
}

/** A moment in local time to the minute: `2030-01-31 09:05`. */
export function momentText(ms: number): string {
  const at = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** `1 file`, `2 files`. */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Milliseconds of `90s`, `30m`, `24h`, `7d`; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const [, count, unit] = /^([0-9]{1,9})(s|m|h|d)$/.exec(text) ?? [];
  if (count === undefined) return undefined;
  return Number(count) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"];
}
