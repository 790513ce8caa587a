/** Looks at the daemon again and again, and follows what the chosen build prints. */
import type { BuildSummary, Control, LogChunk, StatusView } from "../../node/control/api.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { plain } from "../output.ts";

const linesMax = 200;
const lineCharsMax = 400;

/** What is known now. */
export interface Seen {
  readonly status?: StatusView;
  /** Why there is nothing new. */
  readonly trouble?: string;
  /** Last lines of the chosen build. */
  readonly lines: readonly string[];
}

export class Watcher {
  private readonly control: Control;
  private readonly everyMs: number;
  private readonly changed: (seen: Seen) => void;
  private seen: Seen = { lines: [] };
  private timer: NodeJS.Timeout | undefined;
  private followed: { readonly build: BuildId; readonly over: AbortController } | undefined;
  private stopped = false;

  constructor(control: Control, everyMs: number, changed: (seen: Seen) => void) {
    this.control = control;
    this.everyMs = everyMs;
    this.changed = changed;
  }

  start(): void {
    void this.look();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.followed?.over.abort();
  }

  /** Its output is followed from now on. */
  choose(build: BuildSummary | undefined): void {
    if (build?.build === this.followed?.build) return;
    this.followed?.over.abort();
    this.followed = undefined;
    this.tell({ lines: [] });
    if (!build) return;
    const over = new AbortController();
    this.followed = { build: build.build, over };
    void this.follow(build.build, over.signal);
  }

  /** Once, and again after a while. */
  async look(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const status = await this.control.status();
      const { trouble: _, ...rest } = this.seen;
      this.seen = { ...rest, status };
    } catch (thrown) {
      this.seen = { ...this.seen, trouble: thrown instanceof SwarmError ? thrown.message : String(thrown) };
    }
    if (this.stopped) return;
    this.changed(this.seen);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), this.everyMs);
  }

  private async follow(build: BuildId, signal: AbortSignal): Promise<void> {
    try {
      const chunks = this.control.logs({ subject: { build }, follow: true }, signal);
      for await (const chunk of chunks) if (!signal.aborted) this.tell({ lines: this.with(chunk) });
    } catch {
      // it is away; the next that is chosen is followed anew
    }
  }

  private with({ node, action, text }: LogChunk): readonly string[] {
    const lines = plain(text)
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => `${node} ${action}: ${line}`.slice(0, lineCharsMax));
    return [...this.seen.lines, ...lines].slice(-linesMax);
  }

  private tell(change: Partial<Seen>): void {
    this.seen = { ...this.seen, ...change };
    if (!this.stopped) this.changed(this.seen);
  }
}
