/** Releases: one for an epoch, found again by every later coordinator, and shown whole by every mirror at every moment. */
import type { Digest, EntryId, PeerId } from "../../protocol/kernel/ids.ts";
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
import { decodeManifest, decodeSet } from "../../protocol/release/manifest.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { type Event, type EventOf, knownEvent } from "../../protocol/timeline/events.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

interface Released {
  readonly ballot: Ballot;
  readonly proposal: Proposal;
}

/** What a voter has on its disk of one epoch, under one log. */
interface Memory {
  promised?: Ballot;
  accepted?: Ballot;
}

/** It sees every word as it comes to its author's disk, whoever hears of it, and holds daemons against what the votes among them made. */
export class ReleaseChecker {
  private readonly swarm: Swarm;
  private readonly dishonest: ReadonlySet<PeerId>;
  private readonly accuse: Accuse;
  private readonly watched = new Set<Host>();
  private readonly heard = new Set<EntryId>();
  /** By channel: what was released, epoch 1 first. */
  private readonly released = new Map<string, Released[]>();
  /** Votes by channel, epoch, ballot and proposal: who cast them, and under which log. */
  private readonly votes = new Map<string, Map<PeerId, string>>();
  /** Votes of epochs that cannot be judged yet. */
  private readonly seen = new Map<
    string,
    { channel: string; epoch: number; ballot: Ballot; proposal: Proposal }
  >();
  /** By voter, log, channel and epoch. */
  private readonly memories = new Map<string, Memory>();
  /** By channel, epoch and ballot: the name of what was proposed. */
  private readonly proposed = new Map<string, string>();
  private readonly shown = new Map<string, number>();
  /** By start and channel: how many epochs were looked at. */
  private readonly looked = new Map<string, number>();
  private readonly whole = new Set<string>();

  constructor(swarm: Swarm, dishonest: ReadonlySet<PeerId>, accuse: Accuse) {
    this.swarm = swarm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  /** Epochs of a channel that votes have made. */
  count(channel: string): number {
    return this.released.get(channel)?.length ?? 0;
  }

  step(host: Host): void {
    if (!this.watched.has(host)) {
      this.watched.add(host);
      host.disk.onLanded = (entries) => {
        for (const entry of entries) if (entry.entry.author === host.peer) this.said(host, entry);
      };
    }
    this.agrees(host);
    this.mirror(host);
  }

  /** What a daemon holds for released is what votes made, all of one ballot. Its own vote may still be on its way to the disk. */
  private agrees(host: Host): void {
    if (!host.up) return;
    for (const epochs of host.core.releases.channels()) {
      const { channel } = epochs;
      const key = `${host.name} ${host.incarnations.at(-1)} ${channel}`;
      const before = this.looked.get(key) ?? 0;
      const made = this.released.get(channel) ?? [];
      if (before === Math.min(epochs.current, made.length)) continue;
      this.looked.set(key, Math.min(epochs.current, made.length));
      for (const { epoch, value, ballot, certificate } of epochs.certified.slice(before, made.length)) {
        if (nameOfProposal(channel, epoch, made[epoch - 1]!.proposal) !== value)
          this.accuse(
            "one release per epoch",
            `${host.name} holds another release for epoch ${epoch} of ${channel} than votes made`,
          );
        if (
          !certificate.every(({ entry }) =>
            entry.events.some((e) => isVote(knownEvent(e), channel, epoch, ballot)),
          )
        )
          this.accuse(
            "one release per epoch",
            `${host.name} holds a certificate for epoch ${epoch} of ${channel} whose votes are not of one ballot`,
          );
      }
    }
  }

  private said(host: Host, entry: SignedEntry): void {
    const { author, inc } = entry.entry;
    // What a disk lost comes back from others later.
    if (this.dishonest.has(author) || this.heard.has(entry.id)) return;
    if (entry.entry.events.some((e) => e.kind.startsWith("release."))) this.heard.add(entry.id);
    for (const raw of entry.entry.events) {
      const event = knownEvent(raw);
      if (event?.kind === "release.staged") this.staged(host, event);
      else if (event?.kind === "release.promised")
        this.remembers(host, event, event.ballot, event.accepted?.ballot);
      else if (event?.kind === "release.accepted") {
        const { channel, epoch, ballot, proposal, log } = event;
        this.remembers(host, event, ballot);
        const key = `${channel} ${epoch} ${ballotText(ballot)} ${nameOfProposal(channel, epoch, proposal)}`;
        const votes = this.votes.get(key) ?? new Map<PeerId, string>();
        this.votes.set(key, votes.set(author, log));
        this.seen.set(key, { channel, epoch, ballot, proposal });
        this.settle(channel);
      } else if (event?.kind === "release.proposed") {
        const { channel, epoch, round, proposal } = event;
        const made = this.released.get(channel)?.[epoch - 1];
        const ballot = { round, by: author, inc };
        const name = nameOfProposal(channel, epoch, proposal);
        const place = `${channel} ${epoch} ${ballotText(ballot)}`;
        if ((this.proposed.get(place) ?? name) !== name)
          this.accuse(
            "one release per epoch",
            `${host.name} proposes a second manifest for epoch ${epoch} of ${channel} under one ballot`,
          );
        this.proposed.set(place, name);
        if (
          made &&
          byBallot(ballot, made.ballot) > 0 &&
          nameOfProposal(channel, epoch, made.proposal) !== name
        )
          this.accuse(
            "one release per epoch",
            `${host.name} proposes another manifest for epoch ${epoch} of ${channel}, which is released`,
          );
      }
    }
  }

  /** Who made what is released may be disowned before it is staged: where somebody lies, less may be staged than was made. */
  private staged(host: Host, { build, set }: EventOf<"release.staged">): void {
    const graph = host.core.desk.builds.get(build)?.graph;
    const bytes = this.swarm.blobs.read(set);
    if (this.dishonest.size > 0 || !graph?.release || !bytes) return;
    const staged = new Set(decodeSet(bytes).items.map(({ path }) => path));
    const included = new Set(graph.release.include);
    for (const { name, outputs } of graph.actions)
      for (const { path, kind } of included.has(name) ? outputs : [])
        if (kind === "file" && !staged.has(path))
          this.accuse("staged whole", `${host.name} stages ${build} without ${path}`);
  }

  /** A voter goes back behind nothing that it has said under the same log. */
  private remembers(
    host: Host,
    { kind, channel, epoch, log }: EventOf<"release.promised"> | EventOf<"release.accepted">,
    ballot: Ballot,
    accepted?: Ballot,
  ): void {
    const key = `${host.peer} ${log} ${channel} ${epoch}`;
    const memory = this.memories.get(key) ?? {};
    this.memories.set(key, memory);
    if (memory.promised && byBallot(ballot, memory.promised) < 0)
      this.accuse(
        "one release per epoch",
        `${host.name} forgot that it promised a higher ballot of epoch ${epoch}`,
      );
    memory.promised = ballot;
    if (kind === "release.accepted") memory.accepted = ballot;
    else if (memory.accepted && (!accepted || byBallot(accepted, memory.accepted) < 0))
      this.accuse("one release per epoch", `${host.name} forgot its vote for epoch ${epoch} of ${channel}`);
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
      if (nameOfProposal(channel, epoch, made.proposal) !== nameOfProposal(channel, epoch, proposal))
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

const isVote = (event: Event | undefined, channel: string, epoch: number, ballot: Ballot): boolean =>
  event?.kind === "release.accepted" &&
  event.channel === channel &&
  event.epoch === epoch &&
  byBallot(event.ballot, ballot) === 0;
