import { expect, test, vi } from "vitest";
import { openNotifier } from "../node/notify.ts";

const told: string[][] = [];
const hear = (variables: readonly string[]) => void told.push([...variables]);
const unheard = (error: Error) => expect.unreachable(error.message);

test("without a manager nothing is said", () => {
  const notifier = openNotifier({ WATCHDOG_USEC: "1000000" }, unheard, hear);
  notifier.ready("ann runs");
  notifier.stopping();
  expect(told).toEqual([]);
});

test("the manager hears that the daemon is ready, that it lives as often as it asks, and that it goes down", () => {
  vi.useFakeTimers();
  try {
    const env = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(process.pid) };
    const notifier = openNotifier(env, unheard, hear);
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual([]);
    notifier.ready("ann runs\nin cupboard");
    vi.advanceTimersByTime(60_000);
    notifier.stopping();
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual([
      ["READY=1", "STATUS=ann runs in cupboard"],
      ["WATCHDOG=1"],
      ["WATCHDOG=1"],
      ["STOPPING=1"],
    ]);
  } finally {
    vi.useRealTimers();
    told.length = 0;
  }
});

test("a watchdog that waits for another process is none of ours", () => {
  vi.useFakeTimers();
  try {
    const env = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" };
    openNotifier(env, unheard, hear).ready("ann runs");
    vi.advanceTimersByTime(120_000);
    expect(told.map(([first]) => first)).toEqual(["READY=1"]);
  } finally {
    vi.useRealTimers();
    told.length = 0;
  }
});

test("a manager that cannot be told is complained of once", () => {
  const failures: string[] = [];
  const notifier = openNotifier(
    { NOTIFY_SOCKET: "/run/x" },
    (error) => failures.push(error.message),
    (_, failed) => failed(new Error("there is no systemd-notify")),
  );
  notifier.ready("ann runs");
  notifier.stopping();
  expect(failures).toEqual(["there is no systemd-notify"]);
});

test("what the manager could not be told once on a busy machine it is told the next time, and that the daemon lives goes on", () => {
  vi.useFakeTimers();
  try {
    const env = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "60000000" };
    const failures: string[] = [];
    let busy = true;
    const notifier = openNotifier(
      env,
      (error) => failures.push(error.message),
      (variables, failed) => {
        if (busy) failed(new Error("systemd-notify took too long"));
        else hear(variables);
      },
    );
    notifier.ready("ann runs");
    vi.advanceTimersByTime(30_000);
    busy = false;
    vi.advanceTimersByTime(60_000);
    busy = true;
    vi.advanceTimersByTime(30_000);
    busy = false;
    vi.advanceTimersByTime(30_000);
    expect(told).toEqual([["READY=1", "STATUS=ann runs", "WATCHDOG=1"], ["WATCHDOG=1"], ["WATCHDOG=1"]]);
    expect(failures).toHaveLength(1);
  } finally {
    vi.useRealTimers();
    told.length = 0;
  }
});
