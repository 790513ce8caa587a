/** Catching up with builds that ended while this node was away: which it lacks, and who is asked for their entries, a few at a time. */
import type { BuildId, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { IdSum } from "../timeline/sum.ts";
import { archivedMax, exceeds } from "./archive.ts";
import { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { glean } from "./gleaner.ts";
import { Ledger } from "./ledger.ts";

/** A peer is told what is archived no more often than this. */
const listMs = 5000;
const listedMax = 1024;
/** Builds asked for at once. */
const askedMax = 8;
/** Whoever was asked and says nothing for so long is passed over. */
const answerMs = 5000;

interface Wanted {
  readonly sum: string;
  readonly from: Set<PeerId>;
}

interface Asked {
  readonly from: PeerId;
  /** What came of it. */
  readonly build: Build;
  untilMonoMs: number;
  /** The archive had less of it. */
  more: boolean;
}

export class Borrower {
  private readonly desk: Desk;
  private readonly toldMonoMs = new Map<PeerId, number>();
  private readonly wanted = new Map<BuildId, Wanted>();
  private readonly asked = new Map<BuildId, Asked>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Ended builds that others have and this node lacks, or has less of. */
  get behind(): number {
    return this.wanted.size;
  }

  /** A peer's archive adds up to something else: it hears what is in this one. */
  tell(to: PeerId): void {
    const { archive, now } = this.desk;
    const all = archive.all();
    if (all.length === 0 || now.monoMs < (this.toldMonoMs.get(to) ?? Number.NEGATIVE_INFINITY) + listMs)
      return;
    if (this.toldMonoMs.size >= listedMax) this.toldMonoMs.clear();
    this.toldMonoMs.set(to, now.monoMs);
    const builds = all.map(({ build, sum, entries }) => ({ build, sum, entries }));
    this.desk.emit({ kind: "send", to, message: { kind: "archive", builds } });
  }

  /** A peer says what it has archived. */
  listed(from: PeerId, { builds }: Extract<Message, { kind: "archive" }>): void {
    for (const { build, sum, entries = 0 } of builds) {
      const mine = this.desk.archive.get(build);
      // What is in memory here hears its end when it offers its ledger, and is compared again once it is archived.
      if (mine?.sum === sum || this.desk.builds.has(build)) continue;
      // What went from here comes back only where there is more of it: the other side hears of this one.
      if (mine?.dropped && !exceeds({ sum, entries }, mine)) continue;
      const known = this.wanted.get(build);
      if (known?.sum === sum) known.from.add(from);
      else if (known || this.wanted.size < archivedMax)
        this.wanted.set(build, { sum, from: new Set([from]) });
    }
  }

  /** A peer lacks an archived build. */
  lend(to: PeerId, id: BuildId): void {
    const archived = this.desk.archive.get(id);
    if (archived?.dropped) {
      const { submission, seal, sum, entries: count, done } = archived;
      const outline = { build: id, sum, count, done, entries: [submission, seal] };
      return this.desk.emit({ kind: "send", to, message: { kind: "outline", ...outline } });
    }
    for (const { author, inc, runs } of archived?.places.values() ?? [])
      this.desk.emit({
        kind: "serve",
        to,
        author,
        inc,
        build: id,
        fromSeq: runs[0]!,
        toSeq: runs.at(-1)!,
      });
  }

  /** Of a build that was asked for nobody has more than this. False: it is in memory here, and what was said of its end is for it. */
  outlined({ build, sum, count, done, entries }: Extract<Message, { kind: "outline" }>): boolean {
    const { desk } = this;
    if (desk.builds.has(build)) return false;
    if (!this.wanted.has(build) && !desk.archive.has(build)) return true;
    const [submission, seal] = entries as [SignedEntry, SignedEntry];
    const record = desk.archive.adopt({ build, submission, seal, sum, entries: count, done }, desk.members);
    if (record) desk.file(build, record);
    this.done(build);
    return true;
  }

  /** Entries of a build came as ranges. True: they were asked for, or belong to an archived build, and are dealt with. */
  takes(id: BuildId, entries: readonly SignedEntry[]): boolean {
    const { desk } = this;
    const wanted = this.wanted.get(id);
    const asked = this.asked.get(id);
    const known = desk.archive.get(id);
    // Whoever left since took part all the same.
    const members = entries.filter((e) => desk.members.nameOf(e.entry.author) !== undefined);
    if (known && !known.dropped) {
      // Who was granted an action and who says that it is done are in several chains, and each comes alone.
      if (asked) asked.untilMonoMs = desk.now.monoMs + answerMs;
      asked?.build.take(members, desk.members);
      const record = desk.archive.add(id, entries, desk.members);
      if (record) {
        desk.emit({ kind: "keep", entries });
        desk.file(id, record);
        if (asked) asked.more = true;
        else this.remember(id, entries);
      }
      if (!wanted) return true;
      // What was known before comes along. There may be more of it here than there.
      const isWhole =
        (!asked?.more && desk.archive.get(id)?.sum === wanted.sum) ||
        (asked && sumOf(asked.build) === wanted.sum);
      if (isWhole) this.done(id);
      return true;
    }
    if (!asked || !wanted) return known !== undefined;
    asked.untilMonoMs = desk.now.monoMs + answerMs;
    desk.emit({ kind: "keep", entries: members });
    asked.build.take(members, desk.members);
    if (sumOf(asked.build) !== wanted.sum) return true;
    const record = desk.archive.put(asked.build, desk.members);
    if (record) {
      desk.file(id, record);
      this.remember(id, asked.build.facts());
    }
    this.done(id);
    return true;
  }

  tick(): void {
    const { now } = this.desk;
    for (const [id, { from, untilMonoMs }] of this.asked) {
      if (now.monoMs < untilMonoMs) continue;
      this.end(id);
      const wanted = this.wanted.get(id);
      wanted?.from.delete(from);
      const isKnown = wanted !== undefined && this.desk.archive.get(id)?.sum === wanted.sum;
      if (isKnown || wanted?.from.size === 0) this.wanted.delete(id);
    }
    for (const [id, { from }] of this.wanted) {
      if (this.asked.size >= askedMax) return;
      if (this.asked.has(id)) continue;
      const peer = [...from].find((p) => this.desk.status(p) !== "dead");
      if (peer === undefined) {
        this.wanted.delete(id);
        continue;
      }
      const build = new Build(id, new Ledger(id, 0), now.monoMs);
      this.asked.set(id, { from: peer, build, untilMonoMs: now.monoMs + answerMs, more: false });
      this.desk.emit({ kind: "send", to: peer, message: { kind: "want", build: id } });
    }
  }

  deadline(): number {
    let at = this.wanted.size > this.asked.size && this.asked.size < askedMax ? 0 : Number.POSITIVE_INFINITY;
    for (const { untilMonoMs } of this.asked.values()) at = Math.min(at, untilMonoMs);
    return at;
  }

  /** What was made in a build that this node never saw alive feeds the action cache too. */
  private remember(id: BuildId, entries: readonly SignedEntry[]): void {
    for (const one of glean(id, entries, this.desk.members)) this.desk.emit({ kind: "remember", ...one });
  }

  private done(id: BuildId): void {
    this.wanted.delete(id);
    this.end(id);
  }

  private end(id: BuildId): void {
    const asked = this.asked.get(id);
    this.asked.delete(id);
    if (!asked?.more) return;
    const facts = asked.build.facts();
    const counted = this.desk.archive.count(id, facts);
    if (counted) this.desk.file(id, counted);
    this.remember(id, facts);
  }
}

function sumOf(build: Build): string {
  const sum = new IdSum();
  for (const { id } of build.facts()) sum.mix(id);
  return sum.text();
}
