/**
 * SQL over what was said, for one daemon. The projection is kept by a process of its own, which is started with the first question, brought forward with each, and
 * goes when nobody asks: SQLite cannot be interrupted from another thread, and its memory has no bound of its own, but a process can be killed for either.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { type ErrorCode, errorCodes, SwarmError } from "../../protocol/kernel/errors.ts";
import type {
  SqlAnswer,
  SqlTable,
  SqlTableSchema,
  StatisticsRequest,
  StatisticsView,
} from "../control/data.ts";
import { startedFrom } from "../program.ts";
import type { Feed } from "./feed.ts";
import type { Reply, Request } from "./speech.ts";
import { statisticsOf } from "./statistics.ts";
import { schema } from "./tables.ts";

/** A query takes no longer. */
const queryMsMax = 2_000;
/** Nor does the process that runs it hold more memory. */
const residentBytesMax = 320 << 20;
const watchMs = 50;
/** So long a question waits while what was said is read in; that goes on without it. */
const readMsMax = 20_000;
/** Every other request to the process is answered by then, or it hangs. */
const workMsMax = 120_000;
const idleMs = 60_000;
/** Questions that wait for those before them. */
const waitingMax = 16;

export interface ExplorerOptions {
  /** The database; its folder is made. */
  readonly file: string;
  readonly feed: Pick<Feed, "swarm" | "names" | "entries" | "graph" | "present" | "forget">;
  readonly nowMs: () => number;
  readonly limits?: {
    readonly queryMsMax?: number;
    readonly readMsMax?: number;
    readonly residentBytesMax?: number;
  };
}

export class Explorer {
  private readonly options: ExplorerOptions;
  private child: Keeper | undefined;
  private reading: Promise<void> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private idle: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: ExplorerOptions) {
    this.options = options;
  }

  schema(): readonly SqlTableSchema[] {
    return schema;
  }

  /** Rows of each table. Throws as `query`. */
  tables(): Promise<SqlTable[]> {
    return this.turn(async (keeper) => [...(await keeper.ask({ kind: "tables" }, workMsMax)).tables!]);
  }

  /** Throws `usage`, `refused`, `too-large`; `timed-out` after two seconds, or while what was said is still being read in. */
  query(sql: string): Promise<SqlAnswer> {
    const { queryMsMax: limitMs = queryMsMax } = this.options.limits ?? {};
    return this.turn(async (keeper) => (await keeper.ask({ kind: "query", sql }, limitMs)).answer!);
  }

  /** Throws as `query`. */
  statistics(request: StatisticsRequest): Promise<StatisticsView> {
    return this.turn((keeper) =>
      statisticsOf(
        request,
        async (sql, values) => (await keeper.ask({ kind: "ask", sql, values }, workMsMax)).answer!.rows,
      ),
    );
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.idle);
    this.child?.end();
  }

  /** One question after the other, each over what was said by then. */
  private async turn<T>(ask: (keeper: Keeper) => Promise<T>): Promise<T> {
    if (this.closed) throw new SwarmError("refused", "the daemon stops");
    if (this.waiting >= waitingMax)
      throw new SwarmError("refused", "too many questions wait for an answer", { remedy: "ask again later" });
    this.waiting++;
    clearTimeout(this.idle);
    const turn = this.last.then(async () => {
      await this.forward();
      return ask(this.keeper());
    });
    this.last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.waiting--;
      if (this.waiting === 0) this.idle = setTimeout(() => this.rest(), idleMs).unref();
    }
  }

  private rest(): void {
    if (this.reading) this.idle = setTimeout(() => this.rest(), idleMs).unref();
    else this.child?.end();
  }

  private async forward(): Promise<void> {
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    const { reading } = this;
    reading.catch(() => {});
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new SwarmError("timed-out", "what was said is still being read in", {
              remedy: "ask again in a while",
            }),
          ),
        this.options.limits?.readMsMax ?? readMsMax,
      );
    });
    try {
      await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async read(): Promise<void> {
    const { feed, nowMs } = this.options;
    const keeper = this.keeper();
    const work = (request: Request) => keeper.ask(request, workMsMax);
    for (let isAgain = false; ; isAgain = true) {
      const { chains } = await work({ kind: "open", swarm: feed.swarm, names: feed.names() });
      let isStale = false;
      const passed = await feed.entries(chains!, nowMs(), async (entries) => {
        isStale ||= (await work({ kind: "read", entries, nowMs: nowMs() })).stale === true;
      });
      if (isStale && !isAgain) {
        await work({ kind: "anew" });
        feed.forget();
        continue;
      }
      const { lacking } = await work({ kind: "passed", chains: passed });
      for (const [build, digest] of lacking!) {
        const bytes = await feed.graph(build, digest);
        if (bytes !== undefined) await work({ kind: "graph", build, bytes });
      }
      await work({ kind: "now", present: await feed.present(nowMs()) });
      return;
    }
  }

  private keeper(): Keeper {
    if (this.closed) throw new SwarmError("refused", "the daemon stops");
    if (!this.child?.lives) {
      this.options.feed.forget();
      this.child = new Keeper(this.options.file, this.options.limits?.residentBytesMax ?? residentBytesMax);
    }
    return this.child;
  }
}

const program = startedFrom("node/sql/process");

/** The process, and the one request that it is at. */
class Keeper {
  lives = true;
  private readonly child: ChildProcess;
  private readonly residentBytesMax: number;
  private pending: { resolve(reply: Reply): void; reject(error: unknown): void } | undefined;
  /** Why it was killed. */
  private because: SwarmError | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(file: string, residentBytesMax: number) {
    this.residentBytesMax = residentBytesMax;
    this.child = fork(program, [file], {
      execArgv: ["--max-old-space-size=192", "--no-warnings"],
      env: {},
      cwd: "/",
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.child.unref();
    this.child.channel?.unref();
    this.child.on("message", (reply: Reply) => {
      this.pending?.resolve(reply);
      this.pending = undefined;
    });
    const gone = () => {
      this.lives = false;
      this.pending?.reject(
        this.because ??
          new SwarmError("refused", "the process that answers queries ended", { remedy: "ask again" }),
      );
      this.pending = undefined;
    };
    this.child.once("exit", gone);
    this.child.on("error", gone);
  }

  /** Throws what the process refuses; kills it for what takes longer than `limitMs` or too much memory. */
  ask(request: Request, limitMs: number): Promise<Extract<Reply, { ok: true }>> {
    const asked = this.last.then(() => this.exchange(request, limitMs));
    this.last = asked.catch(() => {});
    return asked;
  }

  end(): void {
    this.lives = false;
    this.child.kill("SIGKILL");
  }

  private async exchange(request: Request, limitMs: number): Promise<Extract<Reply, { ok: true }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    if (!this.lives)
      throw this.because ?? new SwarmError("refused", "the process that answers queries ended");
    this.pending = { resolve, reject };
    const timer = setTimeout(
      () =>
        this.kill(
          new SwarmError("timed-out", `the query takes longer than ${limitMs / 1000} s`, {
            remedy: "ask for less: a WHERE on build or time, fewer joins",
          }),
        ),
      limitMs,
    );
    const watch = setInterval(() => {
      if (residentBytes(this.child.pid) > this.residentBytesMax)
        this.kill(
          new SwarmError(
            "too-large",
            `the query takes more than ${this.residentBytesMax >> 20} MiB of memory`,
            {
              remedy: "ask for less: a WHERE on build or time, fewer joins",
            },
          ),
        );
    }, watchMs);
    this.child.channel?.ref();
    try {
      this.child.send(request);
      const reply = await promise;
      if (reply.ok) return reply;
      const code = reply.code in errorCodes ? (reply.code as ErrorCode) : "refused";
      throw new SwarmError(code, reply.message, { remedy: reply.remedy });
    } finally {
      // who could not be asked is not waited for: its end is nobody's rejection
      this.pending = undefined;
      clearTimeout(timer);
      clearInterval(watch);
      this.child.channel?.unref();
    }
  }

  private kill(because: SwarmError): void {
    this.because ??= because;
    this.end();
  }
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * 4096;
  } catch {
    return 0;
  }
}
