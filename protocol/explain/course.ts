/** The course of a build in time, as those who spoke of it dated it: when each action could begin, who had it in hand, when it ended. For people: no fold reads a clock. */
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { type EventOf, knownEvent, type Usage } from "../timeline/events.ts";
import type { Build } from "../work/build.ts";
import type { Claim } from "../work/claim.ts";

/** One claim from the grant to its end. Wall milliseconds. */
export interface Run {
  readonly claim: Claim;
  readonly claimedMs: number;
  /** Its command began: said, or reckoned back from its end; absent: it did not, as far as is known. */
  readonly startedMs?: number;
  readonly endedMs?: number;
  readonly usage?: Usage;
}

export interface Course {
  readonly build: BuildId;
  readonly submittedMs: number;
  /** When the build was sealed. */
  readonly sealedMs?: number;
  /** The latest that anybody said anything in it. */
  readonly lastMs: number;
  readonly runs: ReadonlyMap<ClaimId, Run>;
  /** Per action: when its first result was there; NaN while there is none. */
  readonly doneMs: Float64Array;
  /** Per action: who found its result in a cache, and when. */
  readonly cached: ReadonlyMap<
    number,
    { readonly atMs: number; readonly by: PeerId; readonly event: EventOf<"cached"> }
  >;
  /** What decisions saw, by digest, and when that was said. */
  readonly views: ReadonlyMap<
    string,
    { readonly atMs: number; readonly by: PeerId; readonly event: EventOf<"view"> }
  >;
  /** Words that took results or failures back, in order. */
  readonly losses: readonly {
    readonly atMs: number;
    readonly by: PeerId;
    readonly event: EventOf<"lost"> | EventOf<"forgive"> | EventOf<"recall">;
  }[];
  readonly controls: readonly {
    readonly atMs: number;
    readonly by: PeerId;
    readonly event: EventOf<"control">;
  }[];
  /** Steps, breakpoints and places, in order. */
  readonly words: readonly {
    readonly atMs: number;
    readonly by: PeerId;
    readonly event: EventOf<"step"> | EventOf<"breakpoint"> | EventOf<"place">;
  }[];
}

const courses = new WeakMap<
  Build,
  { readonly facts: number; readonly claims: unknown; readonly course: Course }
>();

/** Read once for as many questions as are asked before something new is said. A build whose graph is not here has no course. */
export function courseOf(build: Build): Course | undefined {
  const facts = build.facts();
  const known = courses.get(build);
  if (known && known.facts === facts.length && known.claims === build.claims) return known.course;
  if (!build.claims || !build.submission) return undefined;
  const course = read(build, facts);
  courses.set(build, { facts: facts.length, claims: build.claims, course });
  return course;
}

interface Times {
  claimedMs: number;
  startedMs?: number;
  endedMs?: number;
}

function read(build: Build, facts: readonly SignedEntry[]): Course {
  const claims = build.claims!;
  const times = new Map<ClaimId, Times>();
  const at = (claim: ClaimId): Times => {
    let known = times.get(claim);
    if (!known) {
      known = { claimedMs: Number.NaN };
      times.set(claim, known);
    }
    return known;
  };
  const cached: Course["cached"] extends ReadonlyMap<infer K, infer V> ? Map<K, V> : never = new Map();
  const views: Course["views"] extends ReadonlyMap<infer K, infer V> ? Map<K, V> : never = new Map();
  const losses: Course["losses"][number][] = [];
  const controls: Course["controls"][number][] = [];
  const words: Course["words"][number][] = [];
  let sealedMs: number | undefined;
  let lastMs = build.submission!.wallMs;
  const inOrder = [...facts].sort(
    (a, b) => a.entry.hlc[0] - b.entry.hlc[0] || a.entry.hlc[1] - b.entry.hlc[1] || (a.id < b.id ? -1 : 1),
  );
  for (const { entry } of inOrder) {
    const [atMs] = entry.hlc;
    const by = entry.author;
    lastMs = Math.max(lastMs, atMs);
    for (const raw of entry.events) {
      const event = knownEvent(raw);
      switch (event?.kind) {
        case "claim":
          at(event.claim).claimedMs = Number.isNaN(at(event.claim).claimedMs)
            ? atMs
            : at(event.claim).claimedMs;
          break;
        case "start":
          at(event.claim).startedMs ??= atMs;
          break;
        case "done":
        case "fail":
        case "abandon":
        case "expire": {
          const time = at(event.claim);
          if (time.endedMs === undefined || event.kind === "done") time.endedMs = atMs;
          break;
        }
        case "cached": {
          const index = claims.indexOf.get(event.action);
          if (index !== undefined && !cached.has(index)) cached.set(index, { atMs, by, event });
          break;
        }
        case "view":
          if (!views.has(event.digest)) views.set(event.digest, { atMs, by, event });
          break;
        case "lost":
        case "forgive":
        case "recall":
          losses.push({ atMs, by, event });
          break;
        case "control":
          controls.push({ atMs, by, event });
          break;
        case "step":
        case "breakpoint":
        case "place":
          words.push({ atMs, by, event });
          break;
        case "sealed":
          sealedMs ??= atMs;
      }
    }
  }
  const runs = new Map<ClaimId, Run>();
  const doneMs = new Float64Array(claims.actions.size).fill(Number.NaN);
  const hasMs = (index: number, ms: number) => {
    if (!(doneMs[index]! <= ms)) doneMs[index] = ms;
  };
  for (const claim of claims.claims.values()) {
    const time = times.get(claim.id);
    if (!time) continue;
    const usage = claim.done?.usage ?? claim.fail?.usage;
    const { endedMs } = time;
    const claimedMs = Number.isNaN(time.claimedMs) ? (endedMs ?? lastMs) : time.claimedMs;
    const ran = usage && endedMs !== undefined ? Math.max(claimedMs, endedMs - usage.wallMs) : time.startedMs;
    runs.set(claim.id, {
      claim,
      claimedMs,
      ...(ran === undefined ? {} : { startedMs: ran }),
      ...(endedMs === undefined ? {} : { endedMs }),
      ...(usage ? { usage } : {}),
    });
    if (claim.done && endedMs !== undefined) hasMs(claim.action, endedMs);
  }
  for (const [index, { atMs }] of cached) hasMs(index, atMs);
  return {
    build: build.id,
    submittedMs: build.submission!.wallMs,
    ...(sealedMs === undefined ? {} : { sealedMs }),
    lastMs,
    runs,
    doneMs,
    cached,
    views,
    losses,
    controls,
    words,
  };
}

/** When the last of what an action takes was there, and which that was; undefined while something is missing. */
export function readyOf(
  build: Build,
  course: Course,
  index: number,
): { readonly atMs: number; readonly last?: number } | undefined {
  let atMs = course.submittedMs;
  let last: number | undefined;
  for (const dependency of build.claims!.dependencies[index]!) {
    const ms = course.doneMs[dependency]!;
    if (Number.isNaN(ms)) return undefined;
    if (ms >= atMs) {
      atMs = ms;
      last = dependency;
    }
  }
  return { atMs, ...(last === undefined ? {} : { last }) };
}

/** The runs of an action, the earliest claim first. */
export const runsOf = (build: Build, course: Course, index: number): Run[] =>
  build
    .claims!.claimsOf(index)
    .flatMap((claim) => course.runs.get(claim.id) ?? [])
    .sort((a, b) => a.claimedMs - b.claimedMs || (a.claim.id < b.claim.id ? -1 : 1));

/** The run whose result was there first; undefined where it was known already, or there is none. */
export function madeBy(build: Build, course: Course, index: number): Run | undefined {
  let first: Run | undefined;
  for (const claim of build.claims!.claimsOf(index)) {
    const run = claim.done && course.runs.get(claim.id);
    if (run?.endedMs !== undefined && !(first && first.endedMs! <= run.endedMs)) first = run;
  }
  return first;
}

/** Where a run's time went; milliseconds. */
export function spentOf({ claimedMs, startedMs, endedMs, usage }: Run): {
  inHandMs?: number;
  fetchMs?: number;
  runMs?: number;
} {
  if (endedMs === undefined || startedMs === undefined) return {};
  const fetchMs = Math.min(usage?.fetchMs ?? 0, Math.max(0, startedMs - claimedMs));
  return {
    inHandMs: Math.max(0, startedMs - claimedMs - fetchMs),
    fetchMs,
    runMs: usage?.wallMs ?? endedMs - startedMs,
  };
}
