/** A network of machines on this one: addresses of their own, partitions, one-way cuts, slow and lossy lines. Labs never meet. */
import { type ChildProcess, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { Machine, signal } from "./machine.ts";

const run = promisify(execFile);

const network = "10.77.0";
const nowhere = "02:de:ad:00:00:00";

/** How a machine's line is, in both directions. */
export interface Line {
  /** As `tc` writes it: `200mbit`. */
  readonly rate?: string;
  readonly delayMs?: number;
  readonly lossPercent?: number;
}

interface Plugged {
  readonly machine: Machine;
  readonly address: string;
  /** Its cable's end at the switch. */
  readonly port: string;
  wire?: ChildProcess;
}

/** What this machine lacks for a lab, in words; undefined when nothing is. */
export async function missingForLab(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "root";
  for (const tool of ["ip", "tc", "unshare", "nsenter", "pgrep", "cc"])
    if (!(await run("which", [tool]).catch(() => undefined))) return tool;
  return run("unshare", ["--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "true"]).then(
    () => undefined,
    () => "namespaces",
  );
}

/** What it lacks besides for a machine behind NAT. */
export async function missingForNat(): Promise<string | undefined> {
  return run("unshare", ["--net", "nft", "add", "table", "ip", "probe"]).then(
    () => undefined,
    () => "nft",
  );
}

export class Lab {
  private readonly hub: Machine;
  private readonly plugged = new Map<string, Plugged>();
  private readonly routers: Machine[] = [];

  private constructor(hub: Machine) {
    this.hub = hub;
  }

  static async open(...names: readonly string[]): Promise<Lab> {
    const lab = new Lab(await Machine.boot("switch"));
    try {
      await lab.hub.ip(...segment(0));
      for (const name of names) await lab.add(name);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get names(): string[] {
    return [...this.plugged.keys()];
  }

  async add(name: string): Promise<Machine> {
    const machine = await Machine.boot(name);
    const n = this.plugged.size + 1;
    const port = `h${n}`;
    const address = `${network}.${n}`;
    this.plugged.set(name, { machine, address, port });
    await this.hub.ip(
      `link add ${port} type veth peer name eth0 netns ${machine.pid}`,
      `link set ${port} master seg0 up`,
    );
    await machine.ip(`addr add ${address}/24 dev eth0`, "link set eth0 up", "route add 224.0.0.0/4 dev eth0");
    return machine;
  }

  /** A machine in a network of its own, behind a router that lets it out under the router's address and nobody in. */
  async addBehindNat(name: string): Promise<Machine> {
    const router = await this.add(name);
    const { port } = this.at(name);
    const machine = await Machine.boot(name);
    await router.ip(
      `link add inside type veth peer name eth0 netns ${machine.pid}`,
      "addr add 192.168.77.1/24 dev inside",
      "link set inside up",
    );
    await machine.ip(
      "addr add 192.168.77.2/24 dev eth0",
      "link set eth0 up",
      "route add default via 192.168.77.1",
    );
    await router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const line of [
      "add table ip nat",
      "add chain ip nat out { type nat hook postrouting priority 100 ; }",
      "add rule ip nat out oifname eth0 masquerade",
    ])
      await router.run("nft", line);
    this.routers.push(router);
    this.plugged.set(name, { machine, address: "192.168.77.2", port });
    return machine;
  }

  machine(name: string): Machine {
    return this.at(name).machine;
  }

  address(name: string): string {
    return this.at(name).address;
  }

  /** Groups that hear nothing of each other; those named nowhere stay together. */
  async partition(...groups: readonly (readonly string[])[]): Promise<void> {
    const lines = groups.flatMap((group, i) => [
      ...group.map((name) => `link set ${this.switchPort(name)} master seg${i + 1}`),
    ]);
    for (const i of groups.keys()) await this.hub.ip(...segment(i + 1)).catch(() => {});
    await this.join();
    await this.hub.ip(...lines);
  }

  /** What one sends to the other gets lost, and says nothing of it. The other way remains. */
  async cut(from: string, to: string): Promise<void> {
    await this.machine(from).ip(`neigh replace ${this.address(to)} lladdr ${nowhere} nud permanent dev eth0`);
  }

  /** Takes back all partitions and cuts. */
  async heal(): Promise<void> {
    await this.join();
    // A neighbour that was never cut cannot be removed.
    for (const { machine } of this.plugged.values())
      for (const { address } of this.plugged.values())
        await machine.run(
          "sh",
          "-c",
          `ip neigh show ${address} | grep -q ${nowhere} || exit 0; ip neigh del ${address} dev eth0`,
        );
  }

  /** Shapes what a machine sends and receives; an empty line is as good as it gets. */
  async shape(name: string, { rate, delayMs = 0, lossPercent = 0 }: Line): Promise<void> {
    const plugged = this.at(name);
    const { machine, port } = plugged;
    const limited: readonly [Machine, string][] = [
      [machine, "eth0"],
      [this.hub, port],
    ];
    for (const [at, device] of limited) {
      await at.run("tc", "qdisc", "del", "dev", device, "root").catch(() => {});
      if (rate !== undefined)
        await at.run(
          ...("tc qdisc add dev".split(" ") as ["tc"]),
          device,
          "root",
          "tbf",
          "rate",
          rate,
          ..."burst 128k latency 50ms".split(" "),
        );
    }
    await this.unwire(plugged);
    if (delayMs > 0 || lossPercent > 0) await this.rewire(plugged, delayMs, lossPercent);
  }

  async close(): Promise<void> {
    await Promise.all([...this.plugged.values()].map(({ machine }) => machine.off()));
    await Promise.all(this.routers.map((router) => router.off()));
    await this.hub.off();
  }

  private at(name: string): Plugged {
    const plugged = this.plugged.get(name);
    if (!plugged) throw new Error(`the lab has no machine ${name}`);
    return plugged;
  }

  /** A delayed cable ends in a wire, whose other end is what the switch sees. */
  private switchPort(name: string): string {
    const { port, wire } = this.at(name);
    return wire ? `p${port}` : port;
  }

  private async join(): Promise<void> {
    await this.hub.ip(...this.names.map((name) => `link set ${this.switchPort(name)} master seg0`));
  }

  private async rewire(plugged: Plugged, delayMs: number, lossPercent: number): Promise<void> {
    const { port } = plugged;
    const program = await netdelay();
    const master = await this.masterOf(port);
    await this.hub.ip(
      `link add d${port} type veth peer name p${port}`,
      `link set d${port} up`,
      `link set p${port} master ${master} up`,
      `link set ${port} nomaster`,
    );
    const args = [port, `d${port}`, `${delayMs}`, "0", `${lossPercent}`];
    plugged.wire = this.hub.start(program, ...args);
    await once(plugged.wire.stdout!, "data");
  }

  private async unwire(plugged: Plugged): Promise<void> {
    const { port, wire } = plugged;
    if (!wire) return;
    const master = await this.masterOf(`p${port}`);
    const ended = once(wire, "close");
    await signal(wire, "SIGKILL");
    await ended;
    delete plugged.wire;
    await this.hub.ip(`link del p${port}`, `link set ${port} master ${master}`);
  }

  private async masterOf(port: string): Promise<string> {
    const text = await this.hub.run("ip", "-o", "link", "show", port);
    return / master (seg\d+)/.exec(text)![1]!;
  }
}

const segment = (n: number): string[] => [
  `link add seg${n} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
  `link set seg${n} up`,
];

/** The program that delays and loses frames, compiled when it is not there yet. */
async function netdelay(): Promise<string> {
  const source = path.join(import.meta.dirname, "netdelay.c");
  const hash = createHash("sha256")
    .update(await readFile(source))
    .digest("hex");
  const program = path.resolve(
    import.meta.dirname,
    "../../node_modules/.cache/swarmd-lab",
    `netdelay-${hash}`,
  );
  if (existsSync(program)) return program;
  await mkdir(path.dirname(program), { recursive: true });
  const fresh = `${program}.${process.pid}`;
  await run("cc", ["-O2", "-o", fresh, source]);
  await rename(fresh, program);
  return program;
}
