import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLogTo } from "../../node/log.ts";
import { Dialer } from "../../node/network/dialer.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";

const other = "b" as PeerId;

describe("the dialer", () => {
  const dials: number[] = [];
  let outcome: "refused" | "open";
  let admitted: boolean;
  let connected: boolean;
  let dialer: Dialer;
  const make = (self: string) => {
    dialer = new Dialer({
      self: self as PeerId,
      admits: () => admitted,
      connected: () => connected,
      addresses: () => ["/ip4/192.0.2.1/tcp/4701"],
      async dial() {
        dials.push(Date.now());
        if (outcome === "refused") throw new Error("refused");
      },
      log: createLogTo({ write() {} }, "error"),
      random: () => 0.5,
    });
  };
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
    dials.length = 0;
    outcome = "refused";
    admitted = true;
    connected = false;
    make("a");
  });
  afterEach(() => {
    dialer.stop();
    vi.useRealTimers();
  });

  it("tries again ever more slowly, up to every fifteen seconds", async () => {
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(60_000);
    const gaps = dials.slice(1).map((at, i) => at - dials[i]!);
    expect(dials[0]).toBe(0);
    expect(gaps.slice(0, 8)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  });

  it("gives up when the peer is no member any more, and starts over when it is one again", async () => {
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(500);
    admitted = false;
    await vi.advanceTimersByTimeAsync(60_000);
    const before = dials.length;
    expect(before).toBe(2);
    admitted = true;
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(0);
    expect(dials.length).toBe(before + 1);
  });

  it("starts over after a link that held, and goes on slowing down after one that did not", async () => {
    outcome = "open";
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(0);
    for (const expected of [250, 500, 1_000]) {
      const lostAt = Date.now();
      dialer.lost(other, 100);
      await vi.advanceTimersByTimeAsync(expected);
      expect(dials.at(-1)! - lostAt).toBe(expected);
    }
    const lostAt = Date.now();
    dialer.lost(other, 60_000);
    await vi.advanceTimersByTimeAsync(250);
    expect(dials.at(-1)! - lostAt).toBe(250);
  });

  it("leaves the first dial to the lower id, for a moment", async () => {
    dialer.stop();
    make("c");
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(249);
    expect(dials).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(dials).toEqual([250]);
  });

  it("does not wait for the next try when it learns of addresses", async () => {
    dialer.ensure([other]);
    await vi.advanceTimersByTimeAsync(10_000);
    const before = dials.length;
    dialer.now(other);
    await vi.advanceTimersByTimeAsync(0);
    expect(dials.length).toBe(before + 1);
  });

  it("leaves a connected peer alone, and everyone once it is stopped", async () => {
    connected = true;
    dialer.ensure([other]);
    dialer.now(other);
    dialer.lost(other, 0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dials).toEqual([]);
    connected = false;
    dialer.stop();
    dialer.ensure([other]);
    dialer.now(other);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dials).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
