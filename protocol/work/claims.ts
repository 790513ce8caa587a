/**
 * The fold over a build's facts (specs/claims.md): a pure function of the set of entries. No order of arrival, no clock, no HLC
 * is read here; any order, any duplication, any partition of one set gives the same state.
 */
import { type Graph, type GraphAction, structureOf } from "../build/graph.ts";
import { encode } from "../kernel/codec.ts";
import { sha256Hex, sizeOf } from "../kernel/digest.ts";
import { type ActionName, byText, type ClaimId, type EntryId, type PeerId } from "../kernel/ids.ts";
import type { Said } from "../swarm/cuts.ts";
import type { Judge } from "../swarm/members.ts";
import { entryKey, type SignedEntry } from "../timeline/entry.ts";
import { type ActionResult, type Event, type EventOf, knownEvent, type Made } from "../timeline/events.ts";
import { type ActionState, Actions } from "./actions.ts";
import { beats, type Claim, doneBy, identity, isOf, isOpen, taintedBecause } from "./claim.ts";
import { standsOn, takenBy } from "./grounds.ts";
import { type Hold, Holds } from "./holds.ts";
import { type Remark, withRemark } from "./remarks.ts";
import { hashOf, type Result, resultBy, type Spoken, votesFor, withResult } from "./results.ts";

/** Bytes of an action's inputs that others made, and how many of them each of their holders has. */
export interface Inputs {
  readonly bytes: number;
  readonly held: ReadonlyMap<PeerId, number>;
}

/** Beyond so many dependencies nobody asks who has which. */
const dependenciesMax = 64;

interface ActionFacts {
  /** Lists that are made anew when something is added: one that grows takes room for many, and most actions have one claim. */
  claims: readonly Claim[];
  /** Unequal ones, in the order in which they were heard of. */
  results: readonly Result[];
  /** Made from what does not count, or is not known yet. */
  groundless: readonly Spoken[];
  lost: ReadonlySet<string>;
  cached: boolean;
  /** Who made other results of its key, in other builds. */
  otherMakers: readonly PeerId[];
  /** As last asked for; gone when what it rests on changes. */
  inputs: Inputs | undefined;
}

const none: readonly never[] = [];
const nothing: ReadonlySet<string> = new Set();

/** A member may fail an action only this often in all before it is blocked, whoever it was. */
const deterministicMembersToBlock = 2;

export class Claims {
  readonly graph: Graph;
  readonly actions: Actions;
  readonly indexOf: ReadonlyMap<ActionName, number>;
  readonly dependencies: readonly (readonly number[])[];
  readonly dependents: readonly (readonly number[])[];
  readonly claims = new Map<ClaimId, Claim>();
  /** Actions of which unequal results are known. */
  readonly divergent = new Set<number>();
  readonly openClaims = new Set<Claim>();
  /** Actions that were said cached of one whose word counts no more. */
  readonly unvouched = new Set<number>();
  sealed: { readonly event: EventOf<"sealed">; readonly author: PeerId; readonly entry: EntryId } | undefined;
  private readonly facts: ActionFacts[];
  /** Per action: how many dependencies have no available result, and how many will never have one. */
  private readonly unmet: Int32Array;
  private readonly stuck: Int32Array;
  /** Facts by the claim they name: the claim may come after them, and a second one under its id after that. */
  private readonly onClaim = new Map<ClaimId, readonly Remark[]>();
  /** Further claims under ids that are taken: by stewards that contradict themselves. */
  private readonly doubles = new Map<ClaimId, Claim[]>();
  /** What people hold back, and where they want it. */
  readonly holds = new Holds();
  private readonly seen = new Set<EntryId>();
  private readonly members: Judge;

  /** `order`: action indexes, best rank first. `members`: whose word counts for what, as the timeline says. */
  constructor(graph: Graph, order: Int32Array, members: Judge) {
    this.graph = graph;
    this.members = members;
    this.actions = new Actions(order);
    ({
      indexOf: this.indexOf,
      dependencies: this.dependencies,
      dependents: this.dependents,
    } = structureOf(graph));
    this.unmet = Int32Array.from(this.dependencies, (on) => on.length);
    this.stuck = new Int32Array(graph.actions.length);
    this.facts = graph.actions.map(() => ({
      claims: none,
      results: none,
      groundless: none,
      lost: nothing,
      cached: false,
      otherMakers: none,
      inputs: undefined,
    }));
    for (let index = 0; index < graph.actions.length; index++) this.settle(index);
  }

  /** Folds one entry; adds the claims it concerned (new, or newly closed) to `touched`. Known entries do nothing. */
  take(entry: SignedEntry, touched: Claim[] = []): Claim[] {
    if (this.seen.has(entry.id)) return touched;
    this.seen.add(entry.id);
    return this.takeNew(entry, touched);
  }

  /** As `take`, for whoever knows that it never gave this entry before. */
  takeNew(entry: SignedEntry, touched: Claim[]): Claim[] {
    const { events } = entry.entry;
    for (let place = 0; place < events.length; place++) {
      const event = knownEvent(events[place]!);
      if (event) this.fold(event, entry, place, touched);
    }
    return touched;
  }

  get state(): "running" | "paused" | "complete" | "failed" | "cancelled" {
    return this.stateWhere(this.paused);
  }

  private stateWhere(paused: boolean) {
    if (this.cancelled) return "cancelled";
    if (this.settled) return this.actions.counts.done === this.actions.size ? "complete" : "failed";
    return paused ? "paused" : "running";
  }

  /** Nothing is left to do, and whatever still runs is of an action that is done: nobody waits for it. */
  get settled(): boolean {
    const { waiting, ready, claimed, running } = this.actions.counts;
    if (waiting + ready + claimed + running > 0) return false;
    for (const claim of this.openClaims) if (this.actions.get(claim.action) !== "done") return false;
    return true;
  }

  /** It rests but for what a step lets through: a person paused it, or it broke at a failure. */
  get paused(): boolean {
    return this.holds.paused;
  }

  /** What keeps an action from being granted; undefined: no person does. */
  heldBy(index: number): Hold | undefined {
    return this.holds.of(this.action(index).name);
  }

  get cancelled(): boolean {
    return this.cancelSaid || this.disowned;
  }

  private cancelSaid = false;
  private disowned = false;

  /** Whether whoever submitted the build had no right to: then nothing more of it is done. */
  disown(disowned: boolean): void {
    if (disowned === this.disowned) return;
    this.disowned = disowned;
    for (let index = 0; index < this.actions.size; index++) this.settle(index);
  }

  action(index: number): GraphAction {
    return this.graph.actions[index]!;
  }

  claimsOf(index: number): readonly Claim[] {
    return this.facts[index]!.claims;
  }

  wasCached(index: number): boolean {
    return this.facts[index]!.cached;
  }

  /** Members that made other results of its key in other builds, as `cached` says. */
  otherMakersOf(index: number): readonly PeerId[] {
    return this.facts[index]!.otherMakers;
  }

  resultsOf(index: number): readonly Result[] {
    const { results } = this.facts[index]!;
    if (results.length < 2) return results;
    return [...results].sort((a, b) => byText(a.hash, b.hash));
  }

  /** The result that dependents consume: of those somebody still holds the one most members came to, of equals the one with the lowest hash; else any. */
  resultOf(index: number): Result | undefined {
    const { results: known } = this.facts[index]!;
    if (known.length < 2) return known[0];
    const results = [...this.resultsOf(index)].sort((a, b) => votesFor(b) - votesFor(a));
    return results.find((r) => this.holdersOf(index, r).length > 0) ?? results[0];
  }

  /** Members that vouched for the result and were not found to have lost it. */
  holdersOf(index: number, result: Result): PeerId[] {
    const { lost } = this.facts[index]!;
    const holders = new Set<PeerId>();
    for (const [source, holder] of result.sources) if (!lost.has(source)) holders.add(holder);
    return [...holders];
  }

  /** What an action takes from others, as far as it is made. */
  inputsOf(index: number): Inputs {
    const facts = this.facts[index]!;
    facts.inputs ??= this.findInputs(index);
    return facts.inputs;
  }

  private findInputs(index: number): Inputs {
    const held = new Map<PeerId, number>();
    let bytes = 0;
    const dependencies = this.dependencies[index]!;
    if (dependencies.length > dependenciesMax) return { bytes, held };
    for (const dependency of dependencies) {
      const result = this.resultOf(dependency);
      if (!result) continue;
      const size = result.result.outputs.reduce((sum, o) => sum + sizeOf(o.digest), 0);
      bytes += size;
      for (const peer of this.holdersOf(dependency, result)) held.set(peer, (held.get(peer) ?? 0) + size);
    }
    return { bytes, held };
  }

  /** What dependents find of an action's results has changed. */
  private resultsChanged(index: number): void {
    for (const dependent of this.dependents[index]!) this.facts[dependent]!.inputs = undefined;
    this.settle(index);
  }

  /** Sources of a result that are not yet reported lost. */
  sourcesOf(index: number, result: Result): string[] {
    const { lost } = this.facts[index]!;
    return [...result.sources.keys()].filter((s) => !lost.has(s)).sort(byText);
  }

  /** Members that vouched for a result and were found to have lost it, or to be out of reach of one who needed it. */
  lostAt(index: number): Set<PeerId> {
    const { lost, results } = this.facts[index]!;
    const members = new Set<PeerId>();
    for (const { sources } of results)
      for (const [source, holder] of sources) if (lost.has(source)) members.add(holder);
    return members;
  }

  /** Among the open claims of an action (twins aside): a started one before one that is not, then the lowest hash. */
  winnerOf(index: number): Claim | undefined {
    const { name } = this.action(index);
    let winner: Claim | undefined;
    for (const claim of this.facts[index]!.claims) {
      if (claim.twin || !isOpen(claim)) continue;
      if (winner === undefined || beats(name, claim, winner)) winner = claim;
    }
    return winner;
  }

  /** Whether a member's own run of this action failed, by whose doing ever. */
  failedAt(index: number, peer: PeerId): boolean {
    return this.facts[index]!.claims.some((c) => c.holder === peer && c.fail !== undefined && !c.forgiven);
  }

  /** Digest of the whole state: equal sets of facts give equal digests. */
  digest(): string {
    const actions = this.facts.map((f, index) => [
      this.actions.get(index),
      this.resultsOf(index).map((r) => [r.hash, [...r.sources.keys()].sort(byText)]),
      [...f.lost].sort(byText),
      f.claims
        .map((c) => [
          identity(c),
          c.started,
          c.done?.resultHash ?? "",
          c.fail ? 1 : 0,
          c.abandoned !== undefined,
          c.expired !== undefined,
          c.recalled ?? "",
          c.forgiven,
        ])
        .sort((a, b) => byText(a[0] as string, b[0] as string)),
    ]);
    // Breakpoints and steps are no part of it: they say who may begin what, and a member that does not know them has the same results.
    const heads = this.holds.heads().map(({ event }) => event.id);
    const state = this.stateWhere(this.holds.pauseSaid);
    return sha256Hex(encode([actions, heads, this.sealed?.entry ?? "", state]));
  }

  private fold(event: Event, entry: SignedEntry, place: number, touched: Claim[]): void {
    const { author } = entry.entry;
    switch (event.kind) {
      case "claim":
        this.foldClaim(event, author, entry, touched);
        return;
      case "start":
      case "done":
      case "fail":
      case "abandon":
      case "expire":
        this.foldOnClaim(event.claim, event, entry, touched);
        return;
      case "forgive":
      case "recall":
        for (const claim of event.claims) this.foldOnClaim(claim, event, entry, touched);
        return;
      case "cached": {
        const index = this.indexOf.get(event.action);
        if (index === undefined || !this.may(event, entry) || !this.fits(index, event.result)) return;
        // Whoever made it, or gave his word for it, must still be one whose word counts.
        const isUntold = event.told !== undefined && !this.members.served(event.told, "builder");
        if (isUntold || (event.made && !this.vouches(event.made))) return void this.unvouched.add(index);
        this.facts[index]!.cached = true;
        this.foldOtherMakers(index, event.divergent ?? none);
        this.addResults(
          index,
          {
            key: event.key,
            result: event.result,
            source: `${entryKey(entry.entry)}#${place}`,
            holder: event.from,
            grounds: { pins: event.pins ?? none, took: event.took },
          },
          touched,
        );
        return;
      }
      case "lost": {
        const index = this.indexOf.get(event.action);
        if (index === undefined || !this.may(event, entry)) return;
        const facts = this.facts[index]!;
        facts.lost = new Set([...facts.lost, ...event.results]);
        this.resultsChanged(index);
        return;
      }
      case "control":
        if (!this.may(event, entry)) return;
        this.holds.take(event, entry, place);
        this.cancelSaid ||= event.op === "cancel";
        for (let index = 0; index < this.actions.size; index++) this.settle(index);
        return;
      case "step":
      case "breakpoint":
      case "place":
        if (this.may(event, entry)) this.holds.take(event, entry, place);
        return;
      case "sealed":
        if (!this.may(event, entry)) return;
        if (!this.sealed || entry.id < this.sealed.entry) this.sealed = { event, author, entry: entry.id };
        return;
    }
  }

  private foldOtherMakers(index: number, made: readonly Made[]): void {
    const counting = made.filter((m) => this.vouches(m)).map((m) => m.by);
    if (counting.length === 0) return;
    const facts = this.facts[index]!;
    facts.otherMakers = [...new Set([...facts.otherMakers, ...counting])].sort(byText);
    this.divergent.add(index);
  }

  /** Whether who made a result was a builder, and what it said there counts. */
  private vouches({ by, at }: Made): boolean {
    if (!this.members.served(by, "builder")) return false;
    if (at === undefined) return true;
    const said = { entry: { author: by, ...at } };
    return this.members.counts(said) && !this.members.spoiled(said);
  }

  private foldClaim(event: EventOf<"claim">, author: PeerId, entry: SignedEntry, touched: Claim[]): void {
    const index = this.indexOf.get(event.action);
    if (index === undefined) return;
    if (!this.may(event, entry) || !this.mayHold(event.holder)) return;
    if (!isOf(event.claim, author, entry.entry.inc)) return;
    const claim: Claim = {
      id: event.claim,
      action: index,
      attempt: event.attempt,
      key: event.key,
      holder: event.holder,
      holderInc: event.holderInc,
      steward: author,
      turn: event.turn ?? 0,
      twin: event.twin ?? false,
      pins: event.pins ?? none,
      took: event.took,
      why: event.why,
      started: false,
      done: undefined,
      fail: undefined,
      abandoned: undefined,
      expired: undefined,
      recalled: undefined,
      forgiven: false,
    };
    if (this.claims.has(claim.id)) {
      const same = this.claimsNamed(claim.id);
      if (same.some((c) => identity(c) === identity(claim))) return;
      this.doubles.set(claim.id, [...same.slice(1), claim]);
    } else this.claims.set(claim.id, claim);
    const facts = this.facts[index]!;
    facts.claims = facts.claims.concat(claim);
    this.openClaims.add(claim);
    touched.push(claim);
    for (const fact of this.onClaim.get(claim.id) ?? []) this.foldOn(claim, fact.event, fact.said, touched);
    this.settle(index);
  }

  private foldOnClaim(id: ClaimId, event: Event, said: Said, touched: Claim[]): void {
    this.onClaim.set(id, withRemark(this.onClaim.get(id), event, said));
    const first = this.claims.get(id);
    if (!first) return;
    this.foldOn(first, event, said, touched);
    for (const claim of this.doubles.get(id) ?? none) this.foldOn(claim, event, said, touched);
  }

  private foldOn(claim: Claim, event: Event, said: Said, touched: Claim[]): void {
    const { author } = said.entry;
    if (event.kind === "expire") {
      if (!this.may(event, said)) return;
      claim.expired ??= event.reason;
    } else if (event.kind === "forgive" || event.kind === "recall") {
      const own = event.kind === "recall" && author === claim.holder;
      if (!own && !this.may(event, said)) return;
      if (event.kind === "forgive") claim.forgiven = true;
      else if (claim.recalled !== "running") claim.recalled = event.running ? "running" : "queued";
    } else if (author !== claim.holder) {
      return;
    } else if (event.kind === "start") {
      claim.started = true;
    } else if (event.kind === "abandon") {
      claim.abandoned ??= event.reason;
    } else if (event.kind === "fail") {
      // Of two stories about one run the graver counts, whichever came first.
      if (!claim.fail || event.cause < claim.fail.cause) claim.fail = event;
    } else if (event.kind === "done") {
      if (event.key !== claim.key || !this.fits(claim.action, event.result)) return;
      if (this.members.spoiled(said)) claim.abandoned ??= taintedBecause;
      else this.foldDone(claim, event, said, touched);
    }
    if (!isOpen(claim)) this.openClaims.delete(claim);
    if (claim.fail) this.holds.noted(claim, this.action(claim.action).name);
    touched.push(claim);
    this.settle(claim.action);
  }

  private foldDone(claim: Claim, event: EventOf<"done">, said: Said, touched: Claim[]): void {
    const hash = hashOf(event.result);
    const { inc, seq } = said.entry;
    if (!claim.done || hash < claim.done.resultHash) claim.done = doneBy(event, hash, inc, seq);
    const { key, result } = event;
    const spoken = { key, result, source: claim.id, holder: claim.holder, grounds: claim, claim };
    this.addResults(claim.action, spoken, touched);
  }

  /** The claim of an earlier fold, as this one knows it. */
  again(claim: Claim): Claim | undefined {
    return this.claimsNamed(claim.id).find((c) => identity(c) === identity(claim));
  }

  private claimsNamed(id: ClaimId): readonly Claim[] {
    const first = this.claims.get(id);
    return first ? [first, ...(this.doubles.get(id) ?? none)] : none;
  }

  private mayHold(peer: PeerId): boolean {
    return this.members.served(peer, "builder");
  }

  private may(event: Event, said: Said): boolean {
    return this.members.may(event.kind, said);
  }

  /** Whether a result has exactly the outputs that the action declares. */
  fits(index: number, result: ActionResult): boolean {
    const declared = this.action(index).outputs;
    return (
      result.outputs.length === declared.length &&
      declared.every((d) => result.outputs.some((o) => o.path === d.path && o.kind === d.kind))
    );
  }

  /** Takes a result in, once what it was made from stands; and then what was made from it. */
  private addResults(index: number, spoken: Spoken, touched: Claim[]): void {
    const queue: [number, Spoken][] = [[index, spoken]];
    for (let next = queue.pop(); next; next = queue.pop()) {
      const [at, said] = next;
      if (!this.stands(at, said.grounds)) {
        const facts = this.facts[at]!;
        facts.groundless = facts.groundless.concat(said);
        continue;
      }
      if (said !== spoken && said.claim) touched.push(said.claim);
      if (!this.addResult(at, said)) continue;
      for (const dependent of this.dependents[at]!) {
        const facts = this.facts[dependent]!;
        if (facts.claims.some((c) => c.fail)) this.settle(dependent);
        for (const waiting of facts.groundless) queue.push([dependent, waiting]);
        facts.groundless = none;
      }
    }
  }

  /** Returns whether it is one that was not known before. */
  private addResult(index: number, { key, result, source, holder }: Spoken): boolean {
    const hash = hashOf(result);
    const facts = this.facts[index]!;
    const known = facts.results.find((r) => r.hash === hash);
    const fresh = known === undefined;
    if (!known) {
      facts.results = withResult(facts.results, resultBy(result, key, source, holder));
      if (facts.results.length > 1) this.divergent.add(index);
    } else {
      const vouched = known.sources.get(source);
      if (vouched === undefined || holder < vouched) {
        const sources = new Map(known.sources).set(source, holder);
        facts.results = facts.results.map((r) => (r === known ? { ...known, sources } : r));
      }
    }
    this.resultsChanged(index);
    return fresh;
  }

  /** Whether what something was made from counts: whoever made it may have been disowned since. */
  private stands(index: number, { pins, took }: Spoken["grounds"]): boolean {
    if (took === undefined || (pins.length === 0 && this.stoodBefore(index, took))) return true;
    const results = this.dependencies[index]!.map((d) => this.facts[d]!.results.map((r) => r.hash));
    const pinned = new Map(pins.map(([name, hash]) => [this.indexOf.get(name), hash]));
    const known = results.map((hashes, nth) => {
      const pin = pinned.get(this.dependencies[index]![nth]!);
      return pin === undefined ? hashes.sort(byText) : hashes.filter((hash) => hash === pin);
    });
    return standsOn(took, known);
  }

  /** Whether a sum was found before to be that of the results there are. */
  private stoodBefore(index: number, took: string): boolean {
    const taken = takenBy(took);
    const dependencies = this.dependencies[index]!;
    if (taken?.length !== dependencies.length) return false;
    for (let nth = 0; nth < taken.length; nth++) {
      const { results } = this.facts[dependencies[nth]!]!;
      if (results.length !== 1 || results[0]!.hash !== taken[nth]) return false;
    }
    return true;
  }

  /** Whether an action has a result whose bytes somebody is known to hold. */
  private available(index: number): boolean {
    const { results, lost } = this.facts[index]!;
    for (const result of results)
      for (const source of result.sources.keys()) if (!lost.has(source)) return true;
    return false;
  }

  private failedForGood(index: number): boolean {
    const { claims } = this.facts[index]!;
    if (claims.every((c) => c.fail === undefined)) return false;
    // What failed on something forged says nothing of the action.
    const failures = claims.filter(
      (c) => c.fail?.cause === "deterministic" && !c.forgiven && this.stands(index, c),
    );
    return (
      new Set(failures.map((c) => c.holder)).size >= deterministicMembersToBlock ||
      failures.length >= this.action(index).attemptsMax
    );
  }

  private stateOf(index: number): ActionState {
    if (this.available(index)) return "done";
    const { claims, results } = this.facts[index]!;
    // Cancel absorbs, but a result stays a result: what was done keeps its state even when its bytes are gone.
    if (this.cancelled) return results.length > 0 ? "done" : "cancelled";
    // Also when it had a result once: bytes that are gone and can be made by nobody would be asked for without end.
    if (claims.length > 0 && this.failedForGood(index)) return "blocked";
    if (this.stuck[index]! > 0) return "held";
    const winner = this.winnerOf(index);
    if (winner) return winner.started ? "running" : "claimed";
    if (claims.some((c) => c.twin && isOpen(c))) return "running";
    return this.unmet[index]! > 0 ? "waiting" : "ready";
  }

  /** Brings an action's state in line with its facts, and then those that depend on it. */
  private settle(start: number): void {
    if (this.actions.get(start) === this.stateOf(start)) return;
    const queue = [start];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const before = this.actions.get(next);
      if (!this.actions.set(next, this.stateOf(next))) continue;
      const after = this.actions.get(next);
      // What is made is planned for no more.
      if (after === "done") this.facts[next]!.inputs = undefined;
      const met = Number(after === "done") - Number(before === "done");
      const stuck = Number(isStuck(after)) - Number(isStuck(before));
      if (met === 0 && stuck === 0) continue;
      for (const dependent of this.dependents[next]!) {
        this.unmet[dependent]! -= met;
        this.stuck[dependent]! += stuck;
        queue.push(dependent);
      }
    }
  }
}

const isStuck = (state: ActionState): boolean => state === "blocked" || state === "held";
