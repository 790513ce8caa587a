/** Pause, resume and cancel of a build: each names the control events it answers, so that concurrent ones settle alike everywhere. */
import type { Command } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { BuildId, ClaimId } from "../kernel/ids.ts";
import type { Event, EventOf } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";

/** A word answers at most so many others. */
const answersMax = 256;

/** What a person's word comes to: the events that say it, and what they do. No event: all is so already. */
export interface Plan {
  readonly build?: BuildId;
  readonly says: readonly { readonly build?: BuildId; readonly event: Event }[];
  /** So many actions change hands or become runnable. */
  readonly moved: number;
  /** So many runs are thrown away. */
  readonly lost: number;
}

/** What a node can know of open claims: of its own for sure, of others' by what they said. */
export interface Hands {
  /** It runs, or may: stopping it may lose work. */
  readonly runs: (claim: Claim) => boolean;
  /** It is not known to have begun: its holder may give it back. */
  readonly waits: (claim: Claim) => boolean;
}

/** `newId`: draws the id of a control event. Throws `refused` when the build was cancelled. */
export function controlPlan(
  build: Build,
  command: Extract<Command, { kind: "control" }>,
  newId: () => ClaimId,
  hands: Hands,
): Plan {
  const claims = build.claims!;
  const { op, reason } = command;
  if (claims.cancelled && op !== "cancel")
    throw new SwarmError("refused", `${build.id} was cancelled`, {
      remedy: "submit it again: swarmd submit SPEC",
    });
  const so = { pause: claims.holds.pauseSaid, resume: !claims.paused, cancel: claims.cancelled }[op];
  if (so) return { build: build.id, says: [], moved: 0, lost: 0 };
  const effect = effectOf(op, claims, hands);
  const heads = claims.holds.heads().map(({ event }) => event.id);
  // A failure that the build broke at is answered like a pause; where nobody wanted it to break, there is nothing to answer.
  const breaks = claims.holds.breakpoints().some(({ event }) => event.action === undefined);
  const failures = op === "resume" && breaks ? claims.holds.unanswered().map(({ claim }) => claim) : [];
  const answers = [...new Set([...heads, ...failures])];
  const says: { build: BuildId; event: EventOf<"control"> }[] = [];
  for (let at = 0; at === 0 || at < answers.length; at += answersMax)
    says.push({
      build: build.id,
      event: {
        kind: "control",
        op,
        id: newId(),
        answers: answers.slice(at, at + answersMax),
        ...(reason !== undefined ? { reason: reason.slice(0, 250) } : {}),
        ...(at === 0 ? effect : {}),
      },
    });
  return { build: build.id, says, ...effect };
}

function effectOf(
  op: "pause" | "resume" | "cancel",
  claims: Claims,
  hands: Hands,
): { moved: number; lost: number } {
  const open = [...claims.openClaims];
  if (op === "pause") return { moved: open.filter(hands.waits).length, lost: 0 };
  // What has a breakpoint of its own waits on.
  if (op === "resume")
    return {
      moved: [...claims.actions.ready()].filter((i) => claims.heldBy(i) !== "breakpoint").length,
      lost: 0,
    };
  return {
    moved: claims.actions.size - claims.actions.counts.done,
    lost: open.filter(hands.runs).length,
  };
}
