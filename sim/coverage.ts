/** What a run, or a sweep of runs, has exercised: counted by kind, and held against what is declared reachable. */
import type { Effect, Input } from "../protocol/contract.ts";
import { byText } from "../protocol/kernel/ids.ts";
import { type ActionState, actionStates } from "../protocol/work/actions.ts";
import type { Claims } from "../protocol/work/claims.ts";
import { faultKinds } from "./faults.ts";
import type { Host } from "./host.ts";
import { endings } from "./mix.ts";
import type { Swarm } from "./swarm.ts";

export const sections = [
  "faults",
  "endings",
  "inputs",
  "effects",
  "messages",
  "events",
  "transitions",
  "refusals",
  "denials",
] as const;
export type Section = (typeof sections)[number];

/** How often each item of a section occurred. */
export type Counts = { readonly [S in Section]: Record<string, number> };

export const noCounts = (): Counts =>
  Object.fromEntries(sections.map((section) => [section, {}])) as unknown as Counts;

/** Transitions of an action's state that faults and people bring about; all others are unheard of. */
const transitions: readonly (readonly [from: ActionState, to: readonly ActionState[]])[] = [
  ["waiting", ["ready", "held", "cancelled", "done"]],
  ["ready", ["claimed", "running", "done", "cancelled"]],
  ["claimed", ["running", "ready", "done", "cancelled"]],
  ["running", ["ready", "done", "claimed"]],
  ["done", ["ready"]],
];

/** What every sweep must reach. */
export const reachable: { readonly [S in Section]?: readonly string[] } = {
  faults: faultKinds,
  endings,
  inputs: [
    "tick",
    "restored-entries",
    "restored-ledger",
    "restored-history",
    "started",
    "connected",
    "disconnected",
    "message",
    "gossip",
    "sensed",
    "blob-read",
    "looked-up",
    "fetched",
    "executed",
    "command",
    "presented",
    "asked",
  ] satisfies Input["kind"][],
  effects: [
    "sign",
    "append",
    "keep",
    "keep-update",
    "keep-history",
    "send",
    "gossip",
    "serve",
    "read-blob",
    "look-up",
    "remember",
    "fetch",
    "execute",
    "kill",
    "reply",
    "admission",
  ] satisfies Effect["kind"][],
  transitions: transitions.flatMap(([from, to]) => to.map((state) => `${from} → ${state}`)),
};

export class Coverage {
  readonly counts = noCounts();
  private readonly states = new WeakMap<Claims, { read: number; readonly states: ActionState[] }>();

  /** Counts from here on what the hosts of a swarm do. */
  constructor(swarm: Swarm) {
    swarm.watch((host, effects, input) => {
      this.note("inputs", input.kind);
      for (const effect of effects) this.noteEffect(effect);
      for (const build of host.core.desk.builds.values()) if (build.claims) this.noteStates(build.claims);
    });
  }

  note(section: Section, item: string): void {
    const counts = this.counts[section];
    counts[item] = (counts[item] ?? 0) + 1;
  }

  /** What the hosts of an ended run have refused. */
  noteRefusals(hosts: readonly Host[]): void {
    for (const { refusals } of hosts)
      for (const refusal of refusals) this.note("refusals", refusal.split(" ")[0]!);
  }

  private noteEffect(effect: Effect): void {
    this.note("effects", effect.kind);
    if (effect.kind === "append")
      for (const event of effect.entry.entry.events) this.note("events", event.kind);
    if (effect.kind === "gossip") this.note("messages", `gossip ${effect.message.kind}`);
    if (effect.kind !== "send") return;
    this.note("messages", effect.message.kind);
    if (effect.message.kind === "deny") this.note("denials", effect.message.reason.replace(/[0-9]+/g, "N"));
  }

  private noteStates(claims: Claims): void {
    const { actions } = claims;
    let seen = this.states.get(claims);
    if (!seen) {
      seen = { read: 0, states: new Array<ActionState>(actions.size).fill("waiting") };
      this.states.set(claims, seen);
    }
    for (; seen.read < actions.journal.length; seen.read++) {
      const { action, state } = actions.journal[seen.read]!;
      this.note("transitions", `${seen.states[action]} → ${state}`);
      seen.states[action] = state;
    }
  }
}

/** Adds the counts of a run to those of a sweep. */
export function addCounts(to: Counts, from: Counts): void {
  for (const section of sections)
    for (const [item, count] of Object.entries(from[section]))
      to[section][item] = (to[section][item] ?? 0) + count;
}

/** What was declared reachable and never occurred, as `section item`. */
export function neverSeen(counts: Counts): string[] {
  return sections.flatMap((section) =>
    (reachable[section] ?? []).filter((item) => !counts[section][item]).map((item) => `${section}: ${item}`),
  );
}

/** The table at the end of a sweep: every section with its items and how often each occurred. */
export function tableOf(counts: Counts): string {
  return sections
    .map((section) => {
      const items = new Set([...(reachable[section] ?? []), ...Object.keys(counts[section])]);
      const cells = [...items]
        .sort(section === "transitions" ? byStates : byText)
        .map((item) => `${item} ${counts[section][item] ?? "NEVER"}`);
      return [`${section} (${cells.length})`, ...wrapped(cells)].join("\n");
    })
    .join("\n");
}

const place = (item: string): number =>
  item
    .split(" → ")
    .reduce((sum, state) => sum * actionStates.length + actionStates.indexOf(state as ActionState), 0);
const byStates = (a: string, b: string): number => place(a) - place(b);

const lineChars = 118;

function wrapped(cells: readonly string[]): string[] {
  const lines: string[] = [];
  for (const cell of cells) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + cell.length + 3 <= lineChars)
      lines.push(`${lines.pop()} · ${cell}`);
    else lines.push(`  ${cell}`);
  }
  return lines;
}
