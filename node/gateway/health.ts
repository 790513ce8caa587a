/** Whether a node keeps up: with what others know, and with the time. */
import type { Views } from "./views.ts";

export interface Health {
  readonly ok: boolean;
  /** Entries and ended builds that others have and this node lacks. */
  readonly gaps: number;
  /** How late this daemon just did what was due. */
  readonly lagMs: number;
  readonly limits: { readonly gapsMax: number; readonly lagMsMax: number };
}

const dueMs = 5;

export async function healthOf(views: Views, limits: Health["limits"]): Promise<Health> {
  const from = performance.now();
  const [{ behind }] = await Promise.all([
    views.status(),
    new Promise((resolve) => {
      setTimeout(resolve, dueMs);
    }),
  ]);
  const lagMs = Math.max(0, Math.round(performance.now() - from - dueMs));
  const gaps = behind.entries + behind.builds;
  return { ok: gaps <= limits.gapsMax && lagMs <= limits.lagMsMax, gaps, lagMs, limits };
}
