/** What really ran: no more often than facts and faults allow, one at a time once nothing breaks any more, never more than slots. */
import type { Effect } from "../../protocol/contract.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { isOpen } from "../../protocol/work/claims.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";

/** TERM, 5 s, KILL, and the time until the loser has heard that it lost. */
const losingMs = 12_000;

export class ExecutionChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly accuse: Accuse;
  private readonly dishonest: ReadonlySet<string>;
  /** Actions that run twice, since when. */
  private readonly twiceSinceMs = new Map<string, number>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    if (this.dishonest.has(host.peer) || !effects.some((e) => e.kind === "execute")) return;
    const running = this.swarm.executions.runningOn(host.name).length;
    if (running > host.slots)
      this.accuse("slots kept", `${host.name} runs ${running} at once and has ${host.slots} slots`);
  }

  /** Of several executions of one action one is left, once the hosts hear each other. */
  sample(): void {
    const { world, hosts, executions } = this.swarm;
    const running = new Map<string, string>();
    const twice = new Set<string>();
    for (const host of hosts) {
      if (!host.active || this.dishonest.has(host.peer)) continue;
      for (const { build, action, claim } of executions.runningOn(host.name)) {
        const { claims } = host.core.desk.builds.get(build) ?? {};
        if (claims?.claims.get(claim)?.twin) continue;
        const key = `${action} of ${build}`;
        if (running.has(key)) twice.add(key);
        running.set(key, host.name);
      }
    }
    for (const key of this.twiceSinceMs.keys()) if (!twice.has(key)) this.twiceSinceMs.delete(key);
    for (const key of twice) {
      const sinceMs = this.twiceSinceMs.get(key) ?? world.nowMs;
      this.twiceSinceMs.set(key, sinceMs);
      if (Math.min(world.nowMs - sinceMs, this.calm.forMs) <= losingMs) continue;
      this.accuse("one winner", `${key} runs twice and has for ${Math.round(world.nowMs - sinceMs)} ms`);
      this.twiceSinceMs.set(key, world.nowMs);
    }
  }

  /**
   * Executions of an ended build: one per action, one more for each claim that was closed without a result, for each result that
   * was lost, and for each other component that a cut or a pause had made.
   */
  bounded(id: BuildId): void {
    const { executions, network, hosts } = this.swarm;
    const powerCuts = hosts.some((h) => h.powerCuts + h.restores > 0);
    const components = 1 + network.divisions + hosts.reduce((sum, h) => sum + h.pauses + h.restores, 0);
    const claims = this.swarm.views(id).find((v) => v.host.active)?.build.claims;
    // Stewards that lie grant what they like.
    if (!claims || this.dishonest.size > 0) return;
    const honest = new Set(hosts.filter((h) => h.active && !this.dishonest.has(h.peer)).map((h) => h.name));
    claims.graph.actions.forEach(({ name }, index) => {
      const all = claims.claimsOf(index);
      const closed = all.filter((c) => !isOpen(c) && !c.done).length;
      const twins = all.filter((c) => c.twin && c.done).length;
      let lost = 0;
      for (const result of claims.resultsOf(index))
        lost += result.sources.size - claims.sourcesOf(index, result).length;
      // A power cut may take a claim that nobody else had heard of: then no fact tells of what ran by it.
      const begun = executions.of(id, name).filter((e) => !powerCuts || claims.claims.has(e.claim));
      const allowed = components + closed + lost + twins;
      if (begun.length > allowed)
        this.accuse("bounded executions", `${name} was begun ${begun.length} times, ${allowed} allowed`);
      if (begun.some((e) => e.ended === undefined && honest.has(e.host)))
        this.accuse("bounded executions", `${name} still runs after the end of its build`);
    });
  }
}
