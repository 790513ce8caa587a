/** Why a node asks for an action: how it scores beside others, and the view of the swarm that this stands on, said once per build. */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import type { BuildId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Why } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import type { Gate } from "./gate.ts";

/** In a larger swarm so many nodes are compared, those with free slots first. */
const comparedMax = 64;
/** A view names so many nodes, and sums up the rest: an entry must not grow with the swarm. */
const viewNodesMax = 16;

export class Reasons {
  private readonly desk: Desk;
  private readonly gate: Gate;
  private readonly said = new Map<BuildId, Set<string>>();

  constructor(desk: Desk, gate: Gate) {
    this.desk = desk;
    this.gate = gate;
  }

  /** The reasons that go with an ask. A view that was not said in this build before is said. */
  of(build: Build, index: number): Why {
    const { self, scheduling } = this.desk.config;
    const seen = this.desk.seen();
    const { scored } = this.gate.candidates(build, index, this.compared(seen));
    const own = scored.find((s) => s.peer === self);
    return {
      score: own?.score ?? 0,
      parts: { ...own?.parts },
      view: this.view(
        build.id,
        seen,
        scored.map((s) => s.peer),
      ),
      ...(scheduling.mode === "unified" ? {} : { mode: scheduling.mode }),
      seen: seen.length,
      ...(seen.length * 2 < this.desk.members.size ? { partial: true } : {}),
      others: scored
        .filter((s) => s.peer !== self)
        .slice(0, 2)
        .map((s) => [s.peer, s.score]),
    };
  }

  forget(build: BuildId): void {
    this.said.delete(build);
  }

  private compared(seen: readonly Vitals[]): readonly Vitals[] {
    if (seen.length <= comparedMax) return seen;
    const { self } = this.desk.config;
    const first = seen.filter((v) => v.peer === self);
    const busy: Vitals[] = [];
    for (const v of seen) {
      if (first.length >= comparedMax) return first;
      if (v.peer !== self) (v.running < v.slots ? first : busy).push(v);
    }
    return [...first, ...busy].slice(0, comparedMax);
  }

  /** Says the view unless it was said; returns its digest. `best`: who is named before others, beside this node. */
  private view(build: BuildId, seen: readonly Vitals[], best: readonly string[]): string {
    let named = seen;
    if (seen.length > viewNodesMax) {
      const place = new Map<string, number>(best.map((peer, i) => [peer, i]));
      place.set(this.desk.config.self, -1);
      named = seen
        .filter((v) => place.has(v.peer))
        .sort((a, b) => place.get(a.peer)! - place.get(b.peer)!)
        .slice(0, viewNodesMax);
    }
    const nodes = named.map((v) => ({
      peer: v.peer,
      slots: v.slots,
      headroom: v.headroomCelsius === "unknown" ? "unknown" : Math.round(v.headroomCelsius / 5) * 5,
      speed: Math.round(this.desk.estimates.speedOf(v.peer) * 10) / 10,
    }));
    const left = new Set(named);
    let slots = 0;
    for (const v of seen) if (!left.has(v)) slots += v.slots;
    const rest = named.length < seen.length ? { rest: { nodes: seen.length - named.length, slots } } : {};
    const digest = sha256Hex(encode([nodes, rest])).slice(0, 16);
    let said = this.said.get(build);
    if (!said) {
      said = new Set();
      this.said.set(build, said);
    }
    if (!said.has(digest)) {
      said.add(digest);
      this.desk.say(build, { kind: "view", digest, nodes, ...rest }, { idle: true });
    }
    return digest;
  }
}
