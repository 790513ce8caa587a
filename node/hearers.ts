/** Who wants to hear of each change of the core, once or for as long as they listen. */

import type { Effect } from "../protocol/contract.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";

/** What a node says or hears for the first time. */
const entriesIn = (effect: Effect): readonly SignedEntry[] =>
  effect.kind === "append"
    ? [effect.entry]
    : effect.kind === "keep" || effect.kind === "keep-update"
      ? effect.entries
      : [];

export class Hearers {
  private readonly waiters = new Set<() => void>();
  private readonly listeners = new Set<(entries: readonly SignedEntry[]) => void>();

  /** The core took a step. */
  stepped(effects: readonly Effect[]): void {
    for (const wake of this.waiters) wake();
    const said = this.listeners.size === 0 ? [] : effects.flatMap(entriesIn);
    if (said.length > 0) for (const listen of this.listeners) listen(said);
  }

  /** Hears of every entry that the node says, or hears for the first time, until the function that is returned is called. */
  readonly hear = (listen: (entries: readonly SignedEntry[]) => void): (() => void) => {
    this.listeners.add(listen);
    return () => this.listeners.delete(listen);
  };

  /** Resolves with the next step, or when `signal` aborts. */
  readonly changed = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.waiters.delete(wake);
        resolve();
      };
      this.waiters.add(wake);
      signal?.addEventListener("abort", wake);
    });
}
