/**
 * Second copies: what another member made, what is still needed and would be dear to make again, this node brings to its own disk as well,
 * so that the end of one machine does not cost that work. Nobody is told: who misses a holder asks all the living anyway.
 */
import { sizeOf } from "../kernel/digest.ts";
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { CopyPolicy } from "../swarm/policy.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Result } from "./results.ts";

/** Left to dependents that fetch it anyway. */
const patienceMs = 1000;
/** Folders are waited for so long. */
const foldersMsMax = 30_000;
/** All copies of one node together; one at a time. */
const bytesPerMs = 16_000;
/** What takes less to make is not dear. */
const costlyMsMin = 5000;
const queueMax = 10_000;

/** Whether something needed is worth a second place: what it takes to make it again, and to move it. */
function isWorthCopying(
  policy: CopyPolicy,
  { madeInMs, bytes }: { readonly madeInMs: number; readonly bytes: number },
): boolean {
  if (policy === "costly") return madeInMs >= costlyMsMin && bytes / bytesPerMs <= madeInMs;
  return policy === "needed";
}

interface Candidate {
  readonly build: BuildId;
  readonly action: number;
  readonly sinceMonoMs: number;
  readonly dueMonoMs: number;
}

export class Copies {
  private readonly desk: Desk;
  /** Transitions that were looked at, per build. */
  private readonly cursors = new Map<BuildId, number>();
  /** In the order in which they are due. */
  private queue: Candidate[] = [];
  private fetching: { readonly id: string; readonly digests: readonly Digest[] } | undefined;
  private restUntilMonoMs = Number.NEGATIVE_INFINITY;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Facts were folded: notes what is done and this node's to keep a second time. */
  review(build: Build): void {
    const { config, now } = this.desk;
    const { claims } = build;
    if (!claims || config.scheduling.copies === "never") return;
    const { journal } = claims.actions;
    for (let at = this.cursors.get(build.id) ?? 0; at < journal.length; at++) {
      const { action, state } = journal[at]!;
      if (state === "done" && this.queue.length < queueMax && this.isMine(build, action))
        this.note({ build: build.id, action, sinceMonoMs: now.monoMs });
    }
    this.cursors.set(build.id, journal.length);
  }

  /** Begins the next copy that is due and still worth it. */
  pump(): void {
    const { desk } = this;
    if (this.fetching || desk.stopping || this.restUntilMonoMs > desk.now.monoMs) return;
    let done = 0;
    while (!this.fetching && done < this.queue.length && this.queue[done]!.dueMonoMs <= desk.now.monoMs)
      this.begin(this.queue[done++]!);
    if (done > 0) this.queue = this.queue.slice(done);
  }

  /** A copy came, or what of it could be had. */
  fetched(id: string, missing: readonly Digest[], fetchedBytes: number): void {
    if (this.fetching?.id !== id) return;
    for (const digest of this.fetching.digests) if (!missing.includes(digest)) this.desk.noteLocal(digest);
    this.fetching = undefined;
    this.restUntilMonoMs = this.desk.now.monoMs + fetchedBytes / bytesPerMs;
  }

  deadline(): number {
    if (this.fetching || this.queue.length === 0) return Number.POSITIVE_INFINITY;
    return Math.max(this.queue[0]!.dueMonoMs, this.restUntilMonoMs);
  }

  /** The build was folded anew or dropped. */
  forget(build: BuildId): void {
    this.cursors.delete(build);
    this.queue = this.queue.filter((c) => c.build !== build);
  }

  private note(candidate: Omit<Candidate, "dueMonoMs">): void {
    this.queue.push({ ...candidate, dueMonoMs: this.desk.now.monoMs + patienceMs });
  }

  /** Whether this node is the one that is to keep a result beside the one member that is said to hold it. */
  private isMine(build: Build, action: number): boolean {
    const claims = build.claims!;
    const result = claims.resultOf(action);
    const [holder, ...others] = result ? claims.holdersOf(action, result) : [];
    if (holder === undefined || others.length > 0 || holder === this.desk.config.self) return false;
    const second = this.desk.watcherOf(build.id, claims.action(action).name, holder);
    return second === this.desk.config.self;
  }

  private begin({ build: id, action, sinceMonoMs }: Candidate): void {
    const { desk } = this;
    const build = desk.builds.get(id);
    const claims = build?.claims;
    const result = claims?.resultOf(action);
    if (!build || !claims || !result || claims.cancelled || claims.actions.get(action) !== "done") return;
    if (desk.room.limitedBy === "disk" || desk.room.limitedBy === "space" || !this.isMine(build, action))
      return;
    const holder = claims.holdersOf(action, result)[0]!;
    if (desk.status(holder) === "dead" || !this.isNeeded(build, action, holder)) return;
    const digests = this.bytesOf(result, holder);
    if (!digests) {
      // Its folders are asked for: once they are here it is looked at again, and else not.
      if (desk.now.monoMs - sinceMonoMs < foldersMsMax) this.note({ build: id, action, sinceMonoMs });
      return;
    }
    const away = digests.filter((digest) => !desk.isLocal(digest));
    const bytes = away.reduce((sum, digest) => sum + sizeOf(digest), 0);
    const madeInMs = this.madeInMs(build, action, result);
    if (away.length === 0 || !isWorthCopying(desk.config.scheduling.copies, { madeInMs, bytes })) return;
    this.fetching = { id: `copy:${id}:${action}`, digests: away };
    this.desk.fetch(
      this.fetching.id,
      away.map((digest) => ({ digest, holders: [holder] })),
    );
  }

  /** Whether somebody will want it who does not have it yet, and no second living member has fetched it to work on it. */
  private isNeeded(build: Build, action: number, holder: PeerId): boolean {
    const claims = build.claims!;
    const { config } = this.desk;
    const has = (peer: PeerId) =>
      peer !== holder && peer !== config.self && this.desk.status(peer) !== "dead";
    const dependents = claims.dependents[action]!;
    for (const dependent of dependents)
      if (claims.claimsOf(dependent).some((c) => c.started && has(c.holder))) return false;
    const { include = [] } = build.graph?.release ?? {};
    // What ends a build is gathered by who seals it.
    if (dependents.length === 0 || include.includes(claims.action(action).name))
      return !claims.sealed || !has(claims.sealed.author);
    return dependents.some((dependent) => claims.actions.get(dependent) !== "done");
  }

  /** What a result stands for; undefined while the files of a folder are not known. */
  private bytesOf({ result }: Result, holder: PeerId): Digest[] | undefined {
    const { desk } = this;
    const digests = new Set<Digest>();
    for (const output of result.outputs) {
      if (output.kind === "file") {
        digests.add(output.digest);
        continue;
      }
      const tree = desk.trees.get(output.digest);
      if (!tree) {
        desk.awaitTree(output.digest, [holder]);
        return undefined;
      }
      for (const file of tree) digests.add(file.digest);
    }
    return [...digests];
  }

  /** How long the run took that made it; where it came from the cache, how long one is expected to take. */
  private madeInMs(build: Build, action: number, result: Result): number {
    const claims = build.claims!;
    const made = claims.claimsOf(action).find((c) => c.done?.resultHash === result.hash);
    return made?.done?.usage?.wallMs ?? this.desk.estimates.of(build.graph!.name, claims.action(action));
  }
}
