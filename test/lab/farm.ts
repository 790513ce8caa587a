/** A farm of real daemons on the machines of a lab: an address and a home each, faults on demand, and what their disks hold. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Running, sourceFile, Terminal } from "../cli/terminal.ts";
import { Farm } from "../e2e/farm.ts";
import { Lab } from "./lab.ts";
import type { Lie } from "./liar.ts";
import { signal } from "./machine.ts";
import { rottable } from "./rot.ts";

const port = 4701;
/** While a disk is made small its owner may write on. */
const slackBytes = 1 << 20;
const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

export class LabFarm extends Farm {
  readonly lab: Lab;
  private readonly settings: (name: string) => Readonly<Record<string, string>>;
  private readonly offClocks = new Set<string>();
  private readonly liars = new Map<string, Lie>();
  private closing = false;
  private readonly killed = new WeakSet<Running>();
  /** Daemons that ended without being told to, with the end of what they logged. */
  readonly deaths: string[] = [];

  private constructor(terminal: Terminal, lab: Lab, settings: LabFarm["settings"]) {
    super(terminal);
    this.lab = lab;
    this.settings = settings;
  }

  /** Machines with nothing on them. `settings` are `SWARMD_*` of all daemons, or of each. */
  static async boot(
    names: readonly string[],
    settings: Readonly<Record<string, string>> | LabFarm["settings"] = {},
  ): Promise<LabFarm> {
    const terminal = await Terminal.open();
    const of = typeof settings === "function" ? settings : () => settings;
    return new LabFarm(terminal, await Lab.open(...names), of);
  }

  /** SIGSTOP: it says and hears nothing, and does not know. */
  pause(name: string): Promise<void> {
    return signal(this.daemonOf(name).process, "SIGSTOP");
  }

  resume(name: string): Promise<void> {
    return signal(this.daemonOf(name).process, "SIGCONT");
  }

  override async kill(name: string): Promise<void> {
    const daemon = this.daemonOf(name);
    this.killed.add(daemon);
    await signal(daemon.process, "SIGKILL");
    await daemon.ended;
  }

  override async start(name: string): Promise<Running> {
    const daemon = await super.start(name);
    const lie = this.liars.get(name);
    // One that is not bent would pass every test of honest ones.
    if (lie) await daemon.printed(`lies: ${lie}`);
    void daemon.ended.then(({ code, stderr }) => {
      if (this.killed.has(daemon) || this.closing) return;
      const last = stderr.trimEnd().split("\n").slice(-8).join("\n");
      this.deaths.push(`the daemon of ${name} ended with ${code}: ${last}`);
    });
    return daemon;
  }

  /** The home lies on a disk of its own, which holds so many bytes. Before anything is in it. */
  async giveDisk(name: string, bytes: number): Promise<void> {
    const home = this.homeOf(name);
    await mkdir(home, { recursive: true });
    await this.lab.machine(name).run("mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tmpfs", home);
  }

  /** On a disk of its own or not. */
  override outsideOf(name: string): string {
    return this.lab.machine(name).outside(this.homeOf(name));
  }

  /** From its next start on (or at once, when it had a wrong clock then) the machine's wall clock is off by so much. */
  async shiftClock(name: string, seconds: number): Promise<void> {
    this.offClocks.add(name);
    await writeFile(this.clockFileOf(name), `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}\n`);
  }

  /** From its next start on the machine's daemon is no honest one. */
  lies(name: string, how: Lie): void {
    this.liars.set(name, how);
  }

  /** Whether the machine's disk holds these bytes as a blob. */
  holds(name: string, bytes: string): boolean {
    return existsSync(this.blobFileOf(name, bytes));
  }

  /** One bit of these bytes turns over on the machine's disk, which says nothing of it. */
  async rot(name: string, bytes: string): Promise<void> {
    await turn(this.blobFileOf(name, bytes));
  }

  /** The same with any blob, but for a plan that no other disk has; `at`, from 0 to 1, says which. Nothing happens where there is none. */
  async rotAny(name: string, at: number): Promise<void> {
    const storeOf = (one: string) => path.join(this.outsideOf(one), "blobs");
    const others = this.lab.names.filter((one) => one !== name).map(storeOf);
    const file = await rottable(storeOf(name), others, at);
    if (file !== undefined) await turn(file);
  }

  /** Not a byte more fits on the disk of the machine, which must be one of its own. */
  async fillDisk(name: string): Promise<void> {
    const home = this.homeOf(name);
    // Where more was written meanwhile it cannot become that small, and would be filled as large as it is.
    const shrink = `size=$(df --block-size=1 --output=used "$0" | tail -1); mount -o remount,size=$((size + ${slackBytes})) "$0"`;
    const fill = `until ${shrink}; do :; done; cat /dev/zero > "$0/.filler" || true`;
    await this.lab.machine(name).run("sh", "-c", fill, home);
  }

  /** Its disk holds so many bytes from now on. */
  async sizeDisk(name: string, bytes: number): Promise<void> {
    await this.lab.machine(name).run("mount", "-o", `remount,size=${bytes}`, this.homeOf(name));
    await rm(path.join(this.outsideOf(name), ".filler"), { force: true });
  }

  override async close(): Promise<void> {
    this.closing = true;
    await this.lab.close();
    await super.close();
  }

  protected override settingsOf(name: string): Readonly<Record<string, string>> {
    const clock: Record<string, string> = this.offClocks.has(name)
      ? {
          LD_PRELOAD: faketime,
          FAKETIME_TIMESTAMP_FILE: this.clockFileOf(name),
          FAKETIME_CACHE_DURATION: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        }
      : {};
    const how = this.liars.get(name);
    const lie: Record<string, string> = how
      ? { NODE_OPTIONS: `--import=${path.join(import.meta.dirname, "liar.ts")}`, SWARMD_TEST_LIE: how }
      : {};
    return { SWARMD_LISTEN: `${this.lab.address(name)}:${port}`, ...this.settings(name), ...clock, ...lie };
  }

  protected override programOf(name: string): string {
    return this.liars.has(name) ? sourceFile : super.programOf(name);
  }

  protected override throughOf(name: string): readonly string[] {
    return this.lab.machine(name).inside(this.terminal.dir);
  }

  private blobFileOf(name: string, bytes: string): string {
    const hash = createHash("sha256").update(bytes).digest("hex");
    return path.join(this.outsideOf(name), "blobs", hash.slice(0, 2), hash.slice(2));
  }

  private clockFileOf(name: string): string {
    return path.join(this.terminal.dir, `${name}.clock`);
  }

  /** The daemon that was started there last. */
  daemonOf(name: string): Running {
    const daemon = this.daemons.get(name);
    if (!daemon) throw new Error(`${name} was never started`);
    return daemon;
  }
}

/** One bit of a file turns over, and its times stay. */
async function turn(file: string): Promise<void> {
  const { atime, mtime } = await stat(file);
  const rotten = await readFile(file);
  if (rotten.length === 0) return;
  rotten[0]! ^= 1;
  await writeFile(file, rotten);
  await utimes(file, atime, mtime);
}
