/** Bounds of one daemon: what it may take when it is hot, how long its queues may get, that it always knows when to look again. */
import type { Effect } from "../../protocol/contract.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Accuse } from "./violation.ts";

/** Whatever a daemon waits for, it looks again by then: the longest wait is for a second member to hold inputs. */
const waitMsMax = 130_000;
/** A list of the core may grow with the facts and members it is about, and by so much. */
const itemsFree = 256;
const itemsPerFact = 2;

export class LimitChecker {
  private readonly swarm: Swarm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;

  constructor(swarm: Swarm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    if (this.dishonest.has(host.peer)) return;
    for (const effect of effects) {
      if (effect.kind === "send" && effect.message.kind === "ask" && this.tooHot(host, host.peer))
        this.accuse("heat kept", `${host.name} asks for work at ${this.celsius(host, host.peer)} °C`);
      if (effect.kind !== "append") continue;
      for (const raw of effect.entry.entry.events) {
        if (raw.kind !== "claim") continue;
        const event = knownEvent(raw);
        if (event?.kind === "claim" && this.tooHot(host, event.holder))
          this.accuse("heat kept", `${host.name} grants work at ${this.celsius(host, event.holder)} °C`);
      }
    }
    this.deadline(host);
  }

  /** Lists and maps of a core stay in proportion to the facts they are about. */
  sample(): void {
    for (const host of this.swarm.hosts) {
      if (!host.up || this.dishonest.has(host.peer)) continue;
      const { desk } = host.core;
      let facts = this.swarm.hosts.length;
      for (const build of desk.builds.values())
        facts += build.facts().length + (build.graph?.actions.length ?? 0) + (build.graph?.files.length ?? 0);
      for (const chain of desk.chains.heads()) facts += chain.seq + 1;
      const most = itemsFree + itemsPerFact * facts;
      for (const [name, size] of listsOf(host.core))
        if (size > most)
          this.accuse("bounded memory", `${host.name} keeps ${size} items in ${name}, ${most} allowed`);
    }
  }

  /** A daemon with something open looks again by itself, soon. */
  private deadline(host: Host): void {
    const { desk, holder } = host.core;
    const open = holder.size > 0 || desk.liveBuilds().length > 0;
    if (!open) return;
    const waitMs = host.core.deadline() - desk.now.monoMs;
    if (waitMs > waitMsMax)
      this.accuse("nothing waits for ever", `${host.name} would look again in ${waitMs} ms`);
  }

  private celsius(host: Host, of: Host["peer"]): number | "unknown" {
    const { desk } = host.core;
    return (of === host.peer ? desk.sensed : desk.vitalsOf(of))?.temperatureCelsius ?? "unknown";
  }

  private tooHot(host: Host, of: Host["peer"]): boolean {
    const celsius = this.celsius(host, of);
    return celsius !== "unknown" && celsius >= defaultScheduling.temperatureCelsiusMax;
  }
}

/** Sizes of all lists, maps and sets that a machine of the core keeps, by `machine.field`; what belongs to a build is left out. */
function listsOf(core: object): [name: string, size: number][] {
  const sizes: [string, number][] = [];
  const look = (of: object, path: string, depth: number): void => {
    for (const [field, value] of Object.entries(of)) {
      const name = `${path}${field}`;
      if (value instanceof Map || value instanceof Set) sizes.push([name, value.size]);
      else if (Array.isArray(value)) sizes.push([name, value.length]);
      else if (depth > 0 && typeof value === "object" && value !== null && field !== "config")
        look(value, `${name}.`, depth - 1);
    }
  };
  look(core, "", 2);
  return sizes;
}
