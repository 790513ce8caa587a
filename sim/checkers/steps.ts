/** Steps in the order in which they happened: what a step says is signed, and folded, within it, but told before it. */
import type { Effect } from "../../protocol/contract.ts";
import type { Host } from "../host.ts";
import type { Watcher } from "../swarm.ts";

export class Steps {
  private readonly whole: Watcher;
  /** By host and entry: the effects of the steps that took in what was signed, until the step around them is told. */
  private readonly inner = new Map<Host, Map<string, readonly Effect[]>>();

  /** `whole` is told of each outer step, with its effects and those of the steps within it in the order in which they run. */
  constructor(whole: Watcher) {
    this.whole = whole;
  }

  /** A step, as the runtime tells of it. */
  told(...[host, effects, input]: Parameters<Watcher>): void {
    if (input.kind === "signed") {
      const inner = this.inner.get(host) ?? new Map<string, readonly Effect[]>();
      this.inner.set(host, inner.set(input.entry.id, effects));
      return;
    }
    const inner = this.inner.get(host);
    this.inner.delete(host);
    this.whole(host, inner ? inOrder(effects, inner) : effects, input);
  }
}

const inOrder = (effects: readonly Effect[], inner: ReadonlyMap<string, readonly Effect[]>): Effect[] =>
  effects.flatMap((effect) =>
    effect.kind === "sign" ? [effect, ...inOrder(inner.get(effect.id) ?? [], inner)] : [effect],
  );
