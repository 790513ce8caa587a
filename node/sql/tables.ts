/** The tables that may be asked by SQL, with their columns: what the projection makes, what people are told, what a query may read. */
import type { SqlColumn, SqlTableSchema } from "../control/data.ts";

type Columns = Readonly<Record<string, readonly [SqlColumn["type"], string]>>;

interface Table {
  readonly about: string;
  readonly columns: Columns;
  /** What tells its rows apart. */
  readonly key: readonly string[];
  readonly indexes?: readonly (readonly string[])[];
}

const build = ["TEXT", "the build's id"] as const;
const action = ["TEXT", "the action's name"] as const;

export const tables = {
  builds: {
    about: "one submission",
    key: ["build"],
    columns: {
      build,
      name: ["TEXT", "what its spec calls it"],
      state: ["TEXT", "running, paused, complete, failed or cancelled"],
      submitter: ["TEXT", "the node that submitted it"],
      submitted_ms: ["INTEGER", "wall milliseconds, by the submitter's clock"],
      ended_ms: ["INTEGER", "wall milliseconds, by the clock of who sealed it; null while it runs"],
      wall_ms: ["INTEGER", "milliseconds from submit to the end; null while it runs"],
      actions: ["INTEGER", "how many it has"],
      priority: ["INTEGER", "higher goes first"],
      fresh: ["INTEGER", "1: submitted to run everything, without the cache"],
      graph: ["TEXT", "digest of its graph"],
    },
  },
  actions: {
    about: "one action of a build",
    key: ["build", "action"],
    indexes: [["state"]],
    columns: {
      build,
      action,
      kind: ["TEXT", "the spec's action it was expanded from; null while the graph is not here"],
      state: ["TEXT", "waiting, ready, claimed, running, done, blocked, held or cancelled"],
      cached: ["INTEGER", "1: its result was in the cache"],
      attempts: ["INTEGER", "claims so far"],
      failures: ["INTEGER", "attempts that failed"],
      node: ["TEXT", "who made its first result; null for none"],
      wall_ms: ["INTEGER", "milliseconds that run took"],
      cpu_ms: ["INTEGER", "milliseconds of processor time of that run"],
      done_ms: ["INTEGER", "wall milliseconds when its first result was said"],
      timeout_ms: ["INTEGER", "milliseconds it may run"],
      target: ["TEXT", "what a node must build for, where it asks for that"],
    },
  },
  attempts: {
    about: "one claim of an action, and what became of it",
    key: ["claim"],
    indexes: [["build", "action"], ["node"], ["ended_ms"]],
    columns: {
      claim: ["TEXT", "the claim's id"],
      build,
      action,
      attempt: ["INTEGER", "counted from 1"],
      node: ["TEXT", "who was to run it"],
      steward: ["TEXT", "who handed it out"],
      state: ["TEXT", "claimed, running, done, failed, abandoned or expired"],
      reason: ["TEXT", "why it failed, was abandoned or expired"],
      cause: ["TEXT", "of a failure: deterministic or infrastructure"],
      exit_code: ["INTEGER", "of a failure, where there was one"],
      signal: ["TEXT", "of a failure, where there was one"],
      twin: ["INTEGER", "1: beside another claim, to overtake it"],
      claimed_ms: ["INTEGER", "wall milliseconds, by the steward's clock"],
      started_ms: ["INTEGER", "wall milliseconds, by the node's clock"],
      ended_ms: ["INTEGER", "wall milliseconds, by the clock of who said so"],
      wall_ms: ["INTEGER", "milliseconds it ran"],
      cpu_ms: ["INTEGER", "milliseconds of processor time"],
      fetch_ms: ["INTEGER", "milliseconds it waited for its inputs"],
      fetched_bytes: ["INTEGER", "bytes of inputs that came from others"],
      max_rss_bytes: ["INTEGER", "bytes of memory at most"],
      key: ["TEXT", "the key of the action cache"],
    },
  },
  decisions: {
    about: "why a claim went to its node",
    key: ["claim"],
    indexes: [["build", "action"]],
    columns: {
      claim: ["TEXT", "the claim's id"],
      build,
      action,
      node: ["TEXT", "who asked for it and got it"],
      steward: ["TEXT", "who handed it out"],
      at_ms: ["INTEGER", "wall milliseconds, by the steward's clock"],
      mode: ["TEXT", "how scores were made"],
      score: ["REAL", "of the node, higher is better"],
      seen: ["INTEGER", "eligible nodes that were seen"],
      partial: ["INTEGER", "1: less than half of the members were seen"],
      view: ["TEXT", "what was seen, by the first 16 digits of its digest"],
      parts: ["TEXT", "the parts of the score, JSON: name to number"],
      others: ["TEXT", "the next best nodes, JSON: pairs of node and score"],
    },
  },
  nodes: {
    about: "one member, as this node sees it now",
    key: ["peer"],
    columns: {
      node: ["TEXT", "its name"],
      peer: ["TEXT", "its peer id"],
      state: ["TEXT", "self, alive, suspect, dead or unseen"],
      roles: ["TEXT", "with commas between"],
      version: ["TEXT", "of its program"],
      target: ["TEXT", "what it builds for"],
      policy: ["TEXT", "preferred, normal, avoid, standby or drain"],
      labels: ["TEXT", "with commas between"],
      limited_by: ["TEXT", "why it has fewer slots than it declared; null: it has all"],
      cores: ["INTEGER", "processors"],
      slots: ["INTEGER", "actions it would run at once now"],
      running: ["INTEGER", "slots taken"],
      load: ["REAL", "one-minute load average; null: unknown"],
      temperature_celsius: ["REAL", "degrees; null: unknown"],
      memory_free_bytes: ["INTEGER", "bytes"],
      disk_free_bytes: ["INTEGER", "bytes"],
    },
  },
  vitals: {
    about:
      "what a node was like at a moment: beats heard whenever a question was asked, and what decisions saw",
    key: ["peer", "at_ms", "source"],
    indexes: [["at_ms"]],
    columns: {
      node: ["TEXT", "its name"],
      peer: ["TEXT", "its peer id"],
      at_ms: ["INTEGER", "wall milliseconds"],
      source: ["TEXT", "beat: this node heard it; view: a decision saw it"],
      slots: ["INTEGER", "actions it would run at once"],
      running: ["INTEGER", "slots taken; null in views"],
      speed: ["REAL", "against the mean of the swarm; null in beats"],
      load: ["REAL", "one-minute load average; null: unknown, or a view"],
      temperature_celsius: ["REAL", "degrees; null: unknown, or a view"],
      headroom_celsius: ["REAL", "degrees left to the limit; null: unknown"],
      memory_free_bytes: ["INTEGER", "bytes; null in views"],
      disk_free_bytes: ["INTEGER", "bytes; null in views"],
    },
  },
  artifacts: {
    about: "one output of an action, or its log, as one node made it",
    key: ["digest", "build", "action", "path"],
    indexes: [["build", "action"]],
    columns: {
      digest: ["TEXT", "sha2-256 and size"],
      build,
      action,
      path: ["TEXT", "in the workspace; stdout and stderr for logs"],
      kind: ["TEXT", "file, folder or log"],
      size_bytes: ["INTEGER", "bytes; of a folder those of its listing"],
      executable: ["INTEGER", "1: it may be run"],
      node: ["TEXT", "who made it, or had it for a result from the cache"],
      at_ms: ["INTEGER", "wall milliseconds when that was said"],
    },
  },
  releases: {
    about: "one epoch of a channel",
    key: ["channel", "epoch"],
    columns: {
      channel: ["TEXT", "its name"],
      epoch: ["INTEGER", "counted from 1"],
      current: ["INTEGER", "1: the one of its channel that is served"],
      at_ms: ["INTEGER", "wall milliseconds, by its coordinator's clock"],
      coordinator: ["TEXT", "who proposed it"],
      round: ["INTEGER", "of its ballot"],
      votes: ["INTEGER", "that certify it"],
      voters: ["INTEGER", "who could vote"],
      shown_by: ["INTEGER", "mirrors that serve it"],
      manifest: ["TEXT", "digest of what it holds"],
    },
  },
  events: {
    about: "one event, as it was said",
    key: ["peer", "inc", "seq", "place"],
    indexes: [["build"], ["at_ms"], ["kind"]],
    columns: {
      at_ms: ["INTEGER", "wall milliseconds, by its author's clock"],
      node: ["TEXT", "its author's name"],
      peer: ["TEXT", "its author's peer id"],
      inc: ["TEXT", "which start of its author"],
      seq: ["INTEGER", "place of its entry in that chain"],
      place: ["INTEGER", "its own place in the entry"],
      entry: ["TEXT", "the entry's id"],
      build: ["TEXT", "the build it is about; null: none"],
      family: ["TEXT", "node, pipeline, schedule_decision, failure_propagation or debugger_preview"],
      kind: ["TEXT", "as specs/events.md lists them"],
      action: ["TEXT", "the action it names itself; null: none"],
      claim: ["TEXT", "the claim it is about; null: none"],
      counts: ["INTEGER", "0: its author may not say so, or was cut off before"],
      event: ["TEXT", "every field, JSON; bytes as base64; over 16 KiB only its kind"],
    },
  },
} as const satisfies Readonly<Record<string, Table>>;

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];

/** Everything there is, for people. */
export const schema: readonly SqlTableSchema[] = tableNames.map((name) => {
  const { about, columns }: Table = tables[name];
  return {
    name,
    about,
    columns: Object.entries(columns).map(([column, [type, what]]) => ({ name: column, type, about: what })),
  };
});

/** What makes the tables. */
export const statements: readonly string[] = tableNames.flatMap((name) => {
  const { columns, key, indexes = [] }: Table = tables[name];
  const parts = Object.entries(columns).map(([column, [type]]) => `${column} ${type}`);
  return [
    `CREATE TABLE ${name} (${parts.join(", ")}, PRIMARY KEY (${key.join(", ")})) WITHOUT ROWID`,
    ...indexes.map((on) => `CREATE INDEX ${name}_by_${on.join("_")} ON ${name} (${on.join(", ")})`),
  ];
});
