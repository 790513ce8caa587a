/** A hybrid logical clock (Kulkarni 2014). It orders pages for people; no fold ever reads it. */

/** [wall milliseconds, counter within that millisecond]. */
export type Hlc = readonly [wallMs: number, counter: number];

/** The own clock follows others by at most this much; stamps beyond are kept and flagged. */
export const hlcLeadMsMax = 60_000;

export const hlcBefore = (a: Hlc, b: Hlc): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

/** The next stamp of one's own: never before the last one, never behind the wall clock. */
export function hlcNext(last: Hlc, wallMs: number): Hlc {
  const wall = Math.floor(wallMs);
  return wall > last[0] ? [wall, 0] : [last[0], last[1] + 1];
}

/** The own clock after hearing a remote stamp: pulled forward, but never more than `hlcLeadMsMax` ahead of the wall. */
export function hlcHear(last: Hlc, remote: Hlc, wallMs: number): Hlc {
  if (remote[0] > wallMs + hlcLeadMsMax) return last;
  return hlcBefore(last, remote) ? remote : last;
}
