/** Which ended builds leave memory for the archive, and when. */
import { byText } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Holder } from "./holder.ts";
import type { Witness } from "./witness.ts";

/** Ended builds that stay in memory and in sync, and facts of all of them together; those submitted before them are archived. */
const endedBuildsMax = 50;
const endedFactsMax = 200_000;
/** The same on a small board. */
const small = { endedBuildsMax: 4, endedFactsMax: 10_000 } as const;

export class Retirement {
  private readonly desk: Desk;
  private readonly holder: Holder;
  private readonly witness: Witness;
  /** Some ended build would be archived, if nothing of it were in hand. */
  private lingers = false;

  constructor(desk: Desk, holder: Holder, witness: Witness) {
    this.desk = desk;
    this.holder = holder;
    this.witness = witness;
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
      // After that nothing may be said in its ledger: another document under this start's name would contradict the first.
      if (this.holder.holds(build.id) || desk.voice.gathers(build.id) || desk.voice.awaitsSignatures) {
        this.lingers = true;
        return false;
      }
      const record = desk.archive.put(build, desk.members);
      if (!record) return false;
      left--;
      facts -= build.facts().length;
      desk.builds.delete(build.id);
      this.witness.forget(build.facts());
      desk.file(build.id, record);
      return true;
    });
  }
}

const bySubmission = (a: Build, b: Build): number =>
  (a.submission?.wallMs ?? 0) - (b.submission?.wallMs ?? 0) || byText(a.id, b.id);
