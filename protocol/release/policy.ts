/** What a voter holds against a proposal by itself: the place where a release is judged before it is voted on. */
import type { SwarmId } from "../kernel/ids.ts";
import type { Proposal, Voter } from "./ballot.ts";
import type { Certified } from "./epochs.ts";
import { epochStepMs, type Manifest } from "./manifest.ts";

/** No epoch may be dated further ahead of a voter's clock: all later ones must be dated behind it. */
export const clockMsMax = 60_000;

export interface Objection {
  readonly why: "invalid" | "clock";
  readonly reason: string;
}

/** What is wrong with a proposal, without its manifest. */
export function objectionTo(
  proposal: Proposal,
  tip: Certified | undefined,
  wallMs: number,
): Objection | undefined {
  const invalid = (reason: string): Objection => ({ why: "invalid", reason });
  if (proposal.parent !== (tip?.value ?? null)) return invalid("it does not follow the epoch before it");
  if (proposal.voters.length % 2 === 0) return invalid("an even number of voters");
  if (new Set(proposal.voters.map((v: Voter) => v.peer)).size !== proposal.voters.length)
    return invalid("it names a voter twice");
  if (tip && proposal.atMs < tip.proposal.atMs + epochStepMs)
    return invalid("it is dated less than 6 s behind the epoch before it");
  const aheadMs = proposal.atMs - wallMs;
  if (aheadMs > clockMsMax)
    return {
      why: "clock",
      reason: `it is dated ${Math.round(aheadMs / 1000)} s ahead of this voter's clock`,
    };
  return undefined;
}

/** What is wrong with a manifest in its place. */
export function objectionToManifest(
  manifest: Manifest,
  at: {
    readonly swarm: SwarmId;
    readonly channel: string;
    readonly epoch: number;
    readonly proposal: Proposal;
  },
): Objection | undefined {
  const wrong =
    manifest.swarm !== at.swarm
      ? "another swarm's"
      : manifest.channel !== at.channel || manifest.epoch !== at.epoch
        ? `that of epoch ${manifest.epoch} of ${manifest.channel}`
        : manifest.parent !== at.proposal.parent || manifest.atMs !== at.proposal.atMs
          ? "not the one that is proposed"
          : undefined;
  return wrong === undefined ? undefined : { why: "invalid", reason: `its manifest is ${wrong}` };
}
