/** Judges what disks hold once all daemons have ended: by the simulator's own checkers, each disk by itself and all of them merged. */
import { decodeGraph, type Graph } from "../../protocol/build/graph.ts";
import { Core } from "../../protocol/core.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import {
  type BuildId,
  byText,
  type Digest,
  type Incarnation,
  incarnationCounter,
  type PeerId,
  type SwarmId,
} from "../../protocol/kernel/ids.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { Build } from "../../protocol/work/build.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { AuthorChecker } from "../../sim/checkers/authors.ts";
import { boundedExecutions } from "../../sim/checkers/executions.ts";
import { type State, StateChecker } from "../../sim/checkers/states.ts";
import type { Accuse } from "../../sim/checkers/violation.ts";
import { merged, resultsOf, saidIn } from "../lab/timeline.ts";

/** One node's disk. */
export interface Disk {
  readonly name: string;
  readonly peer: PeerId;
  readonly entries: readonly SignedEntry[];
}

export interface Circumstances {
  readonly swarm: SwarmId;
  /** The bytes of a blob that some disk holds. */
  readonly blob: (digest: Digest) => Uint8Array | undefined;
  /** Builds that were accepted. */
  readonly builds: readonly string[];
  /** Parts into which cuts and pauses had divided the swarm, beside the first. */
  readonly divisions: number;
}

/** Accuses of what should not be on these disks. The daemons had time to tell each other everything. */
export function judge(disks: readonly Disk[], circumstances: Circumstances, accuse: Accuse): void {
  const { swarm, blob } = circumstances;
  authors(disks, accuse);
  const graphs = new Map<BuildId, Graph>();
  const all = merged(disks.map((disk) => disk.entries));
  for (const build of buildsIn(all)) {
    const graph = graphOf(all, build, blob);
    if (graph) graphs.set(build, graph);
    else accuse("work ends", `nobody has the graph of ${build}`);
  }
  const states = [
    ...disks.map((disk) => fold(disk.name, disk.entries, graphs, swarm)),
    fold("all", all, graphs, swarm),
    fold("all, the other way round", all.toReversed(), graphs, swarm),
  ];
  const checker = new StateChecker({ builders: new Set(disks.map((disk) => disk.peer)), accuse });
  for (const some of states)
    checker.step(
      some[0]?.node ?? "",
      some.map(({ build, claims }) => ({ id: build, claims })),
    );
  checker.compare(states.flat());
  frontiers(states.slice(0, disks.length), disks, accuse);
  for (const { build, claims } of states[disks.length]!) {
    const claimed = new Map([...claims.claims.values()].map((claim) => [claim.id, claim.action]));
    const begun = claims.graph.actions.map(() => 0);
    for (const { event } of saidIn(all, build, "start")) {
      const index = claimed.get(event.claim);
      if (index !== undefined) begun[index]!++;
    }
    for (const [index, times] of begun.entries())
      boundedExecutions(claims, index, times, 1 + circumstances.divisions, accuse);
  }
  for (const build of circumstances.builds) ends(all, build, accuse);
}

/** Whoever wrote what, its own disk has it; what is on other disks is of that. */
function authors(disks: readonly Disk[], accuse: Accuse): void {
  const names = new Map<string, string>(disks.map((disk) => [disk.peer, disk.name]));
  const checker = new AuthorChecker((peer) => names.get(peer) ?? peer, new Set(), accuse);
  for (const { name, peer, entries } of disks) {
    const own = entries.filter(({ entry }) => entry.author === peer);
    own.sort(
      (a, b) =>
        incarnationCounter(a.entry.inc) - incarnationCounter(b.entry.inc) || a.entry.seq - b.entry.seq,
    );
    for (const signed of own) checker.wrote({ name, peer, inc: signed.entry.inc }, signed);
  }
  // The founding entry is the root key's, which has no disk.
  for (const { entries } of disks)
    for (const { id, entry } of entries) if (!names.has(entry.author)) checker.allow(id);
  for (const { name, entries } of disks) for (const entry of entries) checker.kept(name, entry);
}

/** What one disk makes of every build, as its daemon would. */
function fold(
  node: string,
  entries: readonly SignedEntry[],
  graphs: ReadonlyMap<BuildId, Graph>,
  swarm: SwarmId,
): State[] {
  const core = new Core(reader(swarm), { monoMs: 0, wallMs: 0 });
  const timeline = entries.filter(({ entry }) => entry.build === undefined);
  core.step({ kind: "restored-entries", entries: timeline }, { monoMs: 0, wallMs: 0 });
  const { members, chains } = core.desk;
  return [...graphs].flatMap(([id, graph]) => {
    const facts = entries.filter(({ entry }) => entry.build === id);
    if (facts.length === 0) return [];
    const { self, inc } = reader(swarm);
    const build = new Build(id, new Ledger(id, clientOf(self, inc)), 0);
    build.take(facts, members);
    build.open(graph, new Estimates(), members);
    const ids = facts.map((fact) => fact.id).sort(byText);
    return [
      { node, build: id, facts: `${id} ${sha256Hex(ids.join())} ${chains.digest()}`, claims: build.claims! },
    ];
  });
}

/** What one knows of a build all know. */
function frontiers(states: readonly (readonly State[])[], disks: readonly Disk[], accuse: Accuse): void {
  const known = new Map<BuildId, Map<string, string[]>>();
  for (const state of states.flat()) {
    const [, facts] = state.facts.split(" ") as [string, string];
    const of = known.get(state.build) ?? new Map<string, string[]>();
    known.set(state.build, of.set(facts, [...(of.get(facts) ?? []), state.node]));
  }
  for (const [build, versions] of known) {
    const sides = [...versions.values()];
    const there = sides.flat().length;
    if (sides.length > 1)
      accuse(
        "frontiers meet",
        `of ${build} ${sides.map((s) => s.join("+")).join(", ")} know different facts`,
      );
    if (there < disks.length) accuse("frontiers meet", `${disks.length - there} know nothing of ${build}`);
  }
}

/** A build that was accepted is sealed as complete, with one result for each of its actions. */
function ends(all: readonly SignedEntry[], build: string, accuse: Accuse): void {
  const states = new Set(saidIn(all, build, "sealed").map(({ event }) => event.state));
  if (states.size !== 1 || !states.has("complete"))
    accuse("work ends", `${build} was sealed as ${[...states].join(" and ") || "nothing"}`);
  for (const [action, results] of resultsOf(all, build))
    if (results.size > 1)
      accuse("done absorbs", `${action} of ${build} has ${results.size} different results`);
}

const buildsIn = (entries: readonly SignedEntry[]): BuildId[] =>
  [...new Set(entries.flatMap(({ entry }) => entry.build ?? []))].sort(byText);

function graphOf(
  entries: readonly SignedEntry[],
  build: BuildId,
  blob: Circumstances["blob"],
): Graph | undefined {
  const digest = saidIn(entries, build, "build.submitted")[0]?.event.graph;
  const bytes = digest && blob(digest);
  return bytes && decodeGraph(bytes);
}

/** A node that only reads. */
const reader = (swarm: SwarmId) => ({
  swarm,
  self: "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp" as PeerId,
  name: "reader",
  inc: "1-00000000" as Incarnation,
  seed: new Uint8Array(16),
  version: "0",
  slots: 0,
  unsafeNoSandbox: false,
  scheduling: defaultScheduling,
});
