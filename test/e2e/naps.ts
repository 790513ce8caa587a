/** Actions that sleep until a test wakes them: what is to happen while they run need not be quicker than they are. */
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

export class Naps {
  /** Seconds that no other process sleeps. */
  private readonly seconds = `${randomInt(1_000_000, 10_000_000)}.5`;

  /** A command that sleeps; it fails when it is woken by TERM, and is silent about it. */
  get command(): string {
    return `sh -c 'sleep ${this.seconds}; test $? -eq ${128 + 9}' 2>/dev/null`;
  }

  /** How many sleep now. */
  get count(): number {
    return this.sleepers().length;
  }

  /** Wakes all that sleep: they go on. */
  wake(): void {
    for (const pid of this.sleepers()) kill(pid, "SIGKILL");
  }

  /** Wakes all that sleep: they fail. */
  startle(): void {
    for (const pid of this.sleepers()) kill(pid, "SIGTERM");
  }

  /** Wakes whoever falls asleep until this has ended. */
  async wakeUntil<T>(ended: Promise<T>): Promise<T> {
    const timer = setInterval(() => this.wake(), 50);
    try {
      return await ended;
    } finally {
      clearInterval(timer);
    }
  }

  private sleepers(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && argumentsOf(name) === `sleep\0${this.seconds}\0`)
      .map(Number);
  }
}

/** Each ended by NUL. */
function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // gone meanwhile
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone meanwhile
  }
}
