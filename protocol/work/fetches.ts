/**
 * Bringing blobs here, also from members that cannot be reached from here: a third fetches them first, and they are had from it. Only what
 * could not be had by any such way is reported as missing.
 */
import type { Want } from "../contract.ts";
import { sizeOf } from "../kernel/digest.ts";
import type { Digest, PeerId } from "../kernel/ids.ts";
import { holdDigestsMax, type Message } from "../swarm/message.ts";
import type { Desk } from "./desk.ts";

/** Thirds asked one after another. */
const thirdsMax = 3;
/** A third gets so long, and more by what it is to fetch. */
const thirdMs = 10_000;
const thirdBytesPerMs = 4000;
const thirdMsMax = 120_000;

/** A blob, or all Directories of a tree, and who is said to hold it. */
export interface Needed {
  readonly digest: Digest;
  readonly holders: readonly PeerId[];
}

interface Fetch {
  readonly needs: readonly Needed[];
  /** Of a tree's Directories, not of blobs. */
  readonly folder: boolean;
  readonly tried: PeerId[];
  fetchedBytes: number;
  /** The third now asked: under which id, for what, and all that was missing. */
  third:
    | {
        readonly id: string;
        readonly digests: readonly Digest[];
        readonly missing: readonly Digest[];
        readonly untilMonoMs: number;
      }
    | undefined;
}

export class Fetches {
  private readonly desk: Desk;
  private readonly open = new Map<string, Fetch>();
  /** Trees that others asked this node to bring, and who waits for word of it. */
  private readonly asked = new Map<Digest, { readonly peer: PeerId; readonly id: string }[]>();
  private count = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Brings blobs here; returns what was asked of whom first. */
  begin(id: string, needs: readonly Needed[]): readonly Want[] {
    const wants = needs.map(({ digest, holders }) => ({ digest, from: this.desk.preferred(holders) }));
    this.open.set(id, { needs, folder: false, tried: [], fetchedBytes: 0, third: undefined });
    this.desk.emit({ kind: "fetch", id, wants });
    return wants;
  }

  /** A fetch came back. Undefined while another way is tried. */
  ended(
    id: string,
    missing: readonly Digest[],
    fetchedBytes: number,
  ): { readonly missing: readonly Digest[]; readonly fetchedBytes: number } | undefined {
    const fetch = this.open.get(id);
    if (!fetch) return { missing, fetchedBytes };
    fetch.fetchedBytes += fetchedBytes;
    if (missing.length > 0 && this.askThird(fetch, missing)) return undefined;
    this.open.delete(id);
    return { missing, fetchedBytes: fetch.fetchedBytes };
  }

  /** A tree came back, or not: false while another way is tried. */
  treeEnded(digest: Digest, holders: readonly PeerId[], found: boolean): boolean {
    for (const { peer, id } of this.asked.get(digest) ?? [])
      this.desk.emit({
        kind: "send",
        to: peer,
        message: { kind: "held", id, missing: found ? [] : [digest] },
      });
    this.asked.delete(digest);
    const key = `tree:${digest}`;
    const needs = [{ digest, holders }];
    const fetch = this.open.get(key) ?? { needs, folder: true, tried: [], fetchedBytes: 0, third: undefined };
    if (found || !this.askThird(fetch, [digest])) {
      this.open.delete(key);
      return true;
    }
    this.open.set(key, fetch);
    return false;
  }

  /** Another asks this node to hold something it perhaps cannot get itself. */
  hold(peer: PeerId, { id, digests, from, folder }: Extract<Message, { kind: "hold" }>): void {
    const holders = [peer, ...(from ?? [])];
    if (!folder)
      return this.desk.emit({
        kind: "fetch",
        id: `hold:${peer}:${id}`,
        wants: digests.map((digest) => ({ digest, from: holders })),
      });
    for (const digest of digests) {
      this.asked.set(digest, [...(this.asked.get(digest) ?? []), { peer, id }]);
      this.desk.askTree(digest, holders);
    }
  }

  /** A third has what it was asked for, or not. */
  held(peer: PeerId, id: string, missing: readonly Digest[]): void {
    for (const [key, fetch] of this.open) {
      if (fetch.third?.id !== id || fetch.tried.at(-1) !== peer) continue;
      const { third } = fetch;
      fetch.third = undefined;
      const gone = new Set(missing);
      const some = third.digests.some((d) => !gone.has(d));
      this.again(key, fetch, third.missing, some ? [peer] : []);
    }
  }

  tick(): void {
    for (const [key, fetch] of this.open) {
      const { third } = fetch;
      if (!third) continue;
      if (third.untilMonoMs > this.desk.now.monoMs && this.desk.status(fetch.tried.at(-1)!) !== "dead")
        continue;
      fetch.third = undefined;
      this.again(key, fetch, third.missing, []);
    }
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { third } of this.open.values())
      if (third) at = Math.min(at, third.untilMonoMs, this.desk.now.monoMs + 500);
    return at;
  }

  /** Asks the shell once more, `first` before all others. */
  private again(key: string, fetch: Fetch, digests: readonly Digest[], first: readonly PeerId[]): void {
    const holders = new Map(fetch.needs.map((n) => [n.digest, n.holders]));
    const wants = digests.map((digest) => ({
      digest,
      from: [...new Set([...first, ...this.desk.preferred(holders.get(digest) ?? [])])],
    }));
    if (!fetch.folder) return this.desk.emit({ kind: "fetch", id: key, wants });
    for (const want of wants) this.desk.emit({ kind: "read-tree", want });
  }

  /** Whether a third was asked for what lies with members that live but have no connection to this one. */
  private askThird(fetch: Fetch, missing: readonly Digest[]): boolean {
    if (fetch.tried.length >= thirdsMax) return false;
    const { desk } = this;
    const { self } = desk.config;
    const living = new Set(desk.alive());
    const away = (peer: PeerId) => peer !== self && living.has(peer) && !desk.peers.isConnected(peer);
    const gone = new Set(missing);
    const needs = fetch.needs.filter((n) => gone.has(n.digest) && n.holders.some(away));
    if (needs.length === 0) return false;
    const from = [...new Set(needs.flatMap((n) => n.holders.filter(away)))].slice(0, 16);
    const third = desk
      .alive()
      .find((p) => p !== self && !from.includes(p) && !fetch.tried.includes(p) && desk.peers.isConnected(p));
    if (third === undefined) return false;
    const digests = needs.map((n) => n.digest).slice(0, holdDigestsMax);
    const bytes = digests.reduce((sum, digest) => sum + sizeOf(digest), 0);
    const id = `${desk.config.inc}.t${this.count++}`;
    const untilMonoMs = desk.now.monoMs + Math.min(thirdMsMax, thirdMs + bytes / thirdBytesPerMs);
    fetch.tried.push(third);
    fetch.third = { id, digests, missing, untilMonoMs };
    desk.emit({
      kind: "send",
      to: third,
      message: { kind: "hold", id, digests, from, ...(fetch.folder ? { folder: true } : {}) },
    });
    return true;
  }
}
