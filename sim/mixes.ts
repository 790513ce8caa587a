/** Mixes made for one bug each (`bugs.ts`): what must happen for it to show happens at once, where a seed would draw it seldom. */
import type { FaultInput } from "./faults.ts";
import type { HostOptions } from "./host.ts";
import type { Mix } from "./mix.ts";
import { fan, layered, type Workload } from "./workload.ts";

const names = ["ann", "bob", "cat"];

/** A mix without anything that is not said: equal hosts, one build, no people. */
function plain(seed: number, workload: Workload, more: Partial<Mix> & { hosts?: HostOptions[] } = {}): Mix {
  const hosts = more.hosts ?? names.map((name) => ({ name, slots: 2 }));
  return {
    seed,
    hosts,
    works: [{ atMs: 600, host: hosts[0]!.name, workload }],
    orders: [],
    faults: [],
    villain: undefined,
    goer: undefined,
    troubleMs: 15_000,
    order: hosts.map((h) => h.name),
    endings: {},
    twist: () => undefined,
    ...more,
  };
}

/** One member floods all the while, and the others have so many short actions that they must ask for work all the time. */
export function floodedMix(seed: number): Mix {
  return plain(seed, layered(seed, 24, 7, 250), {
    hosts: [...names, "dan"].map((name) => ({ name, slots: 1 })),
    villain: "dan",
    faults: [{ kind: "byzantine", host: "dan", how: "flooding", atMs: 100 }],
    troubleMs: 30_000,
  });
}

/** One of three has built a third of what the last action needs, and goes for good before anybody has a copy. */
export function orphanedMix(seed: number): Mix {
  const scheduling = { copies: "never", twinAfter: 0 } as const;
  return plain(seed, fan(12, 1500), {
    hosts: names.map((name) => ({ name, slots: 2, scheduling })),
    faults: [{ kind: "crash", host: "cat", atMs: 3_000 + 50 * (seed % 10) }],
    troubleMs: 5_000,
  });
}

/** The same is built twice, the second time long after the first has ended. */
export function repeatedMix(seed: number): Mix {
  const workload = layered(seed, 2, 4, 500);
  return plain(seed, workload, {
    works: [
      { atMs: 600, host: "ann", workload },
      { atMs: 12_000, host: "bob", workload },
    ],
  });
}

/** One member says of whatever is looked for that another has made it. */
export function answeredMix(seed: number): Mix {
  return plain(seed, fan(12, 500), {
    villain: "cat",
    faults: [{ kind: "byzantine", host: "cat", how: "forged-answers", atMs: 100 }],
  });
}

/** All lose their power in turn, again and again, as soon as they have said that they are up: most of it is on no disk yet. */
export function tornMix(seed: number): Mix {
  const hosts = names.map((name) => ({ name, slots: 2, disk: { writeMs: 1, syncMs: 40 } }));
  const faults = Array.from(
    { length: 30 },
    (_, i): FaultInput => ({
      kind: "power",
      host: names[i % names.length]!,
      atMs: 1_000 + 150 * i + (seed % 20),
      backAfterMs: 400,
    }),
  );
  return plain(seed, fan(40, 300), { hosts, faults });
}

/** One member says things in the names of others, who have said nothing yet, unsigned and all the while. */
export function forgedMix(seed: number): Mix {
  const silent = ["dan", "eve", "fay"].map((name) => ({ name, slots: 0 }));
  return plain(seed, fan(20, 1000), {
    hosts: [...names.map((name) => ({ name, slots: 2 })), ...silent],
    villain: "cat",
    faults: [{ kind: "byzantine", host: "cat", how: "foreign-keys", atMs: 500 }],
  });
}

/** Clocks are set again and again while all work and have heard each other for long. */
export function jumpingMix(seed: number): Mix {
  const faults = Array.from(
    { length: 60 },
    (_, i): FaultInput => ({
      kind: "clock-jump",
      host: names[i % names.length]!,
      byMs: 60_000,
      atMs: 11_000 + 61 * i + (seed % 50),
    }),
  );
  return plain(seed, fan(12, 8000), { faults });
}

/** A holder is cut off for longer than a lease, and has built meanwhile what others are building again when it comes back. */
export function overtakenMix(seed: number): Mix {
  return plain(seed, fan(6, 11_000), {
    faults: [{ kind: "cut", from: [names[seed % names.length]!], atMs: 2_000, forMs: 14_000 }],
    troubleMs: 18_000,
  });
}

/** One of many starts anew while all work. */
export function restartedMix(seed: number): Mix {
  const hosts = [...names, "dan", "eve", "fay"].map((name) => ({ name, slots: 1 }));
  const faults = hosts.map(
    ({ name }, i): FaultInput => ({ kind: "crash", host: name, atMs: 3_000 + 1_500 * i, backAfterMs: 300 }),
  );
  return plain(seed, fan(24, 2000), { hosts, faults });
}

/** A person pauses the build, lets single actions go, holds and places others, from host to host, while all would work. */
export function debuggedMix(seed: number): Mix {
  const ops = ["break", "place", "step", "next", "place", "break", "step", "clear"] as const;
  const debugged = Array.from({ length: 24 }, (_, i) => ({
    atMs: 1_500 + 300 * i + (seed % 50),
    build: 0,
    op: ops[i % ops.length]!,
    action: 7 * i + seed,
    host: i,
  }));
  const orders = [
    { atMs: 1_400, build: 0, op: "pause" as const },
    { atMs: 5_000, build: 0, op: "resume" as const },
  ];
  return plain(seed, layered(seed, 4, 8, 700), { debugged, orders });
}

/** Holders are cut off for longer than a lease, and come back before what they run has ended. */
export function strandedMix(seed: number): Mix {
  return plain(seed, fan(6, 20_000), {
    faults: [{ kind: "cut", from: [names[seed % names.length]!], atMs: 2_000, forMs: 13_000 }],
    troubleMs: 18_000,
  });
}
