/** What a voter holds against a proposal by itself: the place where a release is judged before it is voted on. */
import type { SwarmId } from "../kernel/ids.ts";
import type { Proposal, Voter } from "./ballot.ts";
import type { Certified } from "./epochs.ts";
import { epochStepMs, type Manifest } from "./manifest.ts";
import { refusedFrom } from "./risk.ts";

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

/**
 * What is wrong with a manifest in its place. It speaks of the manifest and the one before alone, so all voters say the same of it: what one
 * of them would accept and the others refuse, nobody could finish or leave.
 */
export function objectionToManifest(
  manifest: Manifest,
  at: {
    readonly swarm: SwarmId;
    readonly channel: string;
    readonly epoch: number;
    readonly proposal: Proposal;
    /** The epoch before, where there is one. */
    readonly base: Manifest | undefined;
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
  if (wrong !== undefined) return { why: "invalid", reason: `its manifest is ${wrong}` };
  // Who says why it is right all the same has said so to all, for ever.
  const doubt = manifest.reason === undefined ? doubtOf(manifest, at.base) : undefined;
  return doubt === undefined
    ? undefined
    : { why: "invalid", reason: `${doubt}, and nobody says why it is right` };
}

function doubtOf(manifest: Manifest, base: Manifest | undefined): string | undefined {
  const { score, parts } = manifest.risk ?? { score: 0, parts: [] };
  const points = parts.reduce((sum, part) => sum + part.points, 0);
  const risk = Math.max(score, Math.min(100, points));
  if (risk >= refusedFrom) return `its risk is ${risk} of 100`;
  const wanted = base?.builders ?? 1;
  if ((manifest.builders ?? 1) < wanted) return `it asks for fewer builders than the epoch before, ${wanted}`;
  const lonely = wanted > 1 && manifest.rollback === undefined ? lonelyIn(manifest, base, wanted) : undefined;
  return lonely === undefined ? undefined : `fewer than ${wanted} members built ${lonely} alike`;
}

/** A file that this epoch brings and fewer members built than are wanted. */
function lonelyIn({ items }: Manifest, base: Manifest | undefined, wanted: number): string | undefined {
  const known = new Map(base?.items.map(({ path, digest }) => [path, digest]));
  return items.find(
    ({ path, digest, link, nodes = [] }) =>
      link === undefined && new Set(nodes).size < wanted && known.get(path) !== digest,
  )?.path;
}
