/**
 * Invariants of a swarm, watched while its world runs: at every step of every core, four times a second, and for a build that
 * has ended. What they find is listed, with the moment; it is a bug in the daemon's own code, or a fault nobody allowed for.
 */
import type { Effect } from "../protocol/contract.ts";
import { type BuildId, byText, type EntryId } from "../protocol/kernel/ids.ts";
import { entryKey, type SignedEntry } from "../protocol/timeline/entry.ts";
import type { Build } from "../protocol/work/build.ts";
import { type Claims, isOpen } from "../protocol/work/claims.ts";
import { ineligible } from "../protocol/work/score.ts";
import type { Host } from "./host.ts";
import type { Swarm } from "./swarm.ts";

const sampleMs = 250;
/** A runnable action may wait this long beside an idle node. */
const idleMsMax = 3_000;
/** After a fault, so long until stewards have followed each other and work flows again. */
const recoveryMs = 5_000;

export type Invariant =
  | "done absorbs"
  | "equal facts, equal states"
  | "bounded executions"
  | "nobody idles beside work"
  | "own prefix"
  | "no honest fork";

export interface Violation {
  readonly atMs: number;
  readonly invariant: Invariant;
  readonly what: string;
}

export class Checkers {
  readonly violations: Violation[] = [];
  private readonly swarm: Swarm;
  /** Every entry an honest host appended, and which one stands at which place of its chain. */
  private readonly appended = new Set<EntryId>();
  private readonly places = new Map<string, EntryId>();
  /** How much of each journal of transitions was looked at. */
  private readonly read = new WeakMap<Claims, number>();
  /** Since when a host could have had an action of a build. */
  private readonly idleSinceMs = new Map<string, number>();

  /** Watches from here on; to be made before the swarm starts. */
  constructor(swarm: Swarm) {
    this.swarm = swarm;
    for (const certificate of swarm.certificates) this.appended.add(certificate.id);
    swarm.watch((host, effects) => {
      for (const effect of effects) this.checkEntries(host, effect);
      for (const build of host.core.desk.builds.values()) this.checkDone(host, build);
    });
    const sample = (): void => {
      this.checkEqual();
      this.checkIdle();
      swarm.world.after(sampleMs, sample);
    };
    sample();
  }

  /**
   * Executions of an ended build: one per action, one more for each claim that was closed without a result, for each result that
   * was lost, and for each other component that a cut or a pause had made. Call it once the hosts have settled.
   */
  checkExecutions(id: BuildId): void {
    const { executions, network, hosts } = this.swarm;
    const powerCuts = hosts.some((h) => h.powerCuts > 0);
    const components = 1 + network.divisions + hosts.reduce((sum, h) => sum + h.pauses, 0);
    const claims = this.swarm.views(id)[0]?.build.claims;
    if (!claims) return;
    claims.graph.actions.forEach(({ name }, index) => {
      const closed = claims.claimsOf(index).filter((c) => !isOpen(c) && !c.done).length;
      let lost = 0;
      for (const result of claims.resultsOf(index))
        lost += result.sources.size - claims.sourcesOf(index, result).length;
      // A power cut may take a claim that nobody else had heard of: then no fact tells of what ran by it.
      const begun = executions.of(id, name).filter((e) => !powerCuts || claims.claims.has(e.claim));
      const allowed = components + closed + lost;
      if (begun.length > allowed)
        this.violated("bounded executions", `${name} was begun ${begun.length} times, ${allowed} allowed`);
      if (begun.filter((e) => e.ended === undefined).length > 0)
        this.violated("bounded executions", `${name} still runs after the end of its build`);
    });
  }

  private violated(invariant: Invariant, what: string): void {
    this.violations.push({ atMs: this.swarm.world.nowMs, invariant, what });
  }

  private checkEntries(host: Host, effect: Effect): void {
    if (effect.kind === "append") {
      const { entry, id } = effect.entry;
      if (entry.author !== host.peer || entry.inc !== host.incarnations.at(-1))
        this.violated("own prefix", `${host.name} appends as ${this.swarm.world.name(entry.author)}`);
      const place = entryKey(entry);
      const stands = this.places.get(place);
      if (stands !== undefined && stands !== id)
        this.violated("no honest fork", `${host.name} writes ${entry.inc} ${entry.seq} twice`);
      this.places.set(place, id);
      this.appended.add(id);
    } else if (effect.kind === "keep" || effect.kind === "keep-update") {
      for (const entry of effect.entries) this.checkKnown(host, entry);
    }
  }

  private checkKnown(host: Host, { id, entry }: SignedEntry): void {
    if (this.appended.has(id)) return;
    const author = this.swarm.world.name(entry.author);
    this.violated("own prefix", `${host.name} keeps an entry of ${author} that ${author} never wrote`);
  }

  /** An action with a result that was not reported lost is DONE, whatever came after it. */
  private checkDone(host: Host, { id, claims }: Build): void {
    if (!claims) return;
    const { journal } = claims.actions;
    const touched = new Set(journal.slice(this.read.get(claims) ?? 0).map((t) => t.action));
    this.read.set(claims, journal.length);
    for (const action of touched) {
      const state = claims.actions.get(action);
      if (state === "done") continue;
      if (claims.resultsOf(action).some((r) => claims.sourcesOf(action, r).length > 0))
        this.violated("done absorbs", `${host.name}: ${claims.action(action).name} of ${id} is ${state}`);
    }
  }

  private checkEqual(): void {
    const { world, hosts } = this.swarm;
    const states = new Map<string, { readonly host: string; readonly digest: string }>();
    for (const host of hosts) {
      if (!host.up) continue;
      const { builds, chains } = host.core.desk;
      for (const build of [...builds.values()].sort((a, b) => byText(a.id, b.id))) {
        if (!build.claims) continue;
        const facts = `${build.id} ${build.ledger.digest()} ${chains.digest()}`;
        const digest = build.claims.digest();
        const other = states.get(facts);
        if (other && other.digest !== digest)
          this.violated("equal facts, equal states", `${host.name} and ${other.host} differ on ${build.id}`);
        states.set(facts, { host: host.name, digest });
        world.record(host.name, "state", `${build.id} ${digest}`);
      }
    }
  }

  private checkIdle(): void {
    const { world, hosts } = this.swarm;
    const fastest = Math.max(...hosts.filter((h) => h.active).map((h) => h.speed));
    for (const host of hosts) {
      // The guard keeps slower hosts from work that a faster one would finish sooner: they may idle.
      const waiting = host.active && host.speed === fastest ? this.waitingFor(host) : undefined;
      // One who hears a steward that cannot hear it asks in vain until the connection is given up.
      const quiet = world.nowMs - world.faultMs < recoveryMs || this.swarm.network.lopsided;
      if (waiting === undefined || quiet) {
        this.idleSinceMs.delete(host.name);
        continue;
      }
      const sinceMs = this.idleSinceMs.get(host.name) ?? world.nowMs;
      this.idleSinceMs.set(host.name, sinceMs);
      if (world.nowMs - sinceMs <= idleMsMax) continue;
      this.violated("nobody idles beside work", `${host.name} idles while ${waiting} is ready`);
      this.idleSinceMs.delete(host.name);
    }
  }

  /** An action that an idle host knows to be ready and may run; undefined when it is busy or there is none. */
  private waitingFor(host: Host): string | undefined {
    const { desk, holder } = host.core;
    const vitals = desk.vitalsOf(host.peer);
    if (!vitals || holder.size >= host.slots) return undefined;
    for (const { id, claims, submission } of desk.liveBuilds()) {
      if (!claims || !submission || claims.paused || claims.cancelled) continue;
      for (const index of claims.actions.ready()) {
        const action = claims.action(index);
        if (claims.failedAt(index, host.peer) || holder.coolingDown(id, index)) continue;
        if (ineligible(vitals, action, submission.author) === undefined) return `${action.name} of ${id}`;
      }
    }
    return undefined;
  }
}
