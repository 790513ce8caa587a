import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Series } from "../../node/gateway/series.ts";
import { MemoryControl } from "../control/memory.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

test("vitals are sampled from the first question on, an hour of them, until nobody has asked for a while", async () => {
  const views = new MemoryControl({ nodes: ["alpha", "beta"] });
  const nodes = vi.spyOn(views, "nodes");
  const series = new Series(views);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(nodes).not.toHaveBeenCalled();

  const first = await series.all();
  expect(Object.keys(first)).toEqual(["alpha", "beta"]);
  expect(first.alpha).toHaveLength(1);
  for (let minute = 0; minute < 70; minute += 10) {
    await vi.advanceTimersByTimeAsync(600_000);
    await series.all();
  }
  const hour = (await series.all()).alpha!;
  expect(hour).toHaveLength(720);
  expect(hour.at(-1)!.atMs - hour[0]!.atMs).toBe(719 * 5_000);

  await vi.advanceTimersByTimeAsync(16 * 60_000);
  const asked = nodes.mock.calls.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(nodes.mock.calls.length).toBe(asked);
  expect((await series.all()).alpha).toHaveLength(1);
  series.close();
});
