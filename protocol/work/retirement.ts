/** Which ended builds leave memory for the archive, and when. */
import { type BuildId, byText } from "../kernel/ids.ts";
import type { Staging } from "../release/staging.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Holder } from "./holder.ts";
import { awaited } from "./standing.ts";
import type { Witness } from "./witness.ts";

/** Ended builds that stay in memory and in sync, and facts of all of them together; those submitted before them are archived. */
const endedBuildsMax = 50;
const endedFactsMax = 200_000;
/** The same on a small board. */
const small = { endedBuildsMax: 4, endedFactsMax: 10_000 } as const;
/** What a seal tells of and nobody here has heard yet may be lost with whoever said it: so long it is waited for. */
const awaitedMsMax = 60_000;
/** What is released may be so, too: its lists of files, or whoever had to stage it. */
const unstagedMsMax = 600_000;

export class Retirement {
  private readonly desk: Desk;
  private readonly holder: Holder;
  private readonly witness: Witness;
  private readonly staging: Pick<Staging, "of">;
  /** Some ended build would be archived, if nothing of it were in hand. */
  private lingers = false;
  /** Since when a build would be archived that is not all heard, or not staged. */
  private readonly since = new Map<BuildId, number>();

  constructor(desk: Desk, holder: Holder, witness: Witness, staging: Pick<Staging, "of">) {
    this.desk = desk;
    this.holder = holder;
    this.witness = witness;
    this.staging = staging;
  }

  /** What lingered may go by now. */
  pump(): Build[] {
    return this.lingers ? this.retire() : [];
  }

  /** Archives what is beyond the bounds. Returns the builds that are no longer in memory. */
  retire(): Build[] {
    const { desk } = this;
    this.lingers = false;
    const most = desk.config.small ? small : { endedBuildsMax, endedFactsMax };
    const ended = [...desk.builds.values()].filter((b) => b.claims?.sealed).sort(bySubmission);
    let facts = ended.reduce((sum, b) => sum + b.facts().length, 0);
    let left = ended.length;
    return ended.filter((build) => {
      // What came as ranges is in no ledger that others could be told of.
      if (left <= most.endedBuildsMax && facts <= most.endedFactsMax && !build.ranged) return false;
      // What lingers is on its way out: none that was submitted later goes in its place.
      left--;
      facts -= build.facts().length;
      // After that nothing may be said in its ledger: another document under this start's name would contradict the first.
      const isBusy =
        this.holder.holds(build.id) || desk.voice.gathers(build.id) || desk.voice.awaitsSignatures;
      if (isBusy || this.isAwaited(build)) {
        this.lingers = true;
        return false;
      }
      const record = desk.archive.put(build, desk.members);
      if (!record) return false;
      desk.builds.delete(build.id);
      this.since.delete(build.id);
      this.witness.forget(build.facts());
      desk.file(build.id, record);
      return true;
    });
  }

  /** Something is still to come of it that is read from builds in memory alone, and may come yet. */
  private isAwaited(build: Build): boolean {
    const patienceMs = this.isUnstaged(build) ? unstagedMsMax : this.isUntold(build) ? awaitedMsMax : 0;
    if (patienceMs === 0) return false;
    const { monoMs } = this.desk.now;
    const since = this.since.get(build.id) ?? monoMs;
    this.since.set(build.id, since);
    return monoMs < since + patienceMs;
  }

  /** What was made is on its way here: the action cache learns of it. */
  private isUntold(build: Build): boolean {
    return awaited(build, this.desk.members) > 0;
  }

  /** Nobody has said yet what it releases. */
  private isUnstaged({ id, graph, claims }: Build): boolean {
    const channel = graph?.release?.channel;
    if (channel === undefined || claims?.sealed?.event.state !== "complete") return false;
    return this.staging.of(channel, id) === undefined;
  }
}

const bySubmission = (a: Build, b: Build): number =>
  (a.submission?.wallMs ?? 0) - (b.submission?.wallMs ?? 0) || byText(a.id, b.id);
