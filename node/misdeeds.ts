/** Which of what peers do wrong is told in the log: a few of each in a minute, for a flood must fill neither the disk nor a person's eyes. */

const toldMax = 5;
const windowMs = 60_000;
/** Peers of which anything is remembered. */
const peersMax = 1024;

interface Record {
  sinceMonoMs: number;
  told: number;
  leftOut: number;
  /** Of all minutes. */
  readonly before: number;
}

export class Misdeeds {
  readonly #records = new Map<string, Record>();
  readonly #nowMonoMs: () => number;

  constructor(nowMonoMs: () => number = () => performance.now()) {
    this.#nowMonoMs = nowMonoMs;
  }

  /** Fields for the line about one more; undefined: it is left out. The first line of the next minute says how many were. */
  of(peer: string | undefined): { readonly leftOut?: number; readonly silence?: string } | undefined {
    const who = peer ?? "";
    const nowMs = this.#nowMonoMs();
    const before = this.#records.get(who);
    if (before && nowMs - before.sinceMonoMs < windowMs) {
      if (before.told >= toldMax) {
        before.leftOut++;
        return undefined;
      }
      before.told++;
      return before.told === toldMax ? { silence: "more of it is left out for a minute" } : {};
    }
    // Who comes first is forgotten first.
    const [oldest] = this.#records.size >= peersMax ? this.#records.keys() : [];
    if (oldest !== undefined) this.#records.delete(oldest);
    this.#records.delete(who);
    this.#records.set(who, { sinceMonoMs: nowMs, told: 1, leftOut: 0, before: before ? countOf(before) : 0 });
    return before && before.leftOut > 0 ? { leftOut: before.leftOut } : {};
  }

  /** How much each peer did since this daemon started, most first; of peers that were forgotten nothing. */
  tally(): { readonly peer: string; readonly count: number }[] {
    return [...this.#records]
      .flatMap(([peer, record]) => (peer === "" ? [] : [{ peer, count: countOf(record) }]))
      .sort((a, b) => b.count - a.count);
  }
}

const countOf = ({ before, told, leftOut }: Record): number => before + told + leftOut;
