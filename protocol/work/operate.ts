/**
 * The operator's hand: what a person asks of a build or a node becomes events, each saying how many actions it moves and how many
 * runs it throws away. What is so already is said by no event, so that asking twice does no more than asking once.
 */
import type { Command, CommandReply, Operation } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { Event } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";
import { controlPlan, type Hands, type Plan } from "./control.ts";
import type { Desk } from "./desk.ts";
import type { Holder } from "./holder.ts";
import { indexNamed } from "./named.ts";
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
    sayAll(desk, id, word.dryRun ? [] : says, reply);
  } catch (error) {
    desk.emit({ kind: "reply", id, reply: refusal(error) });
  }
}

/** Says what a person's word comes to; the answer goes out once all of it is on disk. */
export function sayAll(desk: Desk, id: number, says: Plan["says"], reply: CommandReply): void {
  if (says.length === 0) return desk.emit({ kind: "reply", id, reply });
  says.forEach((one, at) => {
    const after = at === says.length - 1 ? [{ kind: "reply" as const, id, reply }] : [];
    desk.say(one.build, one.event, { urgent: true, durable: true, after });
  });
}

function planOf(desk: Desk, holder: Holder, word: Word): Plan {
  const hands = handsOf(desk, holder);
  if (word.kind === "control")
    return controlPlan(buildOf(desk, word.build), word, () => desk.newClaimId(), hands);
  const { operation } = word;
  const reason = word.reason?.slice(0, 250);
  if ("peer" in operation) return nodePlan(desk, operation, reason, hands);
  if (operation.op === "rebalance") {
    const builds = operation.build ? [buildOf(desk, operation.build)] : desk.liveBuilds();
    mayControl(desk);
    const recalled = builds.map((b) => recall(b, openOf(b), false, hands, reason));
    return { ...joined(recalled), ...(operation.build ? { build: operation.build } : {}) };
  }
  const build = buildOf(desk, operation.build);
  if (operation.op === "reset") {
    const back = recall(build, openOf(build), true, hands, reason);
    const forgiven = forgive(build, allActions(build.claims!), reason);
    return { ...joined([back, forgiven]), build: build.id };
  }
  return {
    ...forgive(build, actionsOf(build, operation), reason, operation.op === "unblock"),
    build: build.id,
  };
}

/**
 * Of others this node knows how many actions they run, a beat ago, and which claims they hold: the oldest are taken to run, and of
 * those younger than a `start` the first of each bundle.
 */
export function handsOf(desk: Desk, holder: Holder): Hands {
  const waiting = new Set<Claim>();
  const running = new Map<PeerId, number>();
  for (const build of desk.liveBuilds())
    for (const claim of build.claims!.openClaims) {
      if (claim.holder === desk.config.self) {
        if (!holder.executes(claim.id)) waiting.add(claim);
      } else if (!claim.started) {
        if (claim.turn > 0) waiting.add(claim);
      } else {
        const before = running.get(claim.holder) ?? 0;
        running.set(claim.holder, before + 1);
        if (before >= (desk.vitalsOf(claim.holder)?.running ?? Number.POSITIVE_INFINITY)) waiting.add(claim);
      }
    }
  return { runs: (claim) => !waiting.has(claim), waits: (claim) => waiting.has(claim) };
}

/** The live build a person may steer from here. */
export function buildOf(desk: Desk, id: BuildId): Build {
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
    const index = indexNamed(build, action);
    return [index, ...blockedBefore(claims, index)];
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

const openOf = (build: Build): Claim[] => [...build.claims!.openClaims];

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
    batches(failed).forEach((batch, at) => {
      const event = { kind: "forgive" as const, action, claims: idsOf(batch), ...because(reason) };
      says.push({ build: build.id, event: { ...event, moved: Number(blocked && at === 0) } });
    });
  }
  return { says, moved, lost: 0 };
}

/** Claims go back to be shared out anew; those already recalled so are left out. */
function recall(
  build: Build,
  wanted: readonly Claim[],
  running: boolean,
  hands: Hands,
  reason?: string,
): Plan {
  const taken = wanted.filter((c) => c.recalled !== "running" && (running || c.recalled === undefined));
  const plans = batches(taken).map((batch): Plan => {
    const moved = new Set(batch.filter((c) => running || hands.waits(c)).map((c) => c.action)).size;
    const lost = running ? batch.filter(hands.runs).length : 0;
    const event = { kind: "recall" as const, claims: idsOf(batch), running, ...because(reason), moved, lost };
    return { says: [{ build: build.id, event }], moved, lost };
  });
  return joined(plans);
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
  const now = "now" in more && more.now === true;
  const back = joined(
    (op === "drain" ? desk.liveBuilds() : []).map((build): Plan => {
      const held = openOf(build).filter((c) => c.holder === peer);
      if (now) return recall(build, held, true, hands, reason);
      return { says: [], moved: so ? 0 : held.filter(hands.waits).length, lost: 0 };
    }),
  );
  if (so) return back;
  const { moved, lost } = back;
  const event = { ...orders.event(op, peer, desk.newClaimId(), reason), moved, lost };
  return { says: [{ event }, ...back.says], moved, lost };
}

function joined(plans: readonly Plan[]): Plan {
  return {
    says: plans.flatMap((p) => p.says),
    moved: plans.reduce((sum, p) => sum + p.moved, 0),
    lost: plans.reduce((sum, p) => sum + p.lost, 0),
  };
}

function batches(claims: readonly Claim[]): Claim[][] {
  const parts: Claim[][] = [];
  for (let at = 0; at < claims.length; at += claimsMaxPerEvent)
    parts.push(claims.slice(at, at + claimsMaxPerEvent));
  return parts;
}

const idsOf = (claims: readonly Claim[]): ClaimId[] => [...new Set(claims.map((c) => c.id))];

const because = (reason: string | undefined) => (reason === undefined ? {} : { reason });
