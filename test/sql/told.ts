/** A small past for the projection: what two members said of one build, fed as a daemon would. */
import type { ExplorerOptions } from "../../node/sql/explorer.ts";
import { missing } from "../../node/sql/marked.ts";
import { Projection } from "../../node/sql/projection.ts";
import type { Chain, Fed, Present } from "../../node/sql/speech.ts";
import { encodeGraph } from "../../protocol/build/graph.ts";
import { chainOf } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { Author, done, fail, graphOf, start } from "../work/facts.ts";

const swarm = "5".repeat(64);
const usage = { fetchMs: 5, wallMs: 100, cpuMs: 80, maxRssBytes: 1 << 20, fetchedBytes: 64 };

export class Past {
  readonly ann = new Author("ann");
  readonly ben = new Author("ben");
  readonly entries: SignedEntry[] = [];
  readonly graph = encodeGraph(graphOf({ a: [], b: ["a"], c: ["a"] }));
  present: Partial<Present> = {};
  /** Ids of entries whose author may not say so. */
  readonly idle = new Set<string>();
  reads = 0;

  /** Submit, `a` done by ben, `b` failed by ann and taken again, `c` not begun. */
  play(): this {
    const { ann, ben } = this;
    const a = ann.claim("a", ben, {
      why: { score: 1.5, parts: { speed: 1 }, view: "0123456789abcdef", seen: 2, others: [[ann.peer, 0.5]] },
    });
    const b = ann.claim("b", ann);
    const again = ann.claim("b", ben, { attempt: 2 });
    const submitted = {
      kind: "build.submitted" as const,
      name: "demo",
      graph: this.graph.digest,
      nonce: "n",
      fold: 1,
      actions: 3,
      priority: 0,
      holders: [ann.peer],
    };
    this.entries.push(
      ann.say(submitted),
      ann.say(a, b),
      ben.say(start(a)),
      ben.say({ ...done(a), usage }),
      ann.say(start(b)),
      ann.say({ ...fail(b), usage: { ...usage, wallMs: 50 }, exitCode: 2 }),
      ann.say(again),
      ben.say(start(again)),
    );
    return this;
  }

  feed(): ExplorerOptions["feed"] {
    return {
      swarm,
      names: () => [
        [this.ann.peer, "ann"],
        [this.ben.peer, "ben"],
      ],
      entries: async (known, _, give) => {
        this.reads++;
        const runs = new Map(known.map((chain) => [chainOf(chain.author, chain.inc), chain.runs]));
        const fresh = this.entries.filter(({ entry: { author, inc, seq } }) =>
          missing(runs.get(chainOf(author, inc)) ?? [], seq).some(([from, to]) => from <= seq && seq <= to),
        );
        if (fresh.length > 0) await give(fresh.map((entry) => this.fed(entry)));
        return fresh.map(({ entry: { author, inc } }): Chain => ({ author, inc, runs: [] }));
      },
      graph: async (_build, digest) => (digest === this.graph.digest ? this.graph.bytes : null),
      present: async () => ({
        names: [],
        nodes: [],
        vitals: [],
        releases: [],
        builds: [],
        ...this.present,
      }),
      forget: () => {},
    };
  }

  /** All of it in a projection, without a process. */
  into(file: string, of = swarm): Projection {
    const projection = new Projection(file, of);
    projection.call([
      [this.ann.peer, "ann"],
      [this.ben.peer, "ben"],
    ]);
    projection.read(
      this.entries.map((entry) => this.fed(entry)),
      0,
    );
    projection.passed([]);
    for (const [build] of projection.lacking()) projection.graph(build, this.graph.bytes);
    return projection;
  }

  private fed({ bytes, id, entry }: SignedEntry): Fed {
    return { bytes, counts: entry.events.map(() => !this.idle.has(id)) };
  }
}
