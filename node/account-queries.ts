/** Accounts of what happened: why an action went as it did, what a build's duration hung on. Reads builds in memory and on the disk, and changes nothing. */

import { nearest } from "../protocol/build/nearest.ts";
import type { Core } from "../protocol/core.ts";
import { type PathView, pathsOf } from "../protocol/explain/paths.ts";
import { type Outlooked, type WhyView, whyOf } from "../protocol/explain/why.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, byText, type PeerId } from "../protocol/kernel/ids.ts";
import { endedOf } from "../protocol/work/archive.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claims } from "../protocol/work/claims.ts";
import type { Estimates } from "../protocol/work/estimates.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

/** Earlier builds of the same name that an action is held against: those in memory, else the latest that the disk has. */
const earlierMax = 4;

export class AccountQueries {
  private readonly core: Core;
  private readonly queries: Pick<Queries, "nameOf">;
  private readonly recall: Pick<Recall, "find">;

  constructor(core: Core, queries: Pick<Queries, "nameOf">, recall: Pick<Recall, "find">) {
    this.core = core;
    this.queries = queries;
    this.recall = recall;
  }

  /** Throws `not-found` for a build or an action that is not there, `blob-missing` while the build's plan is not here. */
  async why(id: BuildId, action: ActionName): Promise<WhyView> {
    const build = await this.opened(id);
    const index = indexIn(build, action);
    const now =
      build.live && build.claims!.actions.get(index) === "ready" ? this.outlooked(build, index) : undefined;
    return whyOf({
      build,
      index,
      nowMs: this.core.desk.now.wallMs,
      nameOf: this.nameOf,
      trees: this.core.desk.trees,
      earlier: await this.earlier(build),
      isAway: (peer) => this.core.desk.status(peer) === "dead",
      ...(now ? { now } : {}),
    });
  }

  /** Throws as `why`. */
  async criticalPath(id: BuildId): Promise<PathView> {
    const build = await this.opened(id);
    const { desk } = this.core;
    const others = desk.liveBuilds().filter((b) => b.id !== id && b.claims && !b.claims.paused);
    return pathsOf({
      build,
      nowMs: desk.now.wallMs,
      nameOf: this.nameOf,
      estimates: desk.estimates,
      hands: desk.seen().filter(({ slots }) => slots > 0),
      elsewhereMs: others.reduce((sum, { claims }) => sum + leftMs(claims!, desk.estimates), 0),
    });
  }

  private readonly nameOf = (peer: PeerId): string => this.queries.nameOf(peer);

  private async opened(id: BuildId): Promise<Build> {
    const build = await this.recall.find(id);
    if (!build.claims)
      throw new SwarmError("blob-missing", `the plan of ${id} is not here yet`, {
        remedy: "see which members are away: swarmd status",
      });
    return build;
  }

  private outlooked(build: Build, index: number): Outlooked {
    const { desk, scheduler } = this.core;
    const { scored, unfit } = scheduler.candidates(build, index);
    return {
      scored,
      unfit,
      slots: new Map(desk.seen().map(({ peer, running, slots }) => [peer, { running, slots }])),
    };
  }

  /** Builds of the same name that were submitted before it, the latest first; those whose plan cannot be had are left out. */
  private async earlier({ submission }: Build): Promise<Build[]> {
    const { desk } = this.core;
    const { wallMs, event } = submission!;
    const here = [...desk.builds.values()]
      .filter((b) => b.claims && b.submission!.event.name === event.name && b.submission!.wallMs < wallMs)
      .sort((a, b) => b.submission!.wallMs - a.submission!.wallMs || byText(a.id, b.id))
      .slice(0, earlierMax);
    if (here.length > 0) return here;
    const [latest] = desk.archive
      .all()
      .map((archived) => ({ id: archived.build, ...endedOf(archived) }))
      .filter(({ submitted, submittedAtMs }) => submitted.name === event.name && submittedAtMs < wallMs)
      .sort((a, b) => b.submittedAtMs - a.submittedAtMs || byText(a.id, b.id));
    const found = latest && (await this.recall.find(latest.id).catch(() => undefined));
    return found?.claims ? [found] : [];
  }
}

/** Expected milliseconds of what a build has still to do. */
function leftMs({ graph, actions }: Claims, estimates: Estimates): number {
  let ms = 0;
  for (const [index, action] of graph.actions.entries())
    if (["waiting", "ready", "claimed", "running"].includes(actions.get(index)))
      ms += estimates.of(graph.name, action);
  return ms;
}

function indexIn({ id, claims }: Build, action: ActionName): number {
  const index = claims!.indexOf.get(action);
  if (index !== undefined) return index;
  const near = nearest(action, claims!.indexOf.keys());
  throw new SwarmError("not-found", `${id} has no action ${action}`, {
    remedy: near === undefined ? `its actions: swarmd logs ${id}` : `did you mean ${near}?`,
  });
}
