/**
 * One life of one simulated daemon: what is due for it runs while it lives, waits while it is paused or its machine sleeps, and is
 * forgotten when it ends. All ports of a host hang on its process, so a crash needs no cleaning up.
 */
import type { World } from "./world.ts";

/** How a life ends: by its own word, by SIGKILL (the kernel closes its sockets, keeps its files), by a power cut (neither). */
export type Ending = "stop" | "kill" | "power";

export class Process {
  readonly world: World;
  readonly name: string;
  private ended = false;
  private stopped = false;
  private sleeping = false;
  private waiting: (() => void)[] = [];
  private readonly mourners: ((ending: Ending) => void)[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  get alive(): boolean {
    return !this.ended;
  }

  /** Whether it lives and does nothing: stopped, or on a machine that sleeps. */
  get paused(): boolean {
    return this.alive && (this.stopped || this.sleeping);
  }

  /** Whether its machine sleeps: then nothing reaches it, where what comes to a stopped one waits in the kernel. */
  get asleep(): boolean {
    return this.alive && this.sleeping;
  }

  /** Runs it now; later if paused; never once ended. */
  enter(run: () => void): void {
    if (this.ended) return;
    if (this.paused) this.waiting.push(run);
    else run();
  }

  after(delayMs: number, run: () => void): void {
    this.world.after(delayMs, () => this.enter(run));
  }

  at(atMs: number, run: () => void): void {
    this.world.at(atMs, () => this.enter(run));
  }

  /** SIGSTOP. Its clock goes on; what comes in waits. */
  pause(): void {
    this.stopped = true;
  }

  /** SIGCONT: all that waited happens now, in order, unless the machine sleeps. */
  resume(): void {
    this.stopped = false;
    this.goOn();
  }

  /** The machine falls asleep, stopped processes too. */
  sleep(): void {
    this.sleeping = true;
  }

  /** The machine wakes; a stopped process stays stopped. */
  wake(): void {
    this.sleeping = false;
    this.goOn();
  }

  /** Told once, when the life ends; what is told must not enter the process again. */
  onEnd(told: (ending: Ending) => void): void {
    this.mourners.push(told);
  }

  end(ending: Ending): void {
    if (this.ended) return;
    this.ended = true;
    this.waiting = [];
    for (const told of this.mourners) told(ending);
  }

  private goOn(): void {
    if (this.ended || this.paused) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) this.world.after(0, () => this.enter(run));
  }
}
