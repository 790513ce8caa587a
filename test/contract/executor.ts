/** What every Executor keeps to, real or simulated. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExecuteOutcome, ExecuteRequest } from "../../protocol/contract.ts";
import type { ClaimId } from "../../protocol/kernel/ids.ts";
import type { Executor } from "../../protocol/ports.ts";

export interface ExecutorFixture {
  readonly executor: Executor;
  /** A request with a claim of its own whose command does this; `succeeds` makes its outputs, `lasts` runs until it is stopped. */
  request(does: "succeeds" | "fails" | "lasts"): ExecuteRequest;
  /** Lets time pass (virtual or real) until the condition holds. */
  settle(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export function executorContract(name: string, make: () => Promise<ExecutorFixture>): void {
  describe(`${name} keeps the executor's contract`, () => {
    let fixture: ExecutorFixture;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture.close());

    const start = (request: ExecuteRequest) => {
      const outcomes: ExecuteOutcome[] = [];
      fixture.executor.execute(request, (outcome) => outcomes.push(outcome));
      return outcomes;
    };
    const finish = async (request: ExecuteRequest) => {
      const outcomes = start(request);
      await fixture.settle(() => outcomes.length > 0);
      return outcomes;
    };

    it("reports every declared output of a command that succeeds", async () => {
      const request = fixture.request("succeeds");
      const [outcome] = await finish(request);
      expect(outcome).toMatchObject({ kind: "done" });
      if (outcome?.kind !== "done") return;
      expect(outcome.result.outputs.map((o) => [o.path, o.kind])).toEqual(
        request.outputs.map((o) => [o.path, o.kind]),
      );
      for (const value of Object.values(outcome.usage)) expect(Number.isInteger(value)).toBe(true);
    });

    it("never calls back before execute has returned", () => {
      const outcomes = start(fixture.request("fails"));
      expect(outcomes).toEqual([]);
    });

    it("calls a command's own failure deterministic, with its exit code", async () => {
      const [outcome] = await finish(fixture.request("fails"));
      expect(outcome).toMatchObject({ kind: "failed", cause: "deterministic" });
      expect(outcome?.kind === "failed" && outcome.exitCode).toBeGreaterThan(0);
    });

    it("reports a killed command as stopped, with the reason given, once", async () => {
      const request = fixture.request("lasts");
      const outcomes = start(request);
      fixture.executor.kill(request.claim, "lost the claim");
      fixture.executor.kill(request.claim, "again");
      await fixture.settle(() => outcomes.length > 0);
      const other = await finish(fixture.request("succeeds"));
      expect(other).toHaveLength(1);
      expect(outcomes).toEqual([{ kind: "stopped", reason: "lost the claim" }]);
    });

    it("kills one command and leaves the others alone", async () => {
      const [first, second] = [fixture.request("lasts"), fixture.request("succeeds")];
      const [stopped, kept] = [start(first), start(second)];
      fixture.executor.kill(first.claim, "not wanted");
      await fixture.settle(() => stopped.length > 0 && kept.length > 0);
      expect(stopped[0]?.kind).toBe("stopped");
      expect(kept[0]?.kind).toBe("done");
    });

    it("ignores a kill of a claim it does not know, or no longer", async () => {
      fixture.executor.kill("nobody.1-00000000.1" as ClaimId, "unknown");
      const request = fixture.request("succeeds");
      const outcomes = await finish(request);
      fixture.executor.kill(request.claim, "too late");
      expect((await finish(fixture.request("succeeds")))[0]?.kind).toBe("done");
      expect(outcomes).toHaveLength(1);
    });

    it("calls back exactly once for each of many", async () => {
      const all = Array.from({ length: 12 }, (_, i) =>
        start(fixture.request(i % 3 === 0 ? "fails" : "succeeds")),
      );
      await fixture.settle(() => all.every((outcomes) => outcomes.length > 0));
      expect(all.map((outcomes) => outcomes.map((o) => o.kind))).toEqual(
        all.map((_, i) => [i % 3 === 0 ? "failed" : "done"]),
      );
    });
  });
}
