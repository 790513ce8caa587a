/**
 * Brings one large blob here in pieces, from several members at once: holders, and whoever else is fetching it and has some already.
 * Whom it found to be slow gets less to do, whom it found to be wrong nothing more.
 */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import type { PiecesAnswer, RemoteBlobs } from "../ports.ts";
import type { DiskBlobs } from "./blobs.ts";
import type { Gathering } from "./gathering.ts";
import { pieceBytesOf, pieceCountOf } from "./pieces.ts";
import type { Sources } from "./sources.ts";

/** Members that are asked for pieces of one blob at once. */
const activeMax = 6;
/** Members that are considered for one blob. */
const candidatesMax = 64;
/** Work under way with one source lasts about this long, so that nobody holds much when it turns slow. */
const aheadMs = 150;
const batchMax = 8;
/** A piece that takes longer than this is asked for elsewhere too. */
const staleMsMin = 2_000;
/** Nothing came from anyone for so long: given up. */
const stalledMsMax = 20_000;
/** A holder may have to read the blob first, to make its list. */
const answerMsMax = 15_000;
/** Those who have only a part are taken when nobody who has all answers within this. */
const patienceMs = 1_000;
const tickMs = 250;
/** Between two questions to one that had nothing, doubled each time. */
const retryMsMin = 250;
const triesMax = 6;
const triesAfterBreak = 3;

export interface GatherParts {
  readonly blobs: Pick<DiskBlobs, "gather">;
  readonly remote: Pick<RemoteBlobs, "pieces" | "offer" | "piece">;
  readonly sources: Sources;
  /** Hears of others that fetch the same, until what it returns is called. */
  readonly watchAskers: (digest: Digest, tell: (peer: PeerId) => void) => () => void;
  readonly self: PeerId;
  readonly log: Pick<Log, "debug">;
  /** Bytes that came, whatever becomes of them. */
  readonly received: (bytes: number) => void;
}

/** Resolves once the blob is stored. Throws `blob-missing` when it cannot be had from anyone asked (what came is kept), `disk-full`. */
export async function gatherBlob(parts: GatherParts, digest: Digest, from: readonly PeerId[]): Promise<void> {
  const liars = new Set<PeerId>();
  const lies = new Set<string>();
  for (;;) {
    const asked = from.filter((peer) => peer !== parts.self && !liars.has(peer));
    const answers = await firstAnswers(parts, digest, asked, lies);
    const [first] = answers;
    if (!first) throw new SwarmError("blob-missing", `nobody asked has ${digest}`);
    const { list } = first.answer;
    const crew = new Crew(parts, digest, list, asked);
    try {
      return await parts.blobs.gather(digest, list, (gathering) => crew.bring(gathering, answers));
    } catch (cause) {
      if (!(cause instanceof SwarmError && cause.code === "blob-corrupt")) throw cause;
      lies.add(keyOf(list));
      // who only passed it on may have been fooled, but is not asked again for another one
      liars.add(first.peer);
      for (const peer of crew.vouchers) {
        liars.add(peer);
        parts.sources.note(peer, "lied", digest);
      }
    }
  }
}

interface Answered {
  readonly peer: PeerId;
  readonly answer: PiecesAnswer;
}

/** The first who holds the whole; else, after a moment or when all have answered, those who have some of it. */
async function firstAnswers(
  parts: GatherParts,
  digest: Digest,
  peers: readonly PeerId[],
  lies: ReadonlySet<string>,
): Promise<Answered[]> {
  const partial: Answered[] = [];
  let open = peers.length;
  let patient = true;
  let timer: NodeJS.Timeout | undefined;
  const whole = await new Promise<Answered | undefined>((resolve) => {
    const settle = () => {
      if (open === 0 || (!patient && partial.length > 0)) resolve(undefined);
    };
    timer = setTimeout(() => {
      patient = false;
      settle();
    }, patienceMs);
    settle();
    for (const peer of parts.sources.order(peers))
      void askForPieces(parts, digest, peer).then((answer) => {
        open--;
        if (answer && !lies.has(keyOf(answer.list))) {
          if (answer.whole) resolve({ peer, answer });
          else partial.push({ peer, answer });
        }
        settle();
      });
  });
  clearTimeout(timer);
  if (whole) return [whole];
  const [first] = partial;
  return partial.filter(({ answer }) => keyOf(answer.list) === keyOf(first!.answer.list));
}

async function askForPieces(
  { remote, sources, log }: GatherParts,
  digest: Digest,
  peer: PeerId,
): Promise<PiecesAnswer | undefined> {
  const startMs = performance.now();
  const done = sources.begin(peer);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new SwarmError("timed-out", "no answer in time")), answerMsMax);
    });
    const answer = await Promise.race([remote.pieces(peer, digest), late]);
    sources.answered(peer, performance.now() - startMs);
    return answer;
  } catch (cause) {
    if (!(cause instanceof SwarmError && cause.code === "blob-missing")) sources.failed(peer);
    log.debug({ peer, digest, error: String(cause) }, "a peer has nothing of a blob");
    return undefined;
  } finally {
    clearTimeout(timer);
    done();
  }
}

/** Names a list in a set. */
const keyOf = (list: Uint8Array): string => Buffer.from(list).toString("latin1");

interface Source {
  readonly peer: PeerId;
  readonly whole: boolean;
  readonly done: () => void;
  bytesPerMs: number;
  lastMs: number;
  gone: boolean;
}

interface Candidate {
  /** It fetches the same: what it has not now it may have soon. */
  readonly fetches: boolean;
  tries: number;
  nextAtMs: number;
  asking: boolean;
}

/** Those who bring one blob, by one list. */
class Crew {
  /** Those that said they hold the whole, by this list. */
  readonly vouchers = new Set<PeerId>();
  readonly #parts: GatherParts;
  readonly #digest: Digest;
  readonly #list: Uint8Array;
  readonly #sources = new Set<Source>();
  readonly #candidates = new Map<PeerId, Candidate>();
  /** Pieces on their way: since when, and from how many. */
  readonly #inFlight = new Map<number, { sinceMs: number; count: number }>();
  /** For pieces to come: made anew for each they would keep the garbage collector busier than all else. */
  readonly #rooms: Uint8Array[] = [];
  readonly #over = Promise.withResolvers<void>();
  #ended = false;
  #gathering: Gathering | undefined;
  #progressMs = performance.now();
  #meanMs = 0;
  #news = Promise.withResolvers<void>();

  constructor(parts: GatherParts, digest: Digest, list: Uint8Array, from: readonly PeerId[]) {
    this.#parts = parts;
    this.#digest = digest;
    this.#list = list;
    for (const peer of from) this.#consider(peer, false);
  }

  async bring(gathering: Gathering, answered: readonly Answered[]): Promise<void> {
    this.#gathering = gathering;
    if (gathering.left === 0) return;
    const unwatch = this.#parts.watchAskers(this.#digest, (peer) => {
      this.#consider(peer, true);
      this.#recruit();
    });
    const tick = setInterval(() => this.#tick(), tickMs);
    try {
      for (const { peer, answer } of answered) this.#join(peer, answer);
      this.#recruit();
      await this.#over.promise;
    } finally {
      this.#ended = true;
      clearInterval(tick);
      unwatch();
      this.#tell();
      for (const source of this.#sources) source.done();
    }
  }

  #consider(peer: PeerId, fetches: boolean) {
    const known = this.#candidates.get(peer);
    if (peer === this.#parts.self || known?.fetches || (known && !fetches)) return;
    if (known || this.#candidates.size < candidatesMax)
      this.#candidates.set(peer, { tries: 0, nextAtMs: 0, asking: false, ...known, fetches });
  }

  /** Asks more members as long as too few are at work. */
  #recruit() {
    if (this.#ended) return;
    const now = performance.now();
    const ready = [...this.#candidates].filter(
      ([, { tries, nextAtMs, asking }]) => !asking && tries < triesMax && nextAtMs <= now,
    );
    const busy = [...this.#sources].filter((source) => now - source.lastMs < staleMsMin).length;
    const asking = [...this.#candidates.values()].filter((one) => one.asking).length;
    const room = activeMax - busy - asking;
    for (const peer of this.#parts.sources.order(ready.map(([peer]) => peer)).slice(0, Math.max(0, room)))
      void this.#ask(peer, this.#candidates.get(peer)!);
  }

  async #ask(peer: PeerId, candidate: Candidate) {
    candidate.asking = true;
    const answer = await askForPieces(this.#parts, this.#digest, peer);
    const known = this.#candidates.get(peer)!;
    known.asking = false;
    known.nextAtMs = performance.now() + retryMsMin * 2 ** known.tries++;
    if (answer && keyOf(answer.list) === keyOf(this.#list)) this.#join(peer, answer);
    else this.#failIfAlone();
  }

  #join(peer: PeerId, answer: PiecesAnswer) {
    if (this.#ended || [...this.#sources].some((source) => source.peer === peer)) return;
    // one that works is asked no more
    const candidate = this.#candidates.get(peer);
    if (candidate) candidate.tries = triesMax;
    if (answer.whole) this.vouchers.add(peer);
    const source: Source = {
      peer,
      whole: answer.whole,
      done: this.#parts.sources.begin(peer),
      bytesPerMs: 0,
      lastMs: performance.now(),
      gone: false,
    };
    this.#sources.add(source);
    for (const other of answer.others) this.#consider(other, true);
    // while one batch is on its way the next is agreed on
    for (let worker = 0; worker < 2; worker++) void this.#work(source);
    this.#recruit();
  }

  async #work(source: Source) {
    const { remote } = this.#parts;
    while (!this.#ended && !source.gone) {
      const lack = this.#lack();
      if (!lack) {
        await this.#news.promise;
        continue;
      }
      try {
        const offered = await remote.offer(source.peer, this.#digest, lack, this.#batchOf(source));
        if (offered.length === 0 && source.whole)
          throw new SwarmError("blob-missing", "it has not got what it said");
        source.lastMs = performance.now();
        await Promise.all(
          offered.filter((index) => this.#isWanted(index)).map((index) => this.#fetch(source, index)),
        );
      } catch (cause) {
        this.#drop(source, cause);
      }
    }
  }

  async #fetch(source: Source, index: number) {
    if (this.#ended || source.gone) return;
    const flight = this.#inFlight.get(index) ?? { sinceMs: performance.now(), count: 0 };
    flight.count++;
    this.#inFlight.set(index, flight);
    const startMs = performance.now();
    const room = this.#rooms.pop() ?? new Uint8Array(pieceBytesOf(this.#digest));
    try {
      const bytes = await this.#parts.remote.piece(source.peer, this.#digest, index, room);
      this.#parts.received(bytes.length);
      if (this.#ended) return;
      await this.#gathering!.put(index, bytes);
      const tookMs = Math.max(1, performance.now() - startMs);
      source.lastMs = this.#progressMs = performance.now();
      source.bytesPerMs = source.bytesPerMs * 0.7 + (bytes.length / tookMs) * 0.3;
      this.#meanMs = this.#meanMs * 0.9 + tookMs * 0.1;
    } finally {
      this.#rooms.push(room);
      if (--flight.count === 0) this.#inFlight.delete(index);
      this.#tell();
      this.#failIfAlone();
    }
    if (this.#gathering!.left === 0) this.#over.resolve();
  }

  #drop(source: Source, cause: unknown) {
    if (this.#ended || source.gone) return;
    if (!(cause instanceof SwarmError) || cause.code === "disk-full") return this.#over.reject(cause);
    const { code } = cause;
    if (code === "blob-corrupt") this.#parts.sources.note(source.peer, "corrupt", this.#digest);
    else if (code !== "blob-missing") this.#parts.sources.failed(source.peer);
    this.#parts.log.debug(
      { peer: source.peer, digest: this.#digest, error: String(cause) },
      "a peer gives no more pieces",
    );
    source.gone = true;
    source.done();
    this.#sources.delete(source);
    // a connection may come back, and who still fetched it may have it whole by now
    if (code !== "blob-corrupt" && !(code === "blob-missing" && source.whole))
      this.#candidates.set(source.peer, {
        fetches: true,
        tries: triesAfterBreak,
        nextAtMs: performance.now() + retryMsMin,
        asking: false,
      });
    this.#recruit();
    this.#failIfAlone();
    this.#tell();
  }

  /** What is still on its way from a source that was given up is waited for. */
  #failIfAlone() {
    if (this.#sources.size > 0 || this.#inFlight.size > 0 || this.#gathering!.left === 0) return;
    for (const { tries, asking, fetches } of this.#candidates.values())
      if (tries === 0 || asking || (fetches && tries < triesMax)) return;
    this.#over.reject(new SwarmError("blob-missing", `nobody asked has the rest of ${this.#digest}`));
  }

  #tick() {
    this.#recruit();
    if (performance.now() - this.#progressMs > stalledMsMax)
      this.#over.reject(new SwarmError("blob-missing", `no more of ${this.#digest} comes from anyone`));
    this.#failIfAlone();
    this.#tell();
  }

  #tell() {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  #batchOf(source: Source): number {
    const pieces = Math.ceil((source.bytesPerMs * aheadMs) / pieceBytesOf(this.#digest));
    return Math.min(batchMax, Math.max(1, pieces));
  }

  /** To be asked for: not here, and not on its way unless that takes suspiciously long. */
  #isWanted(index: number): boolean {
    if (this.#gathering!.has(index)) return false;
    const flight = this.#inFlight.get(index);
    if (!flight) return true;
    const staleMs = Math.max(staleMsMin, this.#meanMs * 4);
    return flight.count < 3 && performance.now() - flight.sinceMs > staleMs * flight.count;
  }

  /** As a bitmap; undefined when nothing is to be asked for. */
  #lack(): Uint8Array | undefined {
    const bits = new Uint8Array(Math.ceil(pieceCountOf(this.#digest) / 8));
    let some = false;
    for (let index = 0; index < pieceCountOf(this.#digest); index++)
      if (this.#isWanted(index)) {
        bits[index >> 3]! |= 1 << (index & 7);
        some = true;
      }
    return some ? bits : undefined;
  }
}
