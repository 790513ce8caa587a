/** Follows a build: a bar and one line per running action on a terminal, one line per finished action anywhere else. */
import type { BuildEvent, BuildResult, BuildSummary } from "../node/control/api.ts";
import type { HoldView } from "../node/control/words.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../protocol/kernel/ids.ts";
import type { Context } from "./command.ts";
import { holdText } from "./holds.ts";
import { onInterrupt } from "./interrupt.ts";
import { type Output, plain } from "./output.ts";
import { durationText } from "./units.ts";

const redrawMs = 100;
const barCharacters = 30;

/**
 * The result; undefined when the person stopped following (the build goes on, and was said to). `heading` is printed once
 * Ctrl-C does no more than that.
 */
export async function follow(
  context: Context,
  build: BuildId,
  heading?: string,
): Promise<BuildResult | undefined> {
  const interrupt = onInterrupt();
  try {
    if (heading !== undefined && !context.json) context.output.line(heading);
    const result = await show(context, build, interrupt.signal);
    if (result) return result;
  } finally {
    interrupt.release();
  }
  context.output.note(`stopped following ${build}; the build goes on`);
  context.output.note(`  follow it again: ${context.commandLine(["watch", build])}`);
  context.output.note(`  cancel it:       ${context.commandLine(["cancel", build])}`);
  return undefined;
}

/** Shows the progress until the build ends, then its result; undefined when the signal came first. */
export async function show(
  context: Context,
  build: BuildId,
  signal: AbortSignal,
): Promise<BuildResult | undefined> {
  const board = context.json ? undefined : new Board(context.output, (args) => context.commandLine(args));
  try {
    for await (const event of context.control.watch(build, signal)) {
      board?.hear(event);
      if (event.kind === "end") return event.result;
    }
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof SwarmError) || thrown.code !== "daemon-unreachable") throw thrown;
    throw new SwarmError(
      "daemon-unreachable",
      `the daemon went away while ${build} was followed; the build goes on without it wherever other members are`,
      {
        remedy: `start the daemon, then follow it again: ${context.commandLine(["watch", build])}`,
        cause: thrown,
      },
    );
  } finally {
    board?.stop();
  }
}

/** The picture of a build as its events tell it. */
class Board {
  private readonly output: Output;
  private readonly command: Context["commandLine"];
  private readonly running = new Map<ActionName, { node: string; sinceMs: number }>();
  private summary: BuildSummary | undefined;
  private counts: BuildSummary["counts"] | undefined;
  private beganMs = 0;
  /** Counted line by line: events of one batch carry the counts after all of it. */
  private done = 0;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(output: Output, command: Context["commandLine"]) {
    this.output = output;
    this.command = command;
    if (output.terminal) this.timer = setInterval(() => this.draw(), redrawMs);
  }

  hear(event: BuildEvent) {
    switch (event.kind) {
      case "snapshot":
        this.summary = event.summary;
        this.counts = event.summary.counts;
        this.done = this.counts.done;
        this.running.clear();
        this.beganMs = Date.now() - event.summary.wallMs;
        for (const { action, node, sinceMs } of event.running)
          this.running.set(action, { node, sinceMs: Date.now() - sinceMs });
        if (event.summary.holds) this.tellHolds(event.summary.holds);
        return;
      case "action":
        this.counts = event.counts;
        this.act(event);
        return;
      case "holds":
        return this.tellHolds(event.holds);
      case "end":
        this.stop();
    }
  }

  stop() {
    clearInterval(this.timer);
    this.output.live([]);
  }

  private act(event: Extract<BuildEvent, { kind: "action" }>) {
    if (event.state === "running") {
      this.running.set(event.action, { node: event.node ?? "?", sinceMs: Date.now() });
      return;
    }
    this.running.delete(event.action);
    // What was lost is counted no more.
    if (event.state === "done") this.done++;
    this.done = Math.min(this.done, event.counts.done);
    const place = event.node === undefined ? "" : `  ${event.node}`;
    if (event.state === "blocked")
      this.output.above(
        `${this.share()} ${this.output.tone("bad", "failed")} ${event.action}${place}: ${plain(event.reason ?? "no reason given")}`,
      );
    else if (event.state === "done" && !this.output.terminal)
      this.output.line(
        `${this.share()} ${event.action}${
          event.cached
            ? "  from the cache"
            : `${place}${event.ms === undefined ? "" : `  ${durationText(event.ms)}`}`
        }`,
      );
  }

  private tellHolds(holds: readonly HoldView[]) {
    const build = this.summary!.build;
    const lines = holds.map((hold) => `held: ${plain(holdText(build, hold, this.command))}`);
    if (holds.length === 0) lines.push("nothing holds it any more");
    for (const line of lines) {
      const text = this.output.tone("note", line);
      if (this.output.terminal) this.output.above(text);
      else this.output.line(text);
    }
  }

  private share(): string {
    const total = String(this.summary?.actions ?? 0);
    return `[${String(this.done).padStart(total.length)}/${total}]`;
  }

  private draw() {
    if (!this.summary || !this.counts) return;
    const { blocked, held } = this.counts;
    const total = Math.max(1, this.summary.actions);
    const full = Math.min(barCharacters, Math.floor((barCharacters * this.done) / total));
    const bar = `${"█".repeat(full)}${"░".repeat(barCharacters - full)}`;
    const trouble = blocked > 0 ? this.output.tone("bad", `  ${blocked} blocked, ${held} held`) : "";
    const head = `${bar} ${this.share()}  ${this.running.size} running${trouble}  ${durationText(Date.now() - this.beganMs)}`;
    const names = [...this.running].map(
      ([action, { node, sinceMs }]) => `  ${action}  ${node}  ${durationText(Date.now() - sinceMs)}`,
    );
    this.output.live([head, ...names]);
  }
}
