/**
 * A coordinator: makes one epoch of a channel for the person that asks, alive only for that. Nothing is remembered of it but its ballots;
 * whatever voters have accepted by then is finished first, whoever began it.
 */
import type { Inspection, PackageFile } from "../build/content.ts";
import type { CommandReply } from "../contract.ts";
import { digestOf } from "../kernel/digest.ts";
import type { SwarmError } from "../kernel/errors.ts";
import { type BuildId, byText, type Digest, type PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import { type Ballot, byBallot, type Proposal, quorumOf } from "./ballot.ts";
import type { Bench } from "./bench.ts";
import { compose, type Ingredients } from "./composing.ts";
import type { Epochs } from "./epochs.ts";
import {
  buildersOf,
  type Draft,
  defaultRiskPolicy,
  packagesOf,
  policyFor,
  recorded,
  riskOfDraft,
} from "./judging.ts";
import { decodeManifest, encodeManifest, epochStepMs, type Manifest, type ReleaseItem } from "./manifest.ts";
import type { Mirrors } from "./mirrors.ts";
import type { Papers } from "./papers.ts";
import { clockMsMax } from "./policy.ts";
import type { Dispute, Staging } from "./staging.ts";
import type { Stock } from "./stock.ts";

/** A majority that does not answer for so long is not there. */
const answerMsMax = 8000;
/** Voters that bring files to their disks are waited for so long, those that cannot have them not. */
const fetchMsMax = 600_000;
const missingMsMax = 20_000;
/** Before the next try, when another coordinator was faster: up to so much more each time. */
const backOffMs = 150;
/** Another's epochs that are finished on the way, before the own one. */
const epochsMax = 8;

export interface Wish {
  readonly channel: string;
  /** The epoch whose content comes back; absent: what is staged is added. */
  readonly rollback?: number;
  readonly reason?: string;
  /** Only to say what would be held against it. */
  readonly verify?: true;
}

type Phase = "reading" | "judging" | "storing" | "resting" | "preparing" | "proposing";

interface Task {
  readonly id: number;
  readonly wish: Wish;
  phase: Phase;
  epoch: number;
  /** The own manifest of this epoch; null: only to finish what others began. */
  own: { readonly digest: Digest; readonly manifest: Manifest } | null;
  /** What is to be judged before it becomes that; the packages are asked for, or what they hold is here. */
  draft: (Draft & { inspections: "asked" | ReadonlyMap<Digest, Inspection> | undefined }) | undefined;
  ballot: Ballot | undefined;
  proposal: Proposal | undefined;
  /** Of the phase. */
  sinceMonoMs: number;
  /** Until then it waits for voters, or before its next try. */
  untilMonoMs: number;
  /** No majority by then ends it. */
  giveUpMonoMs: number;
  tries: number;
  /** Epochs of others that it finished. */
  readonly finished: number[];
}

export class Finalizing {
  private readonly bench: Bench;
  private readonly papers: Papers;
  private readonly staging: Staging;
  private readonly mirrors: Mirrors;
  private readonly stock: Stock;
  /** By channel. */
  private readonly tasks = new Map<string, Task>();

  constructor(bench: Bench, papers: Papers, staging: Staging, mirrors: Mirrors, stock: Stock) {
    this.bench = bench;
    this.papers = papers;
    this.staging = staging;
    this.mirrors = mirrors;
    this.stock = stock;
  }

  /** Begins; the reply comes once the epoch is certified, or why there is none. */
  begin(id: number, wish: Wish, epochs: Epochs): void {
    const { config, members, now } = this.bench;
    const refuse = (code: SwarmError["code"], message: string, remedy?: string) =>
      this.reply(id, { ok: false, code, message, ...(remedy ? { remedy } : {}) });
    if (!wish.verify && !members.has(config.self, "releaser"))
      return refuse(
        "role-missing",
        `${config.name} has not the role releaser`,
        `finalize on a member that has it, or let an admin say: swarmd member role ${config.name} +releaser`,
      );
    if (this.tasks.has(wish.channel))
      return refuse("refused", `${wish.channel} is being finalized here already`, "wait for that to end");
    const { rollback } = wish;
    if (rollback !== undefined && rollback >= epochs.current)
      return refuse(
        "not-found",
        rollback === epochs.current
          ? `epoch ${rollback} of ${wish.channel} is the current one`
          : `${wish.channel} has no epoch ${rollback}`,
        `see which there are: swarmd releases list --channel ${wish.channel}`,
      );
    this.tasks.set(wish.channel, {
      id,
      wish,
      phase: "reading",
      epoch: epochs.current + 1,
      own: null,
      draft: undefined,
      ballot: undefined,
      proposal: undefined,
      sinceMonoMs: now.monoMs,
      untilMonoMs: now.monoMs + answerMsMax,
      giveUpMonoMs: now.monoMs + answerMsMax,
      tries: 0,
      finished: [],
    });
  }

  /** A blob is on the own disk, or there is no room for it. */
  stored(digest: Digest, ok: boolean): void {
    for (const task of this.tasks.values()) {
      if (task.phase !== "storing" || task.own?.digest !== digest) continue;
      if (ok) this.enter(task, "resting", 0);
      else
        this.refuse(task, "disk-full", "the manifest cannot be written to this disk", "free some disk space");
    }
  }

  /** What packages hold; null for those that the disk turned out to lack. */
  inspected(id: string, inspections: readonly (Inspection | null)[]): void {
    for (const task of this.tasks.values()) {
      if (task.draft?.inspections !== "asked" || this.stockName(task) !== id) continue;
      const packages = packagesOf(task.draft);
      if (inspections.includes(null) || inspections.length !== packages.length) {
        this.stock.doubt(id);
        task.draft.inspections = undefined;
      } else
        task.draft.inspections = new Map(packages.map(({ digest }, index) => [digest, inspections[index]!]));
    }
  }

  /** Goes on with a channel as far as it can. */
  pump(epochs: Epochs): void {
    for (let steps = 0; steps < 20; steps++) {
      const task = this.tasks.get(epochs.channel);
      if (!task) return;
      const { phase, epoch } = task;
      this.advance(task, epochs);
      if (this.tasks.get(epochs.channel) === task && task.phase === phase && task.epoch === epoch) return;
    }
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const task of this.tasks.values()) if (task.phase !== "storing") at = Math.min(at, task.untilMonoMs);
    return at;
  }

  private advance(task: Task, epochs: Epochs): void {
    if (epochs.conflicts.size > 0)
      return this.refuse(
        task,
        "refused",
        `voters of ${epochs.channel} signed two releases for epoch ${[...epochs.conflicts][0]}: nothing is released any more`,
        "see who: swarmd releases log; revoke them",
      );
    if (epochs.current >= task.epoch) return this.decided(task, epochs);
    if (task.phase === "reading") return this.read(task, epochs);
    if (task.phase === "judging") return this.judge(task, epochs);
    if (task.phase === "resting") return this.take(task, epochs);
    if (task.phase === "preparing") return this.prepared(task, epochs);
    if (task.phase === "proposing") return this.proposed(task, epochs);
  }

  /** The epoch is certified: with the own manifest, or with another that had to come first. */
  private decided(task: Task, epochs: Epochs): void {
    const certified = epochs.certified[task.epoch - 1]!;
    if (task.own && certified.proposal.manifest === task.own.digest) {
      const others =
        task.finished.length > 0 ? `epoch ${task.finished.join(", ")} of another coordinator came first` : "";
      return this.end(task, { ok: true, epoch: task.epoch, ...(others ? { word: others } : {}) });
    }
    task.finished.push(task.epoch);
    task.epoch = epochs.current + 1;
    task.own = null;
    task.draft = undefined;
    task.tries = 0;
    task.giveUpMonoMs = this.bench.now.monoMs + answerMsMax;
    if (task.finished.length > epochsMax)
      return this.refuse(task, "refused", "other coordinators release all the time", "try again later");
    this.enter(task, "reading", answerMsMax);
  }

  /** What the epoch is to hold. */
  private read(task: Task, epochs: Epochs): void {
    const { wish } = task;
    const { tip } = epochs;
    const paper = (epoch: number): Manifest | null | undefined => {
      const certified = epochs.certified[epoch - 1];
      return certified && this.papers.manifest(certified.proposal.manifest, holdersOf(epochs, epoch));
    };
    const base = tip && paper(tip.epoch);
    const old = wish.rollback === undefined ? undefined : paper(wish.rollback);
    const taken = new Set<BuildId>(base?.builds ?? []);
    const waiting = tip && !base ? [] : this.staging.pending(wish.channel, taken);
    const found = wish.rollback === undefined ? waiting.map(({ lists }) => this.papers.oneOf(lists)) : [];
    const late = this.bench.now.monoMs >= task.untilMonoMs;
    if (tip && !base && (base === null || late))
      return this.refuse(
        task,
        "blob-missing",
        `no member that can be reached has the manifest of epoch ${tip.epoch}`,
        "see which mirrors are away: swarmd mirror list",
      );
    if (wish.rollback !== undefined && !old && (old === null || late))
      return this.refuse(
        task,
        "blob-missing",
        `no member that can be reached has the manifest of epoch ${wish.rollback}`,
        "see which mirrors are away: swarmd mirror list",
      );
    // One that is lost may be made again.
    const lost = found.findIndex((list) => !list);
    if (lost >= 0 && late)
      return this.refuse(
        task,
        "blob-missing",
        `nobody that can be reached has the list of what ${waiting[lost]!.build} staged`,
        `start the members that built it, or leave it out: swarmd staging drop ${waiting[lost]!.build} --reason TEXT`,
      );
    if ((tip && !base) || (wish.rollback !== undefined && !old) || lost >= 0) return;
    if (wish.rollback === undefined && waiting.length === 0) {
      if (!wish.verify && epochs.begun(task.epoch)) return this.enter(task, "resting", 0);
      const last = task.finished.at(-1);
      if (last !== undefined)
        return this.end(task, { ok: true, epoch: last, word: "another coordinator had begun it" });
      return this.refuse(
        task,
        "refused",
        `nothing is staged for ${wish.channel}`,
        "submit a build whose spec has a release; what waits: swarmd staging",
      );
    }
    this.draft(task, epochs, {
      base: base ?? undefined,
      old: old ?? undefined,
      sets: found.map((list) => list!.set),
      builds: waiting.map((s) => s.build),
    });
  }

  private draft(task: Task, epochs: Epochs, from: Ingredients): void {
    const { wish } = task;
    const { tip } = epochs;
    const { base } = from;
    const manifest: Manifest = {
      v: 1,
      swarm: this.bench.config.swarm,
      channel: wish.channel,
      epoch: task.epoch,
      parent: tip?.value ?? null,
      atMs: Math.max(Math.round(this.bench.now.wallMs), (tip?.proposal.atMs ?? 0) + epochStepMs, 0),
      ...compose(from),
      ...(wish.rollback === undefined ? {} : { rollback: wish.rollback }),
      ...buildersOf((this.bench.config.risk ?? defaultRiskPolicy).builders, base, wish.reason),
      ...(wish.reason === undefined ? {} : { reason: wish.reason.slice(0, 250) }),
    };
    task.draft = { manifest, base, inspections: undefined };
    this.enter(task, "judging", answerMsMax);
  }

  /** Packages are brought here and read; what is held against them is part of the release, and may be the end of it. */
  private judge(task: Task, epochs: Epochs): void {
    const { wish, draft } = task;
    const { config } = this.bench;
    const { inspections } = draft!;
    const packages = packagesOf(draft!);
    const name = this.stockName(task);
    if (packages.length > 0 && !(inspections instanceof Map)) return this.inspect(task, epochs, packages);
    this.stock.doubt(name);
    // Whoever reads is not kept waiting by voters.
    if (packages.length > 0) task.giveUpMonoMs = this.bench.now.monoMs + answerMsMax;
    const risk = riskOfDraft(draft!, {
      policy: policyFor(config.risk ?? defaultRiskPolicy, draft!.base),
      inspections: inspections instanceof Map ? inspections : new Map(),
      doubted: (item) => this.doubted(item),
      disputes: (build) => this.disputes(wish.channel, build),
    });
    if (wish.verify) return this.end(task, { ok: true, epoch: task.epoch, risk });
    if (risk.refuses && wish.reason === undefined)
      return this.refuse(
        task,
        "refused",
        `its risk is ${risk.score} of 100: ${risk.parts.map(({ kind, points }) => `${kind} ${points}`).join(", ")}`,
        "what each part is, and what helps: swarmd verify; if it is right all the same: swarmd finalize --reason TEXT",
      );
    this.store(task, { ...draft!.manifest, ...recorded(risk) });
  }

  /** Of an item's builders those whose word does not count; all of them where what they made is tainted, or made of what is. */
  private doubted(item: ReleaseItem): readonly PeerId[] {
    const { members } = this.bench;
    const nodes = item.nodes ?? [];
    const stands = this.bench.stands(item);
    if (stands === false) return nodes;
    return nodes.filter(
      (peer) => isDoubted(members, peer) || (stands === undefined && members.taints.has(peer)),
    );
  }

  /** Whose word does not count disputes nothing. */
  private disputes(channel: string, build: BuildId): Dispute[] {
    const { members } = this.bench;
    return this.staging.disputesOf(channel, build).flatMap(({ nodes, ...one }) => {
      const counting = nodes.filter((peer) => !isDoubted(members, peer) && !members.taints.has(peer));
      return counting.length > 0 ? [{ ...one, nodes: counting }] : [];
    });
  }

  private inspect(task: Task, epochs: Epochs, packages: readonly PackageFile[]): void {
    const { now } = this.bench;
    const draft = task.draft!;
    if (draft.inspections === undefined) {
      const name = this.stockName(task);
      const digests = [...new Set(packages.map(({ digest }) => digest))];
      const stock = this.stock.bring(name, digests, [this.bench.config.self]);
      if (stock === "here") {
        draft.inspections = "asked";
        return this.bench.emit({ kind: "inspect", id: name, packages });
      }
      if (typeof stock === "number") {
        this.stock.doubt(name);
        return this.refuse(
          task,
          "blob-missing",
          `${stock} of ${digests.length} packages cannot be had from any member in reach, so nobody can judge them`,
          "start the members that have them: swarmd staging; or leave a build out: swarmd staging drop BUILD --reason TEXT",
        );
      }
    }
    if (now.monoMs < task.untilMonoMs) return;
    const voters = epochs.voters(task.epoch) ?? [];
    const living = voters.filter(
      ({ peer }) => peer === this.bench.config.self || this.bench.status(peer) !== "dead",
    );
    if (living.length < quorumOf(voters.length)) return this.noQuorum(task, epochs);
    if (now.monoMs - task.sinceMonoMs >= fetchMsMax)
      return this.refuse(
        task,
        "timed-out",
        "the packages could not be brought here and read in time",
        "try again",
      );
    task.untilMonoMs = now.monoMs + 1000;
  }

  /** What the packages of a task are called among what is brought here. */
  private stockName(task: Task): string {
    return `judged ${task.wish.channel} ${task.epoch} ${task.id}`;
  }

  private store(task: Task, manifest: Manifest): void {
    const bytes = encodeManifest(manifest);
    const digest = digestOf(bytes);
    try {
      decodeManifest(bytes);
    } catch (error) {
      const { message } = error as Error;
      return this.refuse(
        task,
        "refused",
        `what is staged does not fit together: ${message}`,
        "leave a build out: swarmd staging drop BUILD --reason TEXT",
      );
    }
    task.own = { digest, manifest };
    this.papers.note(digest, manifest);
    this.enter(task, "storing", answerMsMax);
    this.bench.emit({ kind: "store", digest, bytes });
  }

  /** Takes a ballot above all that were heard of; it is on disk before anybody hears of it. */
  private take(task: Task, epochs: Epochs): void {
    const { config, now } = this.bench;
    if (now.monoMs < task.untilMonoMs) return;
    if (now.monoMs >= task.giveUpMonoMs) return this.noQuorum(task, epochs);
    const round = Math.max(epochs.highestRound(task.epoch), task.ballot?.round ?? 0) + 1;
    task.ballot = { round, by: config.self, inc: config.inc };
    task.tries++;
    task.proposal = undefined;
    this.enter(task, "preparing", Math.max(0, task.giveUpMonoMs - now.monoMs));
    const { channel } = epochs;
    this.bench.say(
      undefined,
      { kind: "release.prepared", channel, epoch: task.epoch, round },
      { urgent: true, durable: true },
    );
  }

  /** Once a majority promised: what they accepted last goes first, else the own manifest. */
  private prepared(task: Task, epochs: Epochs): void {
    const ballot = task.ballot!;
    const { now } = this.bench;
    const promises = epochs.promises(task.epoch, ballot);
    const voters = epochs.voters(task.epoch) ?? [];
    if (promises.length < quorumOf(voters.length)) {
      if (this.overtaken(task, epochs)) return this.rest(task);
      if (now.monoMs >= task.untilMonoMs) this.noQuorum(task, epochs);
      return;
    }
    const aheadMs = -median(promises.map((p) => p.wallMs - now.wallMs));
    if (Math.abs(aheadMs) >= clockMsMax)
      return this.refuse(
        task,
        "clock-wrong",
        `this node's clock is ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? "ahead of" : "behind"} the voters' median`,
        "set the clock (timedatectl status), or finalize on another member",
      );
    const accepted = highestAccepted(promises.flatMap((p) => p.accepted ?? []));
    const proposal = accepted ?? this.ownProposal(task, epochs);
    // Nobody had voted after all, and there is nothing of its own to release.
    if (!proposal)
      return this.refuse(
        task,
        "refused",
        `nothing is staged for ${epochs.channel}`,
        "what waits: swarmd staging",
      );
    task.proposal = proposal;
    this.enter(task, "proposing", answerMsMax);
    const { channel } = epochs;
    const { round } = ballot;
    this.bench.say(
      undefined,
      { kind: "release.proposed", channel, epoch: task.epoch, round, proposal },
      { urgent: true, durable: true },
    );
  }

  private ownProposal(task: Task, epochs: Epochs): Proposal | undefined {
    if (!task.own) return undefined;
    const { digest, manifest } = task.own;
    const voters = this.mirrors.nextVoters(
      epochs.voters(task.epoch)!,
      (peer) => peer === this.bench.config.self || this.bench.status(peer) === "alive",
    );
    return { manifest: digest, parent: manifest.parent, voters: [...voters], atMs: manifest.atMs };
  }

  /** Waits for votes; the fold of what voters say makes the certificate. */
  private proposed(task: Task, epochs: Epochs): void {
    const ballot = task.ballot!;
    const { now } = this.bench;
    if (this.overtaken(task, epochs)) return this.rest(task);
    const voters = epochs.voters(task.epoch) ?? [];
    const votes = new Set(epochs.votes(task.epoch, ballot));
    const declines = epochs.declines(task.epoch, ballot).filter(({ peer }) => !votes.has(peer));
    const against = declines.filter(
      ({ event }) => event.why === "invalid" || event.why === "clock" || event.why === "log",
    );
    const refused = (also = "") =>
      this.refuse(
        task,
        against[0]!.event.why === "clock" ? "clock-wrong" : "refused",
        `voters refuse the release: ${this.said(against)}${also}`,
        "see what each of them is: swarmd mirror list",
      );
    if (voters.length - against.length < quorumOf(voters.length)) return refused();
    if (now.monoMs < task.untilMonoMs) return;
    const waitedMs = now.monoMs - task.sinceMonoMs;
    const busy = declines.some(
      ({ peer, event }) =>
        this.bench.status(peer) !== "dead" &&
        ((event.why === "fetching" && waitedMs < fetchMsMax) ||
          (event.why === "missing" && waitedMs < missingMsMax)),
    );
    if (busy) {
      task.untilMonoMs = now.monoMs + 1000;
      return;
    }
    const missing = declines.filter(({ event }) => event.why === "missing" || event.why === "fetching");
    if (missing.length > 0)
      return this.refuse(
        task,
        "blob-missing",
        `not enough voters have the files: ${this.said(missing)}`,
        "see where they are: swarmd staging; then finalize again, which finishes this epoch",
      );
    // With those who are against it there would be enough of them: what they say is what is wrong.
    const silent = voters.filter(({ peer }) => !votes.has(peer) && !against.some((a) => a.peer === peer));
    const others = silent.map(({ peer }) => this.nameOf(peer)).sort(byText);
    if (against.length > 0 && votes.size + against.length >= quorumOf(voters.length))
      return refused(`; silent: ${others.join(", ")}`);
    this.noQuorum(task, epochs);
  }

  /** Whether another's ballot stands above the own one. */
  private overtaken(task: Task, epochs: Epochs): boolean {
    const top = epochs.highestPrepared(task.epoch);
    return top !== undefined && byBallot(top, task.ballot!) > 0;
  }

  /** Two coordinators that try again at once would disturb each other for ever. */
  private rest(task: Task): void {
    this.enter(task, "resting", this.bench.random.float() * backOffMs * 2 ** Math.min(task.tries, 4) + 20);
  }

  private noQuorum(task: Task, epochs: Epochs): void {
    const voters = epochs.voters(task.epoch) ?? [];
    const { ballot } = task;
    const heard = new Set<PeerId>(
      ballot
        ? epochs.votes(task.epoch, ballot)
        : voters.flatMap(({ peer }) => (this.bench.status(peer) === "dead" ? [] : [peer])),
    );
    if (ballot && task.phase !== "proposing")
      for (const voter of voters)
        if (epochs.promisedBy(task.epoch, ballot, voter.peer)) heard.add(voter.peer);
    const silent = voters
      .filter((v) => !heard.has(v.peer))
      .map((v) => this.nameOf(v.peer))
      .sort(byText);
    const lost = ballot ? epochs.declines(task.epoch, ballot).filter(({ event }) => event.why === "log") : [];
    const why = lost.length > 0 ? `; ${this.said(lost)}` : "";
    this.refuse(
      task,
      "no-quorum",
      `no quorum: ${heard.size} of ${voters.length} voters answer, ${quorumOf(voters.length)} are needed; silent: ${silent.join(", ")}${why}`,
      "start or reach those voters and finalize again; mirrors go on serving what they serve",
    );
  }

  private said(
    declines: readonly { readonly peer: PeerId; readonly event: { readonly reason: string } }[],
  ): string {
    return declines.map(({ peer, event }) => `${this.nameOf(peer)}: ${event.reason}`).join("; ");
  }

  private nameOf(peer: PeerId): string {
    return this.bench.members.nameOf(peer) ?? peer;
  }

  private enter(task: Task, phase: Phase, forMs: number): void {
    task.phase = phase;
    task.sinceMonoMs = this.bench.now.monoMs;
    task.untilMonoMs = this.bench.now.monoMs + forMs;
  }

  private refuse(task: Task, code: SwarmError["code"], message: string, remedy: string): void {
    this.end(task, { ok: false, code, message, remedy });
  }

  private end(task: Task, reply: CommandReply): void {
    this.tasks.delete(task.wish.channel);
    this.reply(task.id, reply);
  }

  private reply(id: number, reply: CommandReply): void {
    this.bench.emit({ kind: "reply", id, reply });
  }
}

/** Those who voted for an epoch have all of it. */
const holdersOf = (epochs: Epochs, epoch: number): PeerId[] =>
  epochs.certified[epoch - 1]!.certificate.map((entry) => entry.entry.author);

/** Whose results nobody answers for: of no member, other than one that left by its own word. */
function isDoubted(members: Members, peer: PeerId): boolean {
  return !members.has(peer) && (members.former(peer)?.parting.why ?? "revoked") === "revoked";
}

function highestAccepted(
  accepted: readonly { readonly ballot: Ballot; readonly proposal: Proposal }[],
): Proposal | undefined {
  return [...accepted].sort((a, b) => byBallot(b.ballot, a.ballot))[0]?.proposal;
}

/** The lower middle of an even number. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
