/**
 * One life of one simulated daemon: what is due for it runs while it lives, waits while it is paused, and is forgotten when
 * it ends. All ports of a host hang on its process, so a crash needs no cleaning up.
 */
import type { World } from "./world.ts";

/** How a life ends: by its own word, by SIGKILL (the kernel closes its sockets, keeps its files), by a power cut (neither). */
export type Ending = "stop" | "kill" | "power";

export class Process {
  readonly world: World;
  readonly name: string;
  private state: "running" | "paused" | "ended" = "running";
  private waiting: (() => void)[] = [];
  private readonly mourners: ((ending: Ending) => void)[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  get alive(): boolean {
    return this.state !== "ended";
  }

  get paused(): boolean {
    return this.state === "paused";
  }

  /** Runs it now; later if paused; never once ended. */
  enter(run: () => void): void {
    if (this.state === "running") run();
    else if (this.state === "paused") this.waiting.push(run);
  }

  after(delayMs: number, run: () => void): void {
    this.world.after(delayMs, () => this.enter(run));
  }

  at(atMs: number, run: () => void): void {
    this.world.at(atMs, () => this.enter(run));
  }

  /** SIGSTOP. Its clock goes on; what comes in waits. */
  pause(): void {
    if (this.state === "running") this.state = "paused";
  }

  /** SIGCONT: all that waited happens now, in order. */
  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) this.world.after(0, () => this.enter(run));
  }

  /** Told once, when the life ends; what is told must not enter the process again. */
  onEnd(told: (ending: Ending) => void): void {
    this.mourners.push(told);
  }

  end(ending: Ending): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.waiting = [];
    for (const told of this.mourners) told(ending);
  }
}
