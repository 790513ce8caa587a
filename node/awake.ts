/** Keeps the machine from falling asleep while actions run, where its owner wants them finished: through logind, by its own program. */
import { started } from "./started.ts";

/** Holds the machine awake until it is let go; `lost` says that it no longer does, and why. */
export type Hold = (lost: (why: string) => void) => { letGo(): void };

/** A pause between two actions lets nobody sleep. */
const idleMs = 10_000;

/** logind's inhibitor lives as long as the program that took it, and that as long as we hold its input. */
const holdByLogind: Hold = (lost) => {
  const child = started(
    "systemd-inhibit",
    ["--what=sleep:idle", "--mode=block", "--who=swarmd", "--why=actions of a build run here", "cat"],
    { stdio: ["pipe", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, 500);
  });
  child.stdin!.on("error", () => {}); // it ended: "exit" tells
  let isOver = false;
  const over = (why: string) => {
    if (!isOver) lost(why);
    isOver = true;
  };
  child.on("error", (error) => over(error.message));
  child.on("exit", (code) => over(said.trim() || `systemd-inhibit ended with ${code}`));
  child.unref();
  return {
    letGo() {
      isOver = true;
      child.stdin!.end();
    },
  };
};

export class Awake {
  private readonly hold: Hold;
  private readonly refused: (why: string) => void;
  private held: { letGo(): void } | undefined;
  private idleSinceMonoMs: number | undefined;
  /** A machine that cannot be kept awake is not asked again. */
  private inVain = false;

  /** `refused`: the machine cannot be kept awake; told once. */
  constructor(refused: (why: string) => void, hold: Hold = holdByLogind) {
    this.refused = refused;
    this.hold = hold;
  }

  /** How many actions run at this moment. */
  look(running: number, nowMonoMs: number): void {
    if (running > 0) {
      this.idleSinceMonoMs = undefined;
      if (this.held || this.inVain) return;
      const lost = (why: string) => {
        this.held = undefined;
        this.inVain = true;
        this.refused(why);
      };
      try {
        this.held = this.hold(lost);
      } catch (error) {
        lost((error as Error).message);
      }
    } else if (this.held) {
      this.idleSinceMonoMs ??= nowMonoMs;
      if (nowMonoMs - this.idleSinceMonoMs >= idleMs) this.stop();
    }
  }

  stop(): void {
    this.held?.letGo();
    this.held = undefined;
    this.idleSinceMonoMs = undefined;
  }
}
