/** Which blobs a node still needs, and why: what it may throw away is everything else. Folders and lists are named by what stands for them. */
import type { Digest } from "../kernel/ids.ts";
import type { Releases } from "../release/releases.ts";
import { endedOf } from "./archive.ts";
import type { Build } from "./build.ts";
import type { Claims } from "./claims.ts";
import type { Desk } from "./desk.ts";

/** live: a build that has not ended; released: staged, or of an epoch; own: of what this node submitted or sealed, the latest of each name; logs: of what ran here lately. */
export const needs = ["live", "released", "own", "logs"] as const;
export type Need = (typeof needs)[number];

/** Something needed; below a folder and behind a list lies more that is needed too. */
export interface Root {
  readonly digest: Digest;
  readonly kind: "blob" | "folder" | "set" | "manifest";
  readonly need: Need;
}

/** Epochs of a channel that a mirror can show again, and that any other member keeps. */
const epochsOfMirror = 10;
const epochsOfOthers = 1;

/** Everything this node needs; what is named twice has the need named first. Of builds from before `logsSinceMs`, by the wall clock, it needs no logs. */
export function* rootsOf(desk: Desk, releases: Releases, logsSinceMs = 0): Generator<Root> {
  const { self } = desk.config;
  const builds = [...desk.builds.values()];
  for (const build of builds) if (isLive(build)) yield* allOf(build);
  yield* releasedOf(releases, releases.mirrors.get(self) ? epochsOfMirror : epochsOfOthers);
  const ended = builds.filter((build) => build.submission !== undefined && !isLive(build));
  // Who sealed a build has brought its results together: they may be on no other disk.
  for (const build of latestOfEachName(ended))
    if ([build.submission!.author, build.claims!.sealed!.author].includes(self))
      yield* endOf(build, build.submission!.wallMs >= logsSinceMs);
  // Without its graph an archived build cannot be read any more.
  for (const archived of desk.archive.all()) {
    if (archived.dropped) continue;
    const { submitted, author } = endedOf(archived);
    if (author === self) yield { digest: submitted.graph, kind: "blob", need: "own" };
  }
}

/** What is released, else what nobody consumes. */
export function rootActionsOf({ graph, dependencies }: Claims): Set<number> {
  const released = graph.actions.flatMap(({ name }, index) =>
    graph.release?.include.includes(name) ? [index] : [],
  );
  if (released.length > 0) return new Set(released);
  const consumed = new Set(dependencies.flat());
  return new Set(graph.actions.keys().filter((index) => !consumed.has(index)));
}

/** Also one whose graph is not here, or that follows rules of a newer version: nobody here knows what it still needs. */
const isLive = (build: Build): boolean => build.submission !== undefined && !build.claims?.sealed;

function* allOf(build: Build): Generator<Root> {
  const need = "live";
  yield { digest: build.submission!.event.graph, kind: "blob", need };
  const { claims } = build;
  if (!claims) return;
  for (const { digest } of claims.graph.files) yield { digest, kind: "blob", need };
  for (let index = 0; index < claims.actions.size; index++) yield* resultsOf(claims, index, need);
}

/** Of what ended: the graph, what people fetch of it, and its logs. */
function* endOf(build: Build, withLogs: boolean): Generator<Root> {
  const need = "own";
  yield { digest: build.submission!.event.graph, kind: "blob", need };
  const { claims } = build;
  if (!claims) return;
  const roots = rootActionsOf(claims);
  for (let index = 0; index < claims.actions.size; index++)
    yield* resultsOf(claims, index, need, { outputs: roots.has(index), logs: withLogs });
}

function* resultsOf(
  claims: Claims,
  index: number,
  need: Need,
  { outputs = true, logs = true } = {},
): Generator<Root> {
  for (const { result } of claims.resultsOf(index)) {
    if (outputs) for (const { digest, kind } of result.outputs) yield { digest, kind: kindOf(kind), need };
    if (logs) yield* logsOf(result, need);
  }
  if (!logs) return;
  for (const { fail } of claims.claimsOf(index)) if (fail) yield* logsOf(fail, need);
}

const kindOf = (kind: "file" | "folder") => (kind === "folder" ? "folder" : "blob");

function* logsOf(
  { stdout, stderr }: { readonly stdout?: Digest | undefined; readonly stderr?: Digest | undefined },
  need: Need,
): Generator<Root> {
  for (const digest of [stdout, stderr]) if (digest) yield { digest, kind: "blob", need };
}

function* releasedOf(releases: Releases, epochsMax: number): Generator<Root> {
  const need = "released";
  for (const epochs of releases.channels()) {
    for (const { proposal } of epochs.certified.slice(-epochsMax))
      yield { digest: proposal.manifest, kind: "manifest", need };
    // While it is not known what the last epoch took in, all that was ever staged may wait.
    const waiting = releases.waiting(epochs.channel) ?? releases.staging.pending(epochs.channel, new Set());
    for (const { lists } of waiting) for (const { set } of lists) yield { digest: set, kind: "set", need };
  }
}

/** What came later is what came of the earlier ones; of those submitted in one millisecond all count. */
function latestOfEachName(builds: readonly Build[]): Build[] {
  const latest = new Map<string, number>();
  const key = ({ submission }: Build) => `${submission!.author} ${submission!.event.name}`;
  for (const build of builds)
    latest.set(
      key(build),
      Math.max(latest.get(key(build)) ?? Number.NEGATIVE_INFINITY, build.submission!.wallMs),
    );
  return builds.filter((build) => latest.get(key(build)) === build.submission!.wallMs);
}
