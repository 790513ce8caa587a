/** Asks builders for exact fingerprints: reading the files of a compiler takes seconds, so nobody does it before somebody wants it. */
import type { Desk } from "./desk.ts";

/** This node and all living builders are to read the files of these tools. What they find comes with their beats. */
export function survey(desk: Desk, command: number, tools: readonly string[]): void {
  desk.emit({ kind: "survey", tools });
  for (const to of desk.alive())
    if (to !== desk.config.self) desk.emit({ kind: "send", to, message: { kind: "survey", tools } });
  desk.emit({ kind: "reply", id: command, reply: { ok: true } });
}
