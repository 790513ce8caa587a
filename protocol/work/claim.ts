/** A claim as the fold knows it: who may run which action, on what grounds, and what became of it. */
import { sha256Hex } from "../kernel/digest.ts";
import type { ActionName, ClaimId, Digest, EntryId, Incarnation, PeerId } from "../kernel/ids.ts";
import type { EventOf, Made, Usage, Why } from "../timeline/events.ts";

/** What its holder came to. `at`: where in its holder's chain it said so. */
export interface Done {
  readonly resultHash: EntryId;
  readonly usage: Usage | undefined;
  readonly at: NonNullable<Made["at"]>;
}

/** By the words in which it was said: whoever folds the same words shares what they mean. */
const dones = new WeakMap<EventOf<"done">, Done>();

/** What the words of a holder at a place of its chain come to. `resultHash`: of the result they name. */
export function doneBy(event: EventOf<"done">, resultHash: EntryId, inc: Incarnation, seq: number): Done {
  const known = dones.get(event);
  if (known?.at.seq === seq && known.at.inc === inc) return known;
  const done: Done = { resultHash, usage: event.usage, at: { inc, seq } };
  dones.set(event, done);
  return done;
}

export interface Claim {
  readonly id: ClaimId;
  readonly action: number;
  readonly attempt: number;
  readonly key: Digest;
  readonly holder: PeerId;
  readonly holderInc: Incarnation;
  readonly steward: PeerId;
  readonly turn: number;
  readonly twin: boolean;
  readonly pins: readonly (readonly [ActionName, EntryId])[];
  /** Sum over the results it takes. */
  readonly took: string | undefined;
  readonly why: Why | undefined;
  started: boolean;
  done: Done | undefined;
  fail: EventOf<"fail"> | undefined;
  abandoned: string | undefined;
  expired: string | undefined;
  /** A person wants it back: unless it has begun, or in any case. */
  recalled: "queued" | "running" | undefined;
  /** A person forgave its failure. */
  forgiven: boolean;
}

/** Why a claim is closed whose result an admin tainted. */
export const taintedBecause = "what it made is tainted";

/** What the fold knows a claim by. A steward that uses one id twice, for two things, has made two claims. */
export const identity = (c: Pick<Claim, "id" | "action" | "key" | "holder" | "holderInc" | "twin">): string =>
  [c.id, c.action, c.key, c.holder, c.holderInc, c.twin].join("\n");

export const isOpen = (claim: Claim): boolean =>
  !claim.done && !claim.fail && claim.abandoned === undefined && claim.expired === undefined;

export const beats = (action: ActionName, claim: Claim, other: Claim): boolean => {
  if (claim.started !== other.started) return claim.started;
  const [mine, its] = [claim, other].map(({ id }) => sha256Hex(`${action}\n${id}`)) as [string, string];
  return mine < its || (mine === its && identity(claim) < identity(other));
};

/** Of two open claims of one action key, each in a build of its own, the one that goes on: what the other needs comes from the cache then. */
export const goesOn = (claim: Claim, other: Claim): boolean =>
  beats(claim.key as string as ActionName, claim, other);

/** Whether a claim's id is of those that one start of an author may give: `author.inc.n`. */
export const isOf = (claim: ClaimId, author: PeerId, inc: Incarnation): boolean =>
  claim.startsWith(author) &&
  claim.startsWith(inc, author.length + 1) &&
  claim.charAt(author.length) === "." &&
  claim.charAt(author.length + 1 + inc.length) === ".";
