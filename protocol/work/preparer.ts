/** The steward's side before anybody asks: finds the key of each runnable action it is steward of, and looks in the action cache, its own first. */
import type { Asker, CacheHit } from "../contract.ts";
import type { ActionName, BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Made } from "../timeline/events.ts";
import type { Transition } from "./actions.ts";
import type { Build } from "./build.ts";
import type { Claim, Done } from "./claim.ts";
import type { Desk } from "./desk.ts";
import { provenBy } from "./gleaner.ts";
import { groundsOf, inputsOf } from "./inputs.ts";
import type { Losses } from "./lost.ts";
import { Seeker } from "./seeker.ts";

interface Prepared {
  /** looking: in the own cache; asking: others, once. */
  phase: "trees" | "looking" | "asking" | "miss" | "hit";
  key: Digest | undefined;
  asked: boolean;
}

export class Preparer {
  private readonly desk: Desk;
  private readonly losses: Losses;
  private readonly seeker: Seeker;
  private readonly prepared = new Map<BuildId, Map<number, Prepared>>();
  private readonly cursors = new Map<BuildId, number>();
  private readonly toLookUp = new Set<Digest>();
  /** Action keys that were not granted because the same action runs in another build, and the build that waits. */
  private readonly elsewhereKeys = new Map<Digest, BuildId>();
  private aliveRevision = -1;
  /** Counts up whenever something becomes ready to be granted here. */
  revision = 0;

  constructor(desk: Desk, losses: Losses) {
    this.desk = desk;
    this.losses = losses;
    this.seeker = new Seeker(desk);
  }

  /** Notes what became runnable and prepares what this node is steward of. */
  prepare(): void {
    this.missed(this.seeker.late());
    if (!this.desk.settled) return;
    const everything = this.aliveRevision !== this.desk.aliveRevision;
    this.aliveRevision = this.desk.aliveRevision;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      const { journal } = claims.actions;
      const prepared = this.preparedOf(build.id);
      const from = this.cursors.get(build.id) ?? 0;
      for (let at = from; at < journal.length; at++) prepared.delete(journal[at]!.action);
      if (from === journal.length && !everything && from > 0) continue;
      this.cursors.set(build.id, journal.length);
      if (claims.cancelled) continue;
      const fresh =
        everything || from === 0 ? claims.actions.ready() : journal.slice(from).map((t) => t.action);
      for (const index of fresh)
        if (claims.actions.get(index) === "ready" && !prepared.has(index))
          this.prepareOne(build, index, prepared);
    }
    this.lookAgain();
    if (this.toLookUp.size > 0) {
      this.desk.emit({ kind: "look-up", keys: [...this.toLookUp] });
      this.toLookUp.clear();
    }
  }

  /** A folder that was asked for is here: what waited for it goes on. Or nobody has it: then it is lost. */
  treeRead(digest: Digest, found: boolean): void {
    for (const build of this.desk.liveBuilds()) {
      if (!found) this.losses.report(build, new Set([digest]));
      const prepared = this.preparedOf(build.id);
      // What still lacks another folder is noted anew: only those that waited until here are looked at.
      for (const [index, p] of [...prepared])
        if (p.phase === "trees") {
          prepared.delete(index);
          this.prepareOne(build, index, prepared);
        }
    }
  }

  /** What the own cache says; for another who asked it is passed on, for this node others are asked about the rest. */
  lookedUp(keys: readonly Digest[], hits: readonly CacheHit[], asker: Asker | undefined): void {
    const valid = hits.filter((hit) => this.makerOf(hit));
    if (asker) return this.seeker.tell(asker, valid);
    const found = new Map(valid.map((h) => [h.key, h]));
    /** What others may know, and what is made of something new: that has hardly been made before. */
    const unknown = new Set<Digest>();
    const unlikely = new Set<Digest>();
    this.each("looking", new Set(keys), (build, index, p, key) => {
      const hit = found.get(key);
      if (hit && this.take(build, index, p, hit)) return;
      if (!p.asked) (takesNew(build, index) ? unlikely : unknown).add(key);
      p.phase = p.asked ? "miss" : "asking";
      p.asked = true;
      if (p.phase === "miss") this.revision++;
    });
    for (const [some, isUnlikely] of [
      [[...unknown], false],
      [[...unlikely], true],
    ] as const)
      if (some.length > 0 && !this.seeker.seek(some, isUnlikely)) this.missed(some);
  }

  /** Another member asks what this node's cache knows. */
  sought(from: PeerId, seek: Extract<Message, { kind: "seek" }>): void {
    this.seeker.sought(from, seek);
  }

  /**
   * Another builder says what its cache knows, and shows the entries in which makers said so: its own word for theirs proves nothing. Late words count as
   * long as nobody has the action.
   */
  found(from: PeerId, answer: Extract<Message, { kind: "found" }>): void {
    const { members } = this.desk;
    const found = new Map<Digest, CacheHit>();
    if (members.has(from, "builder"))
      for (const { key, action, from: holder, proof } of answer.hits) {
        const entry = answer.proofs[proof];
        const proven = entry && provenBy(entry, key, action, members);
        // Whoever made it may hold it, and whoever answers: of a third neither can know for sure.
        if (!proven || (holder !== from && holder !== proven.made.by)) continue;
        found.set(key, { key, result: proven.result, from: holder, made: [proven.made] });
      }
    const keys = new Set(found.keys());
    for (const phase of ["asking", "miss"] as const)
      this.each(phase, keys, (build, index, p, key) => {
        if (build.claims!.actions.get(index) === "ready") this.take(build, index, p, found.get(key)!, from);
      });
    this.missed(this.seeker.found(from, answer));
  }

  /** A result was made: the cache gets it, and so does every other build that was about to make it too. */
  learn(build: Build, claim: Claim): void {
    const claims = build.claims!;
    const { name, cache } = claims.action(claim.action);
    const result = claims.resultsOf(claim.action).find((r) => r.hash === claim.done!.resultHash)?.result;
    if (!cache || !result) return;
    const { key, holder } = claim;
    const made = madeBy(build.id, name, holder, claim.done!);
    this.desk.emit({ kind: "remember", key, result, made });
    if (this.desk.liveBuilds().length < 2) return;
    for (const phase of ["looking", "asking", "miss"] as const)
      this.each(phase, new Set([key]), (other, index, p) => {
        const there = other.claims!;
        if (other !== build && there.actions.get(index) === "ready" && other.asksCache(index))
          this.take(other, index, p, { key, result, from: holder, made: [made] });
      });
  }

  deadline(): number {
    return this.seeker.deadline();
  }

  /** The key of a ready action that must be run; undefined while that is not known. */
  keyOf(build: BuildId, index: number): Digest | undefined {
    const p = this.preparedOf(build).get(index);
    return p?.phase === "miss" ? p.key : undefined;
  }

  /** Whether anything is ready to be granted here. */
  get anyReady(): boolean {
    return this.desk.liveBuilds().some((build) => this.ready(build.id).length > 0);
  }

  /** Actions that are ready to be granted here. */
  ready(build: BuildId): number[] {
    const ready: number[] = [];
    for (const [index, p] of this.preparedOf(build)) if (p.phase === "miss") ready.push(index);
    return ready;
  }

  /** Whether the same action runs in another live build; then it is looked for again once it has ended there. */
  waitsForAnotherBuild(build: BuildId, key: Digest): boolean {
    if (!this.claimedInAnotherBuild(build, key)) return false;
    this.elsewhereKeys.set(key, build);
    return true;
  }

  /** Whether a change of an action's state is for this node to act upon: it prepared the action, is to prepare it, or waits for what ends elsewhere. */
  concerns(build: Build, { action, state }: Transition): boolean {
    if (this.elsewhereKeys.size > 0) return true;
    if (this.prepared.get(build.id)?.has(action)) return true;
    return (
      state === "ready" &&
      this.desk.stewardOf(build.id, build.claims!.action(action).name) === this.desk.config.self
    );
  }

  /** The build was folded anew or dropped: everything noted of it is stale. */
  forget(build: BuildId): void {
    this.prepared.delete(build);
    this.cursors.delete(build);
  }

  /** Nobody knows a result of these keys: their actions must run. */
  private missed(keys: readonly Digest[]): void {
    if (keys.length === 0) return;
    this.each("asking", new Set(keys), (_build, _index, p) => {
      p.phase = "miss";
      this.revision++;
    });
  }

  private each(
    phase: Prepared["phase"],
    keys: ReadonlySet<Digest>,
    visit: (build: Build, index: number, p: Prepared, key: Digest) => void,
  ): void {
    for (const build of this.desk.liveBuilds())
      for (const [index, p] of this.preparedOf(build.id))
        if (p.phase === phase && p.key && keys.has(p.key)) visit(build, index, p, p.key);
  }

  /** Whoever made it and is still one whose word counts. */
  private makerOf(hit: CacheHit): Made | undefined {
    const { members } = this.desk;
    return hit.made.find(
      ({ by, at }) =>
        members.has(by, "builder") && !(at && members.spoiled({ entry: { author: by, ...at } })),
    );
  }

  /** Says that a result was found. False when it is of no use here. */
  private take(build: Build, index: number, p: Prepared, hit: CacheHit, told?: PeerId): boolean {
    const claims = build.claims!;
    const made = this.makerOf(hit);
    if (!claims.fits(index, hit.result)) return false;
    // What one of us could not get from there it would not get now: said again, it would be lost again, for ever.
    if (!made || claims.lostAt(index).has(hit.from)) return false;
    p.phase = "hit";
    const { key, result, from, divergent } = hit;
    this.desk.say(build.id, {
      kind: "cached",
      action: claims.action(index).name,
      key,
      result,
      from,
      made,
      ...(told === undefined ? {} : { told }),
      ...(divergent && divergent.length > 0 ? { divergent: [...divergent] } : {}),
      ...groundsOf(claims, index),
    });
    return true;
  }

  private prepareOne(build: Build, index: number, prepared: Map<number, Prepared>): void {
    const claims = build.claims!;
    const action = claims.action(index);
    if (this.desk.stewardOf(build.id, action.name) !== this.desk.config.self) return;
    const inputs = inputsOf(claims, index, this.desk.trees, build.inputFiles);
    if (inputs.kind === "missing") return;
    if (inputs.kind === "trees") {
      prepared.set(index, { phase: "trees", key: undefined, asked: false });
      for (const tree of inputs.needed) this.desk.askTree(tree.digest, tree.from);
      return;
    }
    const looks = build.asksCache(index);
    prepared.set(index, { phase: looks ? "looking" : "miss", key: inputs.key, asked: false });
    if (!looks) this.revision++;
    if (looks) this.toLookUp.add(inputs.key);
  }

  /** What ran in another build has ended there: its result is looked for before the action runs here. */
  private lookAgain(): void {
    for (const [key, id] of this.elsewhereKeys) {
      if (this.claimedInAnotherBuild(id, key)) continue;
      this.elsewhereKeys.delete(key);
      for (const p of this.preparedOf(id).values())
        if (p.key === key && p.phase === "miss") {
          p.phase = "looking";
          this.toLookUp.add(key);
        }
    }
  }

  private claimedInAnotherBuild(build: BuildId, key: Digest): boolean {
    for (const other of this.desk.liveBuilds()) {
      if (other.id === build) continue;
      for (const claim of other.claims!.openClaims) if (claim.key === key) return true;
    }
    return false;
  }

  private preparedOf(build: BuildId): Map<number, Prepared> {
    let prepared = this.prepared.get(build);
    if (!prepared) {
      prepared = new Map();
      this.prepared.set(build, prepared);
    }
    return prepared;
  }
}

/** Whether an action takes what was run in its own build, and did not come from the cache. */
const takesNew = ({ claims }: Build, index: number): boolean =>
  claims!.dependencies[index]!.some((dependency) => !claims!.wasCached(dependency));

/** By what a holder came to: all that know of it share one. */
const makers = new WeakMap<Done, Made>();

function madeBy(build: BuildId, action: ActionName, by: PeerId, done: Done): Made {
  const known = makers.get(done);
  if (known?.build === build && known.action === action && known.by === by) return known;
  const made: Made = { build, action, by, at: done.at };
  makers.set(done, made);
  return made;
}
