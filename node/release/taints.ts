/** What a member made and is not to be trusted with: where in its chains that begins, and which builds, epochs and staged files hold it. */

import { type BuildId, byText, type Incarnation, type PeerId } from "../../protocol/kernel/ids.ts";
import type { ReleaseItem } from "../../protocol/release/manifest.ts";
import { endedOf } from "../../protocol/work/archive.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import { awaited, stands, withdrawn } from "../../protocol/work/standing.ts";
import type { TimelineLine, TimelineRequest } from "../control/account.ts";
import type { ReleasesView, TaintsView } from "../control/publishing.ts";
import { timelineLinesMax } from "../control/routes.ts";
import type { Recall } from "../recall.ts";
import type { ReleaseQueries } from "../release-queries.ts";

/** Names of one list; the rest is counted. */
const namesMax = 100;
/** Builds that are looked through, the latest first. */
const buildsMax = 1000;

export interface TaintParts {
  readonly desk: Desk;
  readonly recall: Pick<Recall, "find">;
  readonly releases: Pick<ReleaseQueries, "view" | "manifest" | "stagedItems">;
  readonly nameOf: (peer: PeerId) => string;
  readonly timeline: (request: TimelineRequest) => AsyncIterable<TimelineLine>;
}

/** The first result that a member said it made since then, of each of its starts; empty when it made nothing. */
export async function makingsSince(
  { timeline }: Pick<TaintParts, "timeline">,
  peer: PeerId,
  sinceMs: number,
): Promise<{ inc: Incarnation; seq: number }[]> {
  const first = new Map<Incarnation, number>();
  let lines = 0;
  for await (const { inc, seq } of timeline({ node: peer, kinds: ["done"], sinceMs, follow: false })) {
    lines++;
    first.set(inc as Incarnation, Math.min(seq, first.get(inc as Incarnation) ?? seq));
  }
  // There may be more that were not told of: then all of those starts counts as made since.
  const isCut = lines >= timelineLinesMax;
  return [...first].map(([inc, seq]) => ({ inc, seq: isCut ? 0 : seq }));
}

/** All that is tainted, and what holds it. Epochs whose manifests nobody in reach has, and builds that cannot be read, are named. */
export async function taintsView(parts: TaintParts): Promise<TaintsView> {
  const { desk, nameOf } = parts;
  const taints = desk.members.taints.all();
  const unread = new Set<string>();
  const builds: TaintsView["builds"][number][] = [];
  if (taints.length === 0) return { taints: [], builds, staged: [], epochs: [], unread: [] };
  const read = async (id: BuildId): Promise<Build | undefined> => {
    try {
      const build = await parts.recall.find(id);
      // What is on its way here is not withdrawn.
      if (awaited(build, desk.members) === 0) return build;
    } catch {
      // named as well
    }
    unread.add(id);
    return undefined;
  };
  for (const id of buildsSince(desk, Math.min(...taints.map(({ sinceMs }) => sinceMs)))) {
    const claims = (await read(id))?.claims;
    const names = claims ? withdrawn(claims).map((index) => claims.action(index).name) : [];
    if (names.length > 0) builds.push({ build: id, actions: names.slice(0, namesMax), count: names.length });
  }
  const suspects = await suspectsIn(parts, read, unread);
  return {
    taints: taints.map(({ peer, sinceMs, by, reason }) => ({
      node: nameOf(peer),
      peerId: peer,
      sinceMs,
      by: nameOf(by),
      ...(reason === undefined ? {} : { reason }),
    })),
    builds,
    ...suspects,
    unread: [...unread].slice(0, namesMax),
  };
}

/** Of a tainted build's item, by its facts; where those cannot be read, by who made it. */
async function suspectsIn(
  parts: TaintParts,
  read: (build: BuildId) => Promise<Build | undefined>,
  unread: Set<string>,
): Promise<Pick<TaintsView, "staged" | "epochs">> {
  const judged = new Map<string, boolean>();
  const isSuspect = async (item: ReleaseItem): Promise<boolean> => {
    if (item.link !== undefined) return false;
    const name = `${item.build} ${item.path} ${item.digest}`;
    let suspect = judged.get(name);
    if (suspect === undefined) {
      const claims = (await read(item.build))?.claims;
      suspect = claims
        ? !stands(claims, item)
        : (item.nodes ?? []).some((peer) => parts.desk.members.taints.has(peer));
      judged.set(name, suspect);
    }
    return suspect;
  };
  const among = async (items: readonly ReleaseItem[]) => {
    const paths: string[] = [];
    // Items of one build lie together: it is read back once.
    for (const item of [...items].sort((a, b) => byText(a.build, b.build)))
      if (await isSuspect(item)) paths.push(item.path);
    return { paths: paths.sort(byText).slice(0, namesMax), count: paths.length };
  };
  const staged: TaintsView["staged"][number][] = [];
  const epochs: TaintsView["epochs"][number][] = [];
  const { channels }: ReleasesView = parts.releases.view();
  for (const { channel, current } of channels) {
    for (const { build, items } of parts.releases.stagedItems(channel)) {
      const found = await among(items);
      if (found.count > 0) staged.push({ channel, build, ...found });
    }
    for (let epoch = current; epoch > 0; epoch--) {
      try {
        const found = await among((await parts.releases.manifest(channel, epoch)).items);
        if (found.count > 0) epochs.push({ channel, epoch, current: epoch === current, ...found });
      } catch {
        unread.add(`epoch ${epoch} of ${channel}`);
      }
    }
  }
  return { staged, epochs };
}

/** Builds that may hold what was made since then: those in memory, and those that ended later. */
function buildsSince(desk: Desk, sinceMs: number): BuildId[] {
  const ended = desk.archive
    .all()
    .filter((archived) => archived.seal.entry.hlc[0] >= sinceMs && !desk.builds.has(archived.build))
    .sort((a, b) => endedOf(b).submittedAtMs - endedOf(a).submittedAtMs);
  return [...desk.builds.keys(), ...ended.map(({ build }) => build)].slice(0, buildsMax);
}
