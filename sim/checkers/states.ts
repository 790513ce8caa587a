/** The fold, as every host computes it: results absorb, equal facts give equal states, and only members that may speak count. */
import { type BuildId, byText } from "../../protocol/kernel/ids.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

export class StateChecker {
  private readonly swarm: Swarm;
  private readonly accuse: Accuse;
  /** How much of each journal of transitions was looked at. */
  private readonly read = new WeakMap<Claims, number>();
  /** The digest of a state, and of which facts it was computed; recomputed only when they changed. */
  private readonly digests = new WeakMap<Claims, { readonly facts: string; readonly digest: string }>();
  private readonly builders: ReadonlySet<string>;

  constructor(swarm: Swarm, accuse: Accuse) {
    this.swarm = swarm;
    this.accuse = accuse;
    this.builders = new Set(swarm.hosts.map((h) => h.peer));
  }

  step(host: Host): void {
    for (const build of host.core.desk.builds.values()) this.done(host, build);
  }

  /** Compares the states of all hosts that have the same facts, of the build and of the timeline. */
  sample(): void {
    const { world, hosts } = this.swarm;
    const states = new Map<string, { readonly host: string; readonly digest: string }>();
    for (const host of hosts) {
      if (!host.up) continue;
      const { builds, chains } = host.core.desk;
      for (const build of [...builds.values()].sort((a, b) => byText(a.id, b.id))) {
        if (!build.claims) continue;
        const facts = `${build.id} ${build.ledger.digest()} ${chains.digest()}`;
        const digest = this.digestOf(build.claims, facts, () =>
          world.record(host.name, "state", `${build.id} ${build.claims!.digest()}`),
        );
        const other = states.get(facts);
        if (other && other.digest !== digest)
          this.accuse("equal facts, equal states", `${host.name} and ${other.host} differ on ${build.id}`);
        states.set(facts, { host: host.name, digest });
      }
    }
  }

  private digestOf(claims: Claims, facts: string, changed: () => void): string {
    const known = this.digests.get(claims);
    if (known?.facts === facts) return known.digest;
    const digest = claims.digest();
    this.digests.set(claims, { facts, digest });
    if (known?.digest !== digest) changed();
    return digest;
  }

  /** An action with a result that was not reported lost is DONE, whatever came after it. */
  private done(host: Host, { id, claims }: Build): void {
    if (!claims) return;
    const { journal } = claims.actions;
    const from = this.read.get(claims) ?? 0;
    if (from === journal.length) return;
    this.read.set(claims, journal.length);
    for (let at = from; at < journal.length; at++) {
      const { action } = journal[at]!;
      this.speakers(host, id, claims, action);
      const state = claims.actions.get(action);
      if (state === "done") continue;
      if (claims.resultsOf(action).some((r) => claims.sourcesOf(action, r).length > 0))
        this.accuse("done absorbs", `${host.name}: ${claims.action(action).name} of ${id} is ${state}`);
    }
  }

  /** Claims that count were said by builders, for builders, and results are vouched for by builders. */
  private speakers(host: Host, build: BuildId, claims: Claims, action: number): void {
    const strange = (peer: string): boolean => !this.builders.has(peer);
    for (const claim of claims.claimsOf(action))
      if (strange(claim.steward) || strange(claim.holder))
        this.accuse("members decide", `${host.name} counts a claim of a stranger in ${build}`);
    for (const result of claims.resultsOf(action))
      for (const holder of result.sources.values())
        if (strange(holder))
          this.accuse("members decide", `${host.name} counts a stranger's result in ${build}`);
  }
}
