/** What really ran in a world, where and when, whatever the hosts said of it. */
import type { ExecuteOutcome } from "../protocol/contract.ts";
import type { ActionName, BuildId, ClaimId } from "../protocol/kernel/ids.ts";

export interface Execution {
  readonly host: string;
  readonly build: BuildId;
  readonly action: ActionName;
  readonly claim: ClaimId;
  readonly beganMs: number;
  endedMs?: number;
  /** `died` with its host. */
  ended?: ExecuteOutcome["kind"] | "died";
}

export class Executions {
  readonly all: Execution[] = [];
  private readonly byAction = new Map<string, Execution[]>();
  private readonly running = new Map<string, Set<Execution>>();

  begin(host: string, build: BuildId, action: ActionName, claim: ClaimId, beganMs: number): Execution {
    const execution: Execution = { host, build, action, claim, beganMs };
    this.all.push(execution);
    const key = `${build} ${action}`;
    const same = this.byAction.get(key);
    if (same) same.push(execution);
    else this.byAction.set(key, [execution]);
    const here = this.running.get(host) ?? new Set();
    this.running.set(host, here.add(execution));
    return execution;
  }

  end(execution: Execution, ended: ExecuteOutcome["kind"] | "died", endedMs: number): void {
    execution.ended = ended;
    execution.endedMs = endedMs;
    this.running.get(execution.host)?.delete(execution);
  }

  /** Everything that ran on a host ended with it. */
  died(host: string, atMs: number): void {
    for (const execution of this.runningOn(host)) this.end(execution, "died", atMs);
  }

  /** All executions of one action, in the order they began. */
  of(build: BuildId, action: ActionName): readonly Execution[] {
    return this.byAction.get(`${build} ${action}`) ?? [];
  }

  runningOn(host: string): readonly Execution[] {
    return [...(this.running.get(host) ?? [])];
  }
}
