/** Watches one build of a swarm in a box, and sums up what it came to. */
import { dependencyIndexes } from "../protocol/build/order.ts";
import { encode } from "../protocol/kernel/codec.ts";
import type { ActionName, BuildId, ClaimId } from "../protocol/kernel/ids.ts";
import type { Gossip } from "../protocol/swarm/message.ts";
import type { Host } from "./host.ts";
import type { Swarm } from "./swarm.ts";
import type { Stretch, Tally, Warmth } from "./tally.ts";
import type { Workload } from "./workload.ts";
import type { Yardstick } from "./yardstick.ts";

/** Temperatures kept of one node: every so many milliseconds, and fewer once there are many. */
const sampleMs = 1000;
const samplesMax = 2000;

export class Meter {
  private readonly swarm: Swarm;
  private readonly submitter: Host;
  private build: BuildId | undefined;
  private acceptedMs = Number.NaN;
  private before = { unicasts: 0, unicastBytes: 0, gossipBytes: 0, bulkBytes: 0 };
  private knownMs: number | undefined;
  private sealedMs: number | undefined;
  private entries = 0;
  private events = 0;
  private gossips = 0;
  /** Gossip heard, over all nodes. */
  private heard = { vitalsBytes: 0, ledgerBytes: 0 };
  private readonly sizes = new WeakMap<object, number>();
  private sampledMs = Number.NEGATIVE_INFINITY;
  private readonly samples = new Map<Host, { atMs: number; celsius: number }[]>();
  /** Counted when the build was sealed: what is said after it is not its cost. */
  private totals: ReturnType<Meter["count"]> | undefined;

  /** To be made before the swarm starts. */
  constructor(swarm: Swarm, submitter: Host) {
    this.swarm = swarm;
    this.submitter = submitter;
    swarm.watch((host, effects, input) => {
      if (input.kind === "gossip") this.hear(input.message);
      for (const effect of effects) {
        if (effect.kind === "gossip") this.gossips++;
        else if (effect.kind === "append" && effect.entry.entry.build !== undefined) {
          this.entries++;
          this.events += effect.entry.entry.events.length;
        }
      }
      if (this.build !== undefined && !this.ended) this.look(host);
    });
  }

  /** The swarm has taken the build in: time counts from here. */
  accepted(build: BuildId): void {
    this.build = build;
    this.acceptedMs = this.swarm.world.nowMs;
    this.before = { ...this.swarm.network.counts };
    this.gossips = 0;
    this.heard = { vitalsBytes: 0, ledgerBytes: 0 };
  }

  /** Whether some node holds the build sealed. */
  get ended(): boolean {
    return this.sealedMs !== undefined;
  }

  /** Actions that have a result or will have none, as the submitter (or, while it is down, any node) sees it. */
  get settled(): number {
    if (this.build === undefined) return 0;
    const claims = this.viewer()?.core.desk.builds.get(this.build)?.claims;
    if (!claims) return 0;
    const { done, blocked, held, cancelled } = claims.actions.counts;
    return done + blocked + held + cancelled;
  }

  /** Keeps temperatures now and then; to be called as time goes on. */
  sample(): void {
    const { nowMs } = this.swarm.world;
    if (nowMs < this.sampledMs + sampleMs) return;
    this.sampledMs = nowMs;
    for (const host of this.swarm.hosts) {
      const celsius = host.cores.celsius();
      if (celsius === undefined) continue;
      const samples = this.samples.get(host) ?? [];
      this.samples.set(host, samples);
      samples.push({ atMs: nowMs - this.acceptedMs, celsius });
      if (samples.length > samplesMax)
        samples.splice(0, samples.length, ...samples.filter((_, i) => i % 2 === 0));
    }
  }

  /** What it came to; `stuck` when no node holds it sealed. */
  sum(variant: string, workload: Workload, { heftMs, boundMs }: Yardstick): Tally {
    const { swarm, acceptedMs } = this;
    const { hosts, world } = swarm;
    const actions = Math.max(1, workload.graph.actions.length);
    const totals = this.totals ?? this.count();
    const makespanMs = (this.knownMs ?? this.sealedMs ?? world.nowMs) - acceptedMs;
    const sealMs = (this.sealedMs ?? world.nowMs) - acceptedMs;
    const stretches = this.stretches(workload);
    const worked = stretches.reduce((sum, s) => sum + s.endedMs - s.beganMs, 0);
    const wasted = stretches.reduce((sum, s) => sum + (s.ended === "done" ? 0 : s.endedMs - s.beganMs), 0);
    const slots = hosts.reduce((sum, host) => sum + host.slots, 0);
    const waits = waitsOf(workload, stretches);
    const thermals = hosts.flatMap((host) => host.cores.thermal ?? []);
    const most = (values: number[]) => (values.length === 0 ? null : Math.max(...values));
    const claims = swarm.views(this.build!).find((view) => view.build.claims?.sealed)?.build.claims;
    return {
      variant,
      seed: world.seed,
      state: this.ended ? (claims?.sealed?.event.state ?? "stuck") : "stuck",
      actions: workload.graph.actions.length,
      makespanMs,
      sealMs,
      heftMs,
      boundMs,
      ratio: heftMs > 0 ? makespanMs / heftMs : 1,
      waste: worked > 0 ? wasted / worked : 0,
      factsPerAction: totals.entries / actions,
      eventsPerAction: totals.events / actions,
      unicastsPerAction: totals.unicasts / actions,
      gossipsPerAction: totals.gossips / actions,
      bytesPerNode: totals.bytes / hosts.length,
      blobBytesPerNode: totals.blobBytes / hosts.length,
      vitalsBytesPerSecond: totals.vitalsBytes / hosts.length / Math.max(0.001, sealMs / 1000),
      ledgerBytesPerAction: totals.ledgerBytes / hosts.length / actions,
      utilisation:
        makespanMs > 0
          ? stretches.reduce(
              (sum, s) => sum + Math.max(0, Math.min(s.endedMs, makespanMs) - s.beganMs) * s.slots,
              0,
            ) /
            (slots * makespanMs)
          : 0,
      waitP50Ms: quantile(waits, 0.5),
      waitP95Ms: quantile(waits, 0.95),
      peakCelsius: most(thermals.map((t) => t.peakCelsius)),
      aboveLimitMs: most(thermals.map((t) => t.aboveMs)),
      longestAboveMs: most(thermals.map((t) => t.longestAboveMs)),
      stretches,
      warmth: [...this.samples].map(
        ([host, samples]): Warmth => ({
          node: host.name,
          limitCelsius: host.cores.thermal!.options.limit,
          samples,
        }),
      ),
      slots: hosts.map((host) => ({ node: host.name, slots: host.slots })),
      hash: world.transcript.hash(),
    };
  }

  private viewer(): Host | undefined {
    return this.submitter.up ? this.submitter : this.swarm.hosts.find((host) => host.up);
  }

  private hear(message: Gossip): void {
    if (message.kind === "ledger") this.heard.ledgerBytes += message.update.length;
    else if (message.kind === "vitals") {
      // One object for all who hear it.
      const size = this.sizes.get(message.vitals) ?? encode(message.vitals).length;
      this.sizes.set(message.vitals, size);
      this.heard.vitalsBytes += size;
    }
  }

  private look(host: Host): void {
    const { nowMs } = this.swarm.world;
    const claims = host.up ? host.core.desk.builds.get(this.build!)?.claims : undefined;
    if (!claims) return;
    if (this.knownMs === undefined && host === this.viewer() && claims.settled) this.knownMs = nowMs;
    if (claims.sealed) {
      this.sealedMs = nowMs;
      this.totals = this.count();
    }
  }

  private count() {
    const { counts } = this.swarm.network;
    return {
      ...this.heard,
      entries: this.entries,
      events: this.events,
      gossips: this.gossips,
      unicasts: counts.unicasts - this.before.unicasts,
      bytes: counts.unicastBytes - this.before.unicastBytes + counts.gossipBytes - this.before.gossipBytes,
      blobBytes: counts.bulkBytes - this.before.bulkBytes,
    };
  }

  private stretches({ graph }: Workload): Stretch[] {
    const { executions, world } = this.swarm;
    const mine = executions.all.filter((e) => e.build === this.build);
    const counted = new Map<ActionName, ClaimId>();
    for (const e of [...mine].sort((a, b) => (a.endedMs ?? 0) - (b.endedMs ?? 0)))
      if (e.ended === "done" && !counted.has(e.action)) counted.set(e.action, e.claim);
    const claims = this.swarm.views(this.build!)[0]?.build.claims;
    const actions = new Map(graph.actions.map((action) => [action.name, action]));
    return mine.map((e) => ({
      node: e.host,
      action: e.action,
      group: actions.get(e.action)?.group ?? "",
      slots: actions.get(e.action)?.requires?.cpus ?? 1,
      beganMs: e.beganMs - this.acceptedMs,
      endedMs: (e.endedMs ?? world.nowMs) - this.acceptedMs,
      ended:
        e.ended === undefined
          ? "running"
          : e.ended !== "done"
            ? e.ended
            : counted.get(e.action) === e.claim
              ? "done"
              : "again",
      twin: claims?.claims.get(e.claim)?.twin ?? false,
    }));
  }
}

/** Per action that ran: from the end of the last thing it needs to its first begin. Sorted. */
function waitsOf({ graph }: Workload, stretches: readonly Stretch[]): number[] {
  const ends = new Map<ActionName, number>();
  const begins = new Map<ActionName, number>();
  for (const s of stretches) {
    if (s.ended === "done") ends.set(s.action, s.endedMs);
    begins.set(s.action, Math.min(begins.get(s.action) ?? Number.POSITIVE_INFINITY, s.beganMs));
  }
  const needs = dependencyIndexes(graph.actions, graph.sets);
  return graph.actions
    .flatMap(({ name }, i) => {
      const beganMs = begins.get(name);
      if (beganMs === undefined) return [];
      const readyMs = Math.max(0, ...needs[i]!.map((need) => ends.get(graph.actions[need]!.name) ?? 0));
      return [Math.max(0, beganMs - readyMs)];
    })
    .sort((a, b) => a - b);
}

/** Of sorted numbers; 0 of none. */
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
