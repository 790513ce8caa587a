/**
 * Whether what came calls for a decision here. In a large swarm most of what a node hears concerns somebody else: that is taken down, and
 * weighed with the next decision, which is never later than the first deadline.
 */
import type { Input } from "../contract.ts";
import type { BuildId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claim.ts";
import type { Desk } from "./desk.ts";
import type { Preparer } from "./preparer.ts";
import type { Scheduler } from "./scheduler.ts";

/** Of these a node takes note; of all others it thinks at once. */
const common: ReadonlySet<string> = new Set([
  "claim",
  "start",
  "done",
  "cached",
  "abandon",
  "expire",
  "view",
]);

export class Attention {
  private readonly desk: Desk;
  private readonly preparer: Preparer;
  private readonly scheduler: Scheduler;
  private called = true;
  /** What was counted when it last decided. */
  private decidedBy = -1;
  private dueMonoMs = Number.NEGATIVE_INFINITY;
  /** Transitions that were looked at, per build. */
  private readonly cursors = new Map<BuildId, number>();

  constructor(desk: Desk, preparer: Preparer, scheduler: Scheduler) {
    this.desk = desk;
    this.preparer = preparer;
    this.scheduler = scheduler;
  }

  /** Something came that must be decided upon in this step. */
  call(): void {
    this.called = true;
  }

  /** Something is to be decided at that moment at the latest, monotonic milliseconds. */
  by(monoMs: number): void {
    if (monoMs < this.dueMonoMs) this.dueMonoMs = monoMs;
  }

  /** Facts were folded. */
  facts(build: Build, touched: readonly Claim[], entries: readonly SignedEntry[]): void {
    if (this.called) return;
    const { self } = this.desk.config;
    for (const { entry } of entries) {
      if (entry.author === self) return this.call();
      for (const { kind } of entry.events) if (!common.has(kind)) return this.call();
    }
    const { claims } = build;
    if (!claims) return;
    if (claims.settled) return this.call();
    const { peers } = this.desk;
    for (const claim of touched) {
      if (claim.holder === self || claim.fail) return this.call();
      // Given to one who is gone: perhaps it is for this node to take it back.
      if (
        isOpen(claim) &&
        (peers.incarnationOf(claim.holder) !== claim.holderInc || this.desk.isDead(claim.holder))
      )
        return this.call();
    }
    const { journal } = claims.actions;
    let news = false;
    for (let at = this.cursors.get(build.id) ?? 0; at < journal.length; at++) {
      if (this.preparer.concerns(build, journal[at]!)) return this.call();
      news ||= journal[at]!.state === "ready";
    }
    this.cursors.set(build.id, journal.length);
    if (news) this.by(this.scheduler.heard(build));
  }

  /** Whether this step decides. */
  get needed(): boolean {
    const { desk } = this;
    return this.called || desk.now.monoMs >= this.deadline() || this.counted() !== this.decidedBy;
  }

  /** Everything was decided; `dueMonoMs`: when time alone asks for the next decision. */
  decided(dueMonoMs: number): void {
    this.called = false;
    this.decidedBy = this.counted();
    this.dueMonoMs = dueMonoMs;
    for (const build of this.desk.liveBuilds())
      this.cursors.set(build.id, build.claims!.actions.journal.length);
  }

  /** The build was folded anew or dropped. */
  forget(build: BuildId): void {
    this.cursors.delete(build);
    this.called = true;
  }

  deadline(): number {
    return Math.min(this.dueMonoMs, this.desk.voice.deadline());
  }

  /** Grows, or differs, when who lives and who counts changes. */
  private counted(): number {
    const { desk } = this;
    const revisions =
      desk.aliveRevision + desk.livenessRevision + desk.peers.incarnationRevision + desk.members.revision;
    return desk.settled ? revisions : -2 - revisions;
  }
}

/** What may concern others alone: most of what a node hears. */
export const isHearsay = (input: Input): boolean =>
  input.kind === "tick" ||
  input.kind === "gossip" ||
  input.kind === "clock" ||
  (input.kind === "message" && input.message.kind === "ledger");
