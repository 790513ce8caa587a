/** Accounts of a daemon that never lived through anything. */
import type {
  Accounts,
  DecisionsRequest,
  ReplayLine,
  ReplayRequest,
  TimelineLine,
  TimelineRequest,
} from "../../node/control/account.ts";
import type { ExportRequest, Exports, TraceRequest } from "../../node/control/exporting.ts";
import type { Rebuilding } from "../../node/control/rebuilding.ts";
import type { ShellEvent, Shells } from "../../node/control/shells.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";

export class MemoryAccounts implements Accounts, Exports, Rebuilding, Shells {
  async why(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async criticalPath(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async autopsy(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async decisions({ build }: DecisionsRequest): Promise<never> {
    throw nothingOf(build);
  }

  async rebuild({ build }: { build: BuildId }): Promise<never> {
    throw nothingOf(build);
  }

  // biome-ignore lint/correctness/useYield: nothing can be entered
  async *shell({ build }: { build: BuildId }): AsyncIterable<ShellEvent> {
    throw nothingOf(build);
  }

  async leaveShell(): Promise<never> {
    throw new SwarmError("not-found", "this room was left already");
  }

  async rebuilt(check: BuildId): Promise<never> {
    throw nothingOf(check);
  }

  async readings(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async *replay(_request: ReplayRequest, _signal: AbortSignal): AsyncIterable<ReplayLine> {}

  traceBuild({ build }: TraceRequest): AsyncIterable<Uint8Array> {
    throw nothingOf(build);
  }

  exportBuild({ build }: ExportRequest, _signal: AbortSignal): AsyncIterable<Uint8Array> {
    throw nothingOf(build);
  }

  async *timeline(_request: TimelineRequest, _signal: AbortSignal): AsyncIterable<TimelineLine> {}
}

const nothingOf = (build: BuildId) => new SwarmError("not-found", `there is no build ${build}`);
