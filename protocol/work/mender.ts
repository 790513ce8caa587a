/** What was damaged on the own disk is had again from others: which places of which chains are missing, and who is asked for them. */
import { type BuildId, byText, chainOf, type Incarnation, type PeerId } from "../kernel/ids.ts";
import { type Lack, lacksMax, type Message } from "../swarm/message.ts";
import { entryKey, type SignedEntry } from "../timeline/entry.ts";
import { type Damage, holds } from "../timeline/places.ts";
import type { Desk } from "./desk.ts";

/** Places that are looked for at once; what is more shows again when it is read. */
const missingMax = 65_536;
/** Whoever was asked and says nothing new for so long is passed over. */
const answerMs = 5000;
/** When everybody was asked in vain they are asked again after so long: somebody may have come back. */
const againMs = 60_000;

interface Missing {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly seq: number;
  readonly build: BuildId | undefined;
}

export class Mender {
  private readonly desk: Desk;
  /** By the names of the entries. */
  private readonly places = new Map<string, Missing>();
  private readonly passed = new Set<PeerId>();
  /** Who was asked, and for which places, as far as they have not come. */
  private asked: { readonly peer: PeerId; readonly places: Set<string>; untilMonoMs: number } | undefined;
  private restMonoMs = Number.NEGATIVE_INFINITY;
  /** Entries that came back, since the start. */
  mended = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Entries that this node should have on its disk and has not. */
  get missing(): number {
    return this.places.size;
  }

  /** The disk gave back other bytes than it was given. */
  damaged(damages: readonly Damage[]): void {
    const { archive, chains } = this.desk;
    const archived = archive.all();
    const live = damages.some(({ shelf, build }) => shelf === "builds" && build === undefined)
      ? this.livePlaces()
      : undefined;
    for (const damage of damages) {
      const { author, inc, fromSeq, toSeq, shelf } = damage;
      if (shelf === "timeline") {
        for (const seq of chains.placesOf(author, inc, fromSeq, toSeq))
          this.misses({ author, inc, seq, build: undefined });
        continue;
      }
      const build =
        damage.build ??
        live?.get(entryKey({ author, inc, seq: fromSeq })) ??
        archived.find(({ places }) => holds(places.get(chainOf(author, inc)), fromSeq))?.build;
      if (build === undefined) continue;
      for (const seq of this.seqsOf(build, damage, fromSeq, toSeq)) this.misses({ author, inc, seq, build });
    }
  }

  /** Entries came: those that are missing here. They are known otherwise: nothing is folded anew. */
  takes(entries: readonly SignedEntry[]): readonly SignedEntry[] {
    if (this.places.size === 0) return none;
    const back = entries.filter(({ entry }) => {
      const missing = this.places.get(entryKey(entry));
      return missing !== undefined && missing.build === entry.build;
    });
    if (back.length === 0) return none;
    for (const { entry } of back) {
      this.places.delete(entryKey(entry));
      this.asked?.places.delete(entryKey(entry));
    }
    this.mended += back.length;
    if (this.asked) this.asked.untilMonoMs = this.desk.now.monoMs + answerMs;
    // Whoever gave all that was asked for is asked for the rest.
    if (this.asked?.places.size === 0) this.asked = undefined;
    this.desk.emit({ kind: "keep", entries: back });
    return back;
  }

  /** A peer's disk was damaged: it gets these places again. */
  lend(to: PeerId, { places }: Extract<Message, { kind: "lack" }>): void {
    for (const place of places) this.desk.emit({ kind: "serve", to, ...place });
  }

  tick(): void {
    const { desk } = this;
    const { monoMs } = desk.now;
    if (this.places.size === 0) {
      this.asked = undefined;
      this.passed.clear();
      return;
    }
    const before = this.asked;
    if (before && monoMs < before.untilMonoMs && desk.peers.isConnected(before.peer)) return;
    if (before) this.passed.add(before.peer);
    this.asked = undefined;
    if (monoMs < this.restMonoMs) return;
    const peer = desk.members
      .all()
      .map((member) => member.peer)
      .find((p) => p !== desk.config.self && !this.passed.has(p) && desk.peers.isConnected(p));
    if (peer === undefined) {
      this.passed.clear();
      this.restMonoMs = monoMs + againMs;
      return;
    }
    const asked = this.lacks();
    this.asked = { peer, places: asked.keys, untilMonoMs: monoMs + answerMs };
    desk.emit({ kind: "send", to: peer, message: { kind: "lack", places: asked.places } });
  }

  deadline(): number {
    if (this.places.size === 0) return Number.POSITIVE_INFINITY;
    return this.asked ? this.asked.untilMonoMs : Math.max(this.restMonoMs, this.desk.now.monoMs);
  }

  private misses(missing: Missing): void {
    if (this.places.size >= missingMax) return;
    this.places.set(entryKey(missing), missing);
    this.restMonoMs = Number.NEGATIVE_INFINITY;
  }

  /** Builds in memory, by the names of their entries. */
  private livePlaces(): Map<string, BuildId> {
    const places = new Map<string, BuildId>();
    for (const build of this.desk.builds.values())
      for (const { entry } of build.facts()) places.set(entryKey(entry), build.id);
    return places;
  }

  /** Of a build that is known, the places in which it speaks. */
  private seqsOf(
    build: BuildId,
    { author, inc }: Pick<Damage, "author" | "inc">,
    fromSeq: number,
    toSeq: number,
  ): number[] {
    if (fromSeq === toSeq) return [fromSeq];
    const archived = this.desk.archive.get(build);
    const place = archived?.places.get(chainOf(author, inc));
    const facts = this.desk.builds.get(build)?.facts() ?? [];
    if (!archived)
      return facts.flatMap(({ entry: e }) =>
        e.author === author && e.inc === inc && e.seq >= fromSeq && e.seq <= toSeq ? [e.seq] : [],
      );
    const seqs: number[] = [];
    for (let at = 0; place && at < place.runs.length; at += 2)
      for (let seq = Math.max(place.runs[at]!, fromSeq); seq <= Math.min(place.runs[at + 1]!, toSeq); seq++)
        seqs.push(seq);
    return seqs;
  }

  /** What is asked for in one message: neighbours as one. */
  private lacks(): { readonly places: Lack[]; readonly keys: Set<string> } {
    const keys = new Set<string>();
    const sorted = [...this.places.values()].sort(
      (a, b) =>
        byText(a.author, b.author) ||
        byText(a.inc, b.inc) ||
        byText(a.build ?? "", b.build ?? "") ||
        a.seq - b.seq,
    );
    const lacks: { author: PeerId; inc: Incarnation; build?: BuildId; fromSeq: number; toSeq: number }[] = [];
    for (const { author, inc, seq, build } of sorted) {
      const last = lacks.at(-1);
      const isNext = last?.author === author && last.inc === inc && last.build === build;
      if (!isNext && lacks.length >= lacksMax) break;
      keys.add(entryKey({ author, inc, seq }));
      if (isNext) {
        last.toSeq = seq;
        continue;
      }
      lacks.push({ author, inc, ...(build === undefined ? {} : { build }), fromSeq: seq, toSeq: seq });
    }
    return { places: lacks, keys };
  }
}

const none: readonly never[] = [];
