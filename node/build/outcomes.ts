/** Why an action came to nothing, as it is told: in bounded words, and whose doing it was. */
import { readFileSync, statSync } from "node:fs";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Workspace } from "./workspace.ts";

const reasonCharsMax = 500;

/** The node's doing: another one has what the action was granted for, or this one again once it is asked anew. */
export const otherToolchain = (why: string): ExecuteOutcome => ({
  kind: "failed",
  cause: "infrastructure",
  reason: clip(`the toolchain is not the one it was granted for: ${why}`),
});

export const clip = (text: string) =>
  text.length > reasonCharsMax ? `${text.slice(0, reasonCharsMax)}…` : text;

/** A job that no node could start is the submitter's doing; everything else that is thrown here is ours. */
export function failureOf(cause: unknown): ExecuteOutcome {
  const deterministic =
    cause instanceof SwarmError && (cause.code === "too-large" || cause.code === "malformed");
  return {
    kind: "failed",
    cause: deterministic ? "deterministic" : "infrastructure",
    reason: clip(cause instanceof Error ? cause.message : String(cause)),
  };
}

/** What bubblewrap says when it fails before it starts the command: the command itself did nothing. */
export function boxComplaint(workspace: Workspace): string | undefined {
  const file = `${workspace.dir}/err`;
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || size > 4096) return undefined;
  const text = readFileSync(file, "utf8");
  return text.startsWith("bwrap: ") ? clip(text.trim()) : undefined;
}
