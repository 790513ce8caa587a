/** Manifests and staged sets by digest: read once, from the own disk or from members, and kept decoded, the latest few. */
import type { Digest, PeerId } from "../kernel/ids.ts";
import type { Bench } from "./bench.ts";
import { decodeManifest, decodeSet, type Manifest, type StagedSet } from "./manifest.ts";
import type { ListOfBuild } from "./staging.ts";

const papersMax = 64;
/** What nobody had is asked for again after this long. */
const againMs = 5000;

type Kind = "manifest" | "set";

export class Papers {
  private readonly bench: Bench;
  private readonly manifests = new Map<Digest, Manifest>();
  private readonly sets = new Map<Digest, StagedSet>();
  private readonly asked = new Map<Digest, Kind>();
  /** What could not be had, or is not what it should be, and when it is asked for again. */
  private readonly failed = new Map<Digest, number>();

  constructor(bench: Bench) {
    this.bench = bench;
  }

  /** Null while it cannot be had; undefined while it is under way. `holders`: who is likely to have it. */
  manifest(digest: Digest, holders: readonly PeerId[]): Manifest | null | undefined {
    return this.manifests.get(digest) ?? this.ask(digest, "manifest", holders);
  }

  set(digest: Digest, holders: readonly PeerId[]): StagedSet | null | undefined {
    return this.sets.get(digest) ?? this.ask(digest, "set", holders);
  }

  /** The first of the lists of a build that is here or can be had; null while none of them can. */
  oneOf(
    lists: readonly ListOfBuild[],
  ): { readonly name: Digest; readonly set: StagedSet } | null | undefined {
    const here = lists.find(({ set }) => this.sets.has(set));
    if (here) return { name: here.set, set: this.sets.get(here.set)! };
    for (const { set, by } of lists) if (this.set(set, [by]) !== null) return undefined;
    return null;
  }

  /** As `manifest` and `set`, for who only looks: nothing is asked for. */
  known(digest: Digest): { readonly manifest?: Manifest; readonly set?: StagedSet } | null | undefined {
    const manifest = this.manifests.get(digest);
    const set = this.sets.get(digest);
    if (manifest) return { manifest };
    if (set) return { set };
    return this.failed.has(digest) ? null : undefined;
  }

  /** As `oneOf`, for who only looks. */
  knownOf(lists: readonly ListOfBuild[]): StagedSet | null | undefined {
    const known = lists.map(({ set }) => this.known(set));
    return known.find((one) => one?.set)?.set ?? (known.includes(undefined) ? undefined : null);
  }

  /** Something was asked for and could not be had. */
  get misses(): boolean {
    return this.failed.size > 0;
  }

  /** One that this node made. */
  note(digest: Digest, manifest: Manifest): void {
    put(this.manifests, digest, manifest);
  }

  /** A blob came, or not; others than those asked for are passed over. */
  read(digest: Digest, bytes: Uint8Array | null): void {
    const kind = this.asked.get(digest);
    if (kind === undefined) return;
    this.asked.delete(digest);
    try {
      if (!bytes) throw new Error("nobody has it");
      if (kind === "manifest") put(this.manifests, digest, decodeManifest(bytes));
      else put(this.sets, digest, decodeSet(bytes));
    } catch {
      // The digest holds, so it stays what it is: no paper. A later look costs one read.
      this.failed.set(digest, this.bench.now.monoMs + againMs);
    }
  }

  /** What is due by now and was not asked for again interests nobody any more. */
  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const again of this.failed.values()) if (again > this.bench.now.monoMs) at = Math.min(at, again);
    return at;
  }

  private ask(digest: Digest, kind: Kind, holders: readonly PeerId[]): null | undefined {
    const again = this.failed.get(digest);
    if (again !== undefined) {
      if (again > this.bench.now.monoMs) return null;
      this.failed.delete(digest);
    }
    if (!this.asked.has(digest)) {
      this.asked.set(digest, kind);
      this.bench.emit({ kind: "read-blob", want: { digest, from: this.bench.preferred(holders) } });
    }
    return undefined;
  }
}

function put<T>(papers: Map<Digest, T>, digest: Digest, paper: T): void {
  papers.delete(digest);
  papers.set(digest, paper);
  for (const oldest of papers.keys()) {
    if (papers.size <= papersMax) return;
    papers.delete(oldest);
  }
}
