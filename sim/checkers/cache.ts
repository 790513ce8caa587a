/** What the action cache says: only results that their makers said are taken, and what can be had is not built again. */
import type { Effect } from "../../protocol/contract.ts";
import type { ActionName, BuildId, EntryId, Incarnation } from "../../protocol/kernel/ids.ts";
import { type Entry, entryKey, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { type EventKind, type EventOf, knownEvent } from "../../protocol/timeline/events.ts";
import { hashOf } from "../../protocol/work/results.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";

/** What was said so long before a build was submitted every member may know. */
const knownMs = 5_000;

interface Made {
  readonly by: Host;
  readonly inc: Incarnation;
  readonly atMs: number;
  readonly event: Entry["events"][number];
}

export class CacheChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  /** What honest makers came to, by action key, and the entries in which they said so, by place. */
  private readonly made = new Map<unknown, Made[]>();
  private readonly said = new Map<string, Entry>();
  private readonly submittedMs = new Map<BuildId, number>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  step(host: Host, effects: readonly Effect[]): void {
    if (this.dishonest.has(host.peer)) return;
    for (const effect of effects)
      if (effect.kind === "append" && effect.entry.entry.build !== undefined)
        this.entry(host, effect.entry, effect.entry.entry.build);
  }

  private entry(host: Host, { entry }: SignedEntry, build: BuildId): void {
    for (const raw of entry.events) {
      if (raw.kind === "build.submitted") this.submittedMs.set(build, this.swarm.world.nowMs);
      else if (raw.kind === "done") this.note(host, entry, raw);
      else if (raw.kind === "cached") this.taken(host, eventOf(raw, "cached"));
      else if (raw.kind === "claim" && this.made.has(raw.key))
        this.granted(host, build, eventOf(raw, "claim"));
    }
  }

  private note(by: Host, entry: Entry, event: Made["event"]): void {
    const made = this.made.get(event.key) ?? [];
    this.made.set(event.key, made);
    made.push({ by, inc: entry.inc, atMs: this.swarm.world.nowMs, event });
    this.said.set(entryKey(entry), entry);
  }

  /** Of what liars made anything may be told. */
  private taken(host: Host, cached: EventOf<"cached"> | undefined): void {
    const made = cached?.made;
    if (!made?.at || this.dishonest.has(made.by)) return;
    const hash = hashOf(cached!.result);
    const said = this.said.get(entryKey({ author: made.by, ...made.at }))?.events ?? [];
    if (said.some((e) => e.key === cached!.key && resultHash(e) === hash)) return;
    const maker = this.swarm.world.name(made.by);
    this.accuse(
      "answers are proved",
      `${host.name} takes a result of ${cached!.action} that ${maker} never said`,
    );
  }

  private granted(host: Host, id: BuildId, claim: EventOf<"claim"> | undefined): void {
    if (!claim || claim.twin === true) return;
    const { action, key } = claim;
    if (this.dishonest.size > 0 || !this.mayBeCached(host, id, action)) return;
    const submittedMs = this.submittedMs.get(id) ?? Number.NEGATIVE_INFINITY;
    const maker = this.made.get(key)?.find((m) => m.atMs + knownMs < submittedMs && this.canBeHad(host, m));
    if (maker)
      this.accuse("nothing built twice", `${host.name} grants ${action}, which ${maker.by.name} has built`);
  }

  /** Whether the action may be taken from another build, and nothing of it was lost in this one. */
  private mayBeCached({ core: { desk } }: Host, id: BuildId, action: ActionName): boolean {
    const build = desk.builds.get(id);
    const index = build?.claims?.indexOf.get(action);
    return index !== undefined && build!.asksCache(index) && build!.claims!.resultsOf(index).length === 0;
  }

  /** Whether nothing befell anybody since a result was made, and its maker is a builder that still has all of it. */
  private canBeHad(host: Host, { by, inc, atMs, event }: Made): boolean {
    const { world, blobs } = this.swarm;
    const outputs = eventOf(event, "done")?.result.outputs;
    return (
      outputs !== undefined &&
      this.calm.forMs > world.nowMs - atMs &&
      this.calm.covers(host) &&
      this.calm.covers(by) &&
      by.active &&
      by.incarnations.at(-1) === inc &&
      host.core.desk.members.has(by.peer, "builder") &&
      outputs.every((o) => o.kind === "file" && blobs.has(by.place, o.digest))
    );
  }
}

function eventOf<K extends EventKind>(raw: Made["event"], kind: K): EventOf<K> | undefined {
  const event = knownEvent(raw);
  return event?.kind === kind ? (event as EventOf<K>) : undefined;
}

function resultHash(raw: Made["event"]): EntryId | undefined {
  const done = eventOf(raw, "done");
  return done && hashOf(done.result);
}
