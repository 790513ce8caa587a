/** The slow-node guard: whether a faster node should have an action. */

/** Nodes of about one speed, as the guard sees them. */
export interface SpeedClass {
  readonly speed: number;
  readonly slots: number;
}

/**
 * The slow-node guard (measured: worth more than any other part). True when a faster class would finish the action sooner than this
 * node, waiting included: est/own > wait_f + est/f + age, where wait_f is the higher-ranked ready work over the capacity of
 * classes at least as fast as f, plus the mean remaining time of what runs there over (slots + 1), twice.
 */
export function guardDeclines(options: {
  readonly estimateMs: number;
  readonly ownSpeed: number;
  /** Work that ranks before this action, milliseconds at speed 1. */
  readonly readyAheadMs: number;
  readonly faster: readonly SpeedClass[];
  readonly meanRemainingMs: number;
  /** How old what we know of the others may be. */
  readonly ageMs: number;
}): boolean {
  const ownMs = options.estimateMs / options.ownSpeed;
  for (const f of options.faster) {
    if (f.speed <= options.ownSpeed) continue;
    const group = options.faster.filter((c) => c.speed >= f.speed);
    const capacity = group.reduce((sum, c) => sum + c.slots * c.speed, 0);
    const slots = group.reduce((sum, c) => sum + c.slots, 0);
    const waitMs = options.readyAheadMs / capacity + (2 * options.meanRemainingMs) / (slots + 1);
    if (ownMs > waitMs + options.estimateMs / f.speed + options.ageMs) return true;
  }
  return false;
}
