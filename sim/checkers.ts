/**
 * Invariants of a swarm, watched while its world runs: at every step of every core, four times a second, and for a build that
 * has ended. What they find is listed, with the moment; it is a bug in the daemon's own code, or a fault nobody allowed for.
 */
import { type BuildId, byText, type PeerId } from "../protocol/kernel/ids.ts";
import { CacheChecker } from "./checkers/cache.ts";
import { Calm } from "./checkers/calm.ts";
import { ChainChecker } from "./checkers/chains.ts";
import { ExecutionChecker } from "./checkers/executions.ts";
import { GoodputChecker } from "./checkers/goodput.ts";
import { HoldChecker } from "./checkers/holds.ts";
import { LimitChecker } from "./checkers/limits.ts";
import { MemberChecker } from "./checkers/members.ts";
import { ReleaseChecker } from "./checkers/releases.ts";
import { type State, StateChecker } from "./checkers/states.ts";
import { Steps } from "./checkers/steps.ts";
import { StewardChecker } from "./checkers/stewards.ts";
import type { Invariant, Violation } from "./checkers/violation.ts";
import { WaitChecker } from "./checkers/waits.ts";
import type { Swarm } from "./swarm.ts";
import { olderVersion } from "./versions.ts";

const sampleMs = 250;
/** Of one invariant so many violations are listed; what breaks once often breaks at every step after. */
const listedMax = 20;

export class Checkers {
  readonly violations: Violation[] = [];
  /** How long the swarm was left in peace. */
  readonly calm: Calm;
  private readonly swarm: Swarm;
  private readonly listed = new Map<Invariant, number>();
  private readonly dishonest = new Set<PeerId>();
  private readonly executions: ExecutionChecker;
  private readonly goodput: GoodputChecker;
  readonly releases: ReleaseChecker;

  /** Watches from here on; to be made before the swarm starts. */
  constructor(swarm: Swarm) {
    this.swarm = swarm;
    const { dishonest } = this;
    const accuse = (invariant: Invariant, what: string): void => this.accuse(invariant, what);
    const calm = new Calm(swarm);
    this.calm = calm;
    this.executions = new ExecutionChecker(swarm, dishonest, accuse);
    const chains = new ChainChecker(swarm, dishonest, accuse);
    const states = new StateChecker({
      builders: new Set(swarm.hosts.map((h) => h.peer)),
      accuse,
      changed: ({ node, build }, digest) => swarm.world.record(node, "state", `${build} ${digest}`),
    });
    const stewards = new StewardChecker(swarm, calm, dishonest, accuse);
    const holds = new HoldChecker(dishonest, accuse);
    this.releases = new ReleaseChecker(swarm, dishonest, accuse);
    const limits = new LimitChecker(swarm, dishonest, accuse);
    const cache = new CacheChecker(swarm, calm, dishonest, accuse);
    const members = new MemberChecker(swarm, calm, dishonest, accuse);
    const waits = new WaitChecker(swarm, calm, dishonest, accuse);
    this.goodput = new GoodputChecker(swarm, calm, dishonest, accuse);
    const steps = new Steps((host, effects, input) => {
      chains.step(host, effects, input);
      states.step(host.name, host.core.desk.builds.values());
      this.executions.step(host, effects);
      stewards.step(host, effects, input);
      holds.step(host, effects);
      cache.step(host, effects);
      limits.step(host, effects);
      this.releases.step(host);
      members.step(host, effects);
    });
    swarm.watch((...step) => steps.told(...step));
    const sample = (): void => {
      calm.sample();
      chains.sample();
      states.compare(statesOf(swarm));
      limits.sample();
      members.sample();
      waits.sample();
      this.goodput.sample();
      swarm.world.after(sampleMs, sample);
    };
    sample();
  }

  /** From here on the host is no honest one: what it says of itself and does is its own business, what others do is not. */
  distrust(peer: PeerId): void {
    this.dishonest.add(peer);
  }

  /** Executions of an ended build are bounded. Call it once the hosts have settled. */
  checkExecutions(build: BuildId): void {
    this.executions.bounded(build);
  }

  /** What liars cost the honest is bounded. Call it once, at the end. */
  checkGoodput(): void {
    this.goodput.judge();
  }

  /** Lists a violation, with the moment. */
  accuse(invariant: Invariant, what: string): void {
    const count = (this.listed.get(invariant) ?? 0) + 1;
    this.listed.set(invariant, count);
    if (count <= listedMax) this.violations.push({ atMs: this.swarm.world.nowMs, invariant, what });
  }
}

/** What hosts that are up make of their builds. Builds and the timeline are facts. */
function* statesOf(swarm: Swarm): Iterable<State> {
  for (const host of swarm.hosts) {
    if (!host.up) continue;
    const { builds, chains } = host.core.desk;
    for (const { id, ledger, claims } of [...builds.values()].sort((a, b) => byText(a.id, b.id)))
      if (claims)
        yield {
          node: host.name,
          build: id,
          facts: `${id} ${ledger.digest()} ${chains.digest()}`,
          claims,
          knowsWords: host.core.desk.config.version !== olderVersion,
        };
  }
}
