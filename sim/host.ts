/** One simulated machine: the daemon's own core and runtime over simulated ports, with what outlives a start of the daemon. */
import type { Command, CommandReply, Effect, Input } from "../protocol/contract.ts";
import { Core, type Hands } from "../protocol/core.ts";
import { sha256 } from "../protocol/kernel/digest.ts";
import {
  type Digest,
  type Incarnation,
  incarnationCounter,
  type PeerId,
  type SwarmId,
} from "../protocol/kernel/ids.ts";
import type { Ports } from "../protocol/ports.ts";
import { firstLogOf } from "../protocol/release/ballot.ts";
import { Runtime } from "../protocol/runtime.ts";
import { defaultScheduling, type Scheduling } from "../protocol/swarm/policy.ts";
import type { LocalVitals } from "../protocol/swarm/vitals.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { Role } from "../protocol/timeline/events.ts";
import type { Wire } from "../protocol/wire.ts";
import type { Blobs } from "./artifacts.ts";
import { type ClockOptions, HostClock } from "./clock.ts";
import { Cores } from "./cores.ts";
import { Disk, type DiskImage, type DiskOptions } from "./disk.ts";
import type { Executions } from "./executions.ts";
import { type Behaviour, virtualExecutor } from "./executor.ts";
import type { NetworkPort, VirtualNetwork } from "./network.ts";
import { type Ending, Process } from "./process.ts";
import { HostShowcase } from "./showcase.ts";
import { fakePeer, fakeSigner } from "./signer.ts";
import { tell } from "./story.ts";
import { Thermal, type ThermalOptions } from "./thermal.ts";
import { toolchain } from "./workload.ts";
import type { World } from "./world.ts";

export interface HostOptions {
  readonly name: string;
  readonly slots?: number;
  /** How many times as fast as a host of speed 1. */
  readonly speed?: number;
  /** Of which a quarter is taken by the system. */
  readonly memoryBytes?: number;
  readonly thermal?: ThermalOptions;
  /** Of its own line, in each direction; all transfers from or to it share it. */
  readonly bandwidthBytesPerSecond?: number;
  readonly clock?: ClockOptions;
  readonly disk?: DiskOptions;
  readonly vitals?: Partial<LocalVitals>;
  readonly scheduling?: Partial<Scheduling>;
  readonly version?: string;
  /** As the founding entry admits it; all but the first host release, build and submit. */
  readonly roles?: readonly Role[];
  /** It is no member in the beginning, and not started with the others: it asks to come in. */
  readonly stranger?: boolean;
  /** Shares out work in another way than daemons do. */
  readonly hands?: Hands;
}

/** Makes a daemon another than the plain one, at each start before it runs: its ports lie, or its runtime hears otherwise. */
export interface Bend {
  /** Whether others may trust what it says. */
  readonly honest: boolean;
  readonly version?: string;
  ports?(host: Host, ports: Ports, process: Process): Ports;
  runtime?(host: Host, runtime: Runtime, process: Process): void;
}

/** A machine's disk as it was at one moment. */
export interface HostImage {
  readonly disk: DiskImage;
  readonly blobs: ReadonlySet<Digest>;
  /** How often the daemon had been started from it. */
  readonly starts: number;
}

const memoryBytesDefault = 8 * 2 ** 30;

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
  /** Where it stands in the network and whose blobs it holds: its peer id, but for a clone. */
  readonly place: PeerId;
  readonly clock: HostClock;
  readonly disk: Disk;
  readonly cores: Cores;
  /** What it shows as a mirror. */
  readonly showcase: HostShowcase;
  /** Incarnations of all starts so far, in order. */
  readonly incarnations: Incarnation[] = [];
  /** How often it was paused or slept, how often it lost its power, and how often its disk was set back. */
  pauses = 0;
  powerCuts = 0;
  restores = 0;
  /** False from the moment on at which it was bent, for ever: what it said stays said. */
  honest = true;
  /** What was refused here, as `code message`. */
  readonly refusals: string[] = [];
  readonly options: HostOptions;
  private readonly around: Surroundings;
  private life: Life | undefined;
  private vitals: LocalVitals;
  private bending: Bend | undefined;
  private asleep = false;
  private warmerCelsius = 0;
  /** What sensors saw of the disk before it was filled. */
  private roomBytes: number | undefined;
  /** Starts that the disk does not know of: it was set back, or (below 0) made of another machine's. */
  private forgottenStarts = 0;

  /** `twinOf`: the identity that a clone shares with the machine whose disk it was made of. */
  constructor(
    options: HostOptions,
    around: Surroundings,
    certificates: readonly SignedEntry[],
    twinOf?: PeerId,
  ) {
    this.options = options;
    this.around = around;
    this.name = options.name;
    this.place = fakePeer(options.name);
    this.peer = twinOf ?? this.place;
    this.clock = new HostClock(around.world, options.clock);
    this.disk = new Disk(around.world, options.name, options.disk);
    this.showcase = new HostShowcase(around.blobs, this.place);
    if (!options.stranger) this.disk.prepare(certificates);
    const founding = certificates[0]?.entry;
    if (founding?.events.some((e) => e.admin === this.peer) && twinOf === undefined)
      this.disk.voteLog = firstLogOf(founding.swarm);
    around.world.call(this.place, this.name);
    if (options.bandwidthBytesPerSecond !== undefined)
      around.network.setLine(this.place, options.bandwidthBytesPerSecond);
    const { slots } = this;
    const memoryBytes = options.memoryBytes ?? memoryBytesDefault;
    this.cores = new Cores(around.world, {
      slots,
      speed: this.speed,
      memoryBytes,
      memoryFreeBytes: 0.75 * memoryBytes,
      thermal: options.thermal && new Thermal(options.thermal),
      // Sensors are read beside what the daemon does, never within it.
      sensed: (changes) => around.world.after(0, () => this.sense(changes)),
    });
    this.vitals = {
      cores: slots,
      load: 0,
      pressurePercent: { cpu: 0, memory: 0, io: 0 },
      temperatureCelsius: "unknown",
      headroomCelsius: "unknown",
      memoryTotalBytes: memoryBytes,
      memoryFreeBytes: 0.75 * memoryBytes,
      diskTotalBytes: 100 * 2 ** 30,
      diskFreeBytes: 50 * 2 ** 30,
      sandbox: "bubblewrap",
      target: "x86_64-linux-gnu",
      toolchains: toolchain,
      ...options.vitals,
    };
  }

  /** Whether the daemon is (or will be, from its next start on) another than the plain one. */
  get bent(): boolean {
    return this.bending !== undefined;
  }

  get up(): boolean {
    return this.life?.process.alive === true;
  }

  /** Whether the daemon takes part now: it lives, is not stopped, and its machine does not sleep. */
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
    this.wake(); // a machine that boots is awake
    const { world, network, blobs, executions, behaviour, swarm } = this.around;
    const { name, peer, place, slots } = this;
    const process = new Process(world, name);
    const random = world.randomFor(`start ${this.incarnations.length} of ${name}`);
    const events = this.disk.port(process);
    const restored = events.restore();
    const own = restored.entries.filter(({ entry }) => entry.author === peer);
    const counter = Math.max(this.starts, ...own.map(({ entry }) => incarnationCounter(entry.inc))) + 1;
    const inc = `${counter}-${random.hex(4)}` as Incarnation;
    this.incarnations.push(inc);
    this.forgottenStarts = this.incarnations.length - counter;
    world.fault(name, "starts", inc);
    const seed = sha256(new TextEncoder().encode(random.hex(16))).subarray(0, 16);
    const version = this.bending?.version ?? this.options.version ?? "0.0.0";
    const clock = this.clock.port(process);
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
        voteLog: this.disk.voteLog,
      },
      clock.now(),
      this.options.hands,
    );
    const later: { port?: NetworkPort } = {};
    const ports: Ports = {
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
        send: (to, message) => later.port?.send(to, message) ?? false,
        gossip: (message) => later.port?.gossip(message),
      },
      artifacts: blobs.port(process, place, events, peer),
      showcase: this.showcase.port(process),
      inspector: blobs.inspector(process, place),
      executor: virtualExecutor(process, {
        self: place,
        cores: this.cores,
        behaviour,
        blobs,
        executions,
        toolchains: () => this.vitals.toolchains,
      }),
    };
    const runtime = new Runtime(
      core,
      this.bending?.ports?.(this, ports, process) ?? ports,
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
        stopped: (because) => {
          this.end("stop");
          if (because === "behind") world.after(0, () => this.up || this.start());
        },
      },
      this.around.wire,
    );
    this.bending?.runtime?.(this, runtime, process);
    this.life = { process, runtime, inc };
    runtime.start(restored);
    later.port = network.attach(process, peer, runtime.handlers(), place);
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

  /** SIGSTOP: the machine goes on, the daemon does nothing. */
  pause(): void {
    this.running().process.pause();
    this.pauses++;
    this.around.world.fault(this.name, "pauses");
  }

  resume(): void {
    this.running().process.resume();
    this.around.world.fault(this.name, "resumes");
  }

  /** The machine sleeps: monotonic time and actions stand still, connections die without a word, wall time goes on. */
  suspend(): void {
    if (this.asleep) return;
    this.asleep = true;
    this.pauses++;
    this.around.world.fault(this.name, "sleeps");
    this.life?.process.sleep();
    this.clock.sleep();
    this.cores.sleep();
    this.around.network.sleep(this.place);
  }

  wake(): void {
    if (!this.asleep) return;
    this.asleep = false;
    this.around.world.fault(this.name, "wakes");
    this.clock.wake();
    this.cores.wake();
    this.life?.process.wake();
    this.around.network.wake(this.place);
  }

  /** From its next start on the daemon is another; undefined makes it what all are. */
  bend(bend: Bend | undefined): void {
    this.bending = bend;
    if (bend && !bend.honest) this.honest = false;
  }

  /** The disk as it is at this moment, as a backup takes it. */
  image(): HostImage {
    return { disk: this.disk.image(), blobs: this.around.blobs.image(this.place), starts: this.starts };
  }

  /** Sets the disk to what it was; only while the daemon is down. */
  setBack(image: HostImage): void {
    if (this.up) throw new Error(`${this.name} is up`);
    this.restores++;
    this.forgottenStarts = this.incarnations.length - image.starts;
    this.disk.setBack(image.disk);
    this.around.blobs.setBack(this.place, image.blobs);
    this.around.world.fault(this.name, "restored");
  }

  /** Something else takes all the room on the disk, or leaves it again; sensors see it. */
  fill(full: boolean): void {
    this.disk.fill(full);
    this.around.blobs.fill(this.place, full);
    this.roomBytes ??= this.vitals.diskFreeBytes;
    this.sense({ diskFreeBytes: full ? 0 : this.roomBytes });
  }

  /** The owner uses the machine: this share of its slots is busy; 0 when the owner is gone. */
  occupy(share: number): void {
    this.cores.occupy(share);
    this.sense({ ownerActive: share > 0 });
  }

  /** The air is so much warmer than usual. Without a thermal model only a sensor that reads a number shows it. */
  warm(byCelsius: number): void {
    const moreCelsius = byCelsius - this.warmerCelsius;
    this.warmerCelsius = byCelsius;
    this.cores.warm(byCelsius);
    const { temperatureCelsius, headroomCelsius } = this.vitals;
    if (this.cores.thermal || temperatureCelsius === "unknown") return;
    this.sense({
      temperatureCelsius: temperatureCelsius + moreCelsius,
      headroomCelsius: headroomCelsius === "unknown" ? headroomCelsius : headroomCelsius - moreCelsius,
    });
  }

  /** What a person asks of the daemon. */
  command(command: Command, reply: (reply: CommandReply) => void): void {
    const { process, runtime } = this.running();
    process.enter(() => runtime.command(command, reply));
  }

  /** A stranger says something at its door. */
  knock(peer: PeerId, request: Uint8Array, answer: (reply: Uint8Array | null) => void): void {
    const { process, runtime } = this.running();
    process.enter(() => runtime.handlers().admission(peer, request, answer, peer));
  }

  /** The sensors read something else. */
  sense(changes: Partial<LocalVitals>): void {
    this.vitals = { ...this.vitals, ...changes };
    const { life } = this;
    if (life?.process.alive)
      life.process.enter(() => life.runtime.input({ kind: "sensed", vitals: this.vitals }));
  }

  /** Starts of the daemon as its disk counts them. */
  private get starts(): number {
    return this.incarnations.length - this.forgottenStarts;
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
