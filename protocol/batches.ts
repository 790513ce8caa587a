/** What effects bring to the disk: how much it is, and two writes as one. */
import type { Effect } from "./contract.ts";
import type { EventBatch } from "./ports.ts";

/** A write that nobody waits for, and that holds nothing yet. */
export const nothing: EventBatch = { entries: [], updates: [], dropped: [], durable: false, quiet: true };

const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);
export const batchBytes = ({ entries, updates }: Pick<EventBatch, "entries" | "updates">): number =>
  sum(entries.map((e) => e.bytes.length)) + sum(updates.map((u) => u.update.length));

/** Bytes that an effect brings to the disk. */
export function bytesOf(effect: Effect): number {
  if (effect.kind === "append") return effect.entry.bytes.length + (effect.update?.length ?? 0);
  if (effect.kind === "keep") return batchBytes({ entries: effect.entries, updates: [] });
  if (effect.kind === "keep-update") return batchBytes({ entries: effect.entries, updates: [effect] });
  return 0;
}

export const joined = (a: EventBatch, b: EventBatch): EventBatch => ({
  ...a,
  entries: [...a.entries, ...b.entries],
  updates: [...a.updates, ...b.updates],
  dropped: [...a.dropped, ...b.dropped],
  archived: [...(a.archived ?? []), ...(b.archived ?? [])],
  forgotten: [...(a.forgotten ?? []), ...(b.forgotten ?? [])],
});
