/** How the node speaks: collects events, makes them entries of its own chain, and holds back what must not happen before they are written. */
import type { Effect } from "./contract.ts";
import { encode } from "./kernel/codec.ts";
import { type Hlc, hlcHear, hlcNext } from "./kernel/hlc.ts";
import type { BuildId, EntryId, Incarnation, PeerId, SwarmId } from "./kernel/ids.ts";
import { type Entry, entryEventsMax, sealEntry } from "./timeline/entry.ts";
import type { Event } from "./timeline/events.ts";

/** Events are gathered for this long under load; at once when the node was quiet. */
const gatherMs = 20;
/** What nobody waits for is gathered for this long. */
const patientMs = 50;
/** What is only kept to be looked at goes with the next thing said, or after this long. */
const idleMs = 1000;
const eventBytesMaxPerEntry = 40 << 10;

export interface SayOptions {
  /** fsync before anything that follows. */
  readonly durable?: boolean;
  /** Do not gather. */
  readonly urgent?: boolean;
  /** Nobody waits for it: gather longer. */
  readonly patient?: boolean;
  /** It is only kept to be looked at: no entry for it alone while others are likely to follow. */
  readonly idle?: boolean;
  /** Effects that may only happen once the event is on disk. */
  readonly after?: readonly Effect[];
}

interface Pending {
  readonly events: Event[];
  readonly after: Effect[];
  bytes: number;
  durable: boolean;
  /** Said by then; at once when the scope was quiet for as long as it would have gathered. */
  dueMonoMs: number;
  gatherMs: number;
}

export class Voice {
  private readonly swarm: SwarmId;
  private readonly author: PeerId;
  private readonly inc: Incarnation;
  private seq = 0;
  private prev: EntryId | null = null;
  /** By scope: the place of the last entry there. */
  private readonly lastSeqs = new Map<string, number>();
  private hlc: Hlc = [0, 0];
  /** By scope: a build, or "" for the timeline. */
  private readonly pending = new Map<string, Pending[]>();
  private readonly flushedMonoMs = new Map<string, number>();
  private readonly unsigned = new Map<EntryId, { after: Effect[]; durable: boolean }>();

  constructor(swarm: SwarmId, author: PeerId, inc: Incarnation) {
    this.swarm = swarm;
    this.author = author;
    this.inc = inc;
  }

  /** The last known id of the incarnation before: the first entry names it. */
  follow(id: EntryId): void {
    if (this.seq === 0) this.prev = id;
  }

  hear(hlc: Hlc, wallMs: number): void {
    this.hlc = hlcHear(this.hlc, hlc, wallMs);
  }

  say(build: BuildId | undefined, event: Event, monoMs: number, options: SayOptions = {}): void {
    const scope = build ?? "";
    const queue = this.pending.get(scope) ?? [];
    this.pending.set(scope, queue);
    const bytes = encode(event).length;
    let open = queue.at(-1);
    if (!open || open.bytes + bytes > eventBytesMaxPerEntry || open.events.length >= entryEventsMax) {
      open = {
        events: [],
        after: [],
        bytes: 0,
        durable: false,
        dueMonoMs: Number.POSITIVE_INFINITY,
        gatherMs: idleMs,
      };
      queue.push(open);
    }
    const waitMs = options.urgent ? 0 : options.idle ? idleMs : options.patient ? patientMs : gatherMs;
    open.events.push(event);
    open.after.push(...(options.after ?? []));
    open.bytes += bytes;
    open.durable ||= options.durable ?? false;
    open.dueMonoMs = Math.min(open.dueMonoMs, monoMs + waitMs);
    open.gatherMs = Math.min(open.gatherMs, waitMs);
  }

  /** Whether something of a build is gathered and not said yet. */
  gathers(build: BuildId): boolean {
    return this.pending.has(build);
  }

  /** What was gathered waits no longer. */
  hurry(): void {
    for (const queue of this.pending.values()) for (const p of queue) p.dueMonoMs = 0;
  }

  /** When something gathered must go out. */
  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const [scope, queue] of this.pending) {
      const flushedMonoMs = this.flushedMonoMs.get(scope) ?? Number.NEGATIVE_INFINITY;
      for (const p of queue) at = Math.min(at, p.dueMonoMs, flushedMonoMs + p.gatherMs);
    }
    return at;
  }

  /** The entries that are due, to be signed. */
  flush(now: { monoMs: number; wallMs: number }): Effect[] {
    const effects: Effect[] = [];
    for (const [scope, queue] of this.pending) {
      const flushedMonoMs = this.flushedMonoMs.get(scope) ?? Number.NEGATIVE_INFINITY;
      const due =
        queue.length > 1 ||
        queue.some((p) => now.monoMs >= Math.min(p.dueMonoMs, flushedMonoMs + p.gatherMs));
      if (!due) continue;
      for (const p of queue) effects.push(this.seal(scope as BuildId | "", p, now.wallMs));
      this.pending.delete(scope);
      this.flushedMonoMs.set(scope, now.monoMs);
    }
    return effects;
  }

  /** Whether something was given out to be signed and has not come back. */
  get awaitsSignatures(): boolean {
    return this.unsigned.size > 0;
  }

  /** What was held back for this entry. */
  release(id: EntryId): { after: Effect[]; durable: boolean } {
    const held = this.unsigned.get(id) ?? { after: [], durable: false };
    this.unsigned.delete(id);
    return held;
  }

  private seal(scope: BuildId | "", p: Pending, wallMs: number): Effect {
    this.hlc = hlcNext(this.hlc, wallMs);
    const entry: Entry = {
      v: 1,
      swarm: this.swarm,
      author: this.author,
      inc: this.inc,
      seq: this.seq,
      prev: this.prev,
      hlc: this.hlc,
      last: this.lastSeqs.get(scope) ?? -1,
      ...(scope === "" ? {} : { build: scope }),
      events: p.events,
    };
    const { body, id } = sealEntry(entry);
    this.lastSeqs.set(scope, this.seq);
    this.seq++;
    this.prev = id;
    this.unsigned.set(id, { after: p.after, durable: p.durable });
    return { kind: "sign", entry, body, id };
  }
}
