/**
 * The operator's hand: what a person asks of a build or a node becomes events, each saying how many actions it moves and how many
 * runs it throws away. What is so already is said by no event, so that asking twice does no more than asking once.
 */
import { nearest } from "../build/nearest.ts";
import type { Command, Operation } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { Event } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import { type Claim, type Claims, isOpen } from "./claims.ts";
import { controlPlan, type Hands, type Plan } from "./control.ts";
import type { Desk } from "./desk.ts";
import type { Holder } from "./holder.ts";
import { refusal } from "./submit.ts";

/** Claims that one event names: with ids of any length it fits an entry. */
const claimsMaxPerEvent = 256;

type Word = Extract<Command, { kind: "control" | "operate" }>;
type Forgiving = Extract<Operation, { op: "retry" | "unblock" | "retry-failures" | "clear-failures" }>;
type OfNode = Extract<Operation, { peer: PeerId }>;

/** Does what a person asks, or with `dryRun` only says what it would come to; answers once it is on disk. */
export function operate(desk: Desk, holder: Holder, id: number, word: Word): void {
  try {
    const { says, build, moved, lost } = planOf(desk, holder, word);
    const reply = { ok: true as const, ...(build ? { build } : {}), moved, lost };
    if (word.dryRun || says.length === 0) return desk.emit({ kind: "reply", id, reply });
    says.forEach((one, at) => {
      const after = at === says.length - 1 ? [{ kind: "reply" as const, id, reply }] : [];
      desk.say(one.build, one.event, { urgent: true, durable: true, after });
    });
  } catch (error) {
    desk.emit({ kind: "reply", id, reply: refusal(error) });
  }
}

function planOf(desk: Desk, holder: Holder, word: Word): Plan {
  const { self } = desk.config;
  // Others say `start` a second late; the first of a bundle begins at once.
  const hands: Hands = {
    runs: (c) => (c.holder === self ? holder.executes(c.id) : c.started || c.turn === 0),
    waits: (c) => (c.holder === self ? !holder.executes(c.id) : !c.started),
  };
  if (word.kind === "control") return controlPlan(buildOf(desk, word.build), word, desk.newClaimId(), hands);
  const { operation } = word;
  const reason = word.reason?.slice(0, 250);
  if ("peer" in operation) return nodePlan(desk, operation, reason, hands);
  if (operation.op === "rebalance") {
    const builds = operation.build ? [buildOf(desk, operation.build)] : desk.liveBuilds();
    mayControl(desk);
    const recalled = builds.map((b) =>
      recall(
        b,
        [...b.claims!.openClaims].filter((c) => hands.waits(c)),
        false,
        reason,
      ),
    );
    return { ...joined(recalled), ...(operation.build ? { build: operation.build } : {}) };
  }
  const build = buildOf(desk, operation.build);
  if (operation.op === "reset") {
    const back = recall(build, [...build.claims!.openClaims], true, reason);
    const forgiven = forgive(build, allActions(build.claims!), reason);
    const lost = [...build.claims!.openClaims].filter(
      (c) => c.recalled !== "running" && hands.runs(c),
    ).length;
    return { ...joined([back, forgiven]), build: build.id, lost };
  }
  return {
    ...forgive(build, actionsOf(build, operation), reason, operation.op === "unblock"),
    build: build.id,
  };
}

/** The live build a person may steer from here. */
function buildOf(desk: Desk, id: BuildId): Build {
  const build = desk.builds.get(id);
  if (!build?.submission)
    throw new SwarmError("not-found", `there is no build ${id}`, {
      remedy: "see the builds: swarmd history",
    });
  if (!build.claims)
    throw new SwarmError("refused", `what ${id} consists of is not known here yet`, {
      remedy: "try again in a moment, or on the node that submitted it",
    });
  if (build.claims.sealed)
    throw new SwarmError("refused", `${id} has ended: it is ${build.claims.sealed.event.state}`, {
      remedy:
        build.claims.sealed.event.state === "failed"
          ? `build again what failed: swarmd retry ${id}`
          : "submit it again: swarmd submit SPEC",
    });
  mayControl(desk);
  return build;
}

function mayControl(desk: Desk): void {
  if (!desk.members.has(desk.config.self, "submitter"))
    throw new SwarmError("role-missing", "this node may not control builds", {
      remedy: "do it on a node with the role submitter: swarmd node list",
    });
}

/** Which actions' failures an operation forgives. */
function actionsOf(build: Build, { op, action }: Forgiving): number[] {
  const claims = build.claims!;
  if (action !== undefined) {
    const index = claims.indexOf.get(action);
    if (index !== undefined) return [index, ...blockedBefore(claims, index)];
    const best = nearest(action, claims.indexOf.keys());
    throw new SwarmError("not-found", `${build.id} has no action ${action}`, {
      remedy: best ? `did you mean ${best}?` : `it has ${firstOf(claims).join(", ")} …`,
    });
  }
  return allActions(claims).filter((index) => {
    const state = claims.actions.get(index);
    return op === "clear-failures" || (op === "unblock" ? state === "blocked" : state !== "done");
  });
}

/** What an action is held behind. */
function blockedBefore(claims: Claims, index: number): number[] {
  const seen = new Set<number>();
  const queue = claims.actions.get(index) === "held" ? [index] : [];
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    for (const dependency of claims.dependencies[next]!) {
      const state = claims.actions.get(dependency);
      if ((state !== "held" && state !== "blocked") || seen.has(dependency)) continue;
      seen.add(dependency);
      queue.push(dependency);
    }
  return [...seen].sort((a, b) => a - b);
}

const firstOf = (claims: Claims): string[] => claims.graph.actions.slice(0, 5).map((a) => a.name);

const allActions = (claims: Claims): number[] => Array.from({ length: claims.actions.size }, (_, i) => i);

/** Failures of these actions count no more; `blockedOnly`: of those alone that are blocked. */
function forgive(build: Build, actions: readonly number[], reason?: string, blockedOnly = false): Plan {
  const claims = build.claims!;
  const says: { build: BuildId; event: Event }[] = [];
  let moved = 0;
  for (const index of actions) {
    const blocked = claims.actions.get(index) === "blocked";
    if (blockedOnly && !blocked) continue;
    const failed = claims.claimsOf(index).filter((c) => c.fail && !c.forgiven);
    if (failed.length === 0) continue;
    if (blocked) moved++;
    const { name: action } = claims.action(index);
    for (const ids of batches(failed))
      says.push({
        build: build.id,
        event: { kind: "forgive", action, claims: ids, ...(reason === undefined ? {} : { reason }) },
      });
  }
  return { says, moved, lost: 0 };
}

/** Claims go back to be shared out anew; those already recalled so are left out. */
function recall(build: Build, wanted: readonly Claim[], running: boolean, reason?: string): Plan {
  const taken = wanted.filter(
    (c) => isOpen(c) && c.recalled !== "running" && (running || c.recalled === undefined),
  );
  const says = batches(taken).map((ids) => ({
    build: build.id,
    event: { kind: "recall" as const, claims: ids, running, ...(reason === undefined ? {} : { reason }) },
  }));
  return { says, moved: new Set(taken.map((c) => c.action)).size, lost: 0 };
}

function nodePlan(desk: Desk, { op, peer, ...more }: OfNode, reason: string | undefined, hands: Hands): Plan {
  const { orders, members, config } = desk;
  const node = members.get(peer);
  if (!node)
    throw new SwarmError("not-found", `there is no node ${peer}`, {
      remedy: "see the nodes: swarmd node list",
    });
  if (!orders.mayOrder(config.self, peer))
    throw new SwarmError(
      "role-missing",
      `only an admin, or ${node.name} itself, may say what ${node.name} does`,
      {
        remedy: `run it on ${node.name} or on the machine of an admin: swarmd node list`,
      },
    );
  const order = orders.of(peer);
  const so = { pause: order === "paused", drain: order === "drained", resume: !order, unground: false }[op];
  const said: Plan = {
    says: so ? [] : [{ event: orders.event(op, peer, desk.newClaimId(), reason) }],
    moved: 0,
    lost: 0,
  };
  if (op !== "drain") return said;
  const now = "now" in more && more.now === true;
  const plans = desk.liveBuilds().map((build) => {
    const held = [...build.claims!.openClaims].filter((c) => c.holder === peer);
    const back = recall(build, now ? held : [], true, reason);
    const lost =
      back.says.length > 0 ? held.filter((c) => c.recalled !== "running" && hands.runs(c)).length : 0;
    const waiting = so ? [] : held.filter((c) => hands.waits(c));
    return { ...back, moved: now ? back.moved : waiting.length, lost };
  });
  return joined([said, ...plans]);
}

function joined(plans: readonly Plan[]): Plan {
  return {
    says: plans.flatMap((p) => p.says),
    moved: plans.reduce((sum, p) => sum + p.moved, 0),
    lost: plans.reduce((sum, p) => sum + p.lost, 0),
  };
}

function batches(claims: readonly Claim[]): ClaimId[][] {
  const ids = [...new Set(claims.map((c) => c.id))];
  const parts: ClaimId[][] = [];
  for (let at = 0; at < ids.length; at += claimsMaxPerEvent)
    parts.push(ids.slice(at, at + claimsMaxPerEvent));
  return parts;
}
