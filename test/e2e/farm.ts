/** Some machines of a farm, played on this one: a home, a daemon process and a port each, and a terminal to type in. */

import path from "node:path";
import type { Control, NodeView } from "../../node/control/api.ts";
import { controlClient } from "../../node/control/client.ts";
import { placesOf } from "../../node/home-places.ts";
import { mainFile, type Running, sourceFile, Terminal } from "../cli/terminal.ts";
import { until } from "../patience.ts";

/** Loopback only, any free port, nobody else on the LAN. */
const manners = {
  SWARMD_LISTEN: "127.0.0.1:0",
  SWARMD_MDNS: "no",
  SWARMD_SLOTS: "1",
  SWARMD_GATEWAY_LISTEN: "no",
};

export class Farm {
  readonly terminal: Terminal;
  protected readonly daemons = new Map<string, Running>();
  private readonly controls = new Map<string, Control>();

  protected constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  static async open(): Promise<Farm> {
    return new Farm(await Terminal.open());
  }

  /** Founds a swarm on the first machine; the others join. All of them run and hear each other. */
  async found(...names: readonly string[]): Promise<void> {
    const [first, ...others] = names;
    await this.good(first!, "init", "--name", first!);
    await this.start(first!);
    await Promise.all(others.map((name) => this.admit(name, first!)));
    await this.meet(...names);
  }

  /** Lets a machine in by a ticket, and starts it. */
  async admit(name: string, by: string): Promise<void> {
    await this.good(name, "join", await this.ticket(by), "--name", name, "--only");
    await this.start(name);
  }

  async ticket(from: string): Promise<string> {
    return (await this.good(from, "invite")).trim();
  }

  homeOf(name: string): string {
    return path.join(this.terminal.dir, name);
  }

  /** Where that lies as seen from here. */
  outsideOf(name: string): string {
    return this.homeOf(name);
  }

  /** The daemon of a machine asked past the command line, which is a process for each look: for waiting. */
  control(name: string): Control {
    let control = this.controls.get(name);
    if (!control) {
      control = controlClient(placesOf(this.outsideOf(name)).controlSocket);
      this.controls.set(name, control);
    }
    return control;
  }

  begin(name: string, ...args: readonly string[]): Running {
    const settings = { ...manners, SWARMD_NAME: name, ...this.settingsOf(name) };
    return this.terminal.start(
      [...args, "--home", this.homeOf(name)],
      settings,
      this.throughOf(name),
      this.programOf(name),
    );
  }

  run(name: string, ...args: readonly string[]) {
    return this.begin(name, ...args).ended;
  }

  /** Demands exit code 0; standard output. */
  async good(name: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(name, ...args);
    if (code !== 0)
      throw new Error(
        `${name}: swarmd ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}${await this.lastWords(name)}`,
      );
    return stdout;
  }

  /** Why a daemon that should run does not. */
  private async lastWords(name: string): Promise<string> {
    const daemon = this.daemons.get(name);
    if (!daemon || this.runs(name)) return "";
    const { code, stdout, stderr } = await daemon.ended;
    return `its daemon has ended with ${code ?? daemon.process.signalCode}:\n${`${stdout}${stderr}`.slice(-4000)}`;
  }

  async json<T>(name: string, ...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.good(name, ...args, "--json")) as T;
  }

  async start(name: string): Promise<Running> {
    const daemon = this.begin(name, "run");
    this.daemons.set(name, daemon);
    await daemon.printed("runs in the swarm");
    return daemon;
  }

  /** Environment of what runs on a machine, beside the usual. */
  protected settingsOf(_name: string): Readonly<Record<string, string>> {
    return {};
  }

  /** The program of a machine. */
  protected programOf(_name: string): string {
    return mainFile;
  }

  /** A command line that runs others on a machine. */
  protected throughOf(_name: string): readonly string[] {
    return [];
  }

  /** Resolves when a daemon that was told to stop has. */
  async ended(name: string): Promise<void> {
    await this.daemons.get(name)?.ended;
  }

  /** kill -9. */
  async kill(name: string): Promise<void> {
    const daemon = this.daemons.get(name);
    daemon?.process.kill("SIGKILL");
    await daemon?.ended;
  }

  /** Resolves when each of these hears the vitals of all of them. */
  async meet(...names: readonly string[]): Promise<void> {
    for (const name of names)
      await until(async () => {
        const nodes = await this.nodesAt(name);
        return names.every((other) =>
          nodes.some(
            (node) => node.name === other && node.vitals !== null && ["self", "alive"].includes(node.state),
          ),
        );
      });
  }

  /** All that were started run, whatever became of them, and hear each other. */
  async mend(): Promise<void> {
    const names = [...this.daemons.keys()];
    await Promise.all(names.filter((name) => !this.runs(name)).map((name) => this.start(name)));
    await this.meet(...names);
  }

  private runs(name: string): boolean {
    const { exitCode, signalCode } = this.daemons.get(name)!.process;
    return exitCode === null && signalCode === null;
  }

  private nodesAt(name: string): Promise<NodeView[]> {
    // Another version is spoken to by its own command line alone.
    return [mainFile, sourceFile].includes(this.programOf(name))
      ? this.control(name).nodes()
      : this.json<NodeView[]>(name, "node", "list");
  }

  close(): Promise<void> {
    return this.terminal.close();
  }
}
