/** The vocabulary in five families, by which people look for events. Specified in specs/timeline.md. */
import { nearestOr } from "../build/nearest.ts";
import { SwarmError } from "../kernel/errors.ts";
import { type EventKind, writers } from "../timeline/events.ts";

/**
 * node: machines and members. pipeline: what is made, from submit to release. schedule_decision: who gets what, and what that stood on.
 * failure_propagation: what went wrong, and what is taken back for it. debugger_preview: a person's hand on a build.
 */
export const families = [
  "node",
  "pipeline",
  "schedule_decision",
  "failure_propagation",
  "debugger_preview",
] as const;
export type Family = (typeof families)[number];

export const familyOfKind: { readonly [K in EventKind]: Family } = {
  "node.up": "node",
  "node.down": "node",
  "node.control": "node",
  "node.grounded": "failure_propagation",
  fork: "node",
  "swarm.founded": "node",
  "member.admitted": "node",
  "member.role": "node",
  "member.revoked": "node",
  "member.tainted": "node",
  "member.renewed": "node",
  "member.renamed": "node",
  "member.left": "node",
  "member.rotated": "node",
  "join.denied": "node",
  "ticket.issued": "node",
  "build.submitted": "pipeline",
  claim: "schedule_decision",
  start: "pipeline",
  done: "pipeline",
  cached: "pipeline",
  fail: "failure_propagation",
  abandon: "failure_propagation",
  expire: "failure_propagation",
  lost: "failure_propagation",
  control: "debugger_preview",
  forgive: "debugger_preview",
  recall: "debugger_preview",
  step: "debugger_preview",
  breakpoint: "debugger_preview",
  place: "debugger_preview",
  preview: "debugger_preview",
  sealed: "pipeline",
  view: "schedule_decision",
  "mirror.offered": "node",
  "mirror.withdrawn": "node",
  "release.staged": "pipeline",
  "release.dropped": "pipeline",
  "release.disputed": "failure_propagation",
  "release.pinned": "pipeline",
  "release.prepared": "pipeline",
  "release.promised": "pipeline",
  "release.proposed": "pipeline",
  "release.accepted": "pipeline",
  "release.declined": "failure_propagation",
  "release.shown": "pipeline",
  "release.lags": "failure_propagation",
};

/** The family of a kind. Kinds of a later version count by where they stand: in a build, or in none. */
export const familyOf = (kind: string, inBuild: boolean): Family =>
  Object.hasOwn(familyOfKind, kind) ? familyOfKind[kind as EventKind] : inBuild ? "pipeline" : "node";

/**
 * The kinds that words mean: a kind, a family, or the beginning of kinds up to a dot (`release`). Throws `usage` naming the nearest for a
 * word that means none.
 */
export function kindsNamed(words: readonly string[]): ReadonlySet<string> {
  const kinds = Object.keys(writers) as EventKind[];
  const named = new Set<string>();
  for (const word of words) {
    const meant = kinds.filter(
      (kind) => kind === word || familyOfKind[kind] === word || kind.startsWith(`${word}.`),
    );
    if (meant.length === 0) {
      throw new SwarmError("usage", `there is no kind of event ${word}`, {
        remedy: nearestOr(
          word,
          [...kinds, ...families],
          `the families: ${families.join(", ")}; the kinds: ${kinds.join(", ")}`,
        ),
      });
    }
    for (const kind of meant) named.add(kind);
  }
  return named;
}
