/** What really ran: no more often than facts and faults allow, no longer than the claim stands, never more than slots. */
import type { Effect } from "../../protocol/contract.ts";
import type { BuildId, ClaimId } from "../../protocol/kernel/ids.ts";
import { isOpen } from "../../protocol/work/claim.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

export class ExecutionChecker {
  private readonly swarm: Swarm;
  private readonly accuse: Accuse;
  private readonly dishonest: ReadonlySet<string>;
  /** What each host has told to stop: a slow disk may hold up a run's beginning and its end alike. */
  private readonly told = new WeakMap<Host, Set<ClaimId>>();

  constructor(swarm: Swarm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    if (this.dishonest.has(host.peer)) return;
    this.losers(host, effects);
    if (!effects.some((e) => e.kind === "execute")) return;
    const running = this.swarm.executions.runningOn(host.name).length;
    if (running > host.slots)
      this.accuse("slots kept", `${host.name} runs ${running} at once and has ${host.slots} slots`);
  }

  /** A holder has told what runs here by a claim that is closed or has lost to stop. */
  private losers(host: Host, effects: readonly Effect[]): void {
    const told = this.told.get(host) ?? new Set<ClaimId>();
    this.told.set(host, told);
    for (const effect of effects) if (effect.kind === "kill") told.add(effect.claim);
    const running = this.swarm.executions.runningOn(host.name);
    const { builds } = host.core.desk;
    for (const { build, claim: id } of running) {
      const claims = builds.get(build)?.claims;
      const claim = claims?.claims.get(id);
      // An outcome may be known that is not yet said.
      if (!claim || told.has(id) || claim.holderInc !== host.core.desk.config.inc) continue;
      const lost = !isOpen(claim) || (!claim.twin && claims!.winnerOf(claim.action) !== claim);
      if (lost && !claim.done && !claim.fail)
        this.accuse("one winner", `${host.name} runs on by ${id}, which is closed or has lost`);
    }
  }

  /** Executions of an ended build, and that none goes on. */
  bounded(id: BuildId): void {
    const { executions, network, hosts } = this.swarm;
    const powerCuts = hosts.some((h) => h.powerCuts + h.restores > 0);
    const components = 1 + network.divisions + hosts.reduce((sum, h) => sum + h.pauses + h.restores, 0);
    // Who cannot write knows no more than it did then.
    const view = this.swarm.views(id).find((v) => v.host.active && !v.host.core.desk.mute);
    const claims = view?.build.claims;
    // Stewards that lie grant what they like.
    if (!view || !claims || this.dishonest.size > 0) return;
    const gaps = powerCuts || view.host.core.desk.members.warnings().length > 0;
    // Who is cut off for ever never hears of the end.
    const told = new Set(
      this.swarm
        .views(id)
        .filter(({ host, build }) => host.active && build.claims?.sealed !== undefined)
        .map(({ host }) => host.name),
    );
    claims.graph.actions.forEach(({ name }, index) => {
      // A power cut may take a claim that nobody else had heard of, a revocation makes one void: no fact tells of what ran by it.
      const begun = executions.of(id, name).filter((e) => !gaps || claims.claims.has(e.claim));
      boundedExecutions(claims, index, begun.length, components, this.accuse);
      if (begun.some((e) => e.ended === undefined && told.has(e.host)))
        this.accuse("bounded executions", `${name} still runs after the end of its build`);
    });
  }
}

/**
 * Executions of one action of an ended build: one, one more for each claim that was closed without a result, for each twin, for each
 * result that was lost, and for each other component that a cut or a pause had made.
 */
export function boundedExecutions(
  claims: Claims,
  index: number,
  begun: number,
  components: number,
  accuse: Accuse,
): void {
  const all = claims.claimsOf(index);
  const closed = all.filter((c) => !isOpen(c) && !c.done).length;
  const twins = all.filter((c) => c.twin && c.done).length;
  let lost = 0;
  for (const result of claims.resultsOf(index))
    lost += result.sources.size - claims.sourcesOf(index, result).length;
  const allowed = components + closed + lost + twins;
  if (begun > allowed)
    accuse("bounded executions", `${claims.action(index).name} was begun ${begun} times, ${allowed} allowed`);
}
