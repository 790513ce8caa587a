/** A build as it stood at any moment: the same fold over what had been said by then. Times are the speakers' own; what each of them said keeps its order. */
import type { ActionName, BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type Event, type EventOf, knownEvent } from "../timeline/events.ts";
import type { ActionState } from "../work/actions.ts";
import { Build } from "../work/build.ts";
import type { Estimates } from "../work/estimates.ts";
import { Ledger } from "../work/ledger.ts";
import { courseOf } from "./course.ts";
import type { Reading } from "./readings.ts";
import { type Names, told } from "./telling.ts";

const listedMax = 200;

export interface MomentNode {
  readonly node: string;
  readonly running: number;
  /** As the latest view named them, or a beat that was recorded since. */
  readonly slots?: number;
  readonly headroomCelsius?: number | "unknown";
  /** From recorded beats; absent where none was heard then, or nothing is recorded. */
  readonly temperatureCelsius?: number | "unknown";
  readonly load?: number | "unknown";
  /** Why its slots were fewer than declared. */
  readonly limitedBy?: string;
  /** How old what it said was. */
  readonly readMsAgo?: number;
}

/** The state of a build at one moment. */
export interface Moment {
  readonly kind: "moment";
  readonly build: BuildId;
  readonly atMs: number;
  /** From the submit. */
  readonly sinceMs: number;
  readonly state: string;
  readonly counts: Readonly<Record<ActionState, number>>;
  readonly running: readonly {
    readonly action: ActionName;
    readonly node: string;
    readonly sinceMs: number;
  }[];
  /** Runnable and in nobody's hands, best rank first, at most 200. */
  readonly queue: readonly ActionName[];
  readonly nodes: readonly MomentNode[];
  /** Entries said by then, of all there are. */
  readonly entries: number;
  readonly of: number;
  /** Over the whole state: equal entries give equal sums on every node. */
  readonly digest: string;
}

/** What becomes of a claim with an event. */
export interface StepClaim {
  readonly id: ClaimId;
  readonly action: ActionName;
  readonly holder: string;
  readonly is: "given" | "begun" | "done" | "failed" | "given back" | "taken back";
  /** Of one that ran to an end: how long it fetched, and ran. */
  readonly fetchMs?: number;
  readonly runMs?: number;
}

/** A node as a view names it. */
export interface SeenNode {
  readonly node: string;
  readonly slots?: number;
  readonly headroomCelsius?: number | "unknown";
  readonly speed?: number;
}

/** One event and what it changed; what could begin with the build stands with the first. */
export interface ReplayStep {
  readonly kind: "step";
  readonly atMs: number;
  readonly sinceMs: number;
  readonly node: string;
  readonly event: string;
  readonly text: string;
  /** Of the claim that it is about. */
  readonly claim?: StepClaim;
  /** Of a view: what decisions from here on saw. */
  readonly nodes?: readonly SeenNode[];
  readonly changed: readonly { readonly action: ActionName; readonly state: ActionState }[];
  readonly counts: Readonly<Record<ActionState, number>>;
}

export interface ReplayParts {
  readonly members: Members;
  readonly estimates: Estimates;
  readonly nameOf: (peer: PeerId) => string;
  /** What nodes had said of themselves by then, where that was recorded. */
  readonly readings?: ReadonlyMap<PeerId, Reading>;
}

const inTime = (a: SignedEntry, b: SignedEntry): number =>
  a.entry.hlc[0] - b.entry.hlc[0] || a.entry.hlc[1] - b.entry.hlc[1] || (a.id < b.id ? -1 : 1);

/** The build as it stood at `atMs`, wall milliseconds. Its graph must be here. */
export function momentOf(build: Build, atMs: number, parts: ReplayParts): Moment {
  const { members, estimates, nameOf } = parts;
  const said = build.facts().filter(({ entry }) => entry.hlc[0] <= atMs);
  const then = new Build(build.id, new Ledger(build.id, 0), 0);
  then.take(said, members);
  then.open(build.graph!, estimates, members);
  const claims = then.claims!;
  const course = then.submission ? courseOf(then)! : undefined;
  const running = [...claims.openClaims].map(({ id, action, holder }) => ({
    action: claims.action(action).name,
    holder,
    sinceMs: Math.max(0, atMs - (course?.runs.get(id)?.claimedMs ?? atMs)),
  }));
  const nodes = nodesOf(
    course?.views.values() ?? [],
    running.map(({ holder }) => holder),
    atMs,
    parts.readings,
  );
  return {
    kind: "moment",
    build: build.id,
    atMs,
    sinceMs: Math.max(0, atMs - build.submission!.wallMs),
    state: !then.submission ? "not submitted" : (claims.sealed?.event.state ?? claims.state),
    counts: { ...claims.actions.counts },
    running: running
      .map(({ action, holder, sinceMs }) => ({ action, node: nameOf(holder), sinceMs }))
      .sort((a, b) => b.sinceMs - a.sinceMs || (a.action < b.action ? -1 : 1))
      .slice(0, listedMax),
    queue: [...claims.actions.ready()].slice(0, listedMax).map((index) => claims.action(index).name),
    nodes: [...nodes]
      .map(([peer, node]) => ({ node: nameOf(peer), ...node }))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
    entries: said.length,
    of: build.facts().length,
    digest: claims.digest(),
  };
}

function nodesOf(
  views: Iterable<{ readonly event: EventOf<"view"> }>,
  holders: readonly PeerId[],
  atMs: number,
  readings: ReplayParts["readings"],
): Map<PeerId, Omit<MomentNode, "node">> {
  const nodes = new Map<PeerId, Omit<MomentNode, "node">>();
  for (const { event } of views)
    for (const { peer, slots, headroom } of event.nodes as readonly {
      peer?: PeerId;
      slots?: number;
      headroom?: number | "unknown";
    }[])
      if (peer !== undefined)
        nodes.set(peer, {
          running: 0,
          ...(slots === undefined ? {} : { slots }),
          ...(headroom === undefined ? {} : { headroomCelsius: headroom }),
        });
  for (const [peer, reading] of readings ?? []) {
    const { slots, headroomCelsius, temperatureCelsius, load, limitedBy } = reading;
    nodes.set(peer, {
      running: 0,
      ...nodes.get(peer),
      headroomCelsius,
      temperatureCelsius,
      load,
      ...(slots === undefined ? {} : { slots }),
      ...(limitedBy === undefined ? {} : { limitedBy }),
      readMsAgo: Math.max(0, atMs - reading.atMs),
    });
  }
  for (const holder of holders) {
    const node = nodes.get(holder) ?? { running: 0 };
    nodes.set(holder, { ...node, running: node.running + 1 });
  }
  return nodes;
}

/** Every event of a build in the order of time, with what it changed. */
export function* stepsOf(build: Build, { members, estimates, nameOf }: ReplayParts): Iterable<ReplayStep> {
  const then = new Build(build.id, new Ledger(build.id, 0), 0);
  then.open(build.graph!, estimates, members);
  const claims = then.claims!;
  const names: Names = {
    node: nameOf,
    claim: (id) => {
      const claim = build.claims!.claims.get(id);
      return claim && { action: claims.action(claim.action).name, holder: claim.holder };
    },
  };
  let cursor = 0;
  const states: ActionState[] = new Array(claims.actions.size).fill("waiting");
  for (const entry of [...build.facts()].sort(inTime)) {
    then.take([entry], members);
    const { journal } = claims.actions;
    const moved = new Map(journal.slice(cursor).map(({ action, state }) => [action, state]));
    cursor = journal.length;
    const changed: { action: ActionName; state: ActionState }[] = [];
    for (const [action, state] of moved)
      if (states[action] !== state) {
        states[action] = state;
        changed.push({ action: claims.action(action).name, state });
      }
    const { events, author, hlc } = entry.entry;
    for (const [place, raw] of events.entries()) {
      const event = knownEvent(raw);
      yield {
        kind: "step",
        atMs: hlc[0],
        sinceMs: Math.max(0, hlc[0] - build.submission!.wallMs),
        node: nameOf(author),
        event: raw.kind,
        text: event ? told(event, names).text : "said by another version; not understood here",
        ...(event ? broughtBy(event, names) : {}),
        // An entry is taken as a whole: what it changed stands with its last event.
        changed: place === events.length - 1 ? changed : [],
        counts: { ...claims.actions.counts },
      };
    }
  }
}

const comesTo = {
  claim: "given",
  start: "begun",
  done: "done",
  fail: "failed",
  abandon: "given back",
  expire: "taken back",
} as const;

/** What an event says of a claim, or of nodes. */
function broughtBy(event: Event, names: Names): Pick<ReplayStep, "claim" | "nodes"> {
  if (event.kind === "view") return { nodes: seenIn(event.nodes, names.node) };
  if (
    event.kind !== "claim" &&
    event.kind !== "start" &&
    event.kind !== "done" &&
    event.kind !== "fail" &&
    event.kind !== "abandon" &&
    event.kind !== "expire"
  )
    return {};
  const about = names.claim(event.claim);
  if (!about) return {};
  const usage = event.kind === "done" || event.kind === "fail" ? event.usage : undefined;
  return {
    claim: {
      id: event.claim,
      action: about.action as ActionName,
      holder: names.node(about.holder),
      is: comesTo[event.kind],
      ...(usage ? { fetchMs: usage.fetchMs, runMs: usage.wallMs } : {}),
    },
  };
}

/** The nodes that a view names. */
export function seenIn(
  nodes: readonly Readonly<Record<string, unknown>>[],
  nameOf: (peer: PeerId) => string,
): SeenNode[] {
  return (nodes as readonly Viewed[]).flatMap(({ peer, slots, headroom, speed }) =>
    peer === undefined
      ? []
      : [
          {
            node: nameOf(peer),
            ...(slots === undefined ? {} : { slots }),
            ...(headroom === undefined ? {} : { headroomCelsius: headroom }),
            ...(speed === undefined ? {} : { speed }),
          },
        ],
  );
}

interface Viewed {
  readonly peer?: PeerId;
  readonly slots?: number;
  readonly headroom?: number | "unknown";
  readonly speed?: number;
}
