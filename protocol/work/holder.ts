/** The holder's side: takes up the claims that name this node, brings their inputs here, runs them, says what came of it. */

import type { GraphAction, InputFile } from "../build/graph.ts";
import type { ExecuteOutcome, Want } from "../contract.ts";
import type { BuildId, ClaimId, Digest } from "../kernel/ids.ts";
import type { Usage } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import { type Claim, goesOn, isOpen } from "./claim.ts";
import type { Desk, Needed } from "./desk.ts";
import { slotsFor } from "./eligible.ts";
import { inputsOf } from "./inputs.ts";
import type { Losses } from "./lost.ts";
import { occupy, overdueShare } from "./outlook.ts";

/** `start` is said once a claim is this old and still open: short actions need no third fact. */
const startSaidMs = 4000;
/** A claim of a bundle that waits this long behind a slow one is given back while others could run it. */
const queuedMsMin = 500;
/** Nobody knows when a run ends that has lasted longer than expected, or may well do so: what would wait behind it is not asked for. */
const overdueMsMin = 600;
/** After inputs could not be had the node leaves the action alone for so long; where nobody can make them again, twice as long each time. */
const cooldownMs = 1000;
const cooldownMsMax = 60_000;

/** For how long an action is left alone, or until other members are there. */
interface Cooldown {
  readonly untilMonoMs: number;
  /** How often its inputs could not be had in a row, and nobody could make them again. */
  readonly vain: number;
  readonly aliveRevision: number;
}

type Phase = "trees" | "fetching" | "queued" | "executing" | "stopping" | "reported";

interface Held {
  claim: Claim;
  readonly build: BuildId;
  readonly sinceMonoMs: number;
  phase: Phase;
  /** Folders whose files must be known first. */
  trees: readonly Digest[];
  files: readonly InputFile[];
  root: Digest | undefined;
  /** Where missing inputs would have come from, to know what is lost. */
  wants: readonly Want[];
  fetchFromMonoMs: number;
  fetchMs: number;
  startedMonoMs: number;
  fetchedBytes: number;
  startSaid: boolean;
}

export class Holder {
  private readonly desk: Desk;
  private readonly losses: Losses;
  private readonly held = new Map<ClaimId, Held>();
  private readonly cooldowns = new Map<string, Cooldown>();
  private readonly fetchFailures = new Map<Digest, number>();

  constructor(desk: Desk, losses: Losses) {
    this.desk = desk;
    this.losses = losses;
  }

  /** Slots of the claims in hand that still need this node: taken, or soon to be. */
  get size(): number {
    let slots = 0;
    for (const h of this.held.values()) if (h.phase !== "reported") slots += this.slotsOf(h);
    return slots;
  }

  /** Slots taken by what runs. */
  get executing(): number {
    let slots = 0;
    for (const h of this.held.values()) if (runs(h)) slots += this.slotsOf(h);
    return slots;
  }

  /** Memory that the claims in hand ask for. */
  get reservedBytes(): number {
    let bytes = 0;
    for (const h of this.held.values()) if (h.phase !== "reported") bytes += this.bytesOf(h);
    return bytes;
  }

  /** How long before a slot comes free it is asked for. */
  aheadMs = 0;

  /** What fetching the inputs of an action took lately, on average. */
  fetchMsMean = 0;

  /** When each of so many slots comes free, milliseconds from now, soonest first, as far as estimates tell. */
  freeMs(slots: number, speed: number): number[] {
    const { now, estimates } = this.desk;
    const freeMs: number[] = [];
    const queued: number[] = [];
    for (const h of this.held.values()) {
      if (h.phase === "reported") continue;
      const { graph, claims } = this.desk.builds.get(h.build)!;
      const action = claims!.action(h.claim.action);
      const workMs = estimates.of(graph!.name, action) / speed;
      const leftMs = h.startedMonoMs + workMs - now.monoMs;
      const endsMs =
        leftMs <= 0
          ? Math.max(overdueMsMin, overdueShare * workMs)
          : this.isVague(graph!.name, action, speed)
            ? Math.max(overdueMsMin, leftMs)
            : leftMs;
      for (let slot = this.slotsOf(h); slot > 0; slot--)
        if (!runs(h)) queued.push(workMs);
        else freeMs.push(endsMs);
    }
    while (freeMs.length < slots) freeMs.push(0);
    freeMs.sort((a, b) => a - b);
    for (const workMs of queued) occupy(freeMs, workMs);
    return freeMs;
  }

  /** Whether a run may well last so much longer than expected that what waits for its slot is given back meanwhile. */
  private isVague(build: string, action: GraphAction, speed: number): boolean {
    const { estimates } = this.desk;
    const atMostMs = estimates.atMost(build, action);
    return atMostMs === undefined || (atMostMs - estimates.of(build, action)) / speed > this.queuedMsMax;
  }

  /** Actions of this node that are in its hands now. */
  inHand(): { build: BuildId; action: number; sinceMonoMs: number }[] {
    return [...this.held.values()]
      .filter((h) => h.phase === "executing")
      .map((h) => ({ build: h.build, action: h.claim.action, sinceMonoMs: h.sinceMonoMs }));
  }

  /** Whether this node runs a claim now. */
  executes(claim: ClaimId): boolean {
    return this.held.get(claim)?.phase === "executing";
  }

  /** Whether something of a build is in this node's hands, be it only to be stopped. */
  holds(build: BuildId): boolean {
    for (const h of this.held.values()) if (h.build === build) return true;
    return false;
  }

  /** Whether this node lately failed to get the action's inputs. */
  coolingDown(build: BuildId, action: number): boolean {
    const cooldown = this.cooldowns.size > 0 ? this.cooldowns.get(`${build}\n${action}`) : undefined;
    if (!cooldown || cooldown.untilMonoMs <= this.desk.now.monoMs) return false;
    return cooldown.vain === 0 || cooldown.aliveRevision === this.desk.aliveRevision;
  }

  /** Looks at claims that are new, or about which something new is known. */
  review(build: Build, touched: readonly Claim[]): void {
    const { self, inc } = this.desk.config;
    for (const claim of touched) {
      if (isOpen(claim)) this.yieldTo(build, claim);
      if (claim.holder !== self || claim.holderInc !== inc) continue;
      if (isOpen(claim) && !this.held.has(claim.id)) this.adopt(build, claim);
    }
    for (const h of this.held.values())
      if (h.build === build.id && touched.some((t) => t.action === h.claim.action)) this.reconsider(build, h);
  }

  /**
   * Two builds may want the same action at once, and their stewards grant it before they hear of each other. One of the runs goes on, the
   * same one for whoever knows both; the other is given back, and its build waits for what comes of the first.
   */
  private yieldTo(build: Build, claim: Claim): void {
    for (const h of this.held.values()) {
      if (h.build === build.id || h.claim.key !== claim.key || this.desk.isDead(claim.holder)) continue;
      if (this.yields(h, claim)) this.makeWay(h);
    }
  }

  private yields(h: Held, other: Claim): boolean {
    const mine = this.desk.builds.get(h.build)!;
    return (
      isOpen(h.claim) &&
      h.phase !== "reported" &&
      h.phase !== "stopping" &&
      !h.claim.twin &&
      !other.twin &&
      mine.asksCache(h.claim.action) &&
      goesOn(other, h.claim)
    );
  }

  private makeWay(h: Held): void {
    const reason = "the same action runs in another build";
    if (h.phase === "executing") this.kill(h, reason);
    else this.giveBack(h, reason);
  }

  /** Looks at everything in hand of a build: it was paused, cancelled, sealed. */
  reviewAll(build: Build): void {
    for (const h of this.held.values()) if (h.build === build.id) this.reconsider(build, h);
  }

  /** The build was folded anew: claims are the same facts, but other objects. */
  rebind(build: Build): void {
    for (const h of this.held.values())
      if (h.build === build.id) h.claim = build.claims!.again(h.claim) ?? h.claim;
  }

  /** A folder that was asked for is here, or nobody has it: then what waits for it is given back. */
  treeRead(digest: Digest, found: boolean): void {
    for (const h of this.held.values()) {
      if (h.phase !== "trees" || !h.trees.includes(digest)) continue;
      if (found) this.bringInputs(h);
      else this.giveBack(h, "a folder it takes could not be had");
    }
  }

  fetched(id: ClaimId, missing: readonly Digest[], fetchedBytes: number): void {
    const h = this.held.get(id);
    if (h?.phase !== "fetching") return;
    h.fetchedBytes += fetchedBytes;
    h.fetchMs = Math.round(this.desk.now.monoMs - h.fetchFromMonoMs);
    this.fetchMsMean = 0.8 * this.fetchMsMean + 0.2 * h.fetchMs;
    const gone = new Set(missing);
    for (const { digest } of h.wants) {
      if (gone.has(digest)) continue;
      this.desk.noteLocal(digest);
      if (this.fetchFailures.size > 0) this.fetchFailures.delete(digest);
    }
    if (missing.length === 0) {
      h.phase = "queued";
      return;
    }
    const build = this.desk.builds.get(h.build)!;
    const lost = new Set<Digest>();
    for (const want of h.wants) {
      if (!gone.has(want.digest)) continue;
      const failures = (this.fetchFailures.get(want.digest) ?? 0) + 1;
      this.fetchFailures.set(want.digest, failures);
      // A living holder may only be out of reach for a moment; a second refusal, or no holder at all, and the bytes count as lost.
      if (failures >= 2 || want.from.length === 0) lost.add(want.digest);
    }
    const found = this.losses.report(build, lost);
    if (found > 0) for (const digest of lost) this.fetchFailures.delete(digest);
    if (found > 0) this.giveBack(h, "inputs are lost");
    else this.giveBack(h, `${missing.length} inputs could not be had`, lost.size > 0);
  }

  executed(id: ClaimId, outcome: ExecuteOutcome): void {
    const h = this.held.get(id);
    if (!h) return;
    const build = this.desk.builds.get(h.build)!;
    const { claim } = h;
    h.phase = "reported";
    if (outcome.kind === "done") {
      for (const output of outcome.result.outputs) this.desk.noteLocal(output.digest);
      this.desk.say(
        build.id,
        {
          kind: "done",
          claim: claim.id,
          key: claim.key,
          result: outcome.result,
          usage: this.usage(h, outcome.usage),
        },
        {
          patient: build.claims!.dependents[claim.action]!.length === 0,
        },
      );
    } else if (outcome.kind === "failed") {
      if (outcome.cause === "infrastructure") for (const f of h.files) this.desk.forgetLocal(f.digest);
      if (outcome.cause === "infrastructure") this.coolDown(h, false);
      const { kind: _, usage, reason, ...rest } = outcome;
      this.desk.say(
        build.id,
        {
          kind: "fail",
          claim: claim.id,
          ...rest,
          reason: reason.slice(0, 1000),
          ...(usage ? { usage: this.usage(h, usage) } : {}),
        },
        { urgent: true },
      );
    } else if (isOpen(claim)) {
      this.desk.say(
        build.id,
        { kind: "abandon", claim: claim.id, reason: outcome.reason.slice(0, 250) },
        { urgent: true },
      );
    } else {
      this.held.delete(id);
    }
  }

  /** Starts what can start, says `start` where it is due. */
  pump(): void {
    const { now, config } = this.desk;
    const { startable } = this.desk.room;
    let free = startable - this.executing;
    let freeBytes = this.freeBytes();
    for (const h of this.held.values()) {
      const build = this.desk.builds.get(h.build)!;
      const slots = this.slotsOf(h);
      const bytes = this.bytesOf(h);
      if (h.phase === "queued" && free >= slots && freeBytes >= bytes && !this.desk.stopping) {
        free -= slots;
        freeBytes -= bytes;
        this.execute(build, h);
      }
      // Its slots were taken from it: what it has not begun is better off elsewhere.
      if (waits(h) && free <= 0 && startable < config.slots && this.desk.builders().length > 1)
        this.giveBack(h, `the node gives it back: ${this.desk.room.limitedBy}`);
      if (h.phase === "queued" && this.waitsInVain(h))
        this.giveBack(h, "it waits behind a slow action of its bundle");
      const open = h.phase !== "reported" && h.phase !== "stopping";
      if (open && !h.startSaid && now.monoMs >= h.sinceMonoMs + startSaidMs && isOpen(h.claim)) {
        h.startSaid = true;
        this.desk.say(h.build, { kind: "start", claim: h.claim.id });
      }
    }
    this.desk.running = this.executing;
    this.desk.reservedBytes = this.reservedBytes;
  }

  /** The machine slept, and whoever waited was left waiting: where its owner wants that, what it held goes to others. */
  slept(): void {
    const { config, members } = this.desk;
    if (config.scheduling.suspend !== "abandon" || members.size < 2) return;
    for (const h of this.held.values())
      if (h.phase === "executing") this.kill(h, "the machine slept");
      else if (waits(h)) this.giveBack(h, "the machine slept");
  }

  /** The node goes down: everything stops. Returns true when nothing runs any more. */
  stopAll(): boolean {
    for (const h of this.held.values()) {
      if (h.phase === "executing") this.kill(h, "the node goes down");
      else if (h.phase !== "stopping" && h.phase !== "reported") this.drop(h, "the node goes down");
    }
    return this.executing === 0;
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    const several = this.desk.builders().length > 1;
    for (const h of this.held.values())
      if (h.phase === "queued" && several) at = Math.min(at, h.sinceMonoMs + this.queuedMsMax);
      else if (!h.startSaid && h.phase !== "reported" && h.phase !== "stopping")
        at = Math.min(at, h.sinceMonoMs + startSaidMs);
    for (const { untilMonoMs } of this.cooldowns.values())
      if (untilMonoMs > this.desk.now.monoMs) at = Math.min(at, untilMonoMs);
    return at;
  }

  private get queuedMsMax(): number {
    return Math.max(queuedMsMin, 2 * this.aheadMs);
  }

  private slotsOf(h: Held): number {
    const build = this.desk.builds.get(h.build)!;
    return slotsFor(build.claims!.action(h.claim.action), this.desk.room.startable);
  }

  private bytesOf(h: Held): number {
    const build = this.desk.builds.get(h.build)!;
    return build.claims!.action(h.claim.action).requires?.memoryBytes ?? 0;
  }

  /** Memory that running actions have not asked for. */
  private freeBytes(): number {
    let bytes = this.desk.sensed?.memoryTotalBytes ?? 0;
    for (const h of this.held.values()) if (runs(h)) bytes -= this.bytesOf(h);
    return Math.max(0, bytes);
  }

  private waitsInVain(h: Held): boolean {
    return this.desk.now.monoMs >= h.sinceMonoMs + this.queuedMsMax && this.desk.builders().length > 1;
  }

  private adopt(build: Build, claim: Claim): void {
    const h: Held = {
      claim,
      build: build.id,
      sinceMonoMs: this.desk.now.monoMs,
      phase: "fetching",
      trees: [],
      files: [],
      root: undefined,
      wants: [],
      fetchFromMonoMs: this.desk.now.monoMs,
      fetchMs: 0,
      startedMonoMs: this.desk.now.monoMs,
      fetchedBytes: 0,
      startSaid: false,
    };
    this.held.set(claim.id, h);
    if (this.desk.stopping) return this.drop(h, "the node goes down");
    for (const other of this.desk.liveBuilds()) {
      if (other === build) continue;
      for (const rival of other.claims!.openClaims)
        if (rival.key === claim.key && !this.desk.isDead(rival.holder) && this.yields(h, rival))
          return this.makeWay(h);
    }
    this.bringInputs(h);
  }

  private bringInputs(h: Held): void {
    const build = this.desk.builds.get(h.build)!;
    const claims = build.claims!;
    const inputs = inputsOf(claims, h.claim.action, this.desk.trees, build.inputFiles, h.claim.pins);
    if (inputs.kind === "trees") {
      h.phase = "trees";
      h.trees = inputs.needed.map((tree) => tree.digest);
      for (const tree of inputs.needed) this.desk.askTree(tree.digest, tree.from);
      return;
    }
    if (inputs.kind === "missing") return this.drop(h, inputs.reason.slice(0, 250));
    if (inputs.key !== h.claim.key) return this.drop(h, "the inputs differ from those of the claim");
    h.files = inputs.files;
    h.root = inputs.root;
    const wants = new Map<Digest, Needed>();
    for (const { digest, link, folder } of inputs.files) {
      if (link !== undefined || folder) continue; // nothing to fetch
      if (this.desk.isLocal(digest) || wants.has(digest)) continue;
      const origin = inputs.origins.get(digest)!;
      const result = origin < 0 ? undefined : claims.resultOf(origin);
      const holders =
        origin < 0 ? build.submission!.event.holders : result ? claims.holdersOf(origin, result) : [];
      wants.set(digest, { digest, holders });
    }
    if (wants.size === 0) {
      h.phase = "queued";
      return;
    }
    h.phase = "fetching";
    h.fetchFromMonoMs = this.desk.now.monoMs;
    h.wants = this.desk.fetch(h.claim.id, [...wants.values()]);
  }

  private execute(build: Build, h: Held): void {
    const action = build.claims!.action(h.claim.action);
    h.phase = "executing";
    h.startedMonoMs = this.desk.now.monoMs;
    this.desk.emit({
      kind: "execute",
      request: {
        claim: h.claim.id,
        build: build.id,
        action: action.name,
        argv: action.argv,
        env: action.env,
        inputRoot: h.root!,
        files: h.files,
        outputs: action.outputs,
        timeoutMs: action.timeoutMs,
        silenceMs: action.silenceMs,
        ...(action.secrets ? { secrets: action.secrets } : {}),
        ...(action.requires?.cpus === undefined ? {} : { cpus: action.requires.cpus }),
        toolchains: action.toolchains,
      },
    });
  }

  /** Whether a claim in hand is still worth its slot. */
  private reconsider(build: Build, h: Held): void {
    const claims = build.claims!;
    const { claim } = h;
    if (!isOpen(claim)) {
      if (h.phase === "executing") this.kill(h, "the claim was closed");
      else if (h.phase !== "stopping") this.held.delete(claim.id);
      return;
    }
    if (h.phase === "reported" || h.phase === "stopping") return;
    let reason: string | undefined;
    if (claims.sealed) reason = "the build is sealed";
    else if (claims.cancelled) reason = "the build was cancelled";
    else if (claims.actions.get(claim.action) === "done") reason = "another has the result";
    else if (!claim.twin && claims.winnerOf(claim.action) !== claim) reason = "another claim won";
    else if (claim.recalled === "running") reason = "a person took it back";
    else if (h.phase !== "executing") {
      const held = claims.heldBy(claim.action);
      const placed = claims.holds.placeOf(claims.action(claim.action).name);
      if (held === "pause") reason = "the build was paused";
      else if (held === "failure") reason = "the build broke at a failure";
      else if (held === "breakpoint") reason = "it has a breakpoint";
      else if (placed && placed.peer !== claim.holder) reason = "a person placed it on another node";
      else if (this.desk.orders.of(this.desk.config.self) === "drained") reason = "the node was drained";
      else if (claim.recalled && this.desk.builders().length > 1)
        return this.giveBack(h, "a person took it back");
      else if (claim.recalled) reason = "a person took it back";
    }
    if (reason === undefined) return;
    if (h.phase === "executing") this.kill(h, reason);
    else this.drop(h, reason);
  }

  private kill(h: Held, reason: string): void {
    h.phase = "stopping";
    this.desk.emit({ kind: "kill", claim: h.claim.id, reason });
  }

  /** Gives a claim back and leaves its action alone for a while; `vain`: what it lacks, nobody here can make again. */
  private giveBack(h: Held, reason: string, vain = false): void {
    this.coolDown(h, vain);
    this.drop(h, reason);
  }

  private coolDown({ build, claim }: Held, inVain: boolean): void {
    const { now, aliveRevision } = this.desk;
    const place = `${build}\n${claim.action}`;
    const vain = inVain ? (this.cooldowns.get(place)?.vain ?? 0) + 1 : 0;
    const ms = Math.min(cooldownMsMax, cooldownMs * 2 ** Math.max(0, vain - 1));
    this.cooldowns.set(place, { untilMonoMs: now.monoMs + ms, vain, aliveRevision });
  }

  /** Gives a claim back that has not started. */
  private drop(h: Held, reason: string): void {
    h.phase = "reported";
    this.desk.say(h.build, { kind: "abandon", claim: h.claim.id, reason }, { urgent: true });
  }

  private usage(h: Held, usage: Usage): Usage {
    return { ...usage, fetchMs: h.fetchMs, fetchedBytes: h.fetchedBytes };
  }
}

const runs = (h: Held): boolean => h.phase === "executing" || h.phase === "stopping";
const waits = (h: Held): boolean => h.phase === "trees" || h.phase === "fetching" || h.phase === "queued";
