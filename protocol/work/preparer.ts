/** The steward's side before anybody asks: finds the key of each runnable action it is steward of, and looks in the action cache. */
import type { CacheHit } from "../contract.ts";
import type { BuildId, Digest } from "../kernel/ids.ts";
import type { Transition } from "./actions.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { inputsOf, pinsOf } from "./inputs.ts";
import { reportLost } from "./lost.ts";

interface Prepared {
  phase: "trees" | "looking" | "miss" | "hit";
  key: Digest | undefined;
}

export class Preparer {
  private readonly desk: Desk;
  private readonly prepared = new Map<BuildId, Map<number, Prepared>>();
  private readonly cursors = new Map<BuildId, number>();
  private readonly toLookUp = new Set<Digest>();
  /** Action keys that were not granted because the same action runs in another build, and the build that waits. */
  private readonly elsewhereKeys = new Map<Digest, BuildId>();
  private aliveRevision = -1;
  /** Counts up whenever something becomes ready to be granted here. */
  revision = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Notes what became runnable and prepares what this node is steward of. */
  prepare(): void {
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
      if (!found) reportLost(this.desk, build, new Set([digest]));
      const prepared = this.preparedOf(build.id);
      for (const [index, p] of prepared)
        if (p.phase === "trees") {
          prepared.delete(index);
          this.prepareOne(build, index, prepared);
        }
    }
  }

  lookedUp(keys: readonly Digest[], hits: readonly CacheHit[]): void {
    const asked = new Set(keys);
    const found = new Map(hits.map((h) => [h.key, h]));
    for (const build of this.desk.liveBuilds())
      for (const [index, p] of this.preparedOf(build.id)) {
        if (p.phase !== "looking" || !p.key || !asked.has(p.key)) continue;
        const hit = found.get(p.key);
        const name = build.claims!.action(index).name;
        // What one of us could not get from there it would not get now: said again, it would be lost again, for ever.
        if (!hit || build.claims!.lostAt(index).has(hit.from)) {
          p.phase = "miss";
          this.revision++;
          continue;
        }
        p.phase = "hit";
        const pins = pinsOf(build.claims!, index);
        this.desk.say(build.id, {
          kind: "cached",
          action: name,
          key: hit.key,
          result: hit.result,
          from: hit.from,
          ...(pins.length > 0 ? { pins } : {}),
        });
      }
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

  private prepareOne(build: Build, index: number, prepared: Map<number, Prepared>): void {
    const claims = build.claims!;
    const action = claims.action(index);
    if (this.desk.stewardOf(build.id, action.name) !== this.desk.config.self) return;
    const inputs = inputsOf(claims, index, this.desk.trees, build.inputFiles);
    if (inputs.kind === "missing") return;
    if (inputs.kind === "trees") {
      prepared.set(index, { phase: "trees", key: undefined });
      for (const tree of inputs.needed) this.desk.askTree(tree.digest, tree.from);
      return;
    }
    prepared.set(index, { phase: action.cache ? "looking" : "miss", key: inputs.key });
    if (!action.cache) this.revision++;
    if (action.cache) this.toLookUp.add(inputs.key);
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
