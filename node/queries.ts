/** All reads: views of the core's state for the CLI and, later, the gateway. Nothing here changes anything. */
import type { Core } from "../protocol/core.ts";
import { plannedPath } from "../protocol/explain/critical-path.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, byText, type PeerId } from "../protocol/kernel/ids.ts";
import { fingerprintOf } from "../protocol/swarm/fingerprint.ts";
import { type ActionState, actionStates } from "../protocol/work/actions.ts";
import { endedOf } from "../protocol/work/archive.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claim } from "../protocol/work/claim.ts";
import type { Claims } from "../protocol/work/claims.ts";
import { sidesOf } from "../protocol/work/divergence.ts";
import { whyNobody } from "../protocol/work/eligible.ts";
import type { Hold } from "../protocol/work/holds.ts";
import { rebuiltOf } from "../protocol/work/rebuilt.ts";
import { awaited } from "../protocol/work/standing.ts";
import { remedyOf, waitsOf } from "../protocol/work/waits.ts";
import type {
  ActionView,
  AttemptView,
  BuildResult,
  BuildSummary,
  BuildView,
  DivergentView,
  ForkView,
  MembersView,
  NodeView,
  QueuedBuild,
  RunningAction,
  StatusView,
  WaitView,
} from "./control/api.ts";
import type { HoldView } from "./control/words.ts";
import { holdsOf } from "./hold-views.ts";
import type { Mesh } from "./ports.ts";
import { targetOf } from "./recipe.ts";

const noActions = Object.fromEntries(actionStates.map((s) => [s, 0])) as Record<ActionState, number>;

/** What an action waits for that a person holds. */
const heldText: Readonly<Record<Hold, string>> = {
  pause: "waits until the build is resumed",
  failure: "waits until somebody answers the failure that the build broke at",
  breakpoint: "waits at its breakpoint",
};

/** Actions with unequal results that are told of one build. */
const divergentMax = 100;

/** A seal says of what is complete that all of it is done: bytes found lost at the same moment, or later, are made by nobody any more. */
function countsOf({ claims, submission }: Build): Record<ActionState, number> {
  const actions = submission!.event.actions;
  if (claims?.sealed?.event.state === "complete") return { ...noActions, done: actions };
  return claims ? { ...claims.actions.counts } : { ...noActions, waiting: actions };
}

export class Queries {
  private readonly core: Core;
  private readonly mesh: Pick<Mesh, "addresses" | "addressesOf" | "versionOf">;

  constructor(core: Core, mesh: Pick<Mesh, "addresses" | "addressesOf" | "versionOf">) {
    this.core = core;
    this.mesh = mesh;
  }

  /** The name people use for a node; the end of its id for one that is no member any more. */
  nameOf(peer: PeerId): string {
    return this.core.desk.members.nameOf(peer) ?? peer.slice(-8);
  }

  nodes(): NodeView[] {
    const { desk } = this.core;
    return desk.members.all().map((member) => {
      const own = member.peer === desk.config.self;
      const aheadMs = desk.peers.clockAheadMs(member.peer);
      const version = own
        ? desk.config.version
        : (desk.vitalsOf(member.peer)?.version ?? this.mesh.versionOf(member.peer));
      return {
        name: member.name,
        peerId: member.peer,
        state: own ? "self" : desk.status(member.peer),
        roles: member.roles,
        addresses: own ? this.mesh.addresses() : this.mesh.addressesOf(member.peer),
        vitals: desk.vitalsOf(member.peer) ?? null,
        ...(version === undefined ? {} : { version }),
        ...(aheadMs === undefined ? {} : { clockAheadMs: Math.round(aheadMs) }),
        running: this.runningOn(member.peer),
      };
    });
  }

  node(name: string): NodeView {
    const found = this.nodes().find((n) => n.name === name || n.peerId === name);
    if (!found)
      throw new SwarmError("not-found", `there is no node ${name}`, {
        remedy: "see the nodes: swarmd node list",
      });
    return found;
  }

  members(): MembersView {
    const { desk, door } = this.core;
    const { requests } = door;
    const { members, config, now } = desk;
    return {
      swarm: { id: config.swarm, name: members.swarmName },
      self: config.self,
      members: members.all().map(({ peer, name, roles, notAfterMs }) => ({
        name,
        peerId: peer,
        fingerprint: fingerprintOf(peer),
        roles,
        state: peer === config.self ? "self" : desk.status(peer),
        notAfterMs,
      })),
      former: members.formers().map(({ peer, name, parting }) => ({
        name,
        peerId: peer,
        why: parting.why,
        by: this.nameOf(parting.by),
        ...(parting.reason === undefined ? {} : { reason: parting.reason }),
      })),
      requests: requests.all().map((request) => {
        const known = request.ticket && door.ticketOf(request.ticket.ticket);
        return {
          name: request.name,
          peerId: request.peer,
          fingerprint: fingerprintOf(request.peer),
          roles: requests.rolesFor(request, known),
          via: this.nameOf(request.via),
          idleMs: Math.max(0, Math.round(now.monoMs - request.askedMonoMs)),
          ...(request.ticket
            ? {
                ticket: {
                  ticket: request.ticket.ticket,
                  issuer: known ? this.nameOf(known.issuer) : "?",
                  good:
                    known !== undefined &&
                    known.event.key === request.ticket.key &&
                    known.event.notAfterMs > now.wallMs,
                },
              }
            : {}),
        };
      }),
    };
  }

  /** Names of those that may admit others, in order. */
  admins(): string[] {
    const admins = this.core.desk.members.all().filter(({ roles }) => roles.includes("admin"));
    return admins.map(({ name }) => name).sort(byText);
  }

  /** Names of those that ask to come in, in order. */
  asking(): string[] {
    return this.core.door.requests.all().map(({ name }) => name);
  }

  /** Newest first. */
  builds(): BuildSummary[] {
    return [...this.core.desk.builds.values()]
      .filter((b) => b.submission)
      .map((b) => this.summary(b))
      .sort((a, b) => b.submittedAtMs - a.submittedAtMs || (a.build < b.build ? -1 : 1));
  }

  /** Those that are archived too. Of what did not complete only the results were counted then. */
  history(): BuildSummary[] {
    const archived = this.core.desk.archive.all().map((a): BuildSummary => {
      const { submitted, author, submittedAtMs, sealed } = endedOf(a);
      return {
        build: a.build,
        name: submitted.name,
        state: sealed.state,
        submitter: this.nameOf(author),
        submittedAtMs,
        wallMs: sealed.wallMs,
        actions: submitted.actions,
        counts: { ...noActions, done: sealed.state === "complete" ? submitted.actions : a.done },
        ...(submitted.fresh ? { fresh: true } : {}),
        ...(submitted.checks ? { checks: submitted.checks } : {}),
      };
    });
    return [...this.builds(), ...archived].sort(
      (a, b) => b.submittedAtMs - a.submittedAtMs || byText(a.build, b.build),
    );
  }

  behind(): StatusView["behind"] {
    return { builds: this.core.borrower.behind, entries: this.core.desk.chains.waiting };
  }

  forks(): ForkView[] {
    const { desk } = this.core;
    return desk.members.forks.all().map(({ author, inc, seq, build }) => {
      const now = author === desk.config.self ? desk.config.inc : desk.peers.incarnationOf(author);
      return {
        node: this.nameOf(author),
        start: inc,
        seq,
        ...(build === undefined ? {} : { build }),
        over: now !== inc,
      };
    });
  }

  divergent(): StatusView["divergent"] {
    return this.builds().flatMap(({ build, checks }): StatusView["divergent"] => {
      if (checks) return this.rebuiltOtherwise(build, checks);
      const found = this.divergentIn(this.core.desk.builds.get(build)!);
      if (found.length === 0) return [];
      const nodes = new Set(found.flatMap(({ results }) => results.flatMap((r) => r.nodes)));
      return [{ build, first: found[0]!.action, actions: found.length, nodes: [...nodes].sort(byText) }];
    });
  }

  /** What a check by rebuilding found to differ counts for the build that it checks. */
  private rebuiltOtherwise(check: BuildId, build: BuildId): StatusView["divergent"] {
    const { builds } = this.core.desk;
    const rebuilt = rebuiltOf(builds.get(check)!, (peer) => this.nameOf(peer), builds.get(build)?.claims);
    const found = rebuilt?.actions.filter(({ verdict }) => verdict === "different") ?? [];
    if (found.length === 0) return [];
    const nodes = new Set(found.flatMap(({ by, again }) => [...by, ...again]));
    const names = [...nodes].map((peer) => this.nameOf(peer)).sort(byText);
    return [{ build, first: found[0]!.action, actions: found.length, nodes: names, check }];
  }

  private divergentIn({ claims }: Build): DivergentView[] {
    return [...(claims?.divergent ?? [])]
      .sort((a, b) => a - b)
      .slice(0, divergentMax)
      .map((index) => ({
        action: claims!.action(index).name,
        results: sidesOf(claims!, index).map(({ outputs, by }) => ({
          nodes: by.map((peer) => this.nameOf(peer)),
          ...(outputs ? { outputs } : {}),
        })),
      }));
  }

  waits(): WaitView[] {
    const { desk, scheduler } = this.core;
    const nodes = desk.seen().map((vitals) => ({ name: this.nameOf(vitals.peer), vitals }));
    return desk.liveBuilds().flatMap((build) =>
      waitsOf(desk, build, (index) => scheduler.readySinceMonoMs(build, index)).map((wait) => {
        const remedy = remedyOf(wait, build, nodes, desk.config.self);
        return {
          build: build.id,
          first: wait.first,
          actions: wait.actions,
          why:
            wait.placed === undefined
              ? whyNobody(wait.unfit.map(({ peer, shortfalls }) => ({ name: this.nameOf(peer), shortfalls })))
              : `a person placed it on ${wait.placed}, which ${wait.unfit[0]!.shortfalls[0]!.text}`,
          never: wait.never,
          forMs: Math.max(0, Math.round(desk.now.monoMs - wait.sinceMonoMs)),
          had: wait.had.map(({ name, dead }) => ({ node: name, away: dead })),
          ...(remedy ? { remedy } : {}),
        };
      }),
    );
  }

  /** Members that run on two machines under one identity, as far as this node hears. */
  twins(): { name: string; own: boolean }[] {
    const { desk } = this.core;
    const { self } = desk.config;
    return desk.members.all().flatMap(({ peer, name }) => {
      const own = peer === self;
      const twice = own
        ? desk.standing === "twins"
        : desk.status(peer) === "alive" && desk.peers.vitals(peer)?.limitedBy === "clone";
      return twice ? [{ name, own }] : [];
    });
  }

  /** Live builds in the order in which idle nodes look for work in them. */
  queue(): QueuedBuild[] {
    const live = this.core.desk.liveBuilds().filter((b) => b.submission);
    const inHand = live.reduce((sum, b) => sum + b.claims!.openClaims.size, 0);
    const ranked = new Map(this.core.gate.queue().map((turn, at) => [turn.build, { ...turn, at }]));
    // What has nothing to begin now waits behind what has; what a person paused, behind both.
    const turnOf = ({ id, claims }: Build) => (claims!.paused ? 2e9 : (ranked.get(id)?.at ?? 1e9));
    return live
      .sort(
        (a, b) =>
          turnOf(a) - turnOf(b) ||
          b.submission!.event.priority - a.submission!.event.priority ||
          a.submission!.wallMs - b.submission!.wallMs ||
          byText(a.id, b.id),
      )
      .map((build, index) => {
        const { priority } = build.submission!.event;
        return {
          ...this.summary(build),
          place: index + 1,
          priority,
          gained: (ranked.get(build.id)?.effectivePriority ?? priority) - priority,
          share: inHand === 0 ? 0 : build.claims!.openClaims.size / inHand,
        };
      });
  }

  /** One in memory. Throws `not-found`. */
  find(id: BuildId): Build {
    const build = this.core.desk.builds.get(id);
    if (!build?.submission)
      throw new SwarmError("not-found", `there is no build ${id}`, {
        remedy: "see the builds: swarmd history",
      });
    return build;
  }

  summary(build: Build): BuildSummary {
    const { event, author, wallMs: submittedAtMs } = build.submission!;
    const { claims } = build;
    const holds = claims ? this.holds(build) : [];
    return {
      build: build.id,
      name: event.name,
      state: claims?.sealed?.event.state ?? (claims && !claims.settled ? claims.state : "running"),
      submitter: this.nameOf(author),
      submittedAtMs,
      wallMs:
        claims?.sealed?.event.wallMs ?? Math.max(0, Math.round(this.core.desk.now.wallMs - submittedAtMs)),
      actions: event.actions,
      counts: countsOf(build),
      ...(event.fresh ? { fresh: true } : {}),
      ...(event.checks ? { checks: event.checks } : {}),
      ...(holds.length > 0 ? { holds } : {}),
    };
  }

  /** What people hold now of a build whose graph is here. */
  holds(build: Build): HoldView[] {
    return holdsOf(this.core, build, (peer) => this.nameOf(peer));
  }

  /** Actions the seal calls done of which nothing here says so yet. */
  awaited(build: Build): number {
    return awaited(build, this.core.desk.members);
  }

  result(build: Build): BuildResult {
    const summary = this.summary(build);
    const { claims } = build;
    const byNode: Record<string, number> = {};
    const counted = { executed: 0, cached: 0, failed: 0, duplicated: 0 };
    for (let index = 0; claims && index < claims.actions.size; index++) {
      const attempts = claims.claimsOf(index);
      const done = attempts.filter((c) => c.done);
      if (done.length > 0) counted.executed++;
      else if (claims.wasCached(index)) counted.cached++;
      counted.duplicated += Math.max(0, done.length - 1);
      counted.failed += attempts.filter((c) => c.fail?.cause === "deterministic").length;
      for (const holder of new Set(done.map((c) => this.nameOf(c.holder))))
        byNode[holder] = (byNode[holder] ?? 0) + 1;
    }
    return {
      build: build.id,
      state: summary.state,
      actions: summary.actions,
      executed: counted.executed,
      cached: counted.cached,
      failed: counted.failed,
      blocked: summary.counts.blocked,
      duplicated: counted.duplicated,
      divergent: this.divergentIn(build),
      wallMs: summary.wallMs,
      byNode,
    };
  }

  view(build: Build): BuildView {
    const { claims } = build;
    const unheard = this.awaited(build);
    const usage = new Map<
      string,
      { executed: number; wallMs: number; cpuMs: number; fetchedBytes: number }
    >();
    for (const claim of claims?.claims.values() ?? []) {
      const used = claim.done?.usage ?? claim.fail?.usage;
      if (!used) continue;
      const name = this.nameOf(claim.holder);
      const sum = usage.get(name) ?? { executed: 0, wallMs: 0, cpuMs: 0, fetchedBytes: 0 };
      sum.executed += claim.done ? 1 : 0;
      sum.wallMs += used.wallMs;
      sum.cpuMs += used.cpuMs;
      sum.fetchedBytes += used.fetchedBytes;
      usage.set(name, sum);
    }
    const byNodeUsage = [...usage.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([node, u]) => ({ node, ...u }));
    return {
      ...this.summary(build),
      ...(unheard > 0 ? { awaited: unheard } : {}),
      graph: build.submission!.event.graph,
      result: this.result(build),
      actionViews: claims ? claims.graph.actions.map((_, index) => this.action(build, claims, index)) : [],
      cpuMs: byNodeUsage.reduce((sum, u) => sum + u.cpuMs, 0),
      fetchedBytes: byNodeUsage.reduce((sum, u) => sum + u.fetchedBytes, 0),
      byNodeUsage,
      criticalPath: claims ? this.criticalPath(claims) : { totalMs: 0, steps: [] },
    };
  }

  /** Open claims whose holder said `start`, or runs them here. */
  running(build: Build): RunningAction[] {
    const { desk } = this.core;
    const running: RunningAction[] = [];
    for (const claim of build.claims?.openClaims ?? [])
      running.push({
        action: build.claims!.action(claim.action).name,
        node: this.nameOf(claim.holder),
        sinceMs: Math.max(
          0,
          Math.round(desk.now.monoMs - (this.core.expiry.seenMonoMs(claim.id) ?? desk.now.monoMs)),
        ),
      });
    return running;
  }

  /** Longest chain of measured durations through the dependencies; what was cached took no time. */
  private criticalPath(claims: Claims): BuildView["criticalPath"] {
    const ran = new Map<ActionName, Claim>();
    const planned = claims.graph.actions.map(({ name }, index) => {
      const claim = claims.claimsOf(index).find((c) => c.done);
      if (claim) ran.set(name, claim);
      return {
        action: name,
        ms: claim?.done?.usage?.wallMs ?? 0,
        dependsOn: claims.dependencies[index]!.map((d) => claims.action(d).name),
      };
    });
    const { totalMs, steps } = plannedPath(planned);
    return {
      totalMs,
      steps: steps.flatMap(({ action, ms }) => {
        const claim = ran.get(action);
        return claim ? [{ action, node: this.nameOf(claim.holder), ms }] : [];
      }),
    };
  }

  private runningOn(peer: PeerId): NodeView["running"] {
    return [...this.core.desk.builds.values()].flatMap((build) =>
      [...(build.claims?.openClaims ?? [])]
        .filter((c) => c.holder === peer)
        .map((c) => ({
          build: build.id,
          action: build.claims!.action(c.action).name,
          sinceMs: Math.max(
            0,
            Math.round(
              this.core.desk.now.monoMs - (this.core.expiry.seenMonoMs(c.id) ?? this.core.desk.now.monoMs),
            ),
          ),
        })),
    );
  }

  private action(build: Build, claims: Claims, index: number): ActionView {
    const action = claims.action(index);
    const { name, group } = action;
    const target = targetOf(action);
    const attempts = claims.claimsOf(index);
    const result = claims.resultOf(index);
    const key = result?.key ?? attempts.at(-1)?.key;
    const state = claims.actions.get(index);
    const waitsFor = this.waitsFor(build, claims, index);
    return {
      name,
      group,
      ...(target === undefined ? {} : { target }),
      state,
      dependsOn: claims.dependencies[index]!.map((d) => claims.action(d).name),
      ...(key ? { key } : {}),
      cached: claims.wasCached(index) && !attempts.some((c) => c.done),
      ...(claims.graph.release?.include.includes(name) ? { released: true } : {}),
      outputs: result?.result.outputs ?? [],
      attempts: attempts.map((c) => this.attempt(c, claims)),
      ...(waitsFor ? { waitsFor } : {}),
    };
  }

  private attempt(claim: Claim, claims: Claims): AttemptView {
    const { fail, done } = claim;
    const result = done && claims.resultsOf(claim.action).find((r) => r.hash === done.resultHash);
    const reason = fail?.reason ?? claim.abandoned ?? claim.expired;
    const outs = fail ?? result?.result;
    const usage = done?.usage ?? fail?.usage;
    return {
      claim: claim.id,
      attempt: claim.attempt,
      node: this.nameOf(claim.holder),
      steward: this.nameOf(claim.steward),
      state: done
        ? "done"
        : fail
          ? "failed"
          : claim.abandoned !== undefined
            ? "abandoned"
            : claim.expired !== undefined
              ? "expired"
              : claim.started
                ? "running"
                : "claimed",
      ...(reason !== undefined ? { reason } : {}),
      ...(fail?.exitCode !== undefined ? { exitCode: fail.exitCode } : {}),
      ...(usage ? { usage } : {}),
      ...(outs?.stdout ? { stdout: outs.stdout } : {}),
      ...(outs?.stderr ? { stderr: outs.stderr } : {}),
      ...(claim.why ? { why: claim.why } : {}),
    };
  }

  private waitsFor(build: Build, claims: Claims, index: number): string | undefined {
    const state = claims.actions.get(index);
    if (state === "waiting" || state === "held") {
      const open = claims.dependencies[index]!.filter((d) => claims.actions.get(d) !== "done").map(
        (d) => claims.action(d).name,
      );
      const shown = open.slice(0, 3).join(", ");
      return `${state === "held" ? "blocked behind" : "waits for"} ${shown}${open.length > 3 ? ` and ${open.length - 3} more` : ""}`;
    }
    if (state !== "ready") return undefined;
    const held = claims.heldBy(index);
    if (held !== undefined) return heldText[held];
    const { scored, unfit } = this.core.scheduler.candidates(build, index);
    if (scored.length > 0)
      return `waits for a free slot on ${scored
        .map((s) => this.nameOf(s.peer))
        .slice(0, 4)
        .join(", ")}`;
    return whyNobody(unfit.map(({ peer, shortfalls }) => ({ name: this.nameOf(peer), shortfalls })));
  }
}
