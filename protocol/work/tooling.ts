/**
 * Which fingerprint each toolchain of a spec is resolved to at submit: the one that can be used by the most slots, the same for
 * all actions of the build. Pure: the same vitals give the same choice on every node. If nobody can serve, it says what is missing.
 */
import type { GraphAction, Requirements } from "../build/graph.ts";
import { remedyFor } from "../build/parcels.ts";
import type { ToolSet } from "../build/tool-sets.ts";
import { type Demand, lackOf, parseDemand, pinOf, readOffer, targetsOf } from "../build/toolchain.ts";
import { compareVersions } from "../build/version.ts";
import { SwarmError } from "../kernel/errors.ts";
import { byText, type PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";
import { type Shortfall, shortfalls, type Unfit, whyNobody } from "./eligible.ts";

/** Tools that cannot be had together are told from those that can within so many tries. */
const triesMax = 20_000;

/** A node that may build, with the name that people use for it. */
export interface Candidate {
  readonly name: string;
  readonly vitals: Vitals;
}

/** What one demand was resolved to, and what else there was. */
export interface ToolChoice {
  readonly demand: string;
  readonly fingerprint: string;
  /** Nodes that offer it, sorted by name, and the slots they declared together. */
  readonly nodes: readonly string[];
  readonly slots: number;
  /** Other fingerprints under that name, most slots first. `why`: what keeps them from serving the demand, or that others have more. */
  readonly others: readonly {
    readonly fingerprint: string;
    readonly nodes: readonly string[];
    readonly slots: number;
    readonly why: string;
  }[];
}

export interface ToolChoices {
  /** Demand → the fingerprint that is pinned for it. */
  readonly fingerprints: Readonly<Record<string, string>>;
  /** By demand, sorted. */
  readonly choices: readonly ToolChoice[];
}

interface Wanted {
  readonly set: ToolSet;
  readonly demands: readonly { readonly text: string; readonly demand: Demand }[];
  /** Nodes that have what it requires beside toolchains; all of them where none has: such an action waits for one that does. */
  readonly nodes: readonly Candidate[];
}

/**
 * Resolves all sets together. `candidates`: living members that may build. Throws `spec-invalid` for what is no demand,
 * `no-eligible-node` with the node that comes nearest, what it lacks, and how that is mended.
 */
export function chooseToolchains(
  sets: readonly ToolSet[],
  candidates: readonly Candidate[],
  submitter: PeerId,
): ToolChoices {
  const nodes = [...candidates].sort((a, b) => byText(a.name, b.name));
  const wanted = sets
    .map((set): Wanted => {
      const demands = set.demands.map((text) => ({ text, demand: demandOf(text) }));
      const fit = nodes.filter((n) => lacksFor(n, set.requires, submitter).length === 0);
      return { set, demands, nodes: fit.length > 0 ? fit : nodes };
    })
    .sort((a, b) => b.demands.length - a.demands.length || byText(a.set.action, b.set.action));
  const pins = new Map<string, string>();
  let tries = 0;
  const settle = (at: number): boolean => {
    const want = wanted[at];
    if (!want) return true;
    for (const option of optionsOf(want, pins)) {
      if (++tries > triesMax) return false;
      const fresh = want.demands.filter(({ text }) => !pins.has(text));
      for (const { text } of fresh) pins.set(text, option.get(text)!);
      if (settle(at + 1)) return true;
      for (const { text } of fresh) pins.delete(text);
    }
    return false;
  };
  if (!settle(0)) throw refusalOf(wanted, nodes, submitter);
  const demands = new Map(wanted.flatMap((w) => w.demands.map(({ text, demand }) => [text, demand])));
  const chosen = [...pins].sort(([a], [b]) => byText(a, b));
  return {
    fingerprints: Object.fromEntries(chosen),
    choices: chosen.map(([text, pin]) => choiceOf(text, demands.get(text)!, pin, nodes)),
  };
}

function demandOf(text: string): Demand {
  const demand = parseDemand(text);
  if ("message" in demand) throw new SwarmError("spec-invalid", demand.message, { remedy: demand.hint });
  return demand;
}

/** The ways in which a set can be had beside what is pinned, the one with the most slots first, then the newest. */
function optionsOf({ demands, nodes }: Wanted, pins: ReadonlyMap<string, string>): Map<string, string>[] {
  const options = new Map<string, { pins: Map<string, string>; slots: number }>();
  for (const { vitals } of nodes) {
    const found = new Map<string, string>();
    for (const { text, demand } of demands) {
      const pin = pinOf(demand, vitals.toolchains[demand.name]);
      if (pin === undefined || (pins.get(text) ?? pin) !== pin) break;
      found.set(text, pin);
    }
    if (found.size < demands.length) continue;
    const key = JSON.stringify([...found.values()]);
    const option = options.get(key) ?? { pins: found, slots: 0 };
    option.slots += slotsOf(vitals);
    options.set(key, option);
  }
  return [...options]
    .sort(([keyA, a], [keyB, b]) => b.slots - a.slots || byVersions(b.pins, a.pins) || byText(keyA, keyB))
    .map(([, option]) => option.pins);
}

function byVersions(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): number {
  for (const [demand, pin] of a) {
    const difference = compareVersions(readOffer(pin).version ?? "", readOffer(b.get(demand)!).version ?? "");
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What it declared: how many it can give at this moment says nothing about the next. */
const slotsOf = ({ slots, slotsMax }: Vitals): number => slotsMax ?? slots;

/** What keeps a node for good from actions that require this, toolchains aside. */
function lacksFor({ vitals }: Candidate, requires: Requirements | undefined, submitter: PeerId): Shortfall[] {
  const action = { requires, toolchains: {} } as Pick<GraphAction, "requires" | "toolchains"> as GraphAction;
  return shortfalls(vitals, action, submitter).filter((s) => s.never);
}

function choiceOf(text: string, demand: Demand, pin: string, nodes: readonly Candidate[]): ToolChoice {
  const having = new Map<string, { nodes: string[]; slots: number; offered: string }>();
  for (const { name, vitals } of nodes) {
    const offered = vitals.toolchains[demand.name];
    if (offered === undefined) continue;
    const key = pinOf(demand, offered) ?? offered;
    const known = having.get(key) ?? { nodes: [], slots: 0, offered };
    known.nodes.push(name);
    known.slots += slotsOf(vitals);
    having.set(key, known);
  }
  const chosen = having.get(pin) ?? { nodes: [], slots: 0 };
  return {
    demand: text,
    fingerprint: pin,
    nodes: chosen.nodes,
    slots: chosen.slots,
    others: [...having]
      .filter(([key]) => key !== pin)
      .sort(([keyA, a], [keyB, b]) => b.slots - a.slots || byText(keyA, keyB))
      .map(([fingerprint, { nodes, slots, offered }]) => ({
        fingerprint,
        nodes,
        slots,
        why:
          lackOf(demand, offered) ?? (slots > chosen.slots ? "cannot be had with the others" : "fewer slots"),
      })),
  };
}

function refusalOf(wanted: readonly Wanted[], nodes: readonly Candidate[], submitter: PeerId): SwarmError {
  if (nodes.length === 0)
    return new SwarmError("no-eligible-node", "no node has told what it offers yet", {
      remedy: "try again in a second; see who builds: swarmd node list",
    });
  const impossible = wanted.find((want) => optionsOf(want, new Map()).length === 0);
  if (!impossible)
    return new SwarmError(
      "no-eligible-node",
      `each action finds a node, but not with one version of each tool in the whole build: ${wanted
        .map(
          ({ set, nodes }) =>
            `${set.action} (${set.demands.join("; ")}) on ${nodes.map((n) => n.name).join(", ")}`,
        )
        .join(" · ")}`,
      { remedy: "name versions that go together, or install the same tools on those nodes" },
    );
  const { set, demands } = impossible;
  const lacking = nodes.map((node) => {
    const tools = demands.flatMap(({ demand }) => {
      const text = lackOf(demand, node.vitals.toolchains[demand.name]);
      return text === undefined ? [] : [{ demand, text }];
    });
    const said = tools.map(
      ({ text, demand }): Shortfall => ({
        text,
        never: true,
        share: Object.hasOwn(node.vitals.toolchains, demand.name) ? 0.5 : 0,
      }),
    );
    const unfit: Unfit = {
      name: node.name,
      shortfalls: [...said, ...lacksFor(node, set.requires, submitter)],
    };
    return { node, unfit, tools };
  });
  const why = whyNobody(lacking.map((one) => one.unfit));
  const nearest = lacking.find(({ node }) => why.includes(`${node.name} comes nearest`)) ?? lacking[0]!;
  const remedies = nearest.tools.map(({ demand }) => remedyOf(demand, nearest.node));
  return new SwarmError(
    "no-eligible-node",
    `no node can build ${set.action}, which needs ${set.demands.join("; ")}: ${why.replace(/^no node fits; /, "")}`,
    {
      remedy:
        remedies.length > 0
          ? [...new Set(remedies)].join("; ")
          : `add a node that has it, or ask for less: requires of ${set.action}`,
    },
  );
}

function remedyOf(demand: Demand, { name, vitals }: Candidate): string {
  const offered = vitals.toolchains[demand.name];
  if (offered !== undefined && demand.exact && lackOf({ ...demand, exact: false }, offered) === undefined)
    return `wait until ${name} has read the files of its tools, and try again`;
  if (offered === undefined && demand.target !== undefined) {
    const cross = `${demand.target}-${demand.name}`;
    if (Object.hasOwn(vitals.toolchains, cross)) return `name the cross compiler that ${name} has: ${cross}`;
  }
  const there = targetsOf(vitals.target, vitals.toolchains);
  const wrongTarget = demand.target !== undefined && !there.includes(demand.target);
  return `on ${name}: ${remedyFor(
    wrongTarget && offered !== undefined ? `${demand.target}-${demand.name}` : demand.name,
    vitals.distribution,
    demand.bounds.length > 0,
  )}`;
}
