/** Whether what this node remembers can be relied upon: damage on its disk, and members that told two stories. */
import { byText } from "../../protocol/kernel/ids.ts";
import type { Finding, ForkView } from "../control/api.ts";
import type { Quarantined } from "../store/quarantine.ts";

const namedMax = 3;

/** `missing`: entries that others have still to give. */
export function checkDisk(found: readonly Quarantined[], folder: string, missing: number): Finding {
  const check = "what lies on the disk";
  if (found.length === 0 && missing === 0)
    return { check, level: "ok", text: "nothing that was read was damaged" };
  const kinds = [...new Set(found.map(({ what }) => what))].sort(byText).join(", ");
  const lacks = missing === 0 ? "what it held is back" : `${missing} entries are still to come from others`;
  return {
    check,
    level: missing === 0 ? "note" : "bad",
    text: `${found.length} damaged (${kinds}) in ${folder}; ${lacks}`,
    remedy: `look after this disk: smartctl -a, and its cables; what is in quarantine may go: rm -r ${folder}`,
  };
}

export function checkForks(forks: readonly ForkView[]): Finding {
  const check = "two stories";
  if (forks.length === 0) return { check, level: "ok", text: "no member told two" };
  const told = forks
    .slice(0, namedMax)
    .map(({ node, start, seq }) => `${node} in its start ${start} from entry ${seq} on`);
  const others = forks.length > namedMax ? ` and ${forks.length - namedMax} more` : "";
  return {
    check,
    level: forks.every(({ over }) => over) ? "note" : "bad",
    text: `${told.join(", ")}${others}: nothing of it counts from there`,
    remedy:
      "a machine that was copied while it ran does so once; who does it again: swarmd member revoke NAME; the proofs: swarmd timeline --kind fork",
  };
}
