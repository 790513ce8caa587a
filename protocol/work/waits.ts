/** Ready work that no living node may take: what is missing, who had it, and since when nobody has. A reading of facts and beats; it changes nothing. */
import type { GraphAction } from "../build/graph.ts";
import { toolSetsOfGraph } from "../build/renewal.ts";
import { serves } from "../build/toolchain.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { ActionName, PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { type Shortfall, shortfalls } from "./eligible.ts";
import { type Candidate, chooseToolchains } from "./tooling.ts";

/** Ready actions of one kind for which there is no node. */
export interface Wait {
  readonly first: ActionName;
  readonly actions: number;
  /** The living, each with what keeps it from them. */
  readonly unfit: readonly { readonly peer: PeerId; readonly shortfalls: readonly Shortfall[] }[];
  /** It ends only when a node comes or changes: time alone does not help. */
  readonly never: boolean;
  /** Toolchains of theirs that no living node has as they are pinned. */
  readonly toolsGone: readonly string[];
  /** Who could have built them: the dead whose last beat says so, and the living that built their like in this build. */
  readonly had: readonly { readonly name: string; readonly dead: boolean }[];
  /** Its name, where a person placed it on one node and that is what keeps it from all others. */
  readonly placed?: string;
  /** When they became ready, or when the last of the dead that had it was heard, if that was later; monotonic. */
  readonly sinceMonoMs: number;
}

const kinds = new WeakMap<GraphAction, string>();

/** What an action needs of a node, as a text: read once, for this is asked of all that is ready. */
function kindOf(action: GraphAction): string {
  let kind = kinds.get(action);
  if (kind === undefined) {
    kind = JSON.stringify([action.requires, action.toolchains, action.secrets]);
    kinds.set(action, kind);
  }
  return kind;
}

/** The kinds of a live build's ready work that wait for a node, what waits longest first. `readySince`: when an action became ready here. */
export function waitsOf(desk: Desk, build: Build, readySince: (index: number) => number): Wait[] {
  const { claims, submission } = build;
  if (!claims || !submission || claims.settled || claims.paused || claims.cancelled) return [];
  const ready = new Map<string, number[]>();
  for (const index of claims.actions.ready()) {
    if (claims.heldBy(index) !== undefined) continue;
    const action = claims.action(index);
    if (claims.holds.placeOf(action.name)) continue;
    const kind = kindOf(action);
    const known = ready.get(kind);
    if (known) known.push(index);
    else ready.set(kind, [index]);
  }
  const seen = desk.seen();
  return [
    ...placedWaits(desk, build, readySince),
    ...[...ready.values()].flatMap((indexes): Wait[] => {
      const action = claims.action(indexes[0]!);
      const unfit: { peer: PeerId; shortfalls: Shortfall[] }[] = [];
      for (const vitals of seen) {
        const found = shortfalls(vitals, action, submission.author);
        if (found.length === 0) return [];
        unfit.push({ peer: vitals.peer, shortfalls: found });
      }
      const had = [...hadBy(desk, build, action)];
      const leftMonoMs = had.map(([peer, dead]) => (dead ? desk.peers.heardMonoMs(peer) : 0));
      return [
        {
          first: action.name,
          actions: indexes.length,
          unfit,
          never: unfit.every((one) => one.shortfalls.some((s) => s.never)),
          toolsGone: Object.keys(action.toolchains).filter(
            (name) => !seen.some((v) => serves(v.toolchains[name], action.toolchains[name]!)),
          ),
          had: had.map(([peer, dead]) => ({ name: desk.members.nameOf(peer) ?? peer.slice(-8), dead })),
          sinceMonoMs: Math.max(Math.min(...indexes.map(readySince)), ...leftMonoMs),
        },
      ];
    }),
  ].sort((a, b) => a.sinceMonoMs - b.sinceMonoMs || (a.first < b.first ? -1 : 1));
}

/** Ready actions that a person placed on nodes that cannot take them now, each for itself. */
function placedWaits(desk: Desk, build: Build, readySince: (index: number) => number): Wait[] {
  const claims = build.claims!;
  return claims.holds.placements().flatMap(({ event }): Wait[] => {
    const index = claims.indexOf.get(event.action);
    const place = claims.holds.placeOf(event.action);
    if (index === undefined || !place || claims.actions.get(index) !== "ready") return [];
    const text = claims.heldBy(index) === undefined ? hinderedAt(desk, build, index, place.peer) : undefined;
    if (text === undefined) return [];
    const placed = desk.members.nameOf(place.peer) ?? place.peer.slice(-8);
    return [
      {
        first: event.action,
        actions: 1,
        unfit: [{ peer: place.peer, shortfalls: [{ text, never: true, share: 0 }] }],
        never: true,
        toolsGone: [],
        had: [],
        placed,
        sinceMonoMs: readySince(index),
      },
    ];
  });
}

/** What keeps a node from an action that it alone may have, behind its name; undefined: it may take it, as it has room. */
export function hinderedAt(desk: Desk, build: Build, index: number, peer: PeerId): string | undefined {
  if (!desk.members.has(peer, "builder")) return "is no builder of the swarm any more";
  const vitals = desk.isDead(peer) ? undefined : desk.vitalsOf(peer);
  if (!vitals) return "is away";
  const found = shortfalls(vitals, build.claims!.action(index), build.submission!.author);
  return found.length === 0 ? undefined : found.map(({ text }) => text).join(", ");
}

/** Whether each of them is dead. */
function hadBy(desk: Desk, build: Build, action: GraphAction): Map<PeerId, boolean> {
  const { claims, submission } = build;
  const kind = kindOf(action);
  const fits = (vitals: Vitals) => !shortfalls(vitals, action, submission!.author).some((s) => s.never);
  const had = new Map<PeerId, boolean>();
  for (const { peer } of desk.members.all()) {
    const vitals = desk.isDead(peer) ? desk.peers.vitals(peer) : undefined;
    if (vitals && fits(vitals)) had.set(peer, true);
  }
  for (const claim of claims!.claims.values())
    if (claim.done && !had.has(claim.holder) && kindOf(claims!.action(claim.action)) === kind)
      had.set(claim.holder, desk.isDead(claim.holder));
  return had;
}

/** Whether an action of the build that is not done yet is pinned to toolchains that no living node has all of. */
export function toolsAreGone(desk: Desk, build: Build): boolean {
  const { claims } = build;
  if (!claims) return false;
  const seen = desk.seen();
  const answers = new Map<string, boolean>();
  const isGone = ({ toolchains }: GraphAction): boolean => {
    const key = JSON.stringify(toolchains);
    let gone = answers.get(key);
    if (gone === undefined) {
      const wanted = Object.entries(toolchains);
      gone = !seen.some((v) => wanted.every(([name, pin]) => serves(v.toolchains[name], pin)));
      answers.set(key, gone);
    }
    return gone;
  };
  for (let index = 0; index < claims.actions.size; index++)
    if (claims.actions.get(index) !== "done") {
      const action = claims.action(index);
      if (Object.keys(action.toolchains).length > 0 && isGone(action)) return true;
    }
  return false;
}

/** What a person can do about a wait: build anew with the toolchains there are, bring back who had them, or add what is missing. */
export function remedyOf(
  wait: Wait,
  build: Build,
  nodes: readonly Candidate[],
  self: PeerId,
): { readonly command?: readonly string[]; readonly text: string } | undefined {
  if (wait.placed !== undefined)
    return {
      command: ["place", build.id, wait.first, "--clear"],
      text: "this lets others have it",
    };
  if (!wait.never) return undefined;
  const away = wait.had
    .filter(({ dead }) => dead)
    .map(({ name }) => name)
    .join(" or ");
  const back = away === "" ? "" : `, or bring ${away} back`;
  if (wait.toolsGone.length > 0)
    try {
      chooseToolchains(toolSetsOfGraph(build.claims!.graph), nodes, self);
      return {
        command: ["retry", build.id],
        text: `build it again with the toolchains there are${back}`,
      };
    } catch (refusal) {
      if (!(refusal instanceof SwarmError)) throw refusal;
      return { text: [refusal.remedy, back].join("") };
    }
  return away === "" ? undefined : { text: `bring ${away} back` };
}
