/** Releases: one for an epoch, found again by every later coordinator, and shown whole by every mirror at every moment. */
import type { Effect } from "../../protocol/contract.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import {
  type Ballot,
  ballotText,
  byBallot,
  firstLogOf,
  nameOfProposal,
  type Proposal,
  quorumOf,
  type Voter,
} from "../../protocol/release/ballot.ts";
import { decodeManifest } from "../../protocol/release/manifest.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

interface Released {
  readonly ballot: Ballot;
  readonly proposal: Proposal;
}

/** It sees every vote as it is told, whoever hears of it, and holds daemons against what these votes made. */
export class ReleaseChecker {
  private readonly swarm: Swarm;
  private readonly accuse: Accuse;
  /** By channel: what was released, epoch 1 first. */
  private readonly released = new Map<string, Released[]>();
  /** Votes by channel, epoch, ballot and proposal: who cast them, and under which log. */
  private readonly votes = new Map<string, Map<PeerId, string>>();
  /** Votes of epochs that cannot be judged yet. */
  private readonly seen = new Map<
    string,
    { channel: string; epoch: number; ballot: Ballot; proposal: Proposal }
  >();
  private readonly shown = new Map<string, number>();
  /** By start and channel: how many epochs were looked at; by channel and epoch: what the first that held it held. */
  private readonly looked = new Map<string, number>();
  private readonly held = new Map<string, string>();
  private readonly whole = new Set<string>();

  constructor(swarm: Swarm, accuse: Accuse) {
    this.swarm = swarm;
    this.accuse = accuse;
  }

  /** Epochs of a channel that votes have made. */
  count(channel: string): number {
    return this.released.get(channel)?.length ?? 0;
  }

  step(host: Host, effects: readonly Effect[]): void {
    for (const effect of effects)
      if (effect.kind === "append" && effect.entry.entry.build === undefined) this.said(host, effect.entry);
    this.agrees(host);
    this.mirror(host);
  }

  /** No two daemons ever hold different releases for one epoch. */
  private agrees(host: Host): void {
    if (!host.up) return;
    for (const epochs of host.core.releases.channels()) {
      const key = `${host.incarnations.at(-1)} ${epochs.channel}`;
      const before = this.looked.get(key) ?? 0;
      if (epochs.current === before) continue;
      this.looked.set(key, epochs.current);
      for (const { epoch, value } of epochs.certified.slice(before)) {
        const place = `${epochs.channel} ${epoch}`;
        const known = this.held.get(place) ?? value;
        this.held.set(place, known);
        if (known !== value)
          this.accuse(
            "one release per epoch",
            `${host.name} holds another release for epoch ${epoch} of ${epochs.channel} than others did`,
          );
      }
    }
  }

  private said(host: Host, entry: SignedEntry): void {
    const { author, inc } = entry.entry;
    for (const raw of entry.entry.events) {
      const event = knownEvent(raw);
      if (event?.kind === "release.accepted") {
        const { channel, epoch, ballot, proposal, log } = event;
        const key = `${channel} ${epoch} ${ballotText(ballot)} ${nameOfProposal(channel, epoch, proposal)}`;
        const votes = this.votes.get(key) ?? new Map<PeerId, string>();
        this.votes.set(key, votes.set(author, log));
        this.seen.set(key, { channel, epoch, ballot, proposal });
        this.settle(channel);
      } else if (event?.kind === "release.proposed") {
        const { channel, epoch, round, proposal } = event;
        const made = this.released.get(channel)?.[epoch - 1];
        const ballot = { round, by: author, inc };
        if (made && byBallot(ballot, made.ballot) > 0 && proposal.manifest !== made.proposal.manifest)
          this.accuse(
            "one release per epoch",
            `${host.name} proposes another manifest for epoch ${epoch} of ${channel}, which is released`,
          );
      }
    }
  }

  private settle(channel: string): void {
    const released = this.released.get(channel) ?? [];
    this.released.set(channel, released);
    for (const [key, { channel: of, epoch, ballot, proposal }] of this.seen) {
      if (of !== channel || epoch > released.length + 1) continue;
      const voters = this.voters(released, epoch);
      const votes = this.votes.get(key)!;
      if (voters.filter((v) => votes.get(v.peer) === v.log).length < quorumOf(voters.length)) continue;
      const made = released[epoch - 1];
      if (!made) {
        released.push({ ballot, proposal });
        return this.settle(channel);
      }
      if (made.proposal.manifest !== proposal.manifest)
        this.accuse("one release per epoch", `epoch ${epoch} of ${channel} has two certificates`);
    }
  }

  private voters(released: readonly Released[], epoch: number): readonly Voter[] {
    if (epoch > 1) return released[epoch - 2]!.proposal.voters;
    return [{ peer: this.swarm.hosts[0]!.peer, log: firstLogOf(this.swarm.certificates[0]!.entry.swarm) }];
  }

  /** What clients see of it now. */
  private mirror(host: Host): void {
    for (const channel of host.showcase.channels()) {
      const shown = host.showcase.shown(channel);
      const key = `${host.name} ${channel}`;
      const before = this.shown.get(key) ?? 0;
      if (!shown || (shown.epoch === before && shown.epoch > 0 && this.whole.has(`${key} ${shown.epoch}`)))
        continue;
      if (shown.epoch < before)
        this.accuse(
          "mirrors show whole epochs",
          `${host.name} went back from epoch ${before} to ${shown.epoch}`,
        );
      this.shown.set(key, shown.epoch);
      const made = this.released.get(channel)?.[shown.epoch - 1];
      const wanted = made && this.filesOf(made.proposal.manifest);
      const files = shown.files.map((f) => `${f.path} ${f.digest}`).join("\n");
      if (wanted === undefined || files !== wanted)
        this.accuse(
          "mirrors show whole epochs",
          `${host.name} shows what is not epoch ${shown.epoch} of ${channel}, or not all of it`,
        );
      else this.whole.add(`${key} ${shown.epoch}`);
    }
  }

  private filesOf(manifest: Digest): string | undefined {
    const bytes = this.swarm.blobs.read(manifest);
    return (
      bytes &&
      decodeManifest(bytes)
        .items.map((i) => `${i.path} ${i.digest}`)
        .join("\n")
    );
  }
}
