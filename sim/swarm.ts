/** A swarm in a box: founds it, gives every host its certificates, submits builds and runs the world until they end. */
import { encodeGraph, type Requirements } from "../protocol/build/graph.ts";
import type { Command, CommandReply, Effect, Input } from "../protocol/contract.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../protocol/kernel/ids.ts";
import { foundingEntry } from "../protocol/swarm/founding.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";
import type { ActionState } from "../protocol/work/actions.ts";
import { type Build, buildIdOf } from "../protocol/work/build.ts";
import { foretold } from "../protocol/work/foretell.ts";
import { Blobs } from "./artifacts.ts";
import { worldEpochMs } from "./clock.ts";
import { Executions } from "./executions.ts";
import type { Behaviour, Run, Situation } from "./executor.ts";
import { Host, type HostOptions, type Surroundings } from "./host.ts";
import { type NetworkOptions, VirtualNetwork } from "./network.ts";
import { fakePeer, fakeSigner } from "./signer.ts";
import { sharedWire } from "./wire.ts";
import type { Workload } from "./workload.ts";
import { World } from "./world.ts";

const names = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ivy", "joe", "kim", "liz"];
/** An entry holds so many admissions without coming near its bound. */
const admittedPerEntry = 256;
/** Certificates of simulated hosts outlast every run. */
const notAfterMs = worldEpochMs + 10 * 365 * 24 * 3_600_000;

/** Changes how single executions go; what it leaves out is as the workload says. */
export type Twist = (
  request: Parameters<Behaviour>[0],
  situation: Situation,
  run: Run,
) => Partial<Run> | undefined;

/** Sees a step of a host's core: what came of it, and what went in. */
export type Watcher = (host: Host, effects: readonly Effect[], input: Input) => void;

export interface SwarmOptions {
  readonly seed: number;
  /** How many equal hosts, or each with its own traits. The first is the admin. */
  readonly hosts: number | readonly HostOptions[];
  readonly network?: NetworkOptions;
  readonly twist?: Twist;
  /** Which kinds of transcript lines stay readable. */
  readonly keep?: (what: string) => boolean;
}

/** How a build went, as the world saw it. */
export interface Outcome {
  readonly build: BuildId;
  readonly state: "complete" | "failed" | "cancelled";
  /** From the submission's reply to the first host that held the build sealed. */
  readonly makespanMs: number;
  readonly counts: Readonly<Record<ActionState, number>>;
  /** How often each action was begun, by name. */
  readonly executions: ReadonlyMap<ActionName, number>;
  /** How many executions each host finished. */
  readonly byHost: Readonly<Record<string, number>>;
}

function signed(entry: Entry): SignedEntry {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
}

export class Swarm {
  readonly world: World;
  readonly network: VirtualNetwork;
  readonly blobs: Blobs;
  readonly executions = new Executions();
  readonly hosts: Host[];
  private readonly workloads = new Map<BuildId, Workload>();
  private readonly submittedMs = new Map<BuildId, number>();
  /** Change how runs go, one after the other. */
  private readonly twists = new Set<Twist>();
  private readonly around: Surroundings;
  private readonly watchers = new Set<Watcher>();
  /** What all hosts had on their disks before their first start. */
  readonly certificates: readonly SignedEntry[];
  private readonly required = new Map<BuildId, ReadonlyMap<ActionName, Requirements>>();
  private submissions = 0;
  private cloned = 0;

  constructor(options: SwarmOptions) {
    const hosts = typeof options.hosts === "number" ? options.hosts : options.hosts.length;
    this.world = new World({ seed: options.seed, hosts, keep: options.keep });
    this.network = new VirtualNetwork(this.world, options.network);
    this.blobs = new Blobs(this.network);
    if (options.twist) this.twists.add(options.twist);
    const traits: readonly HostOptions[] =
      typeof options.hosts === "number"
        ? Array.from({ length: options.hosts }, (_, i) => ({ name: names[i] ?? `n${i}` }))
        : options.hosts;
    const certificates = this.found(traits);
    this.certificates = certificates;
    this.around = {
      world: this.world,
      wire: sharedWire(),
      network: this.network,
      blobs: this.blobs,
      executions: this.executions,
      behaviour: (request: Parameters<Behaviour>[0], situation: Situation) => this.run(request, situation),
      swarm: certificates[0]!.entry.swarm,
      stepped: (...step: Parameters<Watcher>) => {
        for (const watch of this.watchers) watch(...step);
      },
    };
    this.hosts = traits.map((t) => new Host(t, this.around, certificates));
  }

  /** Starts all hosts that are members and lets them find each other. */
  start(): this {
    for (const host of this.hosts) if (!host.options.stranger) host.start();
    this.world.runFor(500);
    return this;
  }

  /** Told after every step of every core. */
  watch(told: Watcher): void {
    this.watchers.add(told);
  }

  /** Throws for a name that no host has. */
  host(name: string): Host {
    const host = this.hosts.find((h) => h.name === name);
    if (!host) throw new Error(`no host is named ${name}`);
    return host;
  }

  /** From here on runs go otherwise; later twists see what earlier ones made of a run. The answer ends it. */
  twist(twist: Twist): () => void {
    this.twists.add(twist);
    return () => this.twists.delete(twist);
  }

  /** An image of a host's disk on a second machine like it, under the same identity, not yet started. It is one of `hosts` from here on. */
  clone(host: Host): Host {
    const name = `${host.name}~${++this.cloned}`;
    const clone = new Host({ ...host.options, name }, this.around, this.certificates, host.peer);
    clone.setBack(host.image());
    this.hosts.push(clone);
    return clone;
  }

  /** Hands a workload to a host and runs the world until the host says that it has taken it in. Throws its refusal. */
  submit(host: Host, workload: Workload, how: Parameters<Swarm["hand"]>[3] = {}): BuildId {
    const replies: CommandReply[] = [];
    const build = this.hand(host, workload, (reply) => replies.push(reply), how);
    this.world.runUntil(() => replies.length > 0, 600_000);
    const reply = replies[0];
    if (!reply) throw new SwarmError("timed-out", `${host.name} did not take the build in`);
    if (!reply.ok) throw new SwarmError(reply.code, reply.message, { remedy: reply.remedy });
    this.submittedMs.set(build, this.world.nowMs);
    return build;
  }

  /** Hands a workload to a host that is up; the reply never comes if the host dies before it is given. */
  hand(
    host: Host,
    workload: Workload,
    reply: (reply: CommandReply) => void,
    how: Pick<Extract<Command, { kind: "submit" }>, "fresh" | "checks"> = {},
  ): BuildId {
    // As a daemon does it with what is submitted to it.
    const { bytes } = encodeGraph(foretold(workload.graph, host.core.desk.estimates));
    const graph = this.blobs.put(host.peer, bytes);
    for (const file of workload.graph.files) this.blobs.add(host.peer, file.digest);
    const { name } = workload.graph;
    const nonce = `${this.submissions++}`;
    const build = buildIdOf(name, host.peer, graph, nonce);
    this.workloads.set(build, workload);
    host.command({ kind: "submit", name, graph, nonce, priority: 0, ...how }, reply);
    return build;
  }

  /** The build as the hosts see it that are up and know it. */
  views(build: BuildId): { readonly host: Host; readonly build: Build }[] {
    return this.hosts.flatMap((host) => {
      const view = host.up ? host.core.desk.builds.get(build) : undefined;
      return view ? [{ host, build: view }] : [];
    });
  }

  /** Whether all have heard of each other and of every start: before that they take different members for stewards. */
  get met(): boolean {
    const { hosts } = this;
    const frontiers = new Set(hosts.map(({ core }) => core.desk.chains.digest()));
    return (
      frontiers.size === 1 &&
      hosts.every(
        ({ core }) =>
          core.desk.settled && hosts.every((other) => core.desk.vitalsOf(other.peer) !== undefined),
      )
    );
  }

  /** Runs until some host holds the build sealed. Throws when that does not happen within `limitMs`. */
  finish(build: BuildId, limitMs = 600_000): Outcome {
    const sealed = () => this.views(build).find((v) => v.build.claims?.sealed);
    let ended = sealed() !== undefined;
    const watcher: Watcher = (host) => {
      ended ||= host.core.desk.builds.get(build)?.claims?.sealed !== undefined;
    };
    this.watchers.add(watcher);
    const inTime = this.world.runUntil(() => ended && sealed() !== undefined, limitMs);
    this.watchers.delete(watcher);
    if (!inTime)
      throw new Error(
        `${build} did not end within ${limitMs} ms (seed ${this.world.seed}): ${this.describe(build)}`,
      );
    const claims = sealed()!.build.claims!;
    const executions = new Map<ActionName, number>();
    const byHost: Record<string, number> = {};
    for (const execution of this.executions.all) {
      if (execution.build !== build) continue;
      executions.set(execution.action, (executions.get(execution.action) ?? 0) + 1);
      if (execution.ended === "done") byHost[execution.host] = (byHost[execution.host] ?? 0) + 1;
    }
    return {
      build,
      state: claims.sealed!.event.state,
      makespanMs: this.world.nowMs - this.submittedMs.get(build)!,
      counts: { ...claims.actions.counts },
      executions,
      byHost,
    };
  }

  /** Runs until every host that is up holds the same facts of the build and of the timeline; false when they do not in time. */
  settle(build: BuildId, limitMs = 60_000): boolean {
    const same = () => {
      const up = this.hosts.filter((h) => h.up);
      const facts = up.map((h) => {
        const { builds, chains } = h.core.desk;
        return `${chains.digest()} ${builds.get(build)?.ledger.digest()}`;
      });
      return new Set(facts).size === 1;
    };
    return this.world.runUntil(same, limitMs);
  }

  private describe(build: BuildId): string {
    return this.views(build)
      .map(({ host, build: b }) => {
        const counts = Object.entries(b.claims?.actions.counts ?? {}).filter(([, n]) => n > 0);
        return `${host.name} sees ${counts.map(([state, n]) => `${n} ${state}`).join(", ") || "no graph"}`;
      })
      .join("; ");
  }

  private run(request: Parameters<Behaviour>[0], situation: Situation): Run {
    const workload = this.workloads.get(request.build);
    const cost = workload?.costs.get(request.action);
    const requires = this.requirements(request.build).get(request.action);
    let run: Run = {
      workMs: cost?.workMs ?? 1000,
      outputBytes: cost?.outputBytes,
      slots: requires?.cpus,
      memoryBytes: requires?.memoryBytes,
      ends: "done",
    };
    for (const twist of this.twists) run = { ...run, ...twist(request, situation, run) };
    return run;
  }

  /** What the actions of a build take, by name: as much as they ask for. */
  private requirements(build: BuildId): ReadonlyMap<ActionName, Requirements> {
    let required = this.required.get(build);
    if (!required) {
      required = new Map(
        (this.workloads.get(build)?.graph.actions ?? []).flatMap((a) =>
          a.requires ? [[a.name, a.requires] as const] : [],
        ),
      );
      this.required.set(build, required);
    }
    return required;
  }

  /** The founding entry, by the root key: it admits all hosts, the first as the admin. */
  private found(traits: readonly HostOptions[]): SignedEntry[] {
    const admin = traits[0]!;
    const entry = foundingEntry({
      name: "sim",
      root: fakePeer("root"),
      nonce: "0".repeat(32),
      admin: fakePeer(admin.name),
      adminName: admin.name,
      nowMs: worldEpochMs,
      notAfterMs,
    });
    const others = traits
      .slice(1)
      .filter(({ stranger }) => !stranger)
      .map(({ name, roles }) => ({
        kind: "member.admitted",
        peer: fakePeer(name),
        name,
        roles: [...(roles ?? ["releaser", "builder", "submitter"])],
        notAfterMs,
      }));
    const certificates = [
      signed({ ...entry, events: [...entry.events, ...others.slice(0, admittedPerEntry)] }),
    ];
    for (let at = admittedPerEntry; at < others.length; at += admittedPerEntry) {
      const before = certificates.at(-1)!;
      const { seq } = before.entry;
      const events = others.slice(at, at + admittedPerEntry);
      certificates.push(signed({ ...entry, seq: seq + 1, prev: before.id, last: seq, events }));
    }
    return certificates;
  }
}
