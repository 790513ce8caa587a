/** A build as it stood at any moment: the same fold over what had been said by then. Times are the speakers' own; what each of them said keeps its order. */
import type { ActionName, BuildId, PeerId } from "../kernel/ids.ts";
import type { Members } from "../swarm/members.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { knownEvent } from "../timeline/events.ts";
import type { ActionState } from "../work/actions.ts";
import { Build } from "../work/build.ts";
import type { Estimates } from "../work/estimates.ts";
import { Ledger } from "../work/ledger.ts";
import { courseOf } from "./course.ts";
import { type Names, told } from "./telling.ts";

const listedMax = 200;

export interface MomentNode {
  readonly node: string;
  readonly running: number;
  /** As the latest view named them. */
  readonly slots?: number;
  readonly headroomCelsius?: number | "unknown";
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

/** One event and what it changed. */
export interface ReplayStep {
  readonly kind: "step";
  readonly atMs: number;
  readonly sinceMs: number;
  readonly node: string;
  readonly event: string;
  readonly text: string;
  readonly changed: readonly { readonly action: ActionName; readonly state: ActionState }[];
  readonly counts: Readonly<Record<ActionState, number>>;
}

export interface ReplayParts {
  readonly members: Members;
  readonly estimates: Estimates;
  readonly nameOf: (peer: PeerId) => string;
}

const inTime = (a: SignedEntry, b: SignedEntry): number =>
  a.entry.hlc[0] - b.entry.hlc[0] || a.entry.hlc[1] - b.entry.hlc[1] || (a.id < b.id ? -1 : 1);

/** The build as it stood at `atMs`, wall milliseconds. Its graph must be here. */
export function momentOf(build: Build, atMs: number, { members, estimates, nameOf }: ReplayParts): Moment {
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
  const nodes = new Map<PeerId, { running: number; slots?: number; headroomCelsius?: number | "unknown" }>();
  for (const { event } of course?.views.values() ?? [])
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
  for (const { holder } of running) {
    const node = nodes.get(holder) ?? { running: 0 };
    nodes.set(holder, { ...node, running: node.running + 1 });
  }
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
  let cursor = claims.actions.journal.length;
  for (const entry of [...build.facts()].sort(inTime)) {
    then.take([entry], members);
    const { journal } = claims.actions;
    const changed = journal
      .slice(cursor)
      .map(({ action, state }) => ({ action: claims.action(action).name, state }));
    cursor = journal.length;
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
        // An entry is taken as a whole: what it changed stands with its last event.
        changed: place === events.length - 1 ? changed : [],
        counts: { ...claims.actions.counts },
      };
    }
  }
}
