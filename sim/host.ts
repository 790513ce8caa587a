/** One simulated machine: the daemon's own core and runtime over simulated ports, with what outlives a start of the daemon. */
import type { Command, CommandReply, Effect, Input } from "../protocol/contract.ts";
import { Core } from "../protocol/core.ts";
import { sha256 } from "../protocol/kernel/digest.ts";
import type { Incarnation, PeerId, SwarmId } from "../protocol/kernel/ids.ts";
import { Runtime } from "../protocol/runtime.ts";
import { defaultScheduling, type Scheduling } from "../protocol/swarm/policy.ts";
import type { LocalVitals } from "../protocol/swarm/vitals.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { Wire } from "../protocol/wire.ts";
import type { Blobs } from "./artifacts.ts";
import { type ClockOptions, HostClock } from "./clock.ts";
import { Disk, type DiskOptions } from "./disk.ts";
import type { Executions } from "./executions.ts";
import { type Behaviour, virtualExecutor } from "./executor.ts";
import type { NetworkPort, VirtualNetwork } from "./network.ts";
import { type Ending, Process } from "./process.ts";
import { fakePeer, fakeSigner } from "./signer.ts";
import { tell } from "./story.ts";
import { toolchain } from "./workload.ts";
import type { World } from "./world.ts";

export interface HostOptions {
  readonly name: string;
  readonly slots?: number;
  /** How many times as fast as a host of speed 1. */
  readonly speed?: number;
  readonly clock?: ClockOptions;
  readonly disk?: DiskOptions;
  readonly vitals?: Partial<LocalVitals>;
  readonly scheduling?: Partial<Scheduling>;
}

/** What the hosts of a world share. */
export interface Surroundings {
  readonly world: World;
  readonly wire: Wire;
  readonly network: VirtualNetwork;
  readonly blobs: Blobs;
  readonly executions: Executions;
  readonly behaviour: Behaviour;
  readonly swarm: SwarmId;
  /** Told after every step of every core. */
  readonly stepped: (host: Host, effects: readonly Effect[], input: Input) => void;
}

/** One start of the daemon. */
interface Life {
  readonly process: Process;
  readonly runtime: Runtime;
  readonly inc: Incarnation;
}

export class Host {
  readonly name: string;
  readonly peer: PeerId;
  readonly clock: HostClock;
  readonly disk: Disk;
  /** Incarnations of all starts so far, in order. */
  readonly incarnations: Incarnation[] = [];
  /** How often it was paused, and how often it lost its power. */
  pauses = 0;
  powerCuts = 0;
  /** What was refused here, as `code message`. */
  readonly refusals: string[] = [];
  private readonly options: HostOptions;
  private readonly around: Surroundings;
  private life: Life | undefined;
  private vitals: LocalVitals;

  constructor(options: HostOptions, around: Surroundings, certificates: readonly SignedEntry[]) {
    this.options = options;
    this.around = around;
    this.name = options.name;
    this.peer = fakePeer(options.name);
    this.clock = new HostClock(around.world, options.clock);
    this.disk = new Disk(around.world, options.name, options.disk);
    this.disk.prepare(certificates);
    around.world.call(this.peer, this.name);
    const slots = options.slots ?? 1;
    this.vitals = {
      cores: slots,
      load: 0,
      pressurePercent: { cpu: 0, memory: 0, io: 0 },
      temperatureCelsius: "unknown",
      headroomCelsius: "unknown",
      memoryTotalBytes: 8 * 2 ** 30,
      memoryFreeBytes: 6 * 2 ** 30,
      diskTotalBytes: 100 * 2 ** 30,
      diskFreeBytes: 50 * 2 ** 30,
      sandbox: "bubblewrap",
      target: "x86_64-linux-gnu",
      toolchains: toolchain,
      ...options.vitals,
    };
  }

  get up(): boolean {
    return this.life?.process.alive === true;
  }

  /** Whether the daemon takes part now: it lives and is not paused. */
  get active(): boolean {
    return this.up && !this.life!.process.paused;
  }

  get slots(): number {
    return this.options.slots ?? 1;
  }

  get speed(): number {
    return this.options.speed ?? 1;
  }

  /** The core of the running daemon, to look at. Throws when the host is down. */
  get core(): Core {
    return this.running().runtime.core;
  }

  /** Starts the daemon as the machine does it: a new incarnation, what the disk kept, then the network and the sensors. */
  start(): void {
    const { world, network, blobs, executions, behaviour, swarm } = this.around;
    const { name, peer, slots } = this;
    const process = new Process(world, name);
    const random = world.randomFor(`start ${this.incarnations.length} of ${name}`);
    const inc = `${this.incarnations.length + 1}-${random.hex(4)}` as Incarnation;
    this.incarnations.push(inc);
    world.fault(name, "starts", inc);
    const seed = sha256(new TextEncoder().encode(random.hex(16))).subarray(0, 16);
    const version = "0.0.0";
    const clock = this.clock.port(process);
    const events = this.disk.port(process);
    const core = new Core(
      {
        swarm,
        self: peer,
        name,
        inc,
        seed,
        version,
        slots,
        unsafeNoSandbox: false,
        scheduling: { ...defaultScheduling, ...this.options.scheduling },
      },
      clock.now(),
    );
    const later: { port?: NetworkPort } = {};
    const runtime = new Runtime(
      core,
      {
        clock,
        events: {
          ...events,
          write: (batch, done) => {
            for (const { entry } of batch.entries)
              if (entry.author === peer && entry.inc === inc)
                for (const event of entry.events) world.record(name, "says", tell(event, world));
            events.write(batch, done);
          },
        },
        signer: fakeSigner(peer),
        network: {
          send: (to, message) => later.port?.send(to, message),
          gossip: (message) => later.port?.gossip(message),
        },
        artifacts: blobs.port(process, peer, events),
        executor: virtualExecutor(process, { self: peer, speed: this.speed, behaviour, blobs, executions }),
      },
      {
        stepped: (input, effects) => {
          world.record(name, "step", `${input.kind} ${effects.length}`);
          this.around.stepped(this, effects, input);
        },
        refused: (by, error) => {
          this.refusals.push(`${error.code} ${error.message}`);
          world.record(name, "refuses", `${by === undefined ? "" : world.name(by)} ${error.code}`);
        },
        membersChanged: () => later.port?.membersChanged(),
        stopped: () => this.end("stop"),
      },
      this.around.wire,
    );
    this.life = { process, runtime, inc };
    runtime.start(events.restore());
    later.port = network.attach(process, peer, runtime.handlers());
    runtime.input({ kind: "sensed", vitals: this.vitals });
  }

  /** SIGKILL: the machine goes on, the daemon is gone with all it had in memory. */
  kill(): void {
    this.end("kill");
  }

  /** A power cut: nobody is told, and what the disk had not synced may be gone. */
  unplug(): void {
    this.powerCuts++;
    this.end("power");
  }

  pause(): void {
    this.running().process.pause();
    this.pauses++;
    this.around.world.fault(this.name, "pauses");
  }

  resume(): void {
    this.running().process.resume();
    this.around.world.fault(this.name, "resumes");
  }

  /** What a person asks of the daemon. */
  command(command: Command, reply: (reply: CommandReply) => void): void {
    const { process, runtime } = this.running();
    process.enter(() => runtime.command(command, reply));
  }

  /** The sensors read something else. */
  sense(changes: Partial<LocalVitals>): void {
    this.vitals = { ...this.vitals, ...changes };
    const { life } = this;
    if (life?.process.alive)
      life.process.enter(() => life.runtime.input({ kind: "sensed", vitals: this.vitals }));
  }

  private running(): Life {
    if (!this.life?.process.alive) throw new Error(`${this.name} is down`);
    return this.life;
  }

  private end(ending: Ending): void {
    const { process, runtime } = this.running();
    this.around.world.fault(this.name, "ends", ending);
    runtime.halt();
    process.end(ending);
  }
}
