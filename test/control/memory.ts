/** A `Control` in memory: a whole swarm played by one object, for tests of the socket and of the command line. */
import { createHash } from "node:crypto";
import type {
  ActionState,
  ActionView,
  BuildEvent,
  BuildResult,
  BuildState,
  BuildSummary,
  BuildView,
  Control,
  FormerView,
  HolderView,
  LogChunk,
  NodeView,
  RequestView,
} from "../../node/control/api.ts";
import { nextAction } from "../../node/control/next.ts";
import type { Moved, WordOptions } from "../../node/control/words.ts";
import { recipeOf } from "../../node/recipe.ts";
import { decodeGraph, dependenciesOf, encodeGraph, type Graph } from "../../protocol/build/graph.ts";
import type { ToolSet } from "../../protocol/build/tool-sets.ts";
import type { MemberOperation, Operation } from "../../protocol/contract.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  type Digest,
  type PeerId,
  peerIdOf,
} from "../../protocol/kernel/ids.ts";
import { fingerprintOf } from "../../protocol/swarm/fingerprint.ts";
import { chooseToolchains } from "../../protocol/work/tooling.ts";
import { collectionOf } from "./collection.ts";
import { MemoryArtifacts } from "./memory-artifacts.ts";
import { nodeView } from "./nodes.ts";

export interface MemoryOptions {
  /** The first is the node itself. */
  readonly nodes?: readonly string[];
  readonly toolchains?: readonly string[];
  /** Actions that fail. */
  readonly failing?: readonly string[];
  /** Awaited before each action ends. */
  readonly pace?: (action: string) => Promise<void>;
  /** A clock that stands still makes golden output. */
  readonly nowMs?: number;
  /** Runs that stopping anything loses. */
  readonly lost?: number;
  /** Unequal results at the end of a build. */
  readonly divergent?: BuildResult["divergent"];
}

export class MemoryControl extends MemoryArtifacts implements Control {
  /** Of each build that was submitted, whether the cache was not to be asked. */
  readonly freshness: boolean[] = [];
  readonly fetched = new Set<BuildId>();
  readonly tickets: string[] = [];
  /** What was said about builds and nodes, dry runs left out. */
  readonly words: unknown[] = [];
  private readonly orders = new Map<PeerId, "paused" | "drained">();
  readonly parted: FormerView[] = [];
  readonly requests: RequestView[] = [];
  stopped = false;
  private readonly options: Required<MemoryOptions>;
  private readonly plays = new Map<BuildId, Play>();

  constructor(options: MemoryOptions = {}) {
    super();
    this.options = {
      nodes: ["alpha"],
      toolchains: ["cc", "g++", "ar", "patch"],
      failing: [],
      pace: async () => {},
      nowMs: Date.UTC(2030, 0, 1),
      lost: 0,
      divergent: [],
      ...options,
    };
  }

  async status() {
    const [node, ...peers] = await this.nodes();
    const builds = await this.builds();
    const live = builds.filter((build) => build.state === "running" || build.state === "paused");
    const sum = (...states: ActionState[]) =>
      live.reduce((total, build) => total + states.reduce((n, state) => n + build.counts[state], 0), 0);
    return {
      swarm: { id: "a".repeat(64), name: "test", members: 1 + peers.length },
      node: node!,
      peers,
      builds,
      counts: {
        needed: sum("waiting", "ready"),
        building: sum("claimed", "running"),
        complete: sum("done"),
        blocked: sum("blocked", "held"),
        staged: 0,
      },
      behind: { builds: 0, entries: 0 },
      forks: [],
      admins: ["ann"],
      asking: [],
      waits: [],
      divergent: [],
      channels: [],
      gateway: null,
      next: nextAction({
        members: 1 + peers.length,
        aliveMembers: 1 + peers.length,
        takers: 1 + peers.length - this.orders.size,
        ordered: [node!, ...peers].flatMap(({ name, peerId }) => {
          const order = this.orders.get(peerId);
          return order ? [{ name, order }] : [];
        }),
        builds: builds.map((summary) => ({
          ...summary,
          own: true,
          fetched: this.fetched.has(summary.build),
          failedAction: this.play(summary.build).views.find((view) => view.state === "blocked")?.name,
        })),
      }),
    };
  }

  async nodes(): Promise<NodeView[]> {
    return this.options.nodes.map((name, index) => {
      const view = nodeView(name, index, this.options.toolchains);
      const limitedBy = this.orders.get(view.peerId);
      return limitedBy ? { ...view, vitals: { ...view.vitals!, slots: 0, limitedBy } } : view;
    });
  }

  async builds(): Promise<BuildSummary[]> {
    return [...this.plays.values()].map((play) => play.summary()).reverse();
  }

  async build(build: BuildId): Promise<BuildView> {
    return this.play(build).view();
  }

  async recipe(build: BuildId, action: ActionName) {
    return this.play(build).recipe(action);
  }

  async *watch(build: BuildId, signal: AbortSignal): AsyncGenerator<BuildEvent> {
    const play = this.play(build);
    const summary = play.summary();
    const running = play.views
      .filter((view) => view.state === "running")
      .map((view) => ({ action: view.name, node: play.nodeOf(view.name), sinceMs: 0 }));
    let at = play.events.length;
    yield { kind: "snapshot", summary, running };
    play.begin();
    while (!signal.aborted) {
      while (at < play.events.length) yield play.events[at++]!;
      if (play.state !== "running") {
        yield { kind: "end", result: play.result() };
        return;
      }
      await play.news(signal);
    }
  }

  async *logs({ subject, follow }: Parameters<Control["logs"]>[0], signal: AbortSignal) {
    const chunks: LogChunk[] = [];
    for (const play of this.plays.values())
      for (const view of play.views)
        if (
          view.state === "blocked" &&
          ("node" in subject
            ? play.nodeOf(view.name) === subject.node
            : play.build === subject.build && (subject.action ?? view.name) === view.name)
        )
          chunks.push({
            node: play.nodeOf(view.name),
            build: play.build,
            action: view.name,
            stream: "stderr",
            text: `${view.name}: it went wrong\n`,
          });
    yield* chunks;
    if (follow) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }

  async resolveToolchains(sets: readonly ToolSet[]) {
    const nodes = await this.nodes();
    const candidates = nodes.flatMap(({ name, vitals }) => (vitals ? [{ name, vitals }] : []));
    return chooseToolchains(sets, candidates, nodes[0]!.peerId);
  }

  async holders(digest: Digest): Promise<HolderView[]> {
    if (!this.blobs.has(digest)) return [];
    const [node] = await this.nodes();
    return [
      {
        node: node!.name,
        peerId: node!.peerId,
        state: "self",
        by: ["fact", "answer"],
        holds: "yes",
        latencyMs: 1.25,
        corrupt: 0,
        lied: 1,
      },
    ];
  }

  async submit(request: {
    readonly name: string;
    readonly graph: Digest;
    readonly priority: number;
    readonly fresh?: boolean;
  }) {
    this.freshness.push(request.fresh ?? false);
    const bytes = this.blobs.get(request.graph);
    if (!bytes) throw new SwarmError("blob-missing", "the graph was not uploaded");
    const graph = decodeGraph(bytes);
    for (const file of graph.files)
      if (!this.blobs.has(file.digest)) throw new SwarmError("blob-missing", `${file.path} was not uploaded`);
    const serial = createHash("sha256").update(`${this.plays.size}`).digest("hex").slice(0, 10);
    const build = `${request.name}-${serial}` as BuildId;
    const play = new Play(build, graph, this, this.options, [...this.plays.values()]);
    this.plays.set(build, play);
    return { build };
  }

  async control(
    build: BuildId,
    op: "pause" | "resume" | "cancel",
    options: WordOptions = {},
  ): Promise<Moved> {
    const play = this.play(build);
    const left = play.views.filter((view) => view.state !== "done").length;
    if (!options.dryRun) {
      this.words.push({ build, op, ...options });
      if (op === "cancel") play.cancel();
      else play.paused = op === "pause";
    }
    return { build, moved: left, lost: op === "cancel" ? this.options.lost : 0 };
  }

  async operate(operation: Operation, options: WordOptions = {}): Promise<Moved> {
    if (!options.dryRun) {
      this.words.push({ ...operation, ...options });
      if (operation.op === "pause") this.orders.set(operation.peer, "paused");
      if (operation.op === "drain") this.orders.set(operation.peer, "drained");
      if (operation.op === "resume") this.orders.delete(operation.peer);
    }
    const loses = operation.op === "reset" || (operation.op === "drain" && operation.now === true);
    const build = "build" in operation ? operation.build : undefined;
    return { moved: 1, lost: loses ? this.options.lost : 0, ...(build ? { build } : {}) };
  }

  async queue() {
    const live = (await this.builds()).filter(({ state }) => state === "running" || state === "paused");
    return live.map((build, i) => ({
      ...build,
      place: i + 1,
      priority: 0,
      gained: 0,
      share: 1 / live.length,
    }));
  }

  async members() {
    const nodes = await this.nodes();
    return {
      swarm: { id: "a".repeat(64), name: "test" },
      self: nodes[0]!.peerId,
      members: nodes.map(({ name, peerId, roles, state }) => ({
        name,
        peerId,
        roles,
        state,
        fingerprint: fingerprintOf(peerId),
        notAfterMs: this.options.nowMs + 86_400_000,
      })),
      former: this.parted,
      requests: this.requests,
    };
  }

  async member(operation: MemberOperation, options: { readonly reason?: string } = {}) {
    this.words.push({ ...operation, ...options });
  }

  async rotate() {
    return { peer: peerIdOf(new Uint8Array(32).fill(77)) };
  }

  async invite({ ttlMs }: { readonly ttlMs: number }) {
    const ticket = `swarmd1${"a".repeat(20)}${this.tickets.length}`;
    this.tickets.push(ticket);
    return {
      ticket,
      expiresAtMs: this.options.nowMs + ttlMs,
      addresses: ["/ip4/192.0.2.7/tcp/4701"],
    };
  }

  async doctor() {
    return [{ check: "peers", level: "note" as const, text: "this node is alone", remedy: "swarmd invite" }];
  }

  async fleet() {
    const { name: node, peerId, state } = (await this.nodes())[0]!;
    return [{ node, peerId, state, findings: await this.doctor() }];
  }

  async reach() {
    const { name: node, peerId, state } = (await this.nodes())[0]!;
    return { rows: [{ node, peerId, state, ways: [] }] };
  }

  async collect(options: Parameters<Control["collect"]>[0]) {
    return collectionOf(this.blobs, options);
  }

  async stop() {
    this.stopped = true;
  }

  private play(build: BuildId): Play {
    const play = this.plays.get(build);
    if (!play) throw new SwarmError("not-found", `there is no build ${build}`);
    return play;
  }
}

/** One build, played in dependency order. */
class Play {
  readonly build: BuildId;
  readonly events: BuildEvent[] = [];
  readonly views: ActionView[];
  state: BuildState = "running";
  paused = false;
  private readonly graph: Graph;
  private readonly home: MemoryControl;
  private readonly options: Required<MemoryOptions>;
  private readonly earlier: readonly Play[];
  private waiting: (() => void)[] = [];
  private running: Promise<void> | undefined;

  constructor(
    build: BuildId,
    graph: Graph,
    home: MemoryControl,
    options: Required<MemoryOptions>,
    earlier: readonly Play[],
  ) {
    this.build = build;
    this.graph = graph;
    this.home = home;
    this.options = options;
    this.earlier = earlier;
    this.views = graph.actions.map((action) => ({
      name: action.name,
      group: action.group,
      ...(action.requires?.target === undefined ? {} : { target: action.requires.target }),
      state: "waiting",
      dependsOn: dependenciesOf(graph, action),
      cached: false,
      outputs: [],
      attempts: [],
    }));
  }

  recipe(name: ActionName) {
    const action = this.graph.actions.find((one) => one.name === name);
    if (!action) throw new SwarmError("not-found", `there is no action ${name} in ${this.build}`);
    return recipeOf(this.graph, action, (by) => this.views.find((view) => view.name === by)?.outputs ?? []);
  }

  /** Somebody looks: the play begins, so that its events are seen from the first. */
  begin() {
    this.running ??= this.run();
  }

  private async run() {
    for (const [index, action] of this.graph.actions.entries()) {
      const dependencies = dependenciesOf(this.graph, action);
      if (dependencies.some((name) => this.views.find((view) => view.name === name)?.state !== "done")) {
        this.set(index, { state: "held", waitsFor: `held behind ${dependencies[0]}` });
        continue;
      }
      if (
        this.earlier.some((play) =>
          play.views.some((view) => view.name === action.name && view.state === "done"),
        )
      ) {
        this.set(index, { state: "done", cached: true, outputs: this.makeOutputs(index) });
        continue;
      }
      this.set(index, { state: "running" });
      await this.options.pace(action.name);
      if (this.state !== "running") return;
      const failed = this.options.failing.includes(action.name);
      const attempt = {
        claim: `${index}` as never,
        attempt: 1,
        node: this.nodeOf(action.name),
        steward: this.options.nodes[0]!,
        usage: { fetchMs: 0, wallMs: 100, cpuMs: 90, maxRssBytes: 1000, fetchedBytes: 0 },
      };
      if (failed) {
        const stderr = this.store(`${action.name}: it went wrong\n`);
        this.set(index, {
          state: "blocked",
          attempts: [{ ...attempt, state: "failed", exitCode: 1, reason: "exit code 1", stderr }],
        });
      } else
        this.set(index, {
          state: "done",
          attempts: [{ ...attempt, state: "done" }],
          outputs: this.makeOutputs(index),
        });
    }
    this.state = this.views.every((view) => view.state === "done") ? "complete" : "failed";
    this.wake();
  }

  cancel() {
    if (this.state !== "running") return;
    this.state = "cancelled";
    this.wake();
  }

  nodeOf(action: string): string {
    const index = this.graph.actions.findIndex((a) => a.name === action);
    return this.options.nodes[index % this.options.nodes.length]!;
  }

  news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  summary(): BuildSummary {
    const counts = {
      waiting: 0,
      ready: 0,
      claimed: 0,
      running: 0,
      done: 0,
      blocked: 0,
      held: 0,
      cancelled: 0,
    };
    for (const view of this.views) counts[view.state]++;
    return {
      build: this.build,
      name: this.graph.name,
      state: this.paused && this.state === "running" ? "paused" : this.state,
      submitter: this.options.nodes[0]!,
      submittedAtMs: this.options.nowMs + this.earlier.length,
      wallMs: 100 * counts.done,
      actions: this.views.length,
      counts,
    };
  }

  result(): BuildResult {
    const ran = this.views.filter((view) => view.attempts.length > 0);
    const byNode: Record<string, number> = {};
    for (const view of ran) byNode[this.nodeOf(view.name)] = (byNode[this.nodeOf(view.name)] ?? 0) + 1;
    const count = (state: ActionState) => this.views.filter((view) => view.state === state).length;
    return {
      build: this.build,
      state: this.state,
      actions: this.views.length,
      executed: ran.filter((view) => view.state === "done").length,
      cached: this.views.filter((view) => view.cached).length,
      failed: count("blocked"),
      blocked: count("blocked") + count("held"),
      duplicated: 0,
      divergent: this.options.divergent,
      wallMs: 100 * count("done"),
      byNode,
    };
  }

  view(): BuildView {
    const result = this.result();
    return {
      ...this.summary(),
      graph: encodeGraph(this.graph).digest,
      result,
      actionViews: this.views,
      cpuMs: 90 * result.executed,
      fetchedBytes: 0,
      byNodeUsage: Object.entries(result.byNode).map(([node, executed]) => ({
        node,
        executed,
        wallMs: 100 * executed,
        cpuMs: 90 * executed,
        fetchedBytes: 0,
      })),
      criticalPath: { totalMs: 0, steps: [] },
    };
  }

  private set(index: number, change: Partial<ActionView>) {
    const view = { ...this.views[index]!, ...change };
    this.views[index] = view;
    this.events.push({
      kind: "action",
      action: view.name,
      state: view.state,
      node: view.cached ? undefined : this.nodeOf(view.name),
      cached: view.cached || undefined,
      ms: view.state === "done" && !view.cached ? 100 : undefined,
      reason: view.state === "blocked" ? "exit code 1" : undefined,
      counts: this.summary().counts,
    });
    this.wake();
  }

  private makeOutputs(index: number) {
    return this.graph.actions[index]!.outputs.map(({ path, kind }) => {
      const digest = this.store(`content of ${path}\n`);
      if (kind === "folder") this.home.trees.set(digest, [{ path: "inner/file", digest, executable: false }]);
      return { path, digest, kind, executable: kind === "file" };
    });
  }

  private store(text: string): Digest {
    const bytes = Buffer.from(text);
    const digest = digestOf(bytes);
    this.home.blobs.set(digest, bytes);
    return digest;
  }

  private wake() {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
