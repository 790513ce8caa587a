/** The fold, as every node computes it: results absorb, equal facts give equal states, and only members that may speak count. */
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { Accuse } from "./violation.ts";

/** A build as one node folds it. */
export interface Folded {
  readonly id: BuildId;
  readonly claims: Claims | undefined;
}

/** The fold of a build by one node, and of which facts it is: equal texts name equal facts. */
export interface State {
  readonly node: string;
  readonly build: BuildId;
  readonly facts: string;
  readonly claims: Claims;
  /** Whether it folds what people hold back: a daemon of an older version has no words for it. */
  readonly knowsWords?: boolean;
}

export interface StateOptions {
  /** Who may speak in builds. */
  readonly builders: ReadonlySet<string>;
  readonly accuse: Accuse;
  /** Told of every new digest of a state. */
  readonly changed?: (state: State, digest: string) => void;
}

export class StateChecker {
  private readonly options: StateOptions;
  /** How much of each journal of transitions was looked at. */
  private readonly read = new WeakMap<Claims, number>();
  /** The digest of a state, and of which facts it was computed; recomputed only when they changed. */
  private readonly digests = new WeakMap<Claims, { readonly facts: string; readonly digest: string }>();

  constructor(options: StateOptions) {
    this.options = options;
  }

  /** A node took facts in: looks at what changed in its builds. */
  step(node: string, builds: Iterable<Folded>): void {
    for (const build of builds) this.done(node, build);
  }

  /** Whoever has the same facts has the same state. */
  compare(all: Iterable<State>): void {
    const states = new Map<string, { readonly node: string; readonly digest: string }>();
    const held = new Map<string, { readonly node: string; readonly digest: string }>();
    for (const state of all) {
      const { node, build, facts } = state;
      const digest = this.digestOf(state);
      const other = states.get(facts);
      if (other && other.digest !== digest)
        this.options.accuse("equal facts, equal states", `${node} and ${other.node} differ on ${build}`);
      states.set(facts, { node, digest });
      if (!state.knowsWords) continue;
      const words = state.claims.holds.digest();
      const same = held.get(facts);
      if (same && same.digest !== words)
        this.options.accuse(
          "equal facts, equal states",
          `${node} and ${same.node} differ on what holds ${build}`,
        );
      held.set(facts, { node, digest: words });
    }
  }

  private digestOf(state: State): string {
    const { claims, facts } = state;
    const known = this.digests.get(claims);
    if (known?.facts === facts) return known.digest;
    const digest = claims.digest();
    this.digests.set(claims, { facts, digest });
    if (known?.digest !== digest) this.options.changed?.(state, digest);
    return digest;
  }

  /** An action with a result that was not reported lost is DONE, whatever came after it. */
  private done(node: string, { id, claims }: Folded): void {
    if (!claims) return;
    const { journal } = claims.actions;
    const from = this.read.get(claims) ?? 0;
    if (from === journal.length) return;
    this.read.set(claims, journal.length);
    for (let at = from; at < journal.length; at++) {
      const { action } = journal[at]!;
      this.speakers(node, id, claims, action);
      const state = claims.actions.get(action);
      if (state === "done") continue;
      if (claims.resultsOf(action).some((r) => claims.sourcesOf(action, r).length > 0))
        this.options.accuse("done absorbs", `${node}: ${claims.action(action).name} of ${id} is ${state}`);
    }
  }

  /** Claims that count were said by builders, for builders, and results are vouched for by builders. */
  private speakers(node: string, build: BuildId, claims: Claims, action: number): void {
    const strange = (peer: string): boolean => !this.options.builders.has(peer);
    for (const claim of claims.claimsOf(action))
      if (strange(claim.steward) || strange(claim.holder))
        this.options.accuse("members decide", `${node} counts a claim of a stranger in ${build}`);
    for (const result of claims.resultsOf(action))
      for (const holder of result.sources.values())
        if (strange(holder))
          this.options.accuse("members decide", `${node} counts a stranger's result in ${build}`);
  }
}
