/** One build as this node knows it: its ledger, its graph once the blob is here, and the fold of its facts. */
import type { Graph, InputFile } from "../build/graph.ts";
import { byUrgency, upwardRanks } from "../build/rank.ts";
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import type { BuildId, Digest, EntryId, PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type EventOf, knownEvent } from "../timeline/events.ts";
import type { Claim } from "./claim.ts";
import { Claims } from "./claims.ts";
import type { Estimates } from "./estimates.ts";
import type { Ledger } from "./ledger.ts";

/** The fold of facts that this version computes; a build submitted under another one is stored and passed on, not worked on. */
export const foldVersion = 1;

/** The name of a build: it binds submitter, graph and nonce, so that nobody can submit another's. */
export const buildIdOf = (name: string, submitter: PeerId, graph: Digest, nonce: string): BuildId =>
  `${name}-${sha256Hex(encode(["swarmd-build-1", name, submitter, graph, nonce])).slice(0, 10)}` as BuildId;

export interface Submission {
  readonly event: EventOf<"build.submitted">;
  readonly author: PeerId;
  /** By the submitter's clock; for people. */
  readonly wallMs: number;
  readonly entry: EntryId;
  /** False when its author was cut off before it said so: what is left of the build is cancelled. */
  readonly counts: boolean;
}

export class Build {
  readonly id: BuildId;
  readonly ledger: Ledger;
  submission: Submission | undefined;
  claims: Claims | undefined;
  inputFiles: ReadonlyMap<string, InputFile> = new Map();
  /** When this node first heard of it, monotonic. */
  readonly sinceMonoMs: number;
  graph: Graph | undefined;
  /** Some of its entries came as ranges of chains: it had ended elsewhere, and is in memory no longer than needed. */
  ranged = false;
  private readonly entries: SignedEntry[] = [];
  /** Ids of all entries, once some came by another way than the ledger, which brings each but once. */
  private known: Set<EntryId> | undefined;

  constructor(id: BuildId, ledger: Ledger, monoMs: number) {
    this.id = id;
    this.ledger = ledger;
    this.sinceMonoMs = monoMs;
  }

  /** Facts that arrived; returns the claims they concerned. `by`: the ledger took each of them just now, or they may be known. */
  take(entries: readonly SignedEntry[], members: Members, by: "ledger" | "any" = "any"): Claim[] {
    if (by === "any") this.known ??= new Set(this.entries.map((e) => e.id));
    const fresh = this.known ? entries.filter((e) => this.isNew(e.id)) : entries;
    for (const entry of fresh) {
      this.entries.push(entry);
      this.readSubmission(entry, members);
    }
    // Of two submissions the one that counts may come second.
    this.claims?.disown(!this.submission?.counts);
    return this.claims ? this.fold(fresh, this.claims, members) : [];
  }

  /** The graph is here: fold what waited for it. */
  open(graph: Graph, estimates: Estimates, members: Members): Claim[] {
    this.graph = graph;
    this.inputFiles = new Map(graph.files.map((f) => [f.path, f]));
    const ranks = upwardRanks(graph, (a) => estimates.of(graph.name, a));
    this.claims = new Claims(graph, byUrgency(graph, ranks), members);
    this.claims.disown(!this.submission?.counts);
    return this.fold(this.entries, this.claims, members);
  }

  private fold(entries: readonly SignedEntry[], claims: Claims, members: Members): Claim[] {
    const touched: Claim[] = [];
    for (const entry of entries) if (members.counts(entry)) claims.takeNew(entry, touched);
    return touched;
  }

  /** Members changed: what counts may have changed with them. */
  refold(members: Members, estimates: Estimates): Claim[] {
    if (this.submission) this.submission = { ...this.submission, counts: false };
    for (const entry of this.entries) this.readSubmission(entry, members);
    return this.graph ? this.open(this.graph, estimates, members) : [];
  }

  /** Live: known, understood, and not sealed. */
  get live(): boolean {
    return this.submission !== undefined && this.claims !== undefined && this.claims.sealed === undefined;
  }

  /** Whether results of an action may come from other builds. */
  asksCache(index: number): boolean {
    return this.claims!.action(index).cache && !this.submission?.event.fresh;
  }

  facts(): readonly SignedEntry[] {
    return this.entries;
  }

  private isNew(id: EntryId): boolean {
    const { known } = this;
    if (!known || known.has(id)) return known === undefined;
    known.add(id);
    return true;
  }

  private readSubmission(entry: SignedEntry, members: Members): void {
    for (const raw of entry.entry.events) {
      const event = raw.kind === "build.submitted" ? knownEvent(raw) : undefined;
      if (event?.kind !== "build.submitted") continue;
      const { author, hlc } = entry.entry;
      if (buildIdOf(event.name, author, event.graph, event.nonce) !== this.id) continue;
      const counts = members.may(event.kind, entry);
      if (!counts && !members.served(author, "submitter")) continue;
      // One that counts before one that does not; of several the lowest id, whichever came first.
      const known = this.submission;
      if (known && (known.counts === counts ? known.entry <= entry.id : known.counts)) continue;
      this.submission = { event, author, wallMs: hlc[0], entry: entry.id, counts };
    }
  }
}
