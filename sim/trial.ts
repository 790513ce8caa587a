/**
 * One seed in two phases: faults, with every invariant watched at every step; then a majority is made whole while the rest stays
 * broken for ever, and the whole ones must end all work and agree within a bound.
 */
import type { Command, CommandReply, DebugWord } from "../protocol/contract.ts";
import { type BuildId, byText, isBuildId, type PeerId } from "../protocol/kernel/ids.ts";
import { blobsOf } from "../protocol/release/manifest.ts";
import { clockMsMax } from "../protocol/release/policy.ts";
import { knownEvent } from "../protocol/timeline/events.ts";
import { readVector } from "../protocol/work/ledger.ts";
import type { Invariant, Violation } from "./checkers/violation.ts";
import { Checkers } from "./checkers.ts";
import { type Counts, Coverage } from "./coverage.ts";
import type { Host } from "./host.ts";
import { type Debugged, type Ending, type Mix, mixOf, type Order, type Work } from "./mix.ts";
import { Swarm } from "./swarm.ts";
import { type Applied, apply } from "./trouble.ts";

/** Facts travel this long at most between hosts that reach each other. */
const frontierMs = 30_000;
/** Beside the work itself: leases, back-offs, what is lost and made again. */
const slackMs = 240_000;
/** How often convergence is looked at. */
const lookMs = 250;

/** How a seed went. Plain data. */
export interface Report {
  readonly seed: number;
  /** Of the transcript: equal in every process. */
  readonly hash: string;
  readonly virtualMs: number;
  /** How many faults were applied. */
  readonly faults: number;
  readonly violations: readonly Violation[];
  readonly counts: Counts;
}

export interface RunOptions {
  readonly mix?: Mix;
  /** Does something to the swarm before it starts; the answer undoes what outlives the run. */
  readonly plant?: (swarm: Swarm) => () => void;
  /** Which kinds of transcript lines stay readable, and who gets the swarm to look at. */
  readonly keep?: (what: string) => boolean;
  readonly told?: (swarm: Swarm) => void;
  /** Ends the run as soon as this is seen to break. */
  readonly untilBroken?: Invariant;
}

/** Runs one seed. Never throws: what throws inside is a violation. */
export function runSeed(seed: number, options: RunOptions = {}): Report {
  const mix = options.mix ?? mixOf(seed);
  const swarm = new Swarm({ seed, hosts: mix.hosts, twist: mix.twist, keep: options.keep });
  const run = new Trial(swarm, mix, options);
  const undo = options.plant?.(swarm);
  try {
    run.trouble();
    if (!run.stopped) run.mend();
  } catch (error) {
    run.checkers.accuse("steps end", (error as Error).message);
  } finally {
    undo?.();
  }
  options.told?.(swarm);
  run.coverage.noteRefusals(swarm.hosts);
  const { world } = swarm;
  return {
    seed,
    hash: world.transcript.hash(),
    virtualMs: Math.round(world.nowMs),
    faults: run.faults.length,
    violations: run.checkers.violations,
    counts: run.coverage.counts,
  };
}

class Trial {
  readonly swarm: Swarm;
  readonly checkers: Checkers;
  readonly coverage: Coverage;
  private readonly mix: Mix;
  private readonly until: Invariant | undefined;
  /** Builds that were handed over, in order, and the members that hold their inputs once they are said to be submitted. */
  private readonly builds: BuildId[] = [];
  private readonly holders = new Map<BuildId, readonly PeerId[]>();
  /** Hosts that can build whatever there is. */
  private readonly builders: ReadonlySet<string>;
  private core: Host[] = [];
  private applied: readonly Applied[] = [];

  constructor(swarm: Swarm, mix: Mix, options: RunOptions) {
    this.swarm = swarm;
    this.mix = mix;
    this.builders = new Set(
      mix.hosts.filter((h) => h.slots !== 0 && h.vitals?.toolchains === undefined).map((h) => h.name),
    );
    this.until = options.untilBroken;
    this.checkers = new Checkers(swarm);
    this.checkers.calm.unless(() => this.lasting);
    if (mix.villain !== undefined) this.checkers.distrust(swarm.host(mix.villain).peer);
    this.coverage = new Coverage(swarm);
    swarm.watch((_, effects) => {
      for (const effect of effects)
        if (effect.kind === "append" && effect.entry.entry.build !== undefined)
          for (const raw of effect.entry.entry.events) {
            const event = raw.kind === "build.submitted" ? knownEvent(raw) : undefined;
            if (event?.kind === "build.submitted") this.holders.set(effect.entry.entry.build, event.holders);
          }
    });
  }

  /** Whether enough was seen. */
  get stopped(): boolean {
    return this.until !== undefined && this.checkers.violations.some((v) => v.invariant === this.until);
  }

  /** Faults that came about, one way or the other. */
  get faults(): readonly Applied[] {
    return this.applied.filter((a) => a.state !== "due");
  }

  /** Whether something is wrong with some host, that nobody is told of when it ends. */
  private get lasting(): boolean {
    return this.applied.some((a) => a.state === "lasting" && "forMs" in a.fault);
  }

  /** Phase 1: work, people, faults. */
  trouble(): void {
    const { swarm, mix } = this;
    for (const work of mix.works) swarm.world.at(work.atMs, () => this.hand(work));
    for (const name of mix.mirrors ?? [])
      swarm.world.at(600, () => this.command(name, { kind: "mirror", op: "add", votes: true }));
    for (const { atMs, host, rollback } of mix.finalizes ?? [])
      swarm.world.at(atMs, () => this.finalize(host, rollback));
    for (const order of mix.orders) swarm.world.at(order.atMs, () => this.say(order));
    for (const word of mix.debugged ?? []) swarm.world.at(word.atMs, () => this.debug(word));
    this.applied = mix.faults.map((fault) => apply(swarm, fault));
    swarm.start();
    this.runTo(mix.troubleMs, () => false);
    this.checkers.checkGoodput();
  }

  /** Phase 2: a core is made whole, the rest stays as it is or gets worse; the core must end everything and agree. */
  mend(): void {
    const { swarm, checkers, mix } = this;
    const { world } = swarm;
    this.core = this.choose();
    const names = this.core.map((h) => h.name);
    world.record("world", "core", names.join(" "));
    this.heal();
    for (const host of swarm.hosts) if (!this.core.includes(host)) this.leave(host, mix.endings[host.name]!);
    checkers.calm.only(this.core);
    for (const build of this.holders.keys()) this.resume(build);
    const known = this.core.map((h) => factsOf(h));
    const workMs = this.workMs();
    this.runTo(world.nowMs + frontierMs, () => false);
    this.checkFrontiers(known);
    const endMs = world.nowMs + slackMs + workMs;
    if (!this.runTo(endMs, () => this.ended()))
      checkers.accuse(
        "work ends",
        `${this.unfinished()} after ${Math.round(world.nowMs - mix.troubleMs)} ms`,
      );
    if (!this.runTo(world.nowMs + frontierMs, () => this.agreed()))
      checkers.accuse("frontiers meet", `${names.join(", ")} still differ ${frontierMs} ms after the end`);
    this.runTo(world.nowMs + 6_000, () => false);
    this.release();
    for (const build of this.holders.keys()) if (!this.stopped) checkers.checkExecutions(build);
  }

  /** Runs until a moment, a condition, or a violation where that ends the run; whether the condition held. */
  private runTo(endMs: number, condition: () => boolean): boolean {
    const { world } = this.swarm;
    while (!condition()) {
      if (this.stopped) return true;
      if (world.nowMs >= endMs) return false;
      world.runFor(Math.min(lookMs, endMs - world.nowMs));
    }
    return true;
  }

  private hand({ host, workload }: Work): void {
    const { hosts } = this.swarm;
    const { villain, goer } = this.mix;
    const first = hosts.findIndex((h) => h.name === host);
    const taker = [...hosts.slice(first), ...hosts.slice(0, first)].find(
      (h) => h.active && h.name !== villain && h.name !== goer && !h.options.stranger && h.place === h.peer,
    );
    if (taker) this.builds.push(this.swarm.hand(taker, workload, () => {}));
  }

  private command(name: string, command: Command, reply: (reply: CommandReply) => void = () => {}): void {
    const host = this.swarm.host(name);
    if (host.active) host.command(command, reply);
  }

  /** Half of those who ask also say why. */
  private finalize(host: string, rollback: boolean): void {
    const epoch = this.checkers.releases.count("stable") - 1;
    const why = this.swarm.world.nowMs % 2 < 1 ? { reason: "wanted" } : {};
    this.command(
      host,
      rollback && epoch > 0
        ? { kind: "rollback", channel: "stable", epoch, ...why }
        : { kind: "finalize", channel: "stable", ...why },
    );
  }

  /** Once a majority of the voters is whole, what is staged can be released, and every whole mirror shows it. */
  private release(): void {
    const { swarm, checkers, mix } = this;
    const [first] = this.core;
    if (!mix.finalizes || !first || this.stopped) return;
    const epochs = first.core.releases.epochs("stable");
    const voters = epochs?.voters(epochs.current + 1) ?? [];
    const here = this.core.filter((h) => voters.some((v) => h.peer === v.peer && h.disk.voteLog === v.log));
    if (2 * here.length <= voters.length || !epochs) return;
    const replies: CommandReply[] = [];
    // Somebody says why, whatever is held against it.
    const command = { kind: "finalize", channel: "stable", reason: "the end" } as const;
    this.command(first.name, command, (r) => replies.push(r));
    this.runTo(swarm.world.nowMs + frontierMs, () => replies.length > 0);
    const [reply] = replies;
    const clocksMs = [first, ...here].map((h) => h.clock.now().wallMs);
    const earliestMs = Math.min(...clocksMs);
    const latestMs = Math.max(...clocksMs, epochs.tip?.proposal.atMs ?? 0);
    const excused =
      reply?.ok === false &&
      (reply.message.startsWith("nothing is staged") ||
        (reply.code === "clock-wrong" && latestMs - earliestMs > clockMsMax / 2) ||
        this.isStagedGone(first));
    if (!reply || (!reply.ok && !excused))
      checkers.accuse(
        "releases go on",
        `${first.name} could not finalize: ${reply && !reply.ok ? reply.message : "no answer"}`,
      );
    const mirrors = this.core.filter((h) => h.core.releases.mirrors.get(h.peer));
    const newest = (): boolean =>
      mirrors.every((h) => (h.showcase.shown("stable")?.epoch ?? 0) === checkers.releases.count("stable"));
    if (!this.runTo(swarm.world.nowMs + 2 * frontierMs, newest))
      checkers.accuse("releases go on", "a whole mirror does not show the newest epoch");
  }

  /** Whether what is staged died with those who are broken for ever: nobody can release that. */
  private isStagedGone({ core: { releases } }: Host): boolean {
    const sets = (releases.waiting("stable") ?? []).map(({ lists }) => releases.papers.knownOf(lists));
    const blobs = sets.flatMap((set) => (set ? blobsOf(set.items) : []));
    return blobs.some((digest) => !this.core.some(({ peer }) => this.swarm.blobs.has(peer, digest)));
  }

  private say({ build, op }: Order): void {
    const id = this.builds[build];
    const host = this.swarm.hosts.find((h) => id && h.active && h.core.desk.builds.get(id)?.live);
    host?.command({ kind: "control", build: id!, op }, () => {});
  }

  /** Said on any host that knows the build: whoever debugs it need not be the same each time. */
  private debug({ build, op, action: nth, host: of }: Debugged): void {
    const id = this.builds[build];
    const { hosts } = this.swarm;
    const live = hosts.filter((h) => id && h.active && h.core.desk.builds.get(id)?.live);
    const host = live[of % Math.max(1, live.length)];
    const claims = id && host?.core.desk.builds.get(id)?.claims;
    if (!id || !host || !claims) return;
    const action = claims.action(nth % claims.actions.size).name;
    const { peer } = hosts[of % hosts.length]!;
    if (op === "pause" || op === "resume") return host.command({ kind: "control", build: id, op }, () => {});
    const words: { readonly [K in typeof op]: DebugWord } = {
      step: { op: "step", actions: [action] },
      next: { op: "step", count: 1 + (nth % 3) },
      break: { op: "break", action },
      clear: { op: "break", action: claims.holds.breakpoints()[0]?.event.action ?? action, clear: true },
      "break-failure": { op: "break", clear: nth % 4 === 0 },
      place: { op: "place", action, peer },
      replace: { op: "place", action },
      record: { op: "record" },
    };
    host.command({ kind: "debug", build: id, word: words[op], dryRun: nth % 16 === 0 }, () => {});
  }

  /** A person lets go on what is held, once it can be said. */
  private resume(build: BuildId): void {
    const { world } = this.swarm;
    const look = (): void => {
      for (const host of this.core) this.letGo(host, build);
      if (!this.ended()) world.after(5_000, look);
    };
    world.after(5_000, look);
  }

  private letGo(host: Host, build: BuildId): void {
    const known = host.core.desk.builds.get(build);
    if (!known?.live) return;
    const { holds, paused } = known.claims!;
    if (paused) host.command({ kind: "control", build, op: "resume" }, () => {});
    const words: DebugWord[] = [
      ...holds
        .breakpoints()
        .map(
          ({ event: { action } }): DebugWord => ({ op: "break", clear: true, ...(action ? { action } : {}) }),
        ),
      ...holds.placements().map(({ event: { action } }): DebugWord => ({ op: "place", action })),
    ];
    for (const word of words) host.command({ kind: "debug", build, word, dryRun: false }, () => {});
  }

  /** An honest majority in the order of the mix; more, until one of them can build and each build has its inputs among them. */
  private choose(): Host[] {
    const { mix, swarm } = this;
    const order = mix.order
      .filter((name) => name !== mix.villain && name !== mix.goer)
      .map((name) => swarm.host(name));
    const core = order.splice(0, Math.floor(mix.hosts.length / 2) + 1);
    const add = (fits: (host: Host) => boolean): void => {
      if (core.some(fits)) return;
      const at = order.findIndex(fits);
      if (at >= 0) core.push(...order.splice(at, 1));
    };
    add((h) => this.builders.has(h.name));
    for (const holders of this.holders.values()) add((h) => holders.includes(h.peer));
    return core;
  }

  /** Nothing is wrong any more, and the core is up. */
  private heal(): void {
    for (const { fault } of this.faults) this.coverage.note("faults", fault.kind);
    for (const applied of this.applied) applied.end();
    this.swarm.network.heal();
    for (const host of this.core) {
      if (!host.up) host.start();
      else if (!host.active) host.resume();
    }
  }

  /** Broken for ever; machines that nobody drew an ending for are off. */
  private leave(host: Host, ending: Ending = "unplugged"): void {
    const { network, hosts } = this.swarm;
    if (!host.up) return;
    this.coverage.note("endings", ending);
    if (ending === "dead") host.kill();
    else if (ending === "unplugged") host.unplug();
    else if (ending === "hung") host.pause();
    else if (ending === "full") host.fill(true);
    else
      network.cut(
        [host.place],
        hosts.filter((h) => h !== host).map((h) => h.place),
      );
  }

  private workMs(): number {
    let sum = 0;
    for (const { workload } of this.mix.works)
      for (const { workMs } of workload.costs.values()) sum += workMs;
    return 3 * sum;
  }

  /** The builds that the core knows of are sealed on every host of it. */
  private ended(): boolean {
    const known = new Set(this.core.flatMap((h) => [...h.core.desk.builds.keys()]));
    return this.core.every((h) =>
      [...known].every(
        (id) => h.core.desk.archive.has(id) || h.core.desk.builds.get(id)?.claims?.sealed !== undefined,
      ),
    );
  }

  private agreed(): boolean {
    return new Set(this.core.map((h) => this.frontierOf(h))).size === 1;
  }

  /** All it knows, but for the words of one who tells each another thing: of those each keeps what it heard first. */
  private frontierOf(host: Host): string {
    const { chains, builds } = host.core.desk;
    const liar = this.mix.villain && this.swarm.host(this.mix.villain).peer;
    const heads = chains.heads().filter((h) => h.author !== liar);
    const ledgers = [...builds.values()].map((b) => `${b.id} ${b.ledger.digest()}`).sort(byText);
    return JSON.stringify([heads, ledgers]);
  }

  private unfinished(): string {
    return this.core
      .flatMap((h) =>
        [...h.core.desk.builds.values()]
          .filter((b) => !b.claims?.sealed)
          .map((b) => {
            const counts = Object.entries(b.claims?.actions.counts ?? {}).filter(([, n]) => n > 0);
            return `${h.name} sees ${counts.map(([state, n]) => `${n} ${state}`).join(", ") || "no graph"} of ${b.id}`;
          }),
      )
      .join("; ");
  }

  /** What one of the core knew when it was mended all of it know now. */
  private checkFrontiers(known: readonly ReadonlyMap<string, number>[]): void {
    for (const host of this.core) {
      const facts = factsOf(host);
      for (const [at, others] of known.entries())
        for (const [chain, count] of others)
          if ((facts.get(chain) ?? 0) < count && !archived(host, chain, others))
            return this.checkers.accuse(
              "frontiers meet",
              `${host.name} lacks what ${this.core[at]!.name} knew of ${this.swarm.world.name(chain)} ${frontierMs} ms before`,
            );
    }
  }
}

/** Whether a ledger left a host's memory with as many entries as others knew of it. */
function archived(host: Host, ledger: string, known: ReadonlyMap<string, number>): boolean {
  const build = ledger.split(" ")[0]!;
  if (!isBuildId(build)) return false;
  const counts = [...known].filter(([chain]) => chain.startsWith(`${build} `)).map(([, count]) => count);
  const { entries = -1 } = host.core.desk.archive.get(build) ?? {};
  return entries >= counts.reduce((a, b) => a + b, 0);
}

/** How far a host knows every chain of the timeline and every client of every ledger. */
function factsOf(host: Host): Map<string, number> {
  const facts = new Map<string, number>();
  const { chains, builds } = host.core.desk;
  for (const { author, inc, seq } of chains.heads()) facts.set(`${author}.${inc}`, seq + 1);
  for (const { id, ledger } of builds.values())
    for (const [client, count] of readVector(ledger.vector())) facts.set(`${id} ${client}`, count);
  return facts;
}
