/** What each fault does to a swarm: when it begins, what it breaks, and what mends it. */
import { SwarmError } from "../protocol/kernel/errors.ts";
import { byText, type PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import { byzantine } from "./byzantine.ts";
import type { Conditions } from "./conditions.ts";
import type { Run } from "./executor.ts";
import { type Fault, type FaultInput, type FaultKind, faultSchema } from "./faults.ts";
import type { Bend, Host } from "./host.ts";
import { ask, govern } from "./membership.ts";
import type { Swarm } from "./swarm.ts";
import { otherVersion } from "./versions.ts";

/** A fault that is due, lasts, or is over. */
export interface Applied {
  readonly fault: Fault;
  readonly state: "due" | "lasting" | "over";
  /** Mends what it broke, as far as it can be mended from outside, and lets nothing more of it happen. */
  end(): void;
}

/**
 * Lets a fault happen to a swarm from `atMs` from now on, for `forMs` or until it is ended. Its beginning and its end are lines of
 * the transcript (`fault`, `mended`). What does not apply when its moment comes (a crash of a host that is down) does nothing.
 * Throws `spec-invalid` for what is no fault, or names a host that is not there.
 */
export function apply(swarm: Swarm, given: FaultInput): Applied {
  const parsed = faultSchema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SwarmError("spec-invalid", `a fault, at ${issue?.path.join(".") || "top"}: ${issue?.message}`);
  }
  const fault = parsed.data;
  for (const name of namedIn(fault))
    if (!swarm.hosts.some((h) => h.name === name))
      throw new SwarmError("spec-invalid", `a fault of kind ${fault.kind} names ${name}, which is no host`);
  const { world } = swarm;
  const details = Object.entries(fault)
    .filter(([key]) => key !== "kind" && key !== "atMs")
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join("+") : value}`);
  let state: Applied["state"] = "due";
  let mend: Mend;
  const end = (): void => {
    if (state === "lasting") {
      state = "over";
      mend?.();
      world.fault("world", "mended", fault.kind);
    }
    state = "over";
  };
  world.after(fault.atMs, () => {
    if (state !== "due") return;
    state = "lasting";
    world.fault("world", "fault", [fault.kind, ...details].join(" "));
    const random = world.randomFor(`fault ${world.faults} ${fault.kind}`);
    const after = (ms: number, run: () => void): void =>
      world.after(ms, () => {
        if (state === "lasting") run();
      });
    mend = (begins[fault.kind] as Begin<FaultKind>)({ swarm, random, after }, fault);
    if ("forMs" in fault && fault.forMs !== undefined) world.after(fault.forMs, end);
  });
  return {
    fault,
    get state() {
      return state;
    },
    end,
  };
}

interface Stage {
  readonly swarm: Swarm;
  readonly random: Random;
  /** Runs it later, while the fault lasts. */
  readonly after: (ms: number, run: () => void) => void;
}

/** What mends it; undefined when there is nothing to mend. */
type Mend = (() => void) | undefined;
type Begin<K extends FaultKind> = (stage: Stage, fault: Extract<Fault, { kind: K }>) => Mend;

const begins: { readonly [K in FaultKind]: Begin<K> } = {
  crash: (stage, { host, backAfterMs }) => fall(stage, stage.swarm.host(host), "kill", backAfterMs),
  power: (stage, { host, backAfterMs }) => fall(stage, stage.swarm.host(host), "unplug", backAfterMs),
  pause: ({ swarm }, { host: name }) => {
    const host = swarm.host(name);
    if (!host.up) return undefined;
    host.pause();
    return () => host.up && host.resume();
  },
  suspend: ({ swarm }, { host: name }) => {
    const host = swarm.host(name);
    host.suspend();
    return () => host.wake();
  },
  "disk-full": ({ swarm }, { host: name }) => {
    const host = swarm.host(name);
    host.fill(true);
    return () => host.fill(false);
  },
  "disk-error": ({ swarm, random }, { host: name, on, share }) => {
    const { disk, place } = swarm.host(name);
    if (on === "rot") {
      const count = disk.rot(share) + swarm.blobs.rot(place, share, random);
      swarm.world.record(name, "rots", `${count}`);
      return undefined;
    }
    disk.fail(on, true);
    return () => disk.fail(on, false);
  },
  "clock-jump": ({ swarm }, { host, byMs }) => {
    swarm.host(host).clock.jump(byMs);
    return undefined;
  },
  "clock-drift": ({ swarm }, { host: name, ppm }) => {
    const { clock, options } = swarm.host(name);
    clock.drift(ppm);
    return () => clock.drift(options.clock?.driftPpm ?? 0);
  },
  cut: ({ swarm }, { from, to, oneWay }) => {
    const cut = swarm.network.cut(places(swarm, from), rest(swarm, from, to), oneWay);
    return () => swarm.network.heal(cut);
  },
  flap: ({ swarm, after }, { from, to, oneWay, downMs, upMs }) => {
    let cut: number | undefined;
    const heal = (): void => {
      if (cut !== undefined) swarm.network.heal(cut);
      cut = undefined;
    };
    const down = (): void => {
      cut = swarm.network.cut(places(swarm, from), rest(swarm, from, to), oneWay);
      after(downMs, () => {
        heal();
        after(upMs, down);
      });
    };
    down();
    return heal;
  },
  swizzle: ({ swarm, random, after }, { hosts, forMs }) => {
    const names = hosts ?? swarm.hosts.map((h) => h.name);
    const cuts = new Map<string, number>();
    const stepMs = forMs / (2 * names.length + 1);
    for (const [i, name] of shuffled(random, names).entries())
      after(i * stepMs, () => {
        cuts.set(name, swarm.network.cut(places(swarm, [name]), rest(swarm, [name])));
      });
    const heal = (name: string): void => {
      const cut = cuts.get(name);
      if (cut !== undefined) swarm.network.heal(cut);
      cuts.delete(name);
    };
    for (const [i, name] of shuffled(random, names).entries())
      after((names.length + i + 1) * stepMs, () => heal(name));
    return () => [...cuts.keys()].forEach(heal);
  },
  network: ({ swarm }, { hosts, loss, twice, late, ...fault }) => {
    const { lateMs, corrupt, reset, delayMs, jitterMs, bytesPerSecond, gossipDelayMs } = fault;
    const changes: Partial<Conditions> = Object.fromEntries(
      Object.entries({
        gossipLoss: loss,
        gossipTwice: twice,
        gossipLate: late,
        ...{ lateMs, corrupt, reset, delayMs, jitterMs, bytesPerSecond, gossipDelayMs },
      }).filter(([, value]) => value !== undefined),
    );
    return swarm.network.worsen(changes, hosts && places(swarm, hosts));
  },
  stragglers: ({ swarm, random }, { hosts, share, factor }) =>
    swarm.twist(sometimes(random, hosts, share, (run) => ({ workMs: run.workMs * factor }))),
  hang: ({ swarm, random }, { hosts, share }) =>
    swarm.twist(sometimes(random, hosts, share, () => ({ ends: "hangs" }))),
  break: ({ swarm, random }, { hosts, share, cause }) =>
    swarm.twist(
      sometimes(random, hosts, share, () => ({ ends: cause === "infrastructure" ? "breaks" : "fails" })),
    ),
  "black-hole": ({ swarm, random }, { host: name }) => {
    const { speed } = swarm.host(name);
    return swarm.twist(sometimes(random, [name], 1, () => ({ ends: "breaks", workMs: 10 * speed })));
  },
  slow: ({ swarm }, { host: name, factor }) => {
    const { cores } = swarm.host(name);
    cores.slow(factor);
    return () => cores.slow(1);
  },
  byzantine: ({ swarm, random }, { host, how }) =>
    bend(swarm.host(host), byzantine(how, random, swarm.blobs)),
  clone: ({ swarm }, { host }) => {
    const clone = swarm.clone(swarm.host(host));
    clone.start();
    return () => clone.up && clone.kill();
  },
  restore: ({ swarm, after }, { host: name, ageMs }) => {
    const host = swarm.host(name);
    const image = host.image();
    after(ageMs, () => {
      if (host.up) host.kill();
      host.setBack(image);
      host.start();
    });
    return undefined;
  },
  "mixed-version": ({ swarm }, { host, how }) => bend(swarm.host(host), otherVersion(how)),
  join: ({ swarm, after }, { host: name }) => {
    const host = swarm.host(name);
    if (!host.up) ask(swarm, host, after);
    return undefined;
  },
  revoke: ({ swarm, after }, { host }) => {
    govern(swarm, { op: "revoke", peer: swarm.host(host).peer, force: true }, after);
    return undefined;
  },
  demote: ({ swarm, after }, { host }) => {
    const { peer } = swarm.host(host);
    govern(swarm, { op: "role", peer, roles: ["observer"], force: true }, after);
    return undefined;
  },
  leave: ({ swarm }, { host: name }) => {
    const host = swarm.host(name);
    if (host.active) host.command({ kind: "member", operation: { op: "leave", force: true } }, () => {});
    return undefined;
  },
  churn: (stage, { hosts, sharePerMinute, backAfterMs }) => {
    const { swarm, random, after } = stage;
    const all = hosts ? hosts.map((name) => swarm.host(name)) : [...swarm.hosts];
    const meanMs = 60_000 / (sharePerMinute * all.length);
    const next = (): void =>
      after(meanMs * (0.5 + random.float()), () => {
        const up = all.filter((h) => h.up);
        if (up.length > 0) fall(stage, random.pick(up), "kill", backAfterMs);
        next();
      });
    next();
    return undefined;
  },
  hot: ({ swarm }, { hosts, byCelsius }) => {
    const warmed = hosts ? hosts.map((name) => swarm.host(name)) : [...swarm.hosts];
    for (const host of warmed) host.warm(byCelsius);
    return () => {
      for (const host of warmed) host.warm(0);
    };
  },
  owner: ({ swarm }, { host: name, share }) => {
    const host = swarm.host(name);
    host.occupy(share);
    return () => host.occupy(0);
  },
};

/** Ends a daemon, and lets it come back. */
function fall({ after }: Stage, host: Host, how: "kill" | "unplug", backAfterMs: number | undefined): Mend {
  if (!host.up) return undefined;
  host[how]();
  if (backAfterMs !== undefined)
    after(backAfterMs, () => {
      if (!host.up) host.start();
    });
  return undefined;
}

/** Another daemon takes the place of the one that runs; in the end the plain one comes back. */
function bend(host: Host, as: Bend): Mend {
  const become = (bent: Bend | undefined): void => {
    host.bend(bent);
    if (!host.up) return;
    host.kill();
    host.start();
  };
  become(as);
  return () => become(undefined);
}

/** A share of the runs on these hosts (or all) goes otherwise. */
function sometimes(
  random: Random,
  hosts: readonly string[] | undefined,
  share: number,
  change: (run: Run) => Partial<Run>,
) {
  return (_request: unknown, { host }: { readonly host: string }, run: Run): Partial<Run> | undefined =>
    (!hosts || hosts.includes(host)) && random.float() < share ? change(run) : undefined;
}

const places = (swarm: Swarm, names: readonly string[]): PeerId[] =>
  names.map((name) => swarm.host(name).place);

/** Where those named stand, else all beside `from`. */
const rest = (swarm: Swarm, from: readonly string[], to?: readonly string[]): PeerId[] =>
  to ? places(swarm, to) : swarm.hosts.filter((h) => !from.includes(h.name)).map((h) => h.place);

/** All hosts a fault names. */
function namedIn(fault: Fault): string[] {
  const names = ["host", "hosts", "from", "to"].flatMap(
    (key) => ((fault as Record<string, unknown>)[key] ?? []) as string | string[],
  );
  return [...new Set(names)].sort(byText);
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order;
}
