/** Results for the action cache out of signed entries: of builds that ended elsewhere, and of what others answer who were asked. Only what a member said itself counts. */
import type { BuildId, Digest } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type ActionResult, type EventOf, knownEvent, type Made } from "../timeline/events.ts";

/** A result of an action key, as the one who made it said it. */
export interface Gleaned {
  readonly key: Digest;
  readonly result: ActionResult;
  readonly made: Made;
}

/** Whether the author of an entry counts there and is a builder still. */
const isMaker = (members: Members, said: SignedEntry): boolean =>
  members.counts(said) && !members.spoiled(said) && members.has(said.entry.author, "builder");

/** The result of a key that an entry itself says its author came to; undefined where it says no such thing, or its word counts no more. */
export function provenBy(
  proof: SignedEntry,
  key: Digest,
  action: Made["action"],
  members: Members,
): Gleaned | undefined {
  const { author: by, inc, seq, build } = proof.entry;
  if (build === undefined || !isMaker(members, proof)) return undefined;
  for (const raw of proof.entry.events) {
    const event = raw.kind === "done" && raw.key === key ? knownEvent(raw) : undefined;
    if (event?.kind === "done")
      return { key, result: event.result, made: { build, action, by, at: { inc, seq } } };
  }
  return undefined;
}

/** The results in entries of one build: each of a claim that a builder gave to the one who says it is done. */
export function glean(build: BuildId, entries: readonly SignedEntry[], members: Members): Gleaned[] {
  const claims = new Map<string, EventOf<"claim">>();
  const said: [SignedEntry, EventOf<"done">][] = [];
  for (const entry of entries)
    for (const raw of entry.entry.events) {
      if (raw.kind !== "claim" && raw.kind !== "done") continue;
      const event = knownEvent(raw);
      if (event?.kind === "claim" && members.may("claim", entry)) claims.set(event.claim, event);
      else if (event?.kind === "done" && isMaker(members, entry)) said.push([entry, event]);
    }
  return said.flatMap(([{ entry }, { claim: id, key, result }]) => {
    const { author: by, inc, seq } = entry;
    const claim = claims.get(id);
    if (claim?.holder !== by || claim.key !== key) return [];
    return [{ key, result, made: { build, action: claim.action, by, at: { inc, seq } } }];
  });
}
