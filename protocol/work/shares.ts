/**
 * Whose turn it is: builds by priority, which grows while one waits; then the user who has had least of the swarm lately; then that
 * user's build that has. What counts are slots held in the whole swarm, as the ledgers say, and an echo of those held before.
 */
import { type BuildId, byText, type PeerId } from "../kernel/ids.ts";

/** A build that has work ready and holds no slot gains one priority each time it has waited so long. */
const ageMs = 5000;
/** Half of what was used so long ago still counts. */
const halfLifeMs = 60_000;
/** A slot held for this long weighs as much as one held now. */
const echoMs = 60_000;

/** A build as far as its turn depends on it. */
export interface Turn {
  readonly build: BuildId;
  readonly user: PeerId;
  readonly priority: number;
  /** Slots its open claims take, wherever. */
  readonly slots: number;
  /** Whether something of it could be begun. */
  readonly ready: boolean;
  readonly submittedWallMs: number;
}

/** A build in its turn, and why it stands there. */
export interface Ranked extends Turn {
  /** Its own, and what it gained by waiting. */
  readonly effectivePriority: number;
  /** Slots in use and lately used, of its user and of itself. */
  readonly userShare: number;
  readonly share: number;
}

export class Shares {
  /** Slot milliseconds, halved every half-life. */
  private readonly used = new Map<BuildId, number>();
  private readonly usedBy = new Map<PeerId, number>();
  private lookedMonoMs = 0;
  /** Since when a build waits with work ready and nothing in hand. */
  private readonly waitsSinceMonoMs = new Map<BuildId, number>();
  private before = new Map<BuildId, Turn>();

  /** Builds with work ready, the one whose turn it is first. Every live build is to be given, each time. */
  order(turns: readonly Turn[], nowMonoMs: number): Ranked[] {
    this.pass(nowMonoMs);
    this.before = new Map(turns.map((t) => [t.build, t]));
    const slotsBy = new Map<PeerId, number>();
    for (const { build, user, slots, ready } of turns) {
      slotsBy.set(user, (slotsBy.get(user) ?? 0) + slots);
      if (!ready || slots > 0) this.waitsSinceMonoMs.delete(build);
      else if (!this.waitsSinceMonoMs.has(build)) this.waitsSinceMonoMs.set(build, nowMonoMs);
    }
    this.forget();
    return turns
      .filter((t) => t.ready)
      .map((turn) => ({
        ...turn,
        effectivePriority: turn.priority + this.gained(turn.build, nowMonoMs),
        userShare: (slotsBy.get(turn.user) ?? 0) + echo(this.usedBy.get(turn.user)),
        share: turn.slots + echo(this.used.get(turn.build)),
      }))
      .sort(
        (a, b) =>
          b.effectivePriority - a.effectivePriority ||
          (a.user === b.user ? 0 : a.userShare - b.userShare || byText(a.user, b.user)) ||
          a.share - b.share ||
          a.submittedWallMs - b.submittedWallMs ||
          byText(a.build, b.build),
      );
  }

  /** When a build gains priority by waiting; later than now. */
  deadline(nowMonoMs: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const since of this.waitsSinceMonoMs.values())
      at = Math.min(at, since + (agesSince(since, nowMonoMs) + 1) * ageMs);
    return at;
  }

  /** Time has passed: what was used fades, and what was held since the last look was used. */
  private pass(nowMonoMs: number): void {
    const elapsedMs = nowMonoMs - this.lookedMonoMs;
    if (elapsedMs <= 0) return;
    this.lookedMonoMs = nowMonoMs;
    const fading = 2 ** (-elapsedMs / halfLifeMs);
    for (const [build, slotMs] of this.used) this.used.set(build, slotMs * fading);
    for (const [user, slotMs] of this.usedBy) this.usedBy.set(user, slotMs * fading);
    for (const { build, user, slots } of this.before.values()) {
      this.used.set(build, (this.used.get(build) ?? 0) + slots * elapsedMs);
      this.usedBy.set(user, (this.usedBy.get(user) ?? 0) + slots * elapsedMs);
    }
  }

  private gained(build: BuildId, nowMonoMs: number): number {
    const since = this.waitsSinceMonoMs.get(build);
    return since === undefined ? 0 : agesSince(since, nowMonoMs);
  }

  private forget(): void {
    for (const build of this.used.keys()) if (!this.before.has(build)) this.used.delete(build);
    for (const build of this.waitsSinceMonoMs.keys())
      if (!this.before.has(build)) this.waitsSinceMonoMs.delete(build);
    for (const [user, slotMs] of this.usedBy) if (slotMs < 1) this.usedBy.delete(user);
  }
}

/** Whole ages that are over: by sums, as deadlines are, for a difference may be rounded otherwise. */
function agesSince(sinceMonoMs: number, nowMonoMs: number): number {
  let ages = Math.floor((nowMonoMs - sinceMonoMs) / ageMs);
  if (nowMonoMs < sinceMonoMs + ages * ageMs) ages--;
  if (nowMonoMs >= sinceMonoMs + (ages + 1) * ageMs) ages++;
  return ages;
}

const echo = (slotMs: number | undefined): number => (slotMs ?? 0) / echoMs;
