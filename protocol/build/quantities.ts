/** Durations and sizes as people write them. */

const durationMsMax = 7 * 24 * 3600_000;

/** Milliseconds of a text such as `90s`, `1h30m`; undefined over seven days or for nothing at all. */
export function durationMs(text: string): number | undefined {
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|s|m|h|d)/g))
    ms += Number(count) * unitMs[unit as keyof typeof unitMs];
  return ms > 0 && ms <= durationMsMax ? ms : undefined;
}

/** Bytes of a text such as `512M` or `1.5G`, in powers of 1024. */
export function sizeBytes(text: string): number {
  const [, number, unit] = /^([0-9.]+)([KMGT]?)$/.exec(text)!;
  return Math.round(Number(number) * 1024 ** " KMGT".indexOf(unit || " "));
}
