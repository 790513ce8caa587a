/** Pause, resume and cancel: each names the control events it answers, so that concurrent ones settle alike everywhere. */
import type { Command } from "../contract.ts";
import type { EventOf } from "../timeline/events.ts";
import type { Build } from "./build.ts";

/** The event that says a person's word about a build, answering every unanswered one this node knows. */
export function pauseOrResume(
  build: Build,
  command: Extract<Command, { kind: "control" }>,
  id: string,
): EventOf<"control"> {
  return {
    kind: "control",
    op: command.op,
    id,
    answers: build
      .claims!.heads()
      .map((c) => c.id)
      .slice(0, 256),
    ...(command.reason !== undefined ? { reason: command.reason.slice(0, 250) } : {}),
  };
}
