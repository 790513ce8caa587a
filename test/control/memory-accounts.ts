/** Accounts of a daemon that never lived through anything. */
import type {
  Accounts,
  ReplayLine,
  ReplayRequest,
  TimelineLine,
  TimelineRequest,
} from "../../node/control/account.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";

export class MemoryAccounts implements Accounts {
  async why(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async criticalPath(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async autopsy(build: BuildId): Promise<never> {
    throw nothingOf(build);
  }

  async *replay(_request: ReplayRequest, _signal: AbortSignal): AsyncIterable<ReplayLine> {}

  async *timeline(_request: TimelineRequest, _signal: AbortSignal): AsyncIterable<TimelineLine> {}
}

const nothingOf = (build: BuildId) => new SwarmError("not-found", `there is no build ${build}`);
