import { beforeEach, describe, expect, it } from "vitest";
import { Providing } from "../../node/network/providing.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

const blob = (name: string) => digestOf(Buffer.from(name));
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("providing", () => {
  let told: Digest[];
  let withdrawn: Digest[];
  let gone: Set<Digest>;
  let fails: boolean;
  let timers: { atMs: number; call: () => void }[];
  let nowMs: number;
  let providing: Providing;

  beforeEach(() => {
    told = [];
    withdrawn = [];
    gone = new Set();
    fails = false;
    timers = [];
    nowMs = 0;
    providing = new Providing({
      locator: {
        async provide(digest) {
          if (fails) throw new SwarmError("peer-unreachable", "alone");
          told.push(digest);
        },
        withdraw: async (digest) => void withdrawn.push(digest),
      },
      has: (digest) => !gone.has(digest),
      log: { debug: () => {} },
      after(ms, call) {
        const timer = { atMs: nowMs + ms, call };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
    });
  });

  async function pass(ms: number) {
    const endMs = nowMs + ms;
    for (;;) {
      await settled();
      const [next] = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      timers = timers.filter((timer) => timer !== next);
      nowMs = next.atMs;
      next.call();
    }
    nowMs = endMs;
  }

  it("tells of roots at once, and of the rest one a second", async () => {
    providing.later(["a", "b", "c"].map(blob));
    providing.now(["root", "other root"].map(blob));
    await pass(0);
    expect(told).toEqual(["root", "other root"].map(blob));
    await pass(2_000);
    expect(told).toHaveLength(4);
    await pass(60_000);
    expect(told).toEqual(["root", "other root", "a", "b", "c"].map(blob));
    expect(providing.counts()).toEqual({ told: 5, waiting: 0 });
  });

  it("tells of the rest also while more of it comes all the time", async () => {
    for (let second = 0; second < 20; second++) {
      providing.later([blob(`${second}`)]);
      await pass(900);
    }
    expect(told.length).toBeGreaterThanOrEqual(16);
  });

  it("does nothing when there is nothing to tell, and tells nothing twice", async () => {
    providing.now([blob("root")]);
    await pass(1_000);
    providing.now([blob("root")]);
    providing.later([blob("root")]);
    await pass(60_000);
    expect(told).toEqual([blob("root")]);
    expect(timers).toHaveLength(1); // the look whether all is still here
  });

  it("tries again, less and less often, until somebody takes the record", async () => {
    fails = true;
    providing.now([blob("root")]);
    await pass(1_000_000);
    const waiting = timers.filter(({ atMs }) => atMs > nowMs).map(({ atMs }) => atMs - nowMs);
    expect(Math.min(...waiting)).toBeLessThanOrEqual(300_000);
    expect(told).toEqual([]);
    fails = false;
    providing.retry();
    await pass(5_000);
    expect(told).toEqual([blob("root")]);
  });

  it("keeps a bounded number waiting, the latest", async () => {
    providing.later(Array.from({ length: 5_000 }, (_, i) => blob(`${i}`)));
    expect(providing.counts().waiting).toBe(4_096);
  });

  it("does not tell of what is gone, and withdraws what went", async () => {
    providing.now(["stays", "goes"].map(blob));
    gone.add(blob("never there"));
    providing.now([blob("never there")]);
    await pass(1_000);
    expect(told).toEqual(["stays", "goes"].map(blob));
    gone.add(blob("goes"));
    await pass(600_000);
    expect(withdrawn).toEqual([blob("goes")]);
    expect(providing.counts()).toEqual({ told: 1, waiting: 0 });
  });
});
