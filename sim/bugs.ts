/** Bugs to plant into the daemons of a swarm, each with the invariant that must be seen to break: the checkers' own proof. */
import type { Effect, Input, Instant } from "../protocol/contract.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { Restored } from "../protocol/ports.ts";
import type { Runtime } from "../protocol/runtime.ts";
import type { Message } from "../protocol/swarm/message.ts";
import type { Event } from "../protocol/timeline/events.ts";
import { Claims } from "../protocol/work/claims.ts";
import { Holds } from "../protocol/work/holds.ts";
import { readUpdate } from "../protocol/work/ledger.ts";
import type { Invariant } from "./checkers/violation.ts";
import type { FaultKind } from "./faults.ts";
import type { Bend, Host } from "./host.ts";
import type { Mix } from "./mix.ts";
import {
  answeredMix,
  debuggedMix,
  floodedMix,
  forgedMix,
  jumpingMix,
  orphanedMix,
  overtakenMix,
  repeatedMix,
  restartedMix,
  strandedMix,
  tornMix,
} from "./mixes.ts";
import { fakePeer } from "./signer.ts";
import type { Swarm } from "./swarm.ts";

export interface Bug {
  readonly name: string;
  readonly breaks: Invariant;
  /** It shows only where such things happen. */
  readonly faults?: readonly FaultKind[];
  /** It shows only where more comes together than a seed draws. */
  readonly mix?: (seed: number) => Mix;
  /** Plants it before the hosts start; the answer takes it out of what other swarms share. */
  plant(swarm: Swarm): () => void;
}

/** What a daemon keeps to itself. */
type Insides = Record<string, (...args: never[]) => unknown>;
const inside = (part: unknown): Insides => part as Insides;

/** Patches the daemons of these hosts (of all, by default) at each of their starts. */
function everyStart(
  patch: (runtime: Runtime, host: Host) => void,
  which: (swarm: Swarm) => readonly Host[] = (swarm) => swarm.hosts,
): Bug["plant"] {
  return (swarm) => {
    for (const host of which(swarm)) {
      const bend = host.bend.bind(host);
      const buggy = (bent: Bend | undefined): Bend => ({
        ...bent,
        honest: bent?.honest ?? true,
        runtime: (of, runtime, process) => {
          patch(runtime, of);
          bent?.runtime?.(of, runtime, process);
        },
      });
      host.bend = (bent) => bend(buggy(bent));
      host.bend(undefined);
    }
    return () => {};
  };
}

const oneHost = (swarm: Swarm): readonly Host[] => swarm.hosts.slice(0, 1);

/** Patches a method of every fold there is, until it is taken out. */
function everyFold(
  method: string,
  patch: (claims: Claims, plain: (...args: never[]) => unknown, args: never[]) => unknown,
): Bug["plant"] {
  return () => {
    const shared = inside(Claims.prototype);
    const plain = shared[method];
    if (!plain) throw new Error(`no fold has a method ${method}`);
    shared[method] = function (this: Claims, ...args: never[]) {
      return patch(this, plain.bind(this), args);
    };
    return () => {
      shared[method] = plain;
    };
  };
}

/** The same of what people hold back. */
function everyHold(method: string, patch: (holds: Holds, plain: () => unknown) => unknown): Bug["plant"] {
  return () => {
    const shared = inside(Holds.prototype);
    const plain = shared[method]!;
    shared[method] = function (this: Holds, ...args: never[]) {
      return patch(this, () => plain.apply(this, args));
    };
    return () => {
      shared[method] = plain;
    };
  };
}

/** Each start takes the incarnation of the first; `restored` may then make it more or less like one that goes on. */
function sameIncarnation(restored: (runtime: Runtime, host: Host, from: Restored) => void): Bug["plant"] {
  const goOn = everyStart((runtime, host) => {
    const start = runtime.start.bind(runtime);
    runtime.start = (from) => {
      restored(runtime, host, from);
      start(from);
    };
  });
  return (swarm) => {
    for (const host of swarm.hosts) {
      const start = host.start.bind(host);
      host.start = () => {
        host.incarnations.length = 0;
        start();
      };
    }
    return goOn(swarm);
  };
}

/** Goes on in the chain where the disk ends. */
function followDisk({ core }: Runtime, host: Host, { entries, ledgers }: Restored): void {
  const own = [
    ...entries,
    ...ledgers.flatMap((l) => l.updates.flatMap((u) => readUpdate(l.build, u))),
  ].filter(({ entry }) => entry.author === host.peer && entry.inc === core.desk.config.inc);
  const last = own.sort((a, b) => a.entry.seq - b.entry.seq).at(-1);
  if (last) Object.assign(core.desk.voice, { seq: last.entry.seq + 1, prev: last.id });
}

const kindOf = (event: unknown): string => (event as Event).kind;

const strange: PeerId = fakePeer("a stranger");

export const bugs: readonly Bug[] = [
  {
    name: "one register per action: a later claim hides a result",
    breaks: "done absorbs",
    mix: overtakenMix,
    plant: everyFold("stateOf", (claims, plain, [index]) =>
      claims.winnerOf(index!) ? "claimed" : plain(index!),
    ),
  },
  {
    name: "a result of a claim that was taken back does not count",
    breaks: "done absorbs",
    mix: overtakenMix,
    plant: everyFold(
      "available",
      (claims, plain, [index]) =>
        plain(index!) && !claims.claimsOf(index!).some((c) => c.done && c.expired !== undefined),
    ),
  },
  {
    name: "the fold reads the order of arrival: a fact before its claim is forgotten",
    breaks: "equal facts, equal states",
    plant: everyFold("foldOnClaim", (claims, plain, args) =>
      claims.claims.has(args[0] as never) ? plain(...args) : undefined,
    ),
  },
  {
    name: "one host does not fold `expire`",
    breaks: "equal facts, equal states",
    faults: ["crash", "power", "churn"],
    plant: (swarm) =>
      everyFold("foldOn", (claims, plain, args) =>
        kindOf(args[1]) === "expire" && holds(swarm.hosts[0]!, claims) ? undefined : plain(...args),
      )(swarm),
  },
  {
    name: "strangers' claims count",
    breaks: "members decide",
    plant: (swarm) => {
      const undos = ["may", "mayHold"].map((method) => everyFold(method, () => true)(swarm));
      everyStart(({ core: { desk } }) => {
        const say = desk.say.bind(desk);
        desk.say = (build, event, options) =>
          say(build, event.kind === "claim" ? { ...event, holder: strange } : event, options);
      }, oneHost)(swarm);
      return () => {
        for (const undo of undos) undo?.();
      };
    },
  },
  {
    name: "what a member said beyond its cut counts",
    breaks: "members decide",
    faults: ["revoke", "cut"],
    plant: everyStart(({ core: { desk } }) => {
      desk.members.counts = () => true;
    }),
  },
  {
    name: "a host does not hear who was revoked",
    breaks: "heeded in time",
    faults: ["revoke"],
    plant: everyStart(
      ({ core: { desk } }) => {
        const consider = desk.members.consider.bind(desk.members);
        desk.members.consider = (entry) =>
          !entry.entry.events.some((e) => e.kind === "member.revoked") && consider(entry);
      },
      (swarm) => swarm.hosts.slice(1, 2),
    ),
  },
  {
    name: "a build that has nothing left to do is not ended",
    breaks: "work ends",
    plant: everyStart(({ core }) => {
      inside(inside(core).sealer).seal = () => undefined;
    }),
  },
  {
    name: "who lacks bytes that nobody has waits for them: `lost` is never said",
    breaks: "work ends",
    mix: orphanedMix,
    plant: everyStart(({ core: { holder } }) => {
      const fetched = holder.fetched.bind(holder);
      holder.fetched = (id, missing, bytes) => {
        if (missing.length === 0) fetched(id, missing, bytes);
      };
    }),
  },
  {
    name: "an answer of another's cache is taken as it comes, whoever signed it",
    breaks: "answers are proved",
    mix: answeredMix,
    plant: everyStart((runtime) => {
      const part = inside(runtime);
      const heard = part.heard!.bind(runtime) as (from: PeerId, message: Message) => void;
      const believes = (from: PeerId, message: Message): void =>
        message.kind === "found" ? runtime.input({ kind: "message", from, message }) : heard(from, message);
      Object.assign(runtime, { heard: believes });
    }),
  },
  {
    name: "what a cache says is not looked at: all is built again",
    breaks: "nothing built twice",
    mix: repeatedMix,
    plant: everyStart(({ core: { preparer } }) => {
      const lookedUp = preparer.lookedUp.bind(preparer);
      preparer.lookedUp = (keys, _, asker) => lookedUp(keys, [], asker);
    }),
  },
  {
    name: "an incarnation is used again and nothing remembered",
    breaks: "no honest fork",
    mix: tornMix,
    plant: sameIncarnation(() => {}),
  },
  {
    name: "a restart goes on in the chain where its torn disk ends",
    breaks: "no honest fork",
    mix: tornMix,
    plant: sameIncarnation(followDisk),
  },
  {
    name: "signatures are not looked at",
    breaks: "own prefix",
    mix: forgedMix,
    plant: everyStart((runtime) => {
      inside(runtime).verify = () => undefined;
    }),
  },
  {
    name: "a fact is removed from a ledger",
    breaks: "facts stay",
    plant: everyStart(({ core: { desk } }) => {
      const begin = desk.begin.bind(desk);
      desk.begin = (now) => {
        begin(now);
        for (const { ledger } of desk.builds.values()) {
          const { entries } = ledger as unknown as { entries: Map<number, unknown[]> };
          if (ledger.size > 20) entries.set([...entries.keys()][0]!, []);
        }
      };
    }, oneHost),
  },
  {
    name: "leases run by the wall clock",
    breaks: "expires the dead",
    mix: jumpingMix,
    plant: everyStart(({ core: { desk } }) => {
      const heard = new Map<PeerId, number>();
      const { peers } = desk;
      const hear = peers.heard.bind(peers);
      peers.heard = (peer, monoMs) => {
        heard.set(peer, desk.now.wallMs);
        hear(peer, monoMs);
      };
      const status = peers.status.bind(peers);
      peers.status = (peer, members, monoMs) =>
        desk.now.wallMs - (heard.get(peer) ?? desk.now.wallMs) > 3.5 * peers.beatMs(members)
          ? "dead"
          : status(peer, members, monoMs);
    }),
  },
  {
    name: "anybody expires a claim",
    breaks: "expires the dead",
    faults: ["crash", "power"],
    plant: everyStart(({ core }) => {
      const expiry = inside(core).expiry as unknown as { desk: unknown };
      const { desk } = core;
      expiry.desk = new Proxy(desk, {
        get: (of, field) =>
          field === "stewardOf"
            ? () => desk.config.self
            : (of as unknown as Record<PropertyKey, unknown>)[field],
      });
    }),
  },
  {
    name: "a restarted steward grants before it has heard the others",
    breaks: "grants once synced",
    mix: restartedMix,
    plant: everyStart(({ core }) => {
      const catchUp = inside(inside(core).catchUp);
      catchUp.settle = () => {
        core.desk.settled = true;
      };
    }),
  },
  {
    name: "a steward grants an action twice",
    breaks: "grants what is ready",
    plant: everyStart(({ core: { granter } }) => {
      const part = inside(granter);
      const grant = part.grant!.bind(granter);
      part.grant = (...args) => {
        grant(...args);
        return grant(...args);
      };
    }, oneHost),
  },
  {
    name: "nobody asks whether a person holds an action",
    breaks: "what is held waits",
    mix: debuggedMix,
    plant: everyFold("heldBy", () => undefined),
  },
  {
    name: "a step lets everything go",
    breaks: "what is held waits",
    mix: debuggedMix,
    plant: everyHold("of", (holds, plain) => (holds.rests ? plain() : undefined)),
  },
  {
    name: "a place is only written down",
    breaks: "what is placed runs there",
    mix: debuggedMix,
    plant: everyHold("placeOf", () => undefined),
  },
  {
    name: "a holder does not care that it lost",
    breaks: "one winner",
    mix: strandedMix,
    plant: everyStart(({ core: { holder } }) => {
      inside(holder).reconsider = () => undefined;
    }),
  },
  {
    name: "claims are taken above the thermal limit",
    breaks: "heat kept",
    faults: ["hot"],
    plant: everyStart(({ core: { desk } }) => {
      const scheduling = { ...desk.config.scheduling, temperatureCelsiusMax: 1000 };
      Object.assign(desk, { config: { ...desk.config, scheduling } });
    }),
  },
  {
    name: "more runs at once than there are slots",
    breaks: "slots kept",
    plant: everyStart(({ core: { holder } }) => {
      Object.defineProperty(holder, "executing", { get: () => 0 });
    }),
  },
  {
    name: "a queue without a bound",
    breaks: "bounded memory",
    plant: everyStart(({ core }) => {
      const history: (Input | Effect)[] = [];
      Object.assign(core.desk, { history });
      const step = core.step.bind(core);
      core.step = (input: Input, now: Instant) => {
        const effects = step(input, now);
        history.push(input, ...effects);
        return effects;
      };
    }),
  },
  {
    name: "a node that does not look again",
    breaks: "nothing waits for ever",
    plant: everyStart(({ core }) => {
      const deadline = core.deadline.bind(core);
      core.deadline = () => (core.desk.liveBuilds().length > 0 ? Number.POSITIVE_INFINITY : deadline());
    }, oneHost),
  },
  {
    name: "a node that forgets to ask for work",
    breaks: "nobody idles beside work",
    plant: everyStart(({ core }) => {
      core.scheduler.pump = () => {};
    }),
  },
  {
    name: "one pace for all members: who floods takes it from the others",
    breaks: "honest goodput",
    mix: floodedMix,
    plant: everyStart(({ core }) => {
      const pace = inside(inside(inside(core).allowance).pace);
      let [left, atMonoMs] = [4, 0];
      pace.admits = (_from: PeerId, kind: string, { monoMs }: Instant) => {
        if (kind !== "ask") return true;
        left = Math.min(4, left + (monoMs - atMonoMs) / 5000);
        atMonoMs = monoMs;
        if (left < 1) return false;
        left--;
        return true;
      };
    }),
  },
  {
    name: "a runner that runs what it has run",
    breaks: "bounded executions",
    faults: ["clock-jump"],
    plant: everyStart(({ core: { holder, desk } }) => {
      const executed = holder.executed.bind(holder);
      const again = new Set<string>();
      holder.executed = (claim, outcome) => {
        const held = (inside(holder).held as unknown as Map<string, { build: never }>).get(claim);
        if (!held || again.has(claim)) return executed(claim, outcome);
        again.add(claim);
        inside(holder).execute!(desk.builds.get(held.build) as never, held as never);
      };
    }, oneHost),
  },
  {
    name: "what gossip lost is never asked for",
    breaks: "frontiers meet",
    faults: ["network", "cut"],
    plant: everyStart(({ core }) => {
      const catchUp = inside(inside(core).catchUp);
      catchUp.with = () => undefined;
      catchUp.compare = () => undefined;
      catchUp.settle = () => {
        core.desk.settled = true;
      };
    }),
  },
  {
    name: "a step that throws",
    breaks: "steps end",
    plant: everyStart(({ core: { granter } }, { name }) => {
      const ask = granter.ask.bind(granter);
      let asked = 0;
      granter.ask = (from, what) => {
        if (++asked > 20) throw new Error(`${name} has had enough`);
        return ask(from, what);
      };
    }),
  },
];

/** Whether this fold is one of a host's own. */
const holds = (host: Host, claims: Claims): boolean =>
  host.up && [...host.core.desk.builds.values()].some((b) => b.claims === claims);
