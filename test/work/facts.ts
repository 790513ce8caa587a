/** Graphs and facts for tests of the work floor: made-up members, each with a chain, that say what a build's ledger would hold. */
import type { FileSet, Graph, GraphAction } from "../../protocol/build/graph.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId, ClaimId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { Said, Spot } from "../../protocol/swarm/cuts.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import {
  type ActionResult,
  type Event,
  type EventKind,
  type Role,
  type Writer,
  writers,
} from "../../protocol/timeline/events.ts";
import { Claims } from "../../protocol/work/claims.ts";
import { peerNamed } from "../contract/chain.ts";

export const build = "demo-0123456789" as BuildId;
export const firstInc = "1-00000001" as Incarnation;
const swarm = "5".repeat(64) as Entry["swarm"];

export const blob = (text: string): Digest => digestOf(Buffer.from(text));

/** A graph by names: action → what it depends on, in dependency order. Each action makes the file `out/<name>`. */
export function graphOf(
  needs: Readonly<Record<string, readonly string[]>>,
  traits: Partial<GraphAction> = {},
): Graph {
  const names = Object.keys(needs);
  const sets: FileSet[] = names.map((n) => ({ from: n as ActionName, output: `out/${n}` }));
  sets.push({ paths: ["in/source"] });
  return {
    version: 1,
    name: "demo",
    files: [{ path: "in/source", digest: blob("source"), executable: false }],
    sets,
    actions: names.map((name) => ({
      name: name as ActionName,
      group: "make",
      argv: ["make", name],
      env: {},
      inputs: [names.length, ...needs[name]!.map((n) => names.indexOf(n))],
      outputs: [{ path: `out/${name}`, kind: "file" }],
      toolchains: {},
      timeoutMs: 60_000,
      silenceMs: 0,
      attemptsMax: 3,
      cache: true,
      ...traits,
    })),
  };
}

export const resultOf = (action: string, variant = ""): ActionResult => ({
  outputs: [{ path: `out/${action}`, digest: blob(`${action} ${variant}`), kind: "file" }],
});

export const keyOf = (action: string): Digest => blob(`key of ${action}`);

/** Everybody builds, submits and nothing else, but for those named; all that is said counts. */
export const rolesOf = (except: Readonly<Record<string, readonly Role[]>> = {}) => {
  const byPeer = new Map(Object.entries(except).map(([name, roles]) => [peerNamed(name), roles]));
  const roles = (peer: PeerId): readonly Writer[] => byPeer.get(peer) ?? ["builder", "submitter"];
  return {
    has: (peer: PeerId, role?: Role) => roles(peer).includes(role ?? "builder"),
    may: (kind: EventKind, { entry }: Said) => writers[kind].some((w) => roles(entry.author).includes(w)),
    served: (peer: PeerId, role: Role) => roles(peer).includes(role),
    counts: () => true,
    spoiled: (_: Spot): boolean => false,
  };
};

export const emptyClaims = (graph: Graph, roles = rolesOf()): Claims =>
  new Claims(
    graph,
    Int32Array.from(graph.actions, (_, i) => i),
    roles,
  );

/** The fold of these entries, in this order. */
export function folded(graph: Graph, entries: readonly SignedEntry[], roles = rolesOf()): Claims {
  const claims = emptyClaims(graph, roles);
  for (const entry of entries) claims.take(entry);
  return claims;
}

/** One member's chain in one build. */
export class Author {
  readonly peer: PeerId;
  readonly inc: Incarnation;
  private seq = 0;
  private claims = 0;

  constructor(name: string, inc = firstInc) {
    this.peer = peerNamed(name);
    this.inc = inc;
  }

  say(...events: (Event | { kind: string })[]): SignedEntry {
    return this.sayAt(this.seq++, ...events);
  }

  /** An entry at a place of the chain; two different ones at one place are a fork. */
  sayAt(seq: number, ...events: (Event | { kind: string })[]): SignedEntry {
    const entry: Entry = {
      v: 1,
      swarm,
      author: this.peer,
      inc: this.inc,
      seq,
      prev: null,
      hlc: [seq, 0],
      last: seq - 1,
      build,
      events: events as Entry["events"],
    };
    const { body, id } = sealEntry(entry);
    return signedEntry(entry, body, id, new Uint8Array(64));
  }

  newClaim(): ClaimId {
    return `${this.peer}.${this.inc}.${this.claims++}` as ClaimId;
  }

  /** The event of a claim for `holder` by this author as the steward. */
  claim(action: string, holder: Author, fields: Partial<Extract<Event, { kind: "claim" }>> = {}) {
    return {
      kind: "claim" as const,
      claim: this.newClaim(),
      action: action as ActionName,
      attempt: 1,
      key: keyOf(action),
      holder: holder.peer,
      holderInc: holder.inc,
      ...fields,
    };
  }
}

type ClaimEvent = ReturnType<Author["claim"]>;

export const start = ({ claim }: ClaimEvent) => ({ kind: "start" as const, claim });
export const done = ({ claim, action, key }: ClaimEvent, variant = "") => ({
  kind: "done" as const,
  claim,
  key,
  result: resultOf(action, variant),
});
export const fail = ({ claim }: ClaimEvent, cause: "deterministic" | "infrastructure" = "deterministic") => ({
  kind: "fail" as const,
  claim,
  cause,
  reason: "it failed",
});
export const abandon = ({ claim }: ClaimEvent) => ({ kind: "abandon" as const, claim, reason: "no" });
export const expire = ({ claim }: ClaimEvent) => ({ kind: "expire" as const, claim, reason: "dead" });
export const lost = (action: string, ...results: string[]) => ({
  kind: "lost" as const,
  action: action as ActionName,
  results,
  reason: "gone",
});
export const control = (op: "pause" | "resume" | "cancel", id: string, ...answers: string[]) => ({
  kind: "control" as const,
  op,
  id,
  answers,
});
