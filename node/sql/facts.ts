/** What events say of builds, as rows: each statement of a build finds its rows, whichever came first. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Graph } from "../../protocol/build/graph.ts";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { BuildId, PeerId } from "../../protocol/kernel/ids.ts";
import type { ActionResult, Event, EventOf } from "../../protocol/timeline/events.ts";
import type { ActionState } from "../../protocol/work/actions.ts";

/** In which build it was said, by whom and when. */
export interface Saying {
  readonly build: BuildId;
  readonly author: PeerId;
  readonly atMs: number;
}

type Close = EventOf<"start"> | EventOf<"done"> | EventOf<"fail"> | EventOf<"abandon"> | EventOf<"expire">;

/** Of two words about one claim the later in this order holds. */
const rank =
  "CASE state WHEN 'done' THEN 5 WHEN 'failed' THEN 4 WHEN 'abandoned' THEN 3 WHEN 'expired' THEN 2 WHEN 'running' THEN 1 ELSE 0 END";
const ranks = { running: 1, expired: 2, abandoned: 3, failed: 4, done: 5 } as const;

export class Facts {
  private readonly nameOf: (peer: PeerId) => string;
  private readonly prepared = new Map<string, StatementSync>();
  private readonly database: DatabaseSync;

  constructor(database: DatabaseSync, nameOf: (peer: PeerId) => string) {
    this.database = database;
    this.nameOf = nameOf;
  }

  /** One event whose author may say so by its roles. */
  take(event: Event, saying: Saying): void {
    switch (event.kind) {
      case "build.submitted":
        return this.submitted(event, saying);
      case "claim":
        return this.claim(event, saying);
      case "start":
      case "done":
      case "fail":
      case "abandon":
      case "expire":
        return this.close(event, saying);
      case "cached":
        return this.cached(event, saying);
      case "sealed":
        this.run(
          `INSERT INTO builds (build, state, wall_ms, ended_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
           SET state = excluded.state, wall_ms = excluded.wall_ms, ended_ms = excluded.ended_ms`,
          saying.build,
          event.state,
          event.wallMs,
          saying.atMs,
        );
        return;
      case "view":
        return this.view(event, saying);
      default:
    }
  }

  /** What its plan says of the actions of a build. */
  open(build: BuildId, graph: Graph): void {
    for (const { name, group, timeoutMs, requires } of graph.actions)
      this.run(
        `INSERT INTO actions (build, action, kind, state, cached, attempts, failures, timeout_ms, target)
         VALUES (?, ?, ?, 'waiting', 0, 0, 0, ?, ?) ON CONFLICT DO UPDATE
         SET kind = excluded.kind, timeout_ms = excluded.timeout_ms, target = excluded.target`,
        build,
        name,
        group,
        timeoutMs,
        requires?.target ?? null,
      );
    this.settle([build]);
  }

  /** How a build that is in memory stands. */
  standing(
    build: BuildId,
    state: string,
    wallMs: number | null,
    actions: Readonly<Partial<Record<ActionState, readonly string[]>>>,
  ): void {
    this.run(
      "UPDATE builds SET state = ?, wall_ms = coalesce(?, wall_ms) WHERE build = ?",
      state,
      wallMs,
      build,
    );
    for (const [actionState, names] of Object.entries(actions))
      for (const name of names ?? [])
        this.run(
          "UPDATE actions SET state = ? WHERE build = ? AND action = ? AND state <> ?",
          actionState,
          build,
          name,
          actionState,
        );
  }

  /** States of actions as far as they show without the fold, after a build was touched. */
  settle(builds: Iterable<BuildId>): void {
    for (const build of builds)
      this.run(
        `UPDATE actions SET state = CASE
           WHEN done_ms IS NOT NULL THEN 'done'
           WHEN b.state = 'complete' THEN 'done'
           WHEN b.state = 'cancelled' THEN 'cancelled'
           WHEN b.state = 'failed' AND failures > 0 THEN 'blocked'
           WHEN b.state = 'failed' THEN 'held'
           ELSE coalesce((SELECT a.state FROM attempts a WHERE a.build = actions.build AND a.action = actions.action
             AND a.state IN ('claimed', 'running') ORDER BY a.state DESC LIMIT 1), 'waiting') END
         FROM (SELECT state FROM builds WHERE build = ?1) b WHERE actions.build = ?1`,
        build,
      );
  }

  private submitted(event: EventOf<"build.submitted">, { build, author, atMs }: Saying): void {
    this.run(
      `INSERT INTO builds (build, name, state, submitter, submitted_ms, actions, priority, fresh, graph)
       VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
       SET name = excluded.name, submitter = excluded.submitter, submitted_ms = excluded.submitted_ms,
         actions = excluded.actions, priority = excluded.priority, fresh = excluded.fresh, graph = excluded.graph`,
      build,
      event.name,
      this.nameOf(author),
      atMs,
      event.actions,
      event.priority,
      event.fresh ? 1 : 0,
      event.graph,
    );
  }

  private claim(event: EventOf<"claim">, { build, author, atMs }: Saying): void {
    const { claim, action, holder, why } = event;
    const { changes } = this.run(
      `INSERT OR IGNORE INTO attempts (claim, build, action, attempt, node, steward, state, twin, claimed_ms, key)
       VALUES (?, ?, ?, ?, ?, ?, 'claimed', ?, ?, ?)`,
      claim,
      build,
      action,
      event.attempt,
      this.nameOf(holder),
      this.nameOf(author),
      event.twin ? 1 : 0,
      atMs,
      event.key,
    );
    // A steward that uses one id twice has made two claims; the first that came stands here.
    if (changes === 0) return;
    this.run(
      `INSERT INTO actions (build, action, state, cached, attempts, failures) VALUES (?, ?, 'claimed', 0, 1, 0)
       ON CONFLICT DO UPDATE SET attempts = attempts + 1`,
      build,
      action,
    );
    if (why)
      this.run(
        "INSERT OR IGNORE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        claim,
        build,
        action,
        this.nameOf(holder),
        this.nameOf(author),
        atMs,
        why.mode ?? "unified",
        why.score,
        why.seen,
        why.partial ? 1 : 0,
        why.view,
        JSON.stringify(why.parts),
        JSON.stringify((why.others ?? []).map(([peer, score]) => [this.nameOf(peer), score])),
      );
    this.run("INSERT OR REPLACE INTO holders VALUES (?, ?)", claim, holder);
    const early = this.statement("SELECT author, at_ms, event FROM early WHERE claim = ?").all(claim) as {
      author: PeerId;
      at_ms: number;
      event: string;
    }[];
    if (early.length === 0) return;
    this.run("DELETE FROM early WHERE claim = ?", claim);
    for (const { author: by, at_ms, event: text } of early)
      this.close(JSON.parse(text) as Close, { build, author: by, atMs: at_ms });
  }

  /** What became of a claim: only its holder may say so, but that it expired. */
  private close(event: Close, { build, author, atMs }: Saying): void {
    const { claim } = event;
    const known = this.statement(
      "SELECT a.action, h.holder FROM attempts a JOIN holders h ON h.claim = a.claim WHERE a.claim = ?",
    ).get(claim) as { action: string; holder: PeerId } | undefined;
    if (!known) {
      this.run("INSERT INTO early VALUES (?, ?, ?, ?)", claim, author, atMs, JSON.stringify(event));
      return;
    }
    if (event.kind !== "expire" && author !== known.holder) return;
    if (event.kind === "start") {
      this.run("UPDATE attempts SET started_ms = coalesce(started_ms, ?) WHERE claim = ?", atMs, claim);
      this.turn(claim, "running", null, null);
    } else if (event.kind === "abandon" || event.kind === "expire")
      this.turn(claim, event.kind === "abandon" ? "abandoned" : "expired", event.reason, atMs);
    else this.ended(event, { build, author, atMs }, known.action);
  }

  private ended(event: EventOf<"done"> | EventOf<"fail">, saying: Saying, action: string): void {
    const { build, atMs } = saying;
    const { claim, usage } = event;
    const isNew = this.turn(
      claim,
      event.kind === "done" ? "done" : "failed",
      event.kind === "fail" ? event.reason : null,
      atMs,
    );
    if (!isNew) return;
    this.run(
      `UPDATE attempts SET wall_ms = ?, cpu_ms = ?, fetch_ms = ?, fetched_bytes = ?, max_rss_bytes = ? WHERE claim = ?`,
      usage?.wallMs ?? null,
      usage?.cpuMs ?? null,
      usage?.fetchMs ?? null,
      usage?.fetchedBytes ?? null,
      usage?.maxRssBytes ?? null,
      claim,
    );
    const node = this.nameOf(saying.author);
    if (event.kind === "fail") {
      this.run(
        "UPDATE attempts SET cause = ?, exit_code = ?, signal = ? WHERE claim = ?",
        event.cause,
        event.exitCode ?? null,
        event.signal ?? null,
        claim,
      );
      this.run("UPDATE actions SET failures = failures + 1 WHERE build = ? AND action = ?", build, action);
      this.artifacts({ outputs: [], stdout: event.stdout, stderr: event.stderr }, action, node, saying);
      return;
    }
    this.run(
      `UPDATE actions SET done_ms = ?, node = ?, wall_ms = ?, cpu_ms = ?
       WHERE build = ? AND action = ? AND (done_ms IS NULL OR done_ms > ?1)`,
      atMs,
      node,
      usage?.wallMs ?? null,
      usage?.cpuMs ?? null,
      build,
      action,
    );
    this.artifacts(event.result, action, node, saying);
  }

  private cached({ action, result, from }: EventOf<"cached">, saying: Saying): void {
    this.run(
      `INSERT INTO actions (build, action, state, cached, attempts, failures, done_ms) VALUES (?, ?, 'done', 1, 0, 0, ?)
       ON CONFLICT DO UPDATE SET cached = 1, done_ms = min(coalesce(done_ms, excluded.done_ms), excluded.done_ms)`,
      saying.build,
      action,
      saying.atMs,
    );
    this.artifacts(result, action, this.nameOf(from), saying);
  }

  private artifacts(
    {
      outputs,
      stdout,
      stderr,
    }: Pick<ActionResult, "outputs"> & { stdout?: string | undefined; stderr?: string | undefined },
    action: string,
    node: string,
    { build, atMs }: Saying,
  ): void {
    const logs = Object.entries({ stdout, stderr }).flatMap(([path, digest]) =>
      digest === undefined ? [] : [{ path, digest, kind: "log", executable: false }],
    );
    for (const { digest, path, kind, executable } of [...outputs, ...logs])
      this.run(
        "INSERT OR IGNORE INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        digest,
        build,
        action,
        path,
        kind,
        sizeOf(digest as ActionResult["outputs"][number]["digest"]),
        executable ? 1 : 0,
        node,
        atMs,
      );
  }

  private view({ nodes }: EventOf<"view">, { atMs }: Saying): void {
    for (const { peer, slots, headroom, speed } of nodes)
      if (typeof peer === "string")
        this.run(
          `INSERT OR IGNORE INTO vitals (node, peer, at_ms, source, slots, speed, headroom_celsius)
           VALUES (?, ?, ?, 'view', ?, ?, ?)`,
          this.nameOf(peer as PeerId),
          peer,
          atMs,
          typeof slots === "number" ? slots : null,
          typeof speed === "number" ? speed : null,
          typeof headroom === "number" ? headroom : null,
        );
  }

  /** False: it had come that far before. */
  private turn(
    claim: string,
    state: keyof typeof ranks,
    reason: string | null,
    atMs: number | null,
  ): boolean {
    const { changes } = this.run(
      `UPDATE attempts SET state = ?, reason = coalesce(?, reason), ended_ms = coalesce(?, ended_ms)
       WHERE claim = ? AND ${rank} < ${ranks[state]}`,
      state,
      reason,
      atMs,
      claim,
    );
    return changes > 0;
  }

  private run(sql: string, ...values: (string | number | null)[]) {
    return this.statement(sql).run(...values);
  }

  private statement(sql: string): StatementSync {
    let statement = this.prepared.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.prepared.set(sql, statement);
    }
    return statement;
  }
}
