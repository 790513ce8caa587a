/** One run of chaos: builds and troubles for a while, then all is mended, all work must end, and all disks are judged. */
import type { BuildSummary, StatusView } from "../../node/control/api.ts";
import { openHome } from "../../node/home.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { Random } from "../../protocol/kernel/random.ts";
import type { Violation } from "../../sim/checkers/violation.ts";
import { LabFarm } from "../lab/farm.ts";
import { entriesOf } from "../lab/timeline.ts";
import { lasting } from "../patience.ts";
import { judge } from "./disks.ts";
import { diskBytes, draw, type Trouble } from "./troubles.ts";

/** Without an action that ends, after all is mended: leases, back-offs, what is lost and made again. */
const stillMs = 120_000;
/** What one whole node knows all know by then. */
const frontierMs = 30_000;
/** What a trouble needs to begin and to end; a daemon that has not come up by then will not. */
const soonMs = 60_000;
/** All times are of a machine at rest. While so many commands run one after the other, a daemon gets done what those times are for on any. */
const commands = 20;
/** Between two looks, each of them a command, at what has ended. */
const lookMs = 500;

export interface ChaosOptions {
  readonly seed: number;
  readonly forMs: number;
  readonly daemons: number;
  /** Told of everything that is done and found, in words. */
  readonly tell: (line: string) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly faults: readonly { readonly atMs: number; readonly what: string; readonly forMs: number }[];
  readonly builds: number;
  readonly refused: number;
  readonly violations: readonly Violation[];
}

export class Chaos {
  private readonly options: ChaosOptions;
  private readonly farm: LabFarm;
  private readonly random: Random;
  private readonly people: Random;
  private readonly startMs = performance.now();
  /** What something ails, until when by plan, and the trouble itself. */
  private readonly ailing = new Map<string, number>();
  private readonly courses = new Map<string, Promise<void>>();
  private readonly faults: { atMs: number; what: string; forMs: number }[] = [];
  private readonly builds: string[] = [];
  private readonly submissions: Promise<void>[] = [];
  private readonly violations: Violation[] = [];
  private divisions = 0;
  private refused = 0;

  private constructor(options: ChaosOptions, farm: LabFarm) {
    this.options = options;
    this.farm = farm;
    this.random = Random.fromNumber(options.seed);
    this.people = Random.fromNumber(options.seed + 1);
  }

  /** Machines for this many daemons, with nothing on them. Whoever opens it closes it. */
  static async open(options: ChaosOptions): Promise<Chaos> {
    const names = Array.from({ length: options.daemons }, (_, i) => `n${i + 1}`);
    return new Chaos(options, await LabFarm.boot(names));
  }

  /** A swarm on them, at peace. */
  async found(): Promise<void> {
    const { names } = this.farm.lab;
    for (const name of names) {
      await this.farm.giveDisk(name, diskBytes);
      await this.farm.shiftClock(name, 0);
    }
    await this.farm.found(...names);
  }

  close(): Promise<void> {
    return this.farm.close();
  }

  async run(): Promise<ChaosReport> {
    const { forMs, seed } = this.options;
    const endMs = performance.now() + forMs;
    this.submit();
    let plannedMs = 0;
    for (let step = 0; performance.now() < endMs; step++) {
      const gapMs = 500 + this.random.float() * 2_500;
      plannedMs += gapMs;
      await lasting(gapMs);
      if (step % 3 === 2) this.submit();
      // By plan, not by what is: so a seed draws the same troubles however slow the machine is.
      for (const [one, untilMs] of this.ailing) if (untilMs <= plannedMs) this.ailing.delete(one);
      const trouble = draw(this.farm, this.random, new Set(this.ailing.keys()));
      if (trouble) this.befall(trouble, plannedMs);
    }
    await Promise.all(this.courses.values());
    this.tell("all is mended");
    await this.finish();
    await this.judge();
    return {
      seed,
      faults: this.faults,
      builds: this.builds.length,
      refused: this.refused,
      violations: this.violations,
    };
  }

  private befall(trouble: Trouble, plannedMs: number): void {
    const { what, forMs, touches, divides } = trouble;
    const before = touches.map((one) => this.courses.get(one));
    const course = (async () => {
      await Promise.all(before);
      if (divides) this.divisions++;
      this.faults.push({ atMs: this.atMs, what, forMs });
      this.tell(forMs > 0 ? `${what}, for ${(forMs / 1000).toFixed(1)} s` : what);
      await this.soon(trouble.begin());
      await lasting(forMs);
      await this.soon(trouble.mend());
      if (forMs > 0) this.tell(`over: ${what}`);
    })().catch((error: Error) => this.accuse("steps end", `${what}: ${error.message}`));
    for (const one of touches) {
      this.ailing.set(one, plannedMs + forMs + 1_000);
      this.courses.set(one, course);
    }
  }

  /** A person hands a build to a member that is well; it may be refused, or get lost with the daemon before that has said yes. */
  private submit(): void {
    const { farm, people: random } = this;
    const well = farm.lab.names.filter((name) => !this.ailing.has(name));
    if (well.length === 0) return;
    const at = random.pick(well);
    const name = `b${this.submissions.length + 1}`;
    const [count, seconds] = [4 + random.below(12), 0.2 + random.float()];
    const course = async () => {
      const file = await farm.terminal.write(`${name}.yaml`, specOf(name, count, seconds));
      const { code, stdout, stderr } = await farm.run(at, "submit", file, "--detach", "--json");
      if (code === 0) {
        const { build } = JSON.parse(stdout) as { build: string };
        this.builds.push(build);
        this.tell(`${at} took ${build}: ${count} actions of ${seconds.toFixed(1)} s`);
      } else {
        this.refused++;
        this.tell(`${at} did not take ${name}: ${stderr.split("\n")[0]}`);
        if (code !== 3 && code !== 4)
          this.accuse("steps end", `submit at ${at} ended with ${code}: ${stderr}`);
      }
    };
    this.submissions.push(course());
  }

  /** Every build that was taken ends, as every member sees it. */
  private async finish(): Promise<void> {
    await Promise.all(this.submissions);
    const { farm, builds } = this;
    let patient = true;
    for (const name of farm.lab.names) {
      let states: ReadonlyMap<string, string> = new Map();
      // Who goes on is waited for, however slow the machine is: what has ended is counted, and cannot become more for ever.
      let most = -1;
      let stillSinceMs = performance.now();
      let looks = 0;
      for (;;) {
        const seen = await this.seenBy(name);
        if (seen.length > 0) states = new Map(seen.map((one) => [one.build, one.state]));
        if (builds.every((build) => !["running", "paused", undefined].includes(states.get(build)))) break;
        const actions = seen.reduce((sum, { counts }) => sum + counts.done, 0);
        looks++;
        if (actions > most) [most, stillSinceMs, looks] = [actions, performance.now(), 0];
        patient &&= looks < commands || performance.now() - stillSinceMs < stillMs;
        if (!patient) break;
        await lasting(lookMs);
      }
      for (const build of builds) {
        const state = states.get(build) ?? "nothing";
        if (state !== "complete") this.accuse("work ends", `${name} sees ${build} as ${state}`);
      }
    }
    for (const death of farm.deaths) this.accuse("steps end", death);
    this.tell("all builds were looked at");
  }

  /** Builds as a member sees them, also those that ended so long ago that its status says nothing of them; none when it does not answer. */
  private async seenBy(name: string): Promise<BuildSummary[]> {
    const { farm } = this;
    const [status, ended] = await Promise.all([
      farm.json<StatusView>(name, "status").catch(() => undefined),
      farm.json<BuildSummary[]>(name, "history").catch(() => []),
    ]);
    const seen = [...(status?.builds ?? []), ...ended];
    return [...new Map(seen.map((one) => [one.build, one])).values()];
  }

  private async judge(): Promise<void> {
    const { farm } = this;
    await this.patience(frontierMs);
    for (const name of farm.lab.names) await farm.kill(name);
    const homes = await Promise.all(farm.lab.names.map((name) => openHome(farm.outsideOf(name))));
    const disks = [];
    for (const { dir, name, identity } of homes)
      disks.push({ name, peer: identity.peer, entries: await entriesOf(dir) });
    const blobs = new Map<Digest, Uint8Array>();
    for (const digest of disks.flatMap(({ entries }) => graphsIn(entries)))
      for (const { places } of homes) {
        if (blobs.has(digest)) break;
        const store = await openBlobStore(places.blobs);
        const bytes = await store.read(digest).catch(() => undefined);
        if (bytes) blobs.set(digest, bytes);
      }
    const swarm = homes[0]!.swarm!.id;
    const circumstances = {
      swarm,
      blob: (digest: Digest) => blobs.get(digest),
      builds: this.builds,
      divisions: this.divisions,
    };
    judge(disks, circumstances, (invariant, what) => this.accuse(invariant, what));
  }

  private soon(work: Promise<void>): Promise<void> {
    let done = false;
    const worked = work.finally(() => {
      done = true;
    });
    const late = this.patience(soonMs, () => done).then(() => {
      throw new Error(`not done after ${soonMs} ms and ${commands} commands more`);
    });
    return Promise.race([worked, late]);
  }

  /** So long, and then until so many commands have run: it takes as long as the machine is slow. */
  private async patience(ms: number, unneeded = () => false): Promise<void> {
    await lasting(ms);
    for (let ran = 0; ran < commands && !unneeded(); ran++) await this.farm.terminal.run("version");
  }

  private accuse(invariant: Violation["invariant"], what: string): void {
    this.violations.push({ atMs: this.atMs, invariant, what });
    this.tell(`VIOLATION ${invariant}: ${what}`);
  }

  private get atMs(): number {
    return Math.round(performance.now() - this.startMs);
  }

  private tell(line: string): void {
    this.options.tell(`${(this.atMs / 1000).toFixed(1).padStart(7)} s  ${line}`);
  }
}

const specOf = (name: string, count: number, seconds: number): string => `swarmd: 1
name: ${name}
actions:
  part:
    foreach: { i: { count: ${count} } }
    run: sleep ${seconds.toFixed(2)}; echo ${name} \${i} > \${out}
    out: parts/\${i}.txt
  whole:
    run: cat \${part.out} > \${out}
    out: whole.txt
`;

const graphsIn = (entries: Awaited<ReturnType<typeof entriesOf>>): Digest[] =>
  entries.flatMap(({ entry }) =>
    entry.events.flatMap((event) => (event.kind === "build.submitted" ? [event.graph as Digest] : [])),
  );
