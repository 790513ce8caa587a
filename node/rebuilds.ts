/** Checks of builds by rebuilding: what they run is brought together and submitted as a build of its own; what came of them is read from its facts. */
import { randomBytes } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import { encodeGraph, type GraphAction, type InputFile } from "../protocol/build/graph.ts";
import type { Command, CommandReply } from "../protocol/contract.ts";
import { emptyDigest } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type BuildId, byText, type Digest, type PeerId } from "../protocol/kernel/ids.ts";
import type { Artifacts } from "../protocol/ports.ts";
import { knownEvent } from "../protocol/timeline/events.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { shortfalls, whyNobody } from "../protocol/work/eligible.ts";
import { indexNamed } from "../protocol/work/named.ts";
import {
  checkNameOf,
  executedIn,
  makersOf,
  planningRebuild,
  type RebuildPlan,
  type RebuildQuestion,
} from "../protocol/work/rebuild.ts";
import { type RebuildVerdict, rebuiltOf } from "../protocol/work/rebuilt.ts";
import type { RebuildBegun, RebuildRequest, RebuildView } from "./control/rebuilding.ts";
import type { BlobStore } from "./ports.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

/** Behind all that people wait for. */
const priorityUsual = -10;
/** Folders that a plan asks for are read in turns; each turn reads what the one before did not know of. */
const turnsMax = 4;
/** Planning stops for others after so long. */
const turnMs = 10;

export interface RebuildParts {
  readonly desk: Desk;
  readonly queries: Pick<Queries, "awaited" | "nameOf" | "view">;
  readonly recall: Pick<Recall, "find">;
  readonly artifacts: Pick<Artifacts, "fetch" | "readTree">;
  readonly blobs: Pick<BlobStore, "has" | "put">;
  readonly command: (command: Command) => Promise<Extract<CommandReply, { ok: true }>>;
}

export class Rebuilds {
  private readonly parts: RebuildParts;

  constructor(parts: RebuildParts) {
    this.parts = parts;
  }

  /** See `Rebuilding.rebuild`. */
  async begin({ build: id, share, action, priority = priorityUsual }: RebuildRequest): Promise<RebuildBegun> {
    const { recall, blobs, command } = this.parts;
    const build = await recall.find(id);
    const claims = build.claims;
    if (!claims)
      throw new SwarmError("blob-missing", `the plan of ${id} is not here yet`, {
        remedy: "see which members are away: swarmd status",
      });
    if (build.submission!.event.checks)
      throw new SwarmError("usage", `${id} is a check itself`, {
        remedy: `what it came to: swarmd rebuild-check ${id}`,
      });
    const unheard = this.parts.queries.awaited(build);
    if (action !== undefined) this.demandExecuted(build, action);
    else if (unheard > 0)
      throw new SwarmError("not-found", `this node has not heard yet what ${unheard} actions of ${id} made`, {
        remedy: "again in a while, or from another node; who is reached: swarmd node reach",
      });
    else if (executedIn(claims).length === 0)
      throw new SwarmError("not-found", `nothing was executed in ${id} that could be checked`, {
        remedy: elsewhere(build) ?? "wait until something of it is done, and ask again",
      });
    const salt = randomBytes(8).toString("hex");
    const question = {
      build: id,
      claims,
      inputFiles: build.inputFiles,
      share,
      salt,
      nobody: (one: GraphAction) => this.nobodyFor(one),
      ...(action === undefined ? {} : { only: action }),
    };
    const { graph } = await this.plan(question);
    const { actions, checks } = graph;
    if (actions.length === 0) {
      const [first] = checks.left;
      const more = checks.left.length > 1 ? ` (and ${checks.left.length - 1} more)` : "";
      throw new SwarmError("no-eligible-node", `${first!.action} cannot be checked: ${first!.why}${more}`, {
        remedy: "a check needs another member that can build the same: swarmd node list",
      });
    }
    if (graph.files.some((file) => file.digest === emptyDigest)) await blobs.put(new Uint8Array());
    const digest = await blobs.put(encodeGraph(graph).bytes);
    const name = checkNameOf(build.submission!.event.name);
    const nonce = randomBytes(8).toString("hex");
    const reply = await command({
      kind: "submit",
      name,
      graph: digest,
      nonce,
      priority,
      fresh: true,
      checks: id,
    });
    const { word } = reply;
    return {
      check: reply.build!,
      picked: actions.length,
      of: checks.of,
      left: checks.left.length,
      ...(word ? { word } : {}),
    };
  }

  /** See `Rebuilding.rebuilt`. */
  async view(id: BuildId): Promise<RebuildView> {
    const { recall, queries } = this.parts;
    const build = await recall.find(id);
    const nameOf = (peer: PeerId) => queries.nameOf(peer);
    const checked = build.submission!.event.checks;
    const other = checked && (await recall.find(checked).catch(() => undefined));
    const rebuilt = rebuiltOf(build, nameOf, other?.claims);
    if (!rebuilt)
      throw new SwarmError("not-found", `${id} is no check of another build`, {
        remedy: `begin one of it: swarmd rebuild-check ${id}`,
      });
    const { state, actionViews } = queries.view(build);
    const waits = new Map(actionViews.map(({ name, waitsFor }) => [name, waitsFor]));
    const counts: Record<RebuildVerdict, number> = { different: 0, unchecked: 0, pending: 0, equal: 0 };
    for (const { verdict } of rebuilt.actions) counts[verdict]++;
    const order = Object.keys(counts);
    const { left: _, actions, ...picking } = rebuilt;
    return {
      check: id,
      state,
      ...picking,
      counts,
      actions: actions
        .map(({ by, again, ...one }) => {
          const why = one.why ?? (one.verdict === "pending" ? waits.get(one.action) : undefined);
          return { ...one, by: by.map(nameOf), again: again.map(nameOf), ...(why ? { why } : {}) };
        })
        .sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) || byText(a.action, b.action)),
    };
  }

  /** All folders that it takes are read, and all bytes brought here; what can be had from nobody is left out. */
  private async plan(
    question: Omit<RebuildQuestion, "trees" | "gone">,
  ): Promise<Extract<RebuildPlan, { kind: "planned" }>> {
    const trees = new Map<Digest, readonly InputFile[]>(this.parts.desk.trees);
    const gone = new Set<Digest>();
    for (let turn = 0; turn < turnsMax; turn++) {
      const plan = await paced(planningRebuild({ ...question, trees, gone }));
      if (plan.kind === "planned") {
        const lost = await this.bring(plan.graph.files);
        if (lost.length === 0) return plan;
        for (const digest of lost) gone.add(digest);
        continue;
      }
      await Promise.all(
        plan.needed.map(async (want) => {
          const files = await this.readTree(want.digest, want.from);
          if (files) trees.set(want.digest, files);
          else gone.add(want.digest);
        }),
      );
    }
    throw new SwarmError("blob-missing", "what the checked actions took cannot be brought together", {
      remedy: "see which members are away: swarmd status",
    });
  }

  private readTree(digest: Digest, from: readonly PeerId[]): Promise<InputFile[] | null> {
    const want = { digest, from: this.parts.desk.preferred([...from]) };
    return new Promise((resolve) => this.parts.artifacts.readTree(want, resolve));
  }

  /** What could not be had. */
  private bring(files: readonly InputFile[]): Promise<Digest[]> {
    const { desk, blobs, artifacts } = this.parts;
    const from = desk.preferred([]);
    const digests = new Set(files.flatMap((f) => (f.link !== undefined || f.folder ? [] : [f.digest])));
    const wants = [...digests].filter((digest) => !blobs.has(digest)).map((digest) => ({ digest, from }));
    if (wants.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => artifacts.fetch(wants, (missing) => resolve(missing)));
  }

  private nobodyFor(action: GraphAction): string | undefined {
    const { desk, queries } = this.parts;
    const unfit = desk.seen().map((vitals) => ({
      name: queries.nameOf(vitals.peer),
      shortfalls: shortfalls(vitals, action, desk.config.self),
    }));
    // What passes by waiting is waited for.
    if (unfit.some((one) => one.shortfalls.every(({ never }) => !never))) return undefined;
    return whyNobody(unfit);
  }

  private demandExecuted(build: Build, action: string): void {
    const index = indexNamed(build, action);
    if (makersOf(build.claims!, index).length > 0) return;
    const cached = build.claims!.wasCached(index);
    throw new SwarmError(
      "not-found",
      cached ? `${action} came from the cache in ${build.id}` : `${action} has no result yet`,
      { remedy: (cached ? elsewhere(build, action) : undefined) ?? `why: swarmd why ${build.id} ${action}` },
    );
  }
}

/** With turns for everybody else between. */
async function paced(planning: Generator<undefined, RebuildPlan>): Promise<RebuildPlan> {
  for (let sinceMs = performance.now(); ; ) {
    const { value, done } = planning.next();
    if (done) return value;
    if (performance.now() - sinceMs < turnMs) continue;
    await breathe();
    sinceMs = performance.now();
  }
}

/** Where what came from the cache was made. */
function elsewhere(build: Build, action?: string): string | undefined {
  for (const { entry } of build.facts())
    for (const raw of entry.events) {
      const event = raw.kind === "cached" ? knownEvent(raw) : undefined;
      if (event?.kind !== "cached" || !event.made) continue;
      if (action !== undefined && event.action !== action) continue;
      const only = action === undefined ? "" : ` --action ${event.made.action}`;
      return `it was made in another build: swarmd rebuild-check ${event.made.build}${only}`;
    }
  return undefined;
}
