/** What a node finds on its disk at its start, as inputs in the order in which a core takes them; the last one says that it is up. */
import type { Input, Shelved } from "./contract.ts";
import type { Restored } from "./ports.ts";
import type { Wire } from "./wire.ts";

/** `shown`: what the mirror on this machine shows. */
export function bootInputs(
  restored: Restored,
  shown: readonly Shelved[],
  wire: Pick<Wire, "readUpdate">,
): Input[] {
  const { history, entries, archived = [], ledgers } = restored;
  const inputs: Input[] = [];
  if (history) inputs.push({ kind: "restored-history", history });
  if (entries.length > 0) inputs.push({ kind: "restored-entries", entries });
  if (archived.length > 0) inputs.push({ kind: "restored-archive", records: archived });
  for (const { build, updates } of ledgers)
    inputs.push({
      kind: "restored-ledger",
      build,
      updates,
      entries: updates.flatMap((u) => wire.readUpdate(build, u)),
    });
  if (shown.length > 0) inputs.push({ kind: "restored-epochs", channels: shown });
  inputs.push({ kind: "started" });
  return inputs;
}
