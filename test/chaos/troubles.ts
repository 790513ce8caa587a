/** What may befall a farm: each trouble with how it begins and how it is mended. */
import type { Random } from "../../protocol/kernel/random.ts";
import type { LabFarm } from "../lab/farm.ts";

/** Of each machine: enough for daemons to take work. Only what is used takes memory. */
export const diskBytes = 16 * 2 ** 30;

/** A trouble that a seed drew. */
export interface Trouble {
  /** In words: `kill -9 of cleo`. */
  readonly what: string;
  readonly forMs: number;
  /** Whom it takes out of the game, so that nothing else is done to them meanwhile. */
  readonly touches: readonly string[];
  /** Whether it divides the swarm: what is then done twice nobody could have known. */
  readonly divides: boolean;
  begin(): Promise<void>;
  mend(): Promise<void>;
}

interface Drawn {
  readonly farm: LabFarm;
  readonly random: Random;
  /** Machines that nothing ails. */
  readonly well: readonly string[];
}

type Draw = (drawn: Drawn) => Trouble;

const between = (random: Random, least: number, most: number): number =>
  Math.round(least + random.float() * (most - least));

const shuffled = (random: Random, names: readonly string[]): string[] =>
  names
    .map((name) => ({ name, at: random.float() }))
    .sort((a, b) => a.at - b.at)
    .map(({ name }) => name);

const draws: Readonly<Record<string, Draw>> = {
  kill: ({ farm, random, well }) => {
    const name = random.pick(well);
    return {
      what: `kill -9 of ${name}`,
      forMs: between(random, 500, 8_000),
      touches: [name],
      divides: false,
      begin: () => farm.kill(name),
      mend: async () => void (await farm.start(name)),
    };
  },
  stop: ({ farm, random, well }) => {
    const name = random.pick(well);
    return {
      what: `SIGSTOP of ${name}`,
      forMs: between(random, 1_000, 20_000),
      touches: [name],
      divides: true,
      begin: () => farm.pause(name),
      mend: () => farm.resume(name),
    };
  },
  partition: ({ farm, random }) => {
    const names = shuffled(random, farm.lab.names);
    const sides = [names.slice(0, 2), names.slice(2)] as const;
    return {
      what: `partition ${sides.map((side) => side.join("+")).join(" | ")}`,
      forMs: between(random, 3_000, 20_000),
      touches: [network],
      divides: true,
      begin: () => farm.lab.partition(...sides),
      mend: () => farm.lab.heal(),
    };
  },
  cut: ({ farm, random }) => {
    const [from, to] = shuffled(random, farm.lab.names) as [string, string];
    return {
      what: `one-way cut from ${from} to ${to}`,
      forMs: between(random, 3_000, 20_000),
      touches: [network],
      divides: true,
      begin: () => farm.lab.cut(from, to),
      mend: () => farm.lab.heal(),
    };
  },
  loss: ({ farm, random }) => {
    const name = random.pick(farm.lab.names);
    const lossPercent = between(random, 5, 33);
    return {
      what: `${lossPercent} % of all packets of ${name} lost`,
      forMs: between(random, 3_000, 15_000),
      touches: [network],
      divides: true,
      begin: () => farm.lab.shape(name, { delayMs: 5, lossPercent }),
      mend: () => farm.lab.shape(name, {}),
    };
  },
  rot: ({ farm, random, well }) => {
    const name = random.pick(well);
    // Drawn now: what is drawn when it befalls would change all that is drawn after.
    const at = random.float();
    return {
      what: `a blob of ${name} rots`,
      forMs: 0,
      touches: [name],
      divides: false,
      begin: () => farm.rotAny(name, at),
      mend: async () => {},
    };
  },
  full: ({ farm, random, well }) => {
    const name = random.pick(well);
    return {
      what: `disk of ${name} full`,
      forMs: between(random, 1_000, 8_000),
      touches: [name],
      // It cannot say what it did meanwhile.
      divides: true,
      begin: () => farm.fillDisk(name),
      mend: () => farm.sizeDisk(name, diskBytes),
    };
  },
  clock: ({ farm, random, well }) => {
    const name = random.pick(well);
    const seconds = between(random, -3_600, 3_600);
    return {
      what: `clock of ${name} off by ${seconds} s`,
      forMs: between(random, 3_000, 20_000),
      touches: [name],
      divides: false,
      begin: () => farm.shiftClock(name, seconds),
      mend: () => farm.shiftClock(name, 0),
    };
  },
};

/** Troubles of the network come one at a time: what mends one mends all. */
const network = "network";

/** The next trouble, of those that befall nobody who ails already; undefined when there is none. */
export function draw(farm: LabFarm, random: Random, ailing: ReadonlySet<string>): Trouble | undefined {
  const well = farm.lab.names.filter((name) => !ailing.has(name));
  // A majority stays able to do something.
  if (well.length < 3) return undefined;
  const kinds = Object.keys(draws).filter(
    (kind) => !(ailing.has(network) && ["partition", "cut", "loss"].includes(kind)),
  );
  return draws[random.pick(kinds)]!({ farm, random, well });
}
