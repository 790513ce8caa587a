/** What one seed makes of releases: a few mirrors that vote, small builds, people who finalize and roll back at the same time, and faults. */
import { Random } from "../protocol/kernel/random.ts";
import type { FaultInput, FaultKind } from "./faults.ts";
import { type Mix, mixOf } from "./mix.ts";
import { workloadOf } from "./workload.ts";

const hostNames = ["ann", "bob", "cat", "dan"];
const kinds: readonly FaultKind[] = [
  "crash",
  "power",
  "pause",
  "cut",
  "flap",
  "network",
  "disk-full",
  "swizzle",
];

/** The mix of a seed. `only`: draw faults of these kinds alone. */
export function releaseMixOf(seed: number, only: readonly FaultKind[] = kinds): Mix {
  const random = Random.fromNumber(seed ^ 0x5eed);
  const drawn = mixOf(seed, only);
  const troubleMs = 24_000;
  const faults = drawn.faults
    .filter((fault) => !("host" in fault) || hostNames.includes(fault.host as string))
    .map((fault) => narrowed(fault))
    .flatMap((fault) => fault ?? []);
  return {
    ...drawn,
    hosts: hostNames.map((name) => ({ name, slots: 2 })),
    works: Array.from({ length: 6 }, (_, i) => ({
      atMs: 700 + i * 3_000 + random.below(1_500),
      host: random.pick(hostNames),
      workload: small(random.below(3), i),
    })),
    orders: [],
    faults,
    villain: undefined,
    goer: undefined,
    troubleMs,
    order: shuffledOnce(random, hostNames),
    endings: Object.fromEntries(hostNames.map((name) => [name, drawn.endings[name] ?? "dead"])),
    twist: () => undefined,
    mirrors: ["ann", "bob", "cat"],
    finalizes: Array.from({ length: 10 }, () => 2_500 + random.below(troubleMs - 4_000)).flatMap((atMs) =>
      // Often two at once, so that they get in each other's way.
      Array.from({ length: 1 + random.below(3) }, () => ({
        atMs: atMs + random.below(250),
        host: random.pick(hostNames),
        rollback: random.float() < 0.15,
      })),
    ),
  };
}

/**
 * Two of three voters vote, and nobody knows of both: the one is no longer heard by anybody, the other is left with the third, who finalizes.
 * `forgets`: its disk is set back to before that, so that only the log it lost tells. Words take long, so that there is time to part them.
 */
export function unheardMix(seed: number, forgets = false): Mix {
  const atMs = 16_000;
  const muteMs = atMs + 1_930 + (seed % 18) * 10;
  const apartMs = atMs + 2_400;
  const cut = (host: string, fromMs: number, toMs: number, oneWay = false): FaultInput => ({
    kind: "cut",
    from: [host],
    oneWay,
    atMs: fromMs,
    forMs: toMs - fromMs,
  });
  return {
    ...releaseMixOf(seed),
    hosts: hostNames.map((name) => ({
      name,
      slots: 2,
      ...(name === "ann" ? { disk: { syncMs: 150 } } : {}),
    })),
    works: [0, 1, 2].map((i) => ({ atMs: 700 + i * 2_500, host: "ann", workload: small(i, i) })),
    faults: [
      { kind: "network", delayMs: 200, atMs: atMs - 500, forMs: apartMs - atMs + 500 },
      cut("cat", 6_500, apartMs + 500),
      cut("ann", muteMs, apartMs + 14_000, true),
      cut("dan", apartMs, apartMs + 14_000),
      ...(forgets
        ? [{ kind: "restore" as const, host: "bob", atMs: atMs - 200, ageMs: apartMs - atMs + 250 }]
        : []),
    ],
    finalizes: [
      { atMs: 4_500, host: "ann", rollback: false },
      // Its second ballot stands above that of the other.
      { atMs: 6_600, host: "cat", rollback: false },
      { atMs, host: "dan", rollback: false },
      { atMs: apartMs + 100, host: "cat", rollback: false },
      { atMs: apartMs + 10_000, host: "dan", rollback: false },
    ],
    troubleMs: 34_000,
  };
}

/** Hosts that are not here are left out of a fault. */
function narrowed(fault: Mix["faults"][number]): Mix["faults"][number] | undefined {
  for (const field of ["from", "hosts"] as const) {
    const names = (fault as { readonly from?: readonly string[]; readonly hosts?: readonly string[] })[field];
    if (names === undefined) continue;
    const here = names.filter((name) => hostNames.includes(name));
    if (here.length === 0 || here.length === hostNames.length) return undefined;
    return { ...fault, [field]: here } as Mix["faults"][number];
  }
  return fault;
}

function shuffledOnce<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}

/** Two actions that make two files of one package. */
function small(nth: number, version: number) {
  const task = { deps: [], workMs: 60, group: "make", inputs: [100 + version] };
  const made = workloadOf(`pkg${nth}`, [
    { ...task, id: `a${version % 2}`, outputBytes: 1000 + version },
    { ...task, id: "b", outputBytes: 2000 + version },
  ]);
  const include = made.graph.actions.map((a) => a.name);
  return { ...made, graph: { ...made.graph, release: { channel: "stable", format: "files", include } } };
}
