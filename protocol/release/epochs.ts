/**
 * The epochs of one channel: a fold over what coordinators and voters said. The voters of an epoch are those that the certified epoch before
 * it names; a majority of their votes under one ballot is its certificate. It depends on the set of entries alone, not on their order, and
 * not on who is a member by now: what was certified stays certified.
 */
import type { EntryId, PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Event, EventOf } from "../timeline/events.ts";
import {
  type Ballot,
  ballotText,
  byBallot,
  firstLogOf,
  nameOfProposal,
  type Proposal,
  quorumOf,
  type Voter,
} from "./ballot.ts";

/** Votes of certified epochs are kept for so long, to show whoever voted twice. */
const keptEpochs = 16;

/** A release that holds for ever. */
export interface Certified {
  readonly epoch: number;
  /** The name of the proposal, by which the next epoch's refers to it. */
  readonly value: EntryId;
  readonly ballot: Ballot;
  readonly proposal: Proposal;
  /** The votes that prove it, by peer. */
  readonly certificate: readonly SignedEntry[];
}

interface Tally {
  readonly ballot: Ballot;
  readonly value: EntryId;
  readonly proposal: Proposal;
  /** By peer and log. */
  readonly votes: Map<string, { readonly peer: PeerId; readonly log: string; readonly entry: SignedEntry }>;
}

/** What was said of one epoch. */
interface Instance {
  readonly prepared: Map<string, { readonly ballot: Ballot; readonly entry: SignedEntry }>;
  readonly proposed: Map<
    string,
    { readonly ballot: Ballot; readonly proposal: Proposal; readonly entry: SignedEntry }
  >;
  /** By peer and ballot. */
  readonly promised: Map<string, { readonly peer: PeerId; readonly event: EventOf<"release.promised"> }>;
  readonly declined: Map<string, { readonly peer: PeerId; readonly event: EventOf<"release.declined"> }>;
  readonly tallies: Map<string, Tally>;
}

export class Epochs {
  readonly channel: string;
  /** In order; the n-th is epoch n + 1. */
  readonly certified: Certified[] = [];
  /** Epochs with two certificates for different manifests: voters lied. Nobody publishes from there on. */
  readonly conflicts = new Set<number>();
  private readonly members: Pick<Members, "swarm" | "founder" | "may">;
  private readonly open = new Map<number, Instance>();

  constructor(channel: string, members: Pick<Members, "swarm" | "founder" | "may">) {
    this.channel = channel;
    this.members = members;
  }

  /** The last certified epoch; 0 before the first. */
  get current(): number {
    return this.certified.length;
  }

  get tip(): Certified | undefined {
    return this.certified.at(-1);
  }

  /** Who votes on an epoch; undefined as long as the one before it is not known to be certified. */
  voters(epoch: number): readonly Voter[] | undefined {
    const { founder, swarm } = this.members;
    if (epoch === 1) return founder && [{ peer: founder, log: firstLogOf(swarm) }];
    return this.certified[epoch - 2]?.proposal.voters;
  }

  /** The voter that a node is in an epoch, with the log it keeps; undefined when it is none. */
  voter(epoch: number, peer: PeerId, log: string): Voter | undefined {
    return this.voters(epoch)?.find((v) => v.peer === peer && v.log === log);
  }

  /** Folds one event. Known ones change nothing. */
  take(entry: SignedEntry, event: Event): void {
    const { author, inc } = entry.entry;
    switch (event.kind) {
      case "release.prepared": {
        const ballot = { round: event.round, by: author, inc };
        this.instance(event.epoch)?.prepared.set(ballotText(ballot), { ballot, entry });
        return;
      }
      case "release.proposed": {
        const ballot = { round: event.round, by: author, inc };
        const { proposed } = this.instance(event.epoch) ?? {};
        // What is prepared is not always told before what is proposed.
        if (proposed && !proposed.has(ballotText(ballot)))
          proposed.set(ballotText(ballot), { ballot, proposal: event.proposal, entry });
        return;
      }
      case "release.promised":
        this.instance(event.epoch)?.promised.set(`${author} ${ballotText(event.ballot)}`, {
          peer: author,
          event,
        });
        return;
      case "release.declined":
        this.instance(event.epoch)?.declined.set(`${author} ${ballotText(event.ballot)}`, {
          peer: author,
          event,
        });
        return;
      case "release.accepted":
        this.vote(entry, event);
        return;
    }
  }

  /** The founding entry may become known after votes: looks again whether something is certified. */
  settle(): void {
    for (let epoch = this.current + 1; ; epoch++) {
      const proven = this.proven(epoch);
      const [first] = proven;
      if (!first) return;
      this.certified.push(first);
      if (proven.length > 1) this.conflicts.add(epoch);
      for (const old of this.open.keys()) if (old <= epoch - keptEpochs) this.open.delete(old);
    }
  }

  /** The highest ballot of an epoch that somebody took who may. */
  highestPrepared(epoch: number): Ballot | undefined {
    return highest(
      [...(this.open.get(epoch)?.prepared.values() ?? [])]
        .filter(({ entry }) => this.members.may("release.prepared", entry))
        .map(({ ballot }) => ballot),
    );
  }

  /** The highest round that anybody was heard of, in whatever way. */
  highestRound(epoch: number): number {
    const instance = this.open.get(epoch);
    if (!instance) return 0;
    const ballots = [
      ...[...instance.prepared.values(), ...instance.proposed.values(), ...instance.tallies.values()].map(
        (p) => p.ballot,
      ),
      ...[...instance.promised.values()].map((p) => p.event.ballot),
    ];
    return ballots.reduce((most, { round }) => Math.max(most, round), 0);
  }

  /** What the highest ballot with a proposal proposes, of those that somebody took who may. */
  highestProposed(
    epoch: number,
  ): { readonly ballot: Ballot; readonly proposal: Proposal; readonly by: PeerId } | undefined {
    const proposals = [...(this.open.get(epoch)?.proposed.values() ?? [])].filter(({ entry }) =>
      this.members.may("release.proposed", entry),
    );
    const top = highest(proposals.map(({ ballot }) => ballot));
    const found = top && proposals.find(({ ballot }) => byBallot(ballot, top) === 0);
    return found && { ballot: found.ballot, proposal: found.proposal, by: found.entry.entry.author };
  }

  /** What one peer promised and accepted last in an epoch, under any log. */
  stateOf(
    epoch: number,
    peer: PeerId,
  ): {
    readonly promised: Ballot | undefined;
    readonly accepted: { ballot: Ballot; proposal: Proposal } | undefined;
  } {
    const instance = this.open.get(epoch);
    const promises = [...(instance?.promised.values() ?? [])].filter((p) => p.peer === peer);
    const votes = [...(instance?.tallies.values() ?? [])].filter((t) =>
      [...t.votes.values()].some((v) => v.peer === peer),
    );
    const promised = highest([...promises.map((p) => p.event.ballot), ...votes.map((v) => v.ballot)]);
    const last = highest(votes.map((v) => v.ballot));
    const vote = last && votes.find((v) => byBallot(v.ballot, last) === 0);
    return { promised, accepted: vote && { ballot: vote.ballot, proposal: vote.proposal } };
  }

  /** The promises of an epoch's voters to one ballot, each voter once. */
  promises(epoch: number, ballot: Ballot): EventOf<"release.promised">[] {
    const { promised } = this.open.get(epoch) ?? {};
    return (this.voters(epoch) ?? []).flatMap(({ peer, log }) => {
      const found = promised?.get(`${peer} ${ballotText(ballot)}`);
      return found && found.event.log === log ? [found.event] : [];
    });
  }

  /** Whether a voter promised to a ballot. */
  promisedBy(epoch: number, ballot: Ballot, peer: PeerId): boolean {
    return this.open.get(epoch)?.promised.has(`${peer} ${ballotText(ballot)}`) ?? false;
  }

  /** What an epoch's voters said against a ballot. */
  declines(
    epoch: number,
    ballot: Ballot,
  ): { readonly peer: PeerId; readonly event: EventOf<"release.declined"> }[] {
    const { declined } = this.open.get(epoch) ?? {};
    return (this.voters(epoch) ?? []).flatMap(
      ({ peer }) => declined?.get(`${peer} ${ballotText(ballot)}`) ?? [],
    );
  }

  /** Voters of an epoch whose votes for a ballot are known. */
  votes(epoch: number, ballot: Ballot): PeerId[] {
    const tallies = [...(this.open.get(epoch)?.tallies.values() ?? [])];
    const cast = tallies
      .filter((t) => byBallot(t.ballot, ballot) === 0)
      .flatMap((t) => [...t.votes.values()]);
    return (this.voters(epoch) ?? [])
      .filter(({ peer, log }) => cast.some((v) => v.peer === peer && v.log === log))
      .map(({ peer }) => peer);
  }

  /** Whether somebody voted on an epoch that is not certified: it is to be finished before anything else. */
  begun(epoch: number): boolean {
    return (this.open.get(epoch)?.tallies.size ?? 0) > 0;
  }

  private vote(entry: SignedEntry, event: EventOf<"release.accepted">): void {
    const instance = this.instance(event.epoch);
    if (!instance) return;
    const { ballot, proposal, log } = event;
    const value = nameOfProposal(this.channel, event.epoch, proposal);
    const key = `${ballotText(ballot)} ${value}`;
    const tally = instance.tallies.get(key) ?? { ballot, value, proposal, votes: new Map() };
    instance.tallies.set(key, tally);
    const { author } = entry.entry;
    const place = `${author} ${log}`;
    if (tally.votes.has(place)) return;
    tally.votes.set(place, { peer: author, log, entry });
    if (event.epoch > this.current) this.settle();
    else if (this.proven(event.epoch).some((c) => c.value !== this.certified[event.epoch - 1]!.value))
      this.conflicts.add(event.epoch);
  }

  /** Certificates that the known votes of an epoch make, one for each value, in the order of their names. */
  private proven(epoch: number): Certified[] {
    const voters = this.voters(epoch);
    if (!voters) return [];
    const found = new Map<EntryId, Certified>();
    for (const tally of this.open.get(epoch)?.tallies.values() ?? []) {
      if (found.has(tally.value)) continue;
      const votes = voters.flatMap(
        ({ peer, log }) => [...tally.votes.values()].find((v) => v.peer === peer && v.log === log) ?? [],
      );
      if (votes.length < quorumOf(voters.length)) continue;
      const { ballot, value, proposal } = tally;
      found.set(value, { epoch, value, ballot, proposal, certificate: votes.map((v) => v.entry) });
    }
    return [...found.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
  }

  /** Undefined for an epoch so long ago that nothing about it matters. */
  private instance(epoch: number): Instance | undefined {
    if (epoch <= this.current - keptEpochs) return undefined;
    let instance = this.open.get(epoch);
    if (!instance) {
      instance = {
        prepared: new Map(),
        proposed: new Map(),
        promised: new Map(),
        declined: new Map(),
        tallies: new Map(),
      };
      this.open.set(epoch, instance);
    }
    return instance;
  }
}

const highest = (ballots: readonly Ballot[]): Ballot | undefined =>
  ballots.reduce<Ballot | undefined>(
    (top, ballot) => (top === undefined || byBallot(ballot, top) > 0 ? ballot : top),
    undefined,
  );
