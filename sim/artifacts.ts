/** Blobs of the world: on whose disk each lies, how they travel, and the Artifacts port of each host. Most have no bytes at all. */

import type { InputFile } from "../protocol/build/graph.ts";
import { leadsTo } from "../protocol/build/links.ts";
import { decodeDirectory } from "../protocol/build/reapi.ts";
import type { CacheHit, Want } from "../protocol/contract.ts";
import { digestOf, emptyDigest, sizeOf } from "../protocol/kernel/digest.ts";
import { byText, type Digest, type PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { Artifacts, EventStore, Inspector } from "../protocol/ports.ts";
import { offersOf } from "../protocol/work/offers.ts";
import type { VirtualNetwork } from "./network.ts";
import type { Process } from "./process.ts";

/** What a look at the own disk takes, milliseconds. */
const diskMs = 0.1;

export class Blobs {
  private readonly network: VirtualNetwork;
  /** Bytes of the few blobs that are read: graphs and folders. */
  private readonly bytes = new Map<Digest, Uint8Array>();
  private readonly shelves = new Map<PeerId, Set<Digest>>();
  /** Blobs whose bytes are no longer what their digests say, per host; nobody has noticed yet. */
  private readonly rotten = new Map<PeerId, Set<Digest>>();
  /** Hosts whose disks take no blob more. */
  private readonly full = new Set<PeerId>();
  /** Blobs that were brought by a third. */
  errands = 0;
  /** Rotten or corrupted blobs that were noticed by their digest. */
  refused = 0;

  constructor(network: VirtualNetwork) {
    this.network = network;
  }

  /** Puts a blob on a host's disk; the bytes are kept where they are given. */
  add(host: PeerId, digest: Digest, bytes?: Uint8Array): void {
    this.shelf(host).add(digest);
    this.rotten.get(host)?.delete(digest);
    if (bytes) this.bytes.set(digest, bytes);
  }

  put(host: PeerId, bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.add(host, digest, bytes);
    return digest;
  }

  /** Whether a host believes to have a blob: until it reads it, it does not know of rot. */
  has(host: PeerId, digest: Digest): boolean {
    return digest === emptyDigest || this.shelf(host).has(digest);
  }

  /** Reads a blob and holds it against its digest; what is rotten is thrown away. */
  intact(host: PeerId, digest: Digest): boolean {
    if (this.rotten.get(host)?.delete(digest)) {
      this.shelf(host).delete(digest);
      this.refused++;
    }
    return this.has(host, digest);
  }

  /** A blob is gone. */
  remove(host: PeerId, digest: Digest): void {
    this.shelf(host).delete(digest);
    this.rotten.get(host)?.delete(digest);
  }

  /** A share of a host's blobs is no longer what it was; says how many. */
  rot(host: PeerId, share: number, random: Random): number {
    const rotten = this.rotten.get(host) ?? new Set<Digest>();
    this.rotten.set(host, rotten);
    let count = 0;
    for (const digest of this.shelf(host)) {
      if (rotten.has(digest) || random.float() >= share) continue;
      rotten.add(digest);
      count++;
    }
    return count;
  }

  /** Whether the disk of a host takes in what others send. */
  fill(host: PeerId, full: boolean): void {
    if (full) this.full.add(host);
    else this.full.delete(host);
  }

  isFull(host: PeerId): boolean {
    return this.full.has(host);
  }

  /** The bytes of a blob that has any, wherever it lies. */
  read(digest: Digest): Uint8Array | undefined {
    return this.bytesOf(digest);
  }

  /** The blobs on a host's disk, as an image to set it back to. */
  image(host: PeerId): ReadonlySet<Digest> {
    return new Set(this.shelf(host));
  }

  setBack(host: PeerId, image: ReadonlySet<Digest>): void {
    this.shelves.set(host, new Set(image));
    this.rotten.delete(host);
  }

  /** The port of one process, at its place in the network; `peer`: who it says it is. */
  port(process: Process, self: PeerId, events: Pick<EventStore, "results">, peer: PeerId = self): Artifacts {
    return {
      fetch: (wants, done) => {
        const missing: Digest[] = [];
        let fetchedBytes = 0;
        all(
          process,
          wants,
          (want, next) => {
            const here = this.intact(self, want.digest);
            this.bring(process, self, want, (arrived) => {
              if (!arrived) missing.push(want.digest);
              else if (!here) fetchedBytes += sizeOf(want.digest);
              next();
            });
          },
          () => done(missing, fetchedBytes),
        );
      },
      read: (want, done) =>
        this.bring(process, self, want, (arrived) =>
          done(arrived ? (this.bytesOf(want.digest) ?? null) : null),
        ),
      put: (bytes, done) =>
        process.after(diskMs, () => {
          const full = this.full.has(self);
          if (!full) this.put(self, bytes);
          done(!full);
        }),
      readTree: (want, done) => this.readTree(process, self, want, "", (files) => done(sorted(files))),
      lookUp: (keys, done) => {
        const hits = new Map<Digest, CacheHit>();
        all(
          process,
          keys,
          (key, next) =>
            events.results(key, (found) => {
              for (const { hit, holders } of offersOf(key, found)) {
                const from = [self, ...holders].find((h) => this.offers(self, h, hit.result));
                if (from === undefined) continue;
                hits.set(key, { ...hit, from: from === self ? peer : from });
                break;
              }
              next();
            }),
          () => done(keys.flatMap((key) => hits.get(key) ?? [])),
        );
      },
    };
  }

  /** The Inspector port of one process: packages of the world hold nothing that is held against them. */
  inspector(process: Process, self: PeerId): Inspector {
    return {
      inspect: (packages, done) =>
        process.after(diskMs * Math.max(1, packages.length), () =>
          done(packages.map(({ digest }) => (this.intact(self, digest) ? { target: "x86_64" } : null))),
        ),
    };
  }

  private shelf(host: PeerId): Set<Digest> {
    const shelf = this.shelves.get(host) ?? new Set<Digest>();
    this.shelves.set(host, shelf);
    return shelf;
  }

  private bytesOf(digest: Digest): Uint8Array | undefined {
    return digest === emptyDigest ? new Uint8Array() : this.bytes.get(digest);
  }

  /** Whether `holder` has all outputs, and all that is below the folders among them, within reach of `asker`. */
  private offers(asker: PeerId, peer: PeerId, result: CacheHit["result"]): boolean {
    const holder = peer === asker ? asker : this.network.placeOf(asker, peer);
    if (holder !== asker && !this.network.reaches(holder, asker)) return false;
    return result.outputs.every((o) =>
      o.kind === "folder" ? this.hasTree(holder, o.digest) : this.has(holder, o.digest),
    );
  }

  private hasTree(holder: PeerId, root: Digest): boolean {
    const bytes = this.bytesOf(root);
    if (!this.has(holder, root) || !bytes) return false;
    const folder = decodeDirectory(bytes);
    return (
      folder.files.every((f) => this.has(holder, f.digest)) &&
      folder.directories.every((d) => this.hasTree(holder, d.digest))
    );
  }

  /** Asks those named in turn until one has it and it arrived. */
  private bring(process: Process, self: PeerId, want: Want, done: (arrived: boolean) => void, nth = 0): void {
    const here = this.intact(self, want.digest);
    const peer = want.from.filter((p) => p !== self)[nth];
    if (here || peer === undefined) {
      process.after(diskMs, () => (here ? done(true) : this.errand(self, want, done)));
      return;
    }
    const from = this.network.placeOf(self, peer);
    const next = (): void => this.bring(process, self, want, done, nth + 1);
    const size = this.has(from, want.digest) ? sizeOf(want.digest) : 0;
    this.network.transfer(from, self, size, (arrived) => {
      // Both ends hold what they have against the digest: the sender as it reads, the receiver as it comes.
      if (arrived === "corrupt") this.refused++;
      if (arrived !== "whole" || !this.intact(from, want.digest)) return next();
      if (this.full.has(self)) return done(false);
      this.shelf(self).add(want.digest);
      done(true);
    });
  }

  /** What only those have that cannot be reached from here is brought by one that reaches both: it keeps what it brings. */
  private errand(self: PeerId, { digest, from }: Want, done: (arrived: boolean) => void): void {
    const { network } = this;
    const beyond = from.filter((p) => p !== self && !network.reaches(self, p) && this.has(p, digest));
    const third = network.reachedBy(self).find((t) => beyond.some((b) => network.reaches(t, b)));
    if (third === undefined || this.full.has(third) || this.full.has(self)) return done(false);
    this.errands++;
    const holder = beyond.find((b) => network.reaches(third, b))!;
    const size = sizeOf(digest);
    network.transfer(holder, third, size, (arrived) => {
      if (arrived !== "whole" || !this.intact(holder, digest)) return done(false);
      this.shelf(third).add(digest);
      network.transfer(third, self, size, (come) => {
        if (come !== "whole" || !this.intact(third, digest)) return done(false);
        this.shelf(self).add(digest);
        done(true);
      });
    });
  }

  private readTree(
    process: Process,
    self: PeerId,
    want: Want,
    prefix: string,
    done: (files: InputFile[] | null) => void,
  ): void {
    this.bring(process, self, want, (arrived) => {
      const bytes = arrived ? this.bytesOf(want.digest) : undefined;
      if (!bytes) return done(null);
      const folder = decodeDirectory(bytes);
      if (folder.symlinks.some(({ name, target }) => leadsTo(prefix + name, target) === undefined))
        return done(null);
      const files: InputFile[] = folder.files.map((f) => ({
        path: prefix + f.name,
        digest: f.digest,
        executable: f.executable,
      }));
      for (const { name, target } of folder.symlinks)
        files.push({ path: prefix + name, digest: emptyDigest, executable: false, link: target });
      if (prefix !== "" && files.length + folder.directories.length === 0)
        files.push({ path: prefix.slice(0, -1), digest: emptyDigest, executable: false, folder: true });
      let whole = true;
      all(
        process,
        folder.directories,
        (d, next) =>
          this.readTree(
            process,
            self,
            { digest: d.digest, from: want.from },
            `${prefix}${d.name}/`,
            (below) => {
              if (below) files.push(...below);
              else whole = false;
              next();
            },
          ),
        () => done(whole ? files : null),
      );
    });
  }
}

/** Who made a result, the latest first, and who made others of its key. */
const sorted = (files: InputFile[] | null): InputFile[] | null =>
  files?.sort((a, b) => byText(a.path, b.path)) ?? null;

/** Starts the work on every item at once and calls back when all have called `next`; never synchronously. */
function all<T>(
  process: Process,
  items: readonly T[],
  work: (item: T, next: () => void) => void,
  done: () => void,
): void {
  let left = items.length;
  if (left === 0) process.after(0, done);
  for (const item of items)
    work(item, () => {
      if (--left === 0) done();
    });
}
