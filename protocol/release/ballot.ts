/** Ballots, and what is voted on: the order of ballots, the one name of a proposal, the size of a majority. */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { byText, type EntryId, type SwarmId } from "../kernel/ids.ts";
import type { EventOf } from "../timeline/events.ts";

/** One try of one start of a coordinator at one epoch. Never used twice. */
export type Ballot = EventOf<"release.promised">["ballot"];
export type Proposal = EventOf<"release.proposed">["proposal"];
/** A voter is a node and the log it keeps its votes in: with another log it is none. */
export type Voter = Proposal["voters"][number];

export const byBallot = (a: Ballot, b: Ballot): number =>
  a.round - b.round || byText(a.by, b.by) || byText(a.inc, b.inc);

export const ballotText = (ballot: Ballot): string => `${ballot.round}.${ballot.by}.${ballot.inc}`;

/** The name of a proposal in its place: sha2-256 of both. The next epoch's proposal names it as its parent. */
export const nameOfProposal = (channel: string, epoch: number, proposal: Proposal): EntryId =>
  sha256Hex(encode(["swarmd-release-1", channel, epoch, proposal])) as EntryId;

/** The log that the founder's store begins with: it votes alone on the first epoch. A store made anew has another. */
export const firstLogOf = (swarm: SwarmId): string => swarm.slice(0, 16);

/** Votes that make a certificate, of so many voters. */
export const quorumOf = (voters: number): number => Math.floor(voters / 2) + 1;
