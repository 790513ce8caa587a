/** Accounts of what happened: why an action went as it did, what a build's duration hung on, what its failures came from. Reads builds in memory and on the disk, and changes nothing. */
import { nearestOr } from "../protocol/build/nearest.ts";
import type { Core } from "../protocol/core.ts";
import {
  type AutopsyView,
  autopsyOf,
  failedIn,
  openedMax,
  type Ran,
  ranIn,
} from "../protocol/explain/autopsy.ts";
import { courseOf } from "../protocol/explain/course.ts";
import { type DecisionsView, decisionsOf } from "../protocol/explain/decisions.ts";
import type { Rule } from "../protocol/explain/diagnosis.ts";
import { type PathView, pathsOf } from "../protocol/explain/paths.ts";
import type { Reading } from "../protocol/explain/readings.ts";
import { momentOf, stepsOf } from "../protocol/explain/replay.ts";
import { type Outlooked, type Question, type WhyView, whyNotCached, whyOf } from "../protocol/explain/why.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, byText, type Digest, type PeerId } from "../protocol/kernel/ids.ts";
import { endedOf } from "../protocol/work/archive.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Claim } from "../protocol/work/claim.ts";
import type { Claims } from "../protocol/work/claims.ts";
import type { Estimates } from "../protocol/work/estimates.ts";
import { indexNamed } from "../protocol/work/named.ts";
import { foundBy } from "../protocol/work/rebuilt.ts";
import type { DecisionsRequest, ReadingsView, ReplayLine, ReplayRequest } from "./control/account.ts";
import type { RecipeView } from "./control/recipe.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";
import { recipeOf } from "./recipe.ts";
import { earlierMax } from "./recording/contents.ts";

/** Logs of failed runs that are read for one autopsy, and of each so much from its end. */
const logsMax = 200;
const logBytesMax = 64 << 10;

/** Of each node, evenly over a build's time; and from so long before its submit. */
const readingsMax = 500;
const readBeforeMs = 60_000;

export interface AccountParts {
  readonly core: Core;
  readonly queries: Pick<Queries, "nameOf">;
  readonly recall: Pick<Recall, "find">;
  /** The last bytes of a log; null where nobody has it. */
  readonly tailOf: (digest: Digest, maxBytes: number) => Promise<Uint8Array | null>;
  readonly rules: () => Promise<{ readonly rules: readonly Rule[]; readonly faults: readonly string[] }>;
  /** What nodes had said of themselves by a moment, or in a time, as far as that is recorded. */
  readonly readings?: {
    at(atMs: number): Promise<ReadonlyMap<PeerId, Reading>>;
    between(fromMs: number, toMs: number): AsyncIterable<Reading>;
  };
  /** Runs of builds that are neither in memory nor earlier ones of the same name. */
  readonly ran?: readonly Ran[];
  /** All of it is past: nobody waits for anything any more. */
  readonly past?: true;
}

export class AccountQueries {
  private readonly parts: AccountParts;
  private readonly core: Core;

  constructor(parts: AccountParts) {
    this.parts = parts;
    this.core = parts.core;
  }

  /** Throws `not-found` for a build or an action that is not there, `blob-missing` while the build's plan is not here. */
  async why(id: BuildId, action: ActionName): Promise<WhyView> {
    const build = await this.opened(id);
    const index = indexNamed(build, action);
    const now = !this.parts.past && isReady(build, index) ? this.outlooked(build, index) : undefined;
    const view = whyOf({
      ...this.question(build, index, await this.earlier(build)),
      ...(now ? { now } : {}),
    });
    const rebuilt = foundBy(await this.checksOf(id), this.nameOf, build.claims, action);
    return rebuilt.differing.length + rebuilt.equal.length > 0 ? { ...view, rebuilt } : view;
  }

  /** Throws as `why`. */
  async recipe(id: BuildId, action: ActionName): Promise<RecipeView> {
    const build = await this.opened(id);
    const claims = build.claims!;
    return recipeOf(claims.graph, claims.action(indexNamed(build, action)), (name) => {
      const index = claims.indexOf.get(name);
      return (index === undefined ? undefined : claims.resultOf(index))?.result.outputs ?? [];
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

  /** Throws as `why`. */
  async autopsy(id: BuildId): Promise<AutopsyView> {
    const build = await this.opened(id);
    const earlier = await this.earlier(build);
    const { desk } = this.core;
    const outputs = new Map<Claim, string>();
    const failed = failedIn(build)
      .slice(0, openedMax)
      .flatMap((index) => build.claims!.claimsOf(index).filter((claim) => claim.fail));
    for (const claim of failed.slice(0, logsMax)) {
      const { stdout, stderr } = claim.fail!;
      const texts = [stdout, stderr].map((digest) =>
        digest ? this.parts.tailOf(digest, logBytesMax) : null,
      );
      const bytes = await Promise.all(texts);
      outputs.set(claim, bytes.map((part) => (part ? Buffer.from(part).toString("utf8") : "")).join("\n"));
    }
    const others = [...desk.builds.values()].filter((b) => b.claims && b !== build && !earlier.includes(b));
    const { differing } = foundBy(await this.checksOf(id), this.nameOf, build.claims);
    const view = autopsyOf({
      build,
      nameOf: this.nameOf,
      ...(await this.parts.rules()),
      outputOf: (claim) => outputs.get(claim) ?? "",
      elsewhere: [...[...earlier, ...others].flatMap(ranIn), ...(this.parts.ran ?? [])],
      changesOf: (index) => whyNotCached(this.question(build, index, earlier)),
    });
    return differing.length > 0 ? { ...view, differing: differing.slice(0, openedMax) } : view;
  }

  /** Throws as `why`, and `not-found` for a node that nobody knows. */
  async decisions({ build: id, ...question }: DecisionsRequest): Promise<DecisionsView> {
    const view = decisionsOf(await this.opened(id), this.nameOf, question);
    const { members } = this.core.desk;
    const { node } = question;
    if (node === undefined || view.total > 0 || view.nodes.includes(node)) return view;
    const peers = [...members.all(), ...members.formers()].map(({ peer }) => peer);
    const names = peers.map(this.nameOf);
    if (names.includes(node) || peers.some((peer) => peer === node)) return view;
    throw new SwarmError("not-found", `there is no node ${node}`, {
      remedy: nearestOr(node, names, "see the nodes: swarmd node list"),
    });
  }

  /** The build at a moment (the last one if none is named), or every event of it in order. Throws as `why`. */
  async *replay({ build: id, atMs, steps }: ReplayRequest): AsyncIterable<ReplayLine> {
    const build = await this.opened(id);
    const { members, estimates } = this.core.desk;
    const parts = { members, estimates, nameOf: this.nameOf };
    if (steps) yield* stepsOf(build, parts);
    else {
      const at = atMs ?? courseOf(build)!.lastMs;
      const readings = await this.parts.readings?.at(at);
      yield momentOf(build, at, { ...parts, ...(readings ? { readings } : {}) });
    }
  }

  /** How its nodes were over its time, as far as that is recorded. Throws as `why`. */
  async readings(id: BuildId): Promise<ReadingsView> {
    const build = await this.opened(id);
    const { submittedMs, lastMs } = courseOf(build)!;
    const nodes: Record<string, ReadingsView["nodes"][string]> = {};
    const eachMs = (lastMs - submittedMs) / readingsMax;
    for await (const reading of this.parts.readings?.between(submittedMs - readBeforeMs, lastMs) ?? []) {
      const name = this.nameOf(reading.peer);
      nodes[name] ??= [];
      const own = nodes[name] as Reading[];
      const before = own.at(-1);
      if (before && reading.atMs - before.atMs < eachMs && before.slots === reading.slots) continue;
      own.push(reading);
    }
    return { build: id, nodes };
  }

  private readonly nameOf = (peer: PeerId): string => this.parts.queries.nameOf(peer);

  /** With its plan. Throws as `why`. */
  async opened(id: BuildId): Promise<Build> {
    const build = await this.parts.recall.find(id);
    if (!build.claims)
      throw new SwarmError("blob-missing", `the plan of ${id} is not here yet`, {
        remedy: "see which members are away: swarmd status",
      });
    return build;
  }

  private question(build: Build, index: number, earlier: readonly Build[]): Question {
    const { desk } = this.core;
    return {
      build,
      index,
      nowMs: desk.now.wallMs,
      nameOf: this.nameOf,
      trees: desk.trees,
      earlier,
      isAway: (peer) => desk.status(peer) === "dead",
    };
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

  /** Builds that check one by rebuilding, the first one first: those in memory, and the latest that the disk has. */
  private async checksOf(id: BuildId): Promise<Build[]> {
    const { desk } = this.core;
    const here = [...desk.builds.values()].filter((b) => b.submission?.event.checks === id);
    const archived = desk.archive
      .all()
      .filter((one) => !desk.builds.has(one.build) && endedOf(one).submitted.checks === id)
      .sort((a, b) => endedOf(b).submittedAtMs - endedOf(a).submittedAtMs || byText(a.build, b.build))
      .slice(0, earlierMax);
    const read = await Promise.all(
      archived.map((one) => this.parts.recall.find(one.build).catch(() => undefined)),
    );
    return [...here, ...read.filter((one) => one !== undefined)].sort(
      (a, b) => a.submission!.wallMs - b.submission!.wallMs || byText(a.id, b.id),
    );
  }

  /** Builds of the same name that were submitted before it, the latest first; those whose plan cannot be had are left out. */
  async earlier({ submission }: Build): Promise<Build[]> {
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
    const found = latest && (await this.parts.recall.find(latest.id).catch(() => undefined));
    return found?.claims ? [found] : [];
  }
}

const isReady = ({ live, claims }: Build, index: number): boolean =>
  live && claims!.actions.get(index) === "ready";

/** Expected milliseconds of what a build has still to do. */
function leftMs({ graph, actions }: Claims, estimates: Estimates): number {
  let ms = 0;
  for (const [index, action] of graph.actions.entries())
    if (["waiting", "ready", "claimed", "running"].includes(actions.get(index)))
      ms += estimates.of(graph.name, action);
  return ms;
}
