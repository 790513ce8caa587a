/** The machine's clock: monotonic time for everything that is decided, wall time for people. */
import type { Clock } from "../protocol/ports.ts";

/** The longest delay a timer takes; a later moment is approached in several. */
const delayMsMax = 2 ** 31 - 1;

export function createClock(): Clock & { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const now = () => ({ monoMs: performance.now(), wallMs: Date.now() });
  const wake = (monoMs: number, callback: () => void) => {
    clearTimeout(timer);
    const delayMs = Math.min(Math.max(0, Math.ceil(monoMs - performance.now())), delayMsMax);
    timer = setTimeout(() => {
      // Timers are rounded and may fire a little early; the moment itself is what was promised.
      if (performance.now() < monoMs) wake(monoMs, callback);
      else callback();
    }, delayMs);
  };
  return { now, wake, stop: () => clearTimeout(timer) };
}
