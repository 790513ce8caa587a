/** What this node makes of its peers as sources of blobs: how quick and how busy each is, who does not answer, who gave away what was wrong. */
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";

/** corrupt: its bytes were not those of its list or its digest; lied: its list was that of something else. */
export type Fault = "corrupt" | "lied";

export interface SourceView {
  /** Of its first byte, smoothed; undefined before the first answer. */
  readonly latencyMs: number | undefined;
  /** Transfers under way. */
  readonly load: number;
  readonly corrupt: number;
  readonly lied: number;
  /** Passed over for now: it did not answer. */
  readonly silent: boolean;
  /** Asked last for now: it gave away what was wrong. */
  readonly avoided: boolean;
}

/** A peer that did not answer is asked last for so long, doubled each time it does not. */
const silentMsMin = 2_000;
const silentMsMax = 120_000;
/** One that gave away what was wrong is asked last for so long. */
const avoidMs = 600_000;
const weightOfNew = 0.3;

interface Known {
  latencyMs: number | undefined;
  load: number;
  corrupt: number;
  lied: number;
  failures: number;
  silentUntilMs: number;
  avoidUntilMs: number;
}

export interface SourcesOptions {
  readonly now?: () => number;
  /** Hears of every fault. */
  readonly noted?: (peer: PeerId, fault: Fault, digest: Digest) => void;
}

export class Sources {
  readonly #known = new Map<PeerId, Known>();
  readonly #now: () => number;
  readonly #noted: SourcesOptions["noted"];

  constructor({ now = () => performance.now(), noted }: SourcesOptions = {}) {
    this.#now = now;
    this.#noted = noted;
  }

  /** The peer is asked for something; call what it returns when that is over. */
  begin(peer: PeerId): () => void {
    const known = this.#of(peer);
    known.load++;
    let open = true;
    return () => {
      if (open) known.load--;
      open = false;
    };
  }

  /** It answered, after so long. */
  answered(peer: PeerId, latencyMs: number): void {
    const known = this.#of(peer);
    known.latencyMs =
      known.latencyMs === undefined
        ? latencyMs
        : known.latencyMs + weightOfNew * (latencyMs - known.latencyMs);
    known.failures = 0;
    known.silentUntilMs = 0;
  }

  /** It cannot be reached, or does not answer. */
  failed(peer: PeerId): void {
    const known = this.#of(peer);
    known.silentUntilMs = this.#now() + Math.min(silentMsMin * 2 ** known.failures++, silentMsMax);
  }

  note(peer: PeerId, fault: Fault, digest: Digest): void {
    const known = this.#of(peer);
    known[fault]++;
    known.avoidUntilMs = this.#now() + avoidMs;
    this.#noted?.(peer, fault, digest);
  }

  /** Whom to ask first: honest before noted, answering before silent, idle before busy, then the quicker; else as given. */
  order(peers: Iterable<PeerId>): PeerId[] {
    const now = this.#now();
    return [...new Set(peers)]
      .map((peer, at) => ({ peer, at, known: this.#known.get(peer) }))
      .map(({ peer, at, known }) => ({
        peer,
        at,
        avoided: known !== undefined && known.avoidUntilMs > now ? 1 : 0,
        silent: known !== undefined && known.silentUntilMs > now ? 1 : 0,
        load: known?.load ?? 0,
        // near enough is equal: the order given says who is likely to hold it
        distance: Math.floor(Math.log2(1 + (known?.latencyMs ?? 0) / 10)),
      }))
      .sort(
        (a, b) =>
          a.avoided - b.avoided ||
          a.silent - b.silent ||
          a.load - b.load ||
          a.distance - b.distance ||
          a.at - b.at,
      )
      .map(({ peer }) => peer);
  }

  of(peer: PeerId): SourceView {
    const known = this.#known.get(peer);
    return {
      latencyMs: known?.latencyMs,
      load: known?.load ?? 0,
      corrupt: known?.corrupt ?? 0,
      lied: known?.lied ?? 0,
      silent: known !== undefined && known.silentUntilMs > this.#now(),
      avoided: known !== undefined && known.avoidUntilMs > this.#now(),
    };
  }

  #of(peer: PeerId): Known {
    let known = this.#known.get(peer);
    if (!known) {
      known = {
        latencyMs: undefined,
        load: 0,
        corrupt: 0,
        lied: 0,
        failures: 0,
        silentUntilMs: 0,
        avoidUntilMs: 0,
      };
      this.#known.set(peer, known);
    }
    return known;
  }
}
