/** Builds as people ask for them: those in memory as they are, archived ones read back from the disk and folded anew, for reading alone. */
import { decodeGraph } from "../protocol/build/graph.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import type { Artifacts, EventStore } from "../protocol/ports.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { Place } from "../protocol/timeline/places.ts";
import { type Archived, endedOf } from "../protocol/work/archive.ts";
import { Build } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { Ledger } from "../protocol/work/ledger.ts";
import type { Queries } from "./queries.ts";

/** What was read back stays at hand for the next question; the one asked for longest ago goes first. */
const recalledMax = 4;

export interface RecallOptions {
  readonly desk: Desk;
  readonly queries: Pick<Queries, "find">;
  readonly events: Pick<EventStore, "range">;
  readonly artifacts: Pick<Artifacts, "read">;
}

const countOf = (places: Iterable<Place>): number => {
  let count = 0;
  for (const { runs } of places)
    for (let at = 0; at < runs.length; at += 2) count += runs[at + 1]! - runs[at]! + 1;
  return count;
};

export class Recall {
  private readonly options: RecallOptions;
  /** `state`: of its entries, and of the members by whom they were judged. */
  private readonly recalled = new Map<BuildId, { readonly state: string; readonly build: Promise<Build> }>();

  constructor(options: RecallOptions) {
    this.options = options;
  }

  /** Throws `not-found` for one that nobody knows, `blob-missing` when an archived one's graph cannot be had. */
  async find(id: BuildId): Promise<Build> {
    const { desk, queries } = this.options;
    const archived = desk.builds.has(id) ? undefined : desk.archive.get(id);
    if (!archived) return queries.find(id);
    const known = this.recalled.get(id);
    const state = `${archived.sum} ${desk.members.revision}`;
    const build = known?.state === state ? known.build : this.read(archived);
    this.recalled.delete(id);
    this.recalled.set(id, { state, build });
    if (this.recalled.size > recalledMax) this.recalled.delete(this.recalled.keys().next().value!);
    try {
      return await build;
    } catch (error) {
      if (this.recalled.get(id)?.build === build) this.recalled.delete(id);
      throw error;
    }
  }

  private async read(archived: Archived): Promise<Build> {
    const { desk, artifacts } = this.options;
    const { submitted } = endedOf(archived);
    if (archived.dropped)
      throw new SwarmError(
        "not-found",
        `${archived.build} ended long ago: it is known to have been, what was said in it is kept no more`,
        {
          remedy:
            "how long that is: timelineKeptMs, in swarmd config show; to build it again: submit its spec",
        },
      );
    const entries = (await Promise.all([...archived.places.values()].map((at) => this.range(at)))).flat();
    const want = { digest: submitted.graph, from: desk.preferred(submitted.holders) };
    const graph = await new Promise<Uint8Array | null>((resolve) => artifacts.read(want, resolve));
    if (!graph)
      throw new SwarmError(
        "blob-missing",
        `no member that can be reached still has the plan of ${archived.build}, which ended long ago`,
        { remedy: "submit its spec again: what is still in the action cache is not built anew" },
      );
    if (desk.config.small && entries.length < archived.entries)
      throw new SwarmError(
        "not-found",
        `this node keeps only live builds (small: yes); ${archived.build} has ended`,
        {
          remedy: "ask any other member",
        },
      );
    const build = new Build(archived.build, new Ledger(archived.build, 0), desk.now.monoMs);
    const own = entries.filter(({ entry }) => entry.build === archived.build);
    const lacking = countOf(archived.places.values()) - new Set(own.map(({ id }) => id)).size;
    if (lacking > 0)
      throw new SwarmError(
        "blob-missing",
        `of ${archived.build} ${lacking} entries are damaged on this disk, and not yet back from others`,
        { remedy: "try again in a moment; how many are missing in all: swarmd status" },
      );
    build.take(own, desk.members);
    build.open(decodeGraph(graph), desk.estimates, desk.members);
    return build;
  }

  private range({ author, inc, runs }: Place): Promise<SignedEntry[]> {
    return new Promise((resolve) => this.options.events.range(author, inc, runs[0]!, runs.at(-1)!, resolve));
  }
}
