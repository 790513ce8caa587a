/**
 * A voter: promises to the highest ballot, votes for what it proposes, and has each on disk before anybody hears of it. It votes only with
 * all blobs of the release on its own disk, and only while it keeps the log of votes under which it was named.
 */
import type { Digest } from "../kernel/ids.ts";
import type { Event, EventOf } from "../timeline/events.ts";
import { type Ballot, ballotText, byBallot, type Proposal } from "./ballot.ts";
import type { Bench } from "./bench.ts";
import { addedBuilds, isComposedOf } from "./composing.ts";
import type { Epochs } from "./epochs.ts";
import { blobsOf, isSameItem, type Manifest, type StagedSet } from "./manifest.ts";
import type { Papers } from "./papers.ts";
import { objectionTo, objectionToManifest } from "./policy.ts";
import type { Staging } from "./staging.ts";
import type { Stock } from "./stock.ts";

type Why = EventOf<"release.declined">["why"];

export class Voting {
  private readonly bench: Bench;
  private readonly papers: Papers;
  private readonly stock: Stock;
  private readonly staging: Staging;
  /** Manifests that hold what was staged, as this voter found. */
  private readonly held = new Set<Digest>();
  /** What was said last of each kind in a channel: nothing is said twice. */
  private readonly said = new Map<string, string>();

  constructor(bench: Bench, papers: Papers, stock: Stock, staging: Staging) {
    this.bench = bench;
    this.papers = papers;
    this.stock = stock;
    this.staging = staging;
  }

  /** Answers what was not answered yet. */
  review(epochs: Epochs): void {
    const { config } = this.bench;
    const epoch = epochs.current + 1;
    if (epochs.conflicts.size > 0 || !epochs.voters(epoch)?.some((v) => v.peer === config.self)) return;
    const top = epochs.highestPrepared(epoch);
    const log = config.voteLog;
    if (log === undefined || !epochs.voter(epoch, config.self, log)) {
      if (top)
        this.decline(
          epochs,
          top,
          "log",
          "it lost the log of its votes: it votes again once a release names it",
        );
      return;
    }
    const state = epochs.stateOf(epoch, config.self);
    let { promised } = state;
    if (top && (!promised || byBallot(top, promised) > 0)) {
      promised = top;
      this.promise(epochs, top, log, state.accepted);
    }
    const proposed = epochs.highestProposed(epoch);
    if (!proposed) return;
    const { ballot, proposal } = proposed;
    if (promised && byBallot(ballot, promised) < 0)
      return this.decline(epochs, ballot, "ballot", "it promised a higher ballot");
    if (state.accepted && byBallot(ballot, state.accepted.ballot) <= 0) return;
    const trouble = this.trouble(epochs, proposal, ballot);
    if (trouble) return this.decline(epochs, ballot, ...trouble);
    const { channel } = epochs;
    this.say(`accepted ${channel}`, `${epoch} ${ballotText(ballot)}`, {
      kind: "release.accepted",
      channel,
      epoch,
      ballot,
      log,
      proposal,
    });
  }

  private promise(
    epochs: Epochs,
    ballot: Ballot,
    log: string,
    accepted: { ballot: Ballot; proposal: Proposal } | undefined,
  ): void {
    const { channel } = epochs;
    const epoch = epochs.current + 1;
    this.say(`promised ${channel}`, `${epoch} ${ballotText(ballot)}`, {
      kind: "release.promised",
      channel,
      epoch,
      ballot,
      log,
      ...(accepted ? { accepted } : {}),
      wallMs: Math.max(0, Math.round(this.bench.now.wallMs)),
    });
  }

  /** Why it does not vote for this, or not yet. */
  private trouble(epochs: Epochs, proposal: Proposal, ballot: Ballot): [Why, string] | undefined {
    const { config, now } = this.bench;
    const objection = objectionTo(proposal, epochs.tip, now.wallMs);
    if (objection) return [objection.why, objection.reason];
    const manifest = this.papers.manifest(proposal.manifest, [ballot.by]);
    if (manifest === undefined) return ["fetching", "the manifest is on its way"];
    if (manifest === null) return ["missing", "nobody in reach has the manifest, or it is none"];
    const { tip } = epochs;
    const base = tip && this.papers.manifest(tip.proposal.manifest, [ballot.by]);
    if (tip && base === undefined) return ["fetching", "the manifest of the epoch before is on its way"];
    if (base === null) return ["missing", "nobody in reach has the manifest of the epoch before"];
    const at = { swarm: config.swarm, channel: epochs.channel, epoch: epochs.current + 1 };
    const place = { ...at, proposal, base };
    const wrong = objectionToManifest(manifest, place);
    if (wrong) return [wrong.why, wrong.reason];
    const odd = this.held.has(proposal.manifest) ? undefined : this.oddity(epochs, manifest, base, ballot);
    if (odd) return odd;
    this.held.add(proposal.manifest);
    const blobs = blobsOf(manifest.items);
    const stock = this.stock.bring(proposal.manifest, blobs, [ballot.by]);
    if (stock === "here") return undefined;
    if (stock === "coming") return ["fetching", `it brings ${blobs.length} files to its disk`];
    return ["missing", `${stock} of ${blobs.length} files cannot be had from any member it reaches`];
  }

  /** Whether it holds anything but what builds staged, or an earlier epoch held. Who staged it may be no member by now: that is judged, not voted on. */
  private oddity(
    epochs: Epochs,
    manifest: Manifest,
    base: Manifest | undefined,
    ballot: Ballot,
  ): [Why, string] | undefined {
    const builds = addedBuilds(manifest, base);
    if (!builds) return ["invalid", "its builds do not go on from those before"];
    const sets: StagedSet[] = [];
    for (const build of builds) {
      const said = this.staging.saidOf(epochs.channel, build);
      if (said.length === 0) return ["missing", `it has not heard that ${build} staged anything`];
      const lists = said.map(({ set, by }) => this.papers.set(set, [by, ballot.by]));
      // It may be the one that is not here yet.
      const taken = lists.find((set) => set && isWithin(set, manifest));
      if (!taken && lists.includes(undefined))
        return ["fetching", `the list of what ${build} staged is on its way`];
      if (!taken && lists.includes(null))
        return ["missing", `nobody in reach has the list of what ${build} staged`];
      const list = taken ?? lists[0]!;
      sets.push(list);
    }
    let old: Manifest | undefined;
    if (manifest.rollback !== undefined) {
      const back = epochs.certified[manifest.rollback - 1]?.proposal.manifest;
      if (back === undefined) return ["invalid", `there is no epoch ${manifest.rollback} to go back to`];
      const paper = this.papers.manifest(back, [ballot.by]);
      if (!paper)
        return [
          paper === null ? "missing" : "fetching",
          `it has not yet the manifest of epoch ${manifest.rollback}`,
        ];
      old = paper;
    }
    return isComposedOf(manifest, { base, old, sets, builds })
      ? undefined
      : ["invalid", "it holds other than what was staged"];
  }

  private decline(epochs: Epochs, ballot: Ballot, why: Why, reason: string): void {
    const { channel } = epochs;
    const epoch = epochs.current + 1;
    this.say(
      `declined ${channel}`,
      `${epoch} ${ballotText(ballot)} ${why}`,
      { kind: "release.declined", channel, epoch, ballot, why, reason },
      false,
    );
  }

  private say(what: string, text: string, event: Event, durable = true): void {
    if (this.said.get(what) === text) return;
    this.said.set(what, text);
    this.bench.say(undefined, event, { urgent: true, durable });
  }
}

/** Whether all that a build staged stands in a manifest, or another's in its place: of several lists of one build the one that was taken. */
function isWithin({ items }: StagedSet, manifest: Manifest): boolean {
  const there = new Map(manifest.items.map((item) => [item.path, item]));
  return items.every((item) => {
    const found = there.get(item.path);
    // Lists of one build may differ in who made the same thing.
    return found !== undefined && (found.build !== item.build || isSameItem(found, item));
  });
}
