/** How long ended builds are kept in full: what goes, what stays for good, and that what went is still known to have been. */
import type { BuildId } from "../kernel/ids.ts";
import type { Staging } from "../release/staging.ts";
import type { Archived } from "./archive.ts";
import type { Desk } from "./desk.ts";

/** How often it is looked for builds that are too old: an hour, where they are kept for days. */
const lookMsMax = 3_600_000;
const lookMsMin = 60_000;
const looks = 24;
/** Of many that are, so many go at once. */
const batchMax = 256;
/** A clock that is further from those of others than this decides nothing: it may be in another year. */
const clockMsMax = 3_600_000;

export class Retention {
  private readonly desk: Desk;
  private readonly staging: Pick<Staging, "names">;
  private lookMonoMs: number | undefined;

  constructor(desk: Desk, staging: Pick<Staging, "names">) {
    this.desk = desk;
    this.staging = staging;
  }

  /** Archived builds whose entries have been kept long enough, and that no release is made of; in the order of their names. */
  overdue(): Archived[] {
    const { archive, config, now } = this.desk;
    const { timelineKeptMs = Number.POSITIVE_INFINITY } = config;
    if (!Number.isFinite(timelineKeptMs) || this.doubtsClock()) return [];
    const before = now.wallMs - timelineKeptMs;
    return archive
      .all()
      .filter((one) => !one.dropped && endedMs(one) < before && !this.staging.names(one.build));
  }

  /** Lets go of what is overdue, and of what there is no room for in the archive. Returns how many builds went. */
  compact(builds: readonly Archived[] = this.overdue()): number {
    const { archive } = this.desk;
    for (const { build, places } of builds) {
      const record = archive.drop(build);
      if (record) this.desk.emit({ kind: "forget", build, places: [...places.values()], record });
    }
    return builds.length;
  }

  tick(): void {
    const { archive, config, now } = this.desk;
    for (const { build, places } of archive.takeSurplus())
      this.desk.emit({ kind: "forget", build, places: [...places.values()] });
    this.lookMonoMs ??= now.monoMs + lookMsMin;
    if (now.monoMs < this.lookMonoMs) return;
    const builds = this.overdue();
    this.compact(builds.slice(0, batchMax));
    const usualMs = Math.min(lookMsMax, Math.max(lookMsMin, (config.timelineKeptMs ?? 0) / looks));
    this.lookMonoMs = now.monoMs + (builds.length > batchMax ? lookMsMin : usualMs);
  }

  deadline(): number {
    const { config } = this.desk;
    return config.timelineKeptMs === undefined
      ? Number.POSITIVE_INFINITY
      : (this.lookMonoMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether most of the members whose clocks are known have quite another time. */
  private doubtsClock(): boolean {
    const { config, members, peers } = this.desk;
    const others = members.all().filter(({ peer }) => peer !== config.self && peers.isConnected(peer));
    const off = others.filter(({ peer }) => Math.abs(peers.clockAheadMs(peer) ?? 0) > clockMsMax);
    return 2 * off.length > others.length;
  }
}

/** By the clocks of whoever submitted and whoever sealed it: the later of both. */
const endedMs = ({ submission, seal }: Pick<Archived, "submission" | "seal"> & { build: BuildId }): number =>
  Math.max(submission.entry.hlc[0], seal.entry.hlc[0]);
