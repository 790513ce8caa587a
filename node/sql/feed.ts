/** What the projection still lacks, read from the daemon's own store, and how things stand now. */
import { setImmediate as turn } from "node:timers/promises";
import {
  type BuildId,
  chainOf,
  type Digest,
  type Incarnation,
  type PeerId,
} from "../../protocol/kernel/ids.ts";
import type { EventStore } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { type EventKind, writers } from "../../protocol/timeline/events.ts";
import type { ActionState } from "../../protocol/work/actions.ts";
import type { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import type { SqlValue } from "../control/data.ts";
import type { ReleasesView } from "../control/publishing.ts";
import type { Queries } from "../queries.ts";
import { marked, missing } from "./marked.ts";
import type { Chain, Fed, Present } from "./speech.ts";

/** Entries that are read and handed on at once. */
const pageEntries = 128;
/** A node's beat is written down at most so often. */
const beatMs = 5_000;
/** What others said late is near the end of a chain. Further back places are empty for good, mostly: they are looked up again after so long. */
const lateEntries = 512;
const emptyMs = 60_000;

export interface FeedParts {
  readonly desk: Desk;
  readonly queries: Pick<Queries, "nameOf" | "nodes" | "builds">;
  readonly events: Pick<EventStore, "range">;
  readonly releases: () => Promise<ReleasesView>;
  /** Every chain that this node knows, and the last place of it that anybody named. */
  readonly chains: () => readonly {
    readonly author: PeerId;
    readonly inc: Incarnation;
    readonly seq: number;
  }[];
  /** The bytes of a blob that lies here; null: it does not. */
  readonly blob: (digest: Digest) => Promise<Uint8Array | null>;
}

export class Feed {
  private readonly parts: FeedParts;
  private readonly told = new Map<BuildId, string>();
  private beatAtMs = 0;
  /** Places that were looked up in vain, by chain, since `emptySinceMs`. */
  private readonly empty = new Map<string, number[]>();
  private emptySinceMs = 0;

  constructor(parts: FeedParts) {
    this.parts = parts;
  }

  get swarm(): string {
    return this.parts.desk.config.swarm;
  }

  /** The graph of a build; null: it does not lie here; undefined: it is on its way. */
  async graph(build: BuildId, digest: string): Promise<Uint8Array | null | undefined> {
    const known = this.parts.desk.builds.get(build);
    const otherwise = known && !known.claims ? undefined : null;
    return (await this.parts.blob(digest as Digest)) ?? otherwise;
  }

  /** The process that was told is gone. */
  forget(): void {
    this.told.clear();
  }

  /** What is on the disk and not among `known`, a page at a time; `give` takes each before the next is read. */
  async entries(
    known: readonly Chain[],
    nowMs: number,
    give: (page: Fed[]) => Promise<void>,
  ): Promise<Chain[]> {
    if (Math.abs(nowMs - this.emptySinceMs) > emptyMs) {
      this.empty.clear();
      this.emptySinceMs = nowMs;
    }
    const runsOf = new Map(known.map(({ author, inc, runs }) => [chainOf(author, inc), runs]));
    const chains = this.parts.chains();
    const passed: Chain[] = [];
    for (const { author, inc, seq } of chains) {
      const chain = chainOf(author, inc);
      const empty = this.empty.get(chain) ?? [];
      const gaps = missing(runsOf.get(chain) ?? [], seq).flatMap((gap) => without(empty, gap));
      if (gaps.length === 0) continue;
      passed.push({ author, inc, runs: [] });
      for (const [from, to] of gaps)
        for (let at = from; at <= to; at += pageEntries) {
          const end = Math.min(to, at + pageEntries - 1);
          const page = await this.range(author, inc, at, end);
          if (page.length > 0) await give(page.map((entry) => this.fed(entry)));
          // Read in without the fold, they say less than what was told of the build before.
          for (const { entry } of page) if (entry.build !== undefined) this.told.delete(entry.build);
          const there = new Set(page.map(({ entry }) => entry.seq));
          for (let place = at; place <= Math.min(end, seq - lateEntries); place++)
            if (!there.has(place)) marked(empty, place);
          await turn();
        }
      if (empty.length > 0) this.empty.set(chain, empty);
    }
    return passed;
  }

  names(): Present["names"] {
    const { desk, queries } = this.parts;
    const { members } = desk;
    const peers = new Set([...members.all(), ...members.formers()].map(({ peer }) => peer));
    return [...peers].map((peer) => [peer, queries.nameOf(peer)] as const);
  }

  async present(nowMs: number): Promise<Present> {
    const { channels } = await this.parts.releases();
    const nodes = this.parts.queries.nodes();
    const isBeat = nowMs - this.beatAtMs >= beatMs;
    if (isBeat) this.beatAtMs = nowMs;
    const number = (value: number | "unknown" | undefined): number | null =>
      typeof value === "number" ? value : null;
    return {
      names: this.names(),
      nodes: nodes.map(({ name, peerId, state, roles, version, vitals: v }): SqlValue[] => [
        name,
        peerId,
        state,
        roles.join(","),
        version ?? v?.version ?? null,
        v?.target ?? null,
        v?.policy ?? null,
        v?.labels.join(",") ?? null,
        v?.limitedBy ?? null,
        v?.cores ?? null,
        v?.slots ?? null,
        v?.running ?? null,
        number(v?.load),
        number(v?.temperatureCelsius),
        v?.memoryFreeBytes ?? null,
        v?.diskFreeBytes ?? null,
      ]),
      vitals: nodes.flatMap(({ name, peerId, state, vitals: v }): SqlValue[][] =>
        isBeat && v && (state === "self" || state === "alive")
          ? [
              [
                name,
                peerId,
                Math.floor(nowMs),
                "beat",
                v.slots,
                v.running,
                null,
                number(v.load),
                number(v.temperatureCelsius),
                number(v.headroomCelsius),
                v.memoryFreeBytes,
                v.diskFreeBytes,
              ],
            ]
          : [],
      ),
      releases: channels.flatMap(({ channel, current, epochs }) =>
        epochs.map((one): SqlValue[] => [
          channel,
          one.epoch,
          one.epoch === current ? 1 : 0,
          one.atMs,
          one.by,
          one.round,
          one.votes.length,
          one.voters.length,
          one.shownBy.length,
          one.manifest,
        ]),
      ),
      builds: this.standings(),
    };
  }

  /** Builds in memory that stand otherwise than when they were told last. */
  private standings(): Present["builds"] {
    const { desk, queries } = this.parts;
    return queries.builds().flatMap(({ build: id, state, wallMs, counts }) => {
      const build = desk.builds.get(id)!;
      const mark = JSON.stringify([state, counts, build.facts().length, build.claims !== undefined]);
      if (this.told.get(id) === mark) return [];
      this.told.set(id, mark);
      const isOver = state !== "running" && state !== "paused";
      return [{ build: id, state, wallMs: isOver ? wallMs : null, actions: actionsOf(build) }];
    });
  }

  private range(author: PeerId, inc: Incarnation, from: number, to: number): Promise<SignedEntry[]> {
    return new Promise((resolve) => this.parts.events.range(author, inc, from, to, resolve));
  }

  private fed(said: SignedEntry): Fed {
    const { members } = this.parts.desk;
    const counts = members.counts(said);
    return {
      bytes: said.bytes,
      counts: said.entry.events.map(({ kind }) => {
        if (!counts || !Object.hasOwn(writers, kind)) return counts;
        const allowed: readonly string[] = writers[kind as EventKind];
        if ((kind === "done" || kind === "cached") && members.spoiled(said)) return false;
        // Who is meant by the event itself shows once its claim is known.
        return (
          allowed.includes("holder") || allowed.includes("itself") || members.may(kind as EventKind, said)
        );
      }),
    };
  }
}

function actionsOf({ claims }: Build): Partial<Record<ActionState, string[]>> {
  const actions: Partial<Record<ActionState, string[]>> = {};
  for (let index = 0; claims && index < claims.actions.size; index++)
    inState(actions, claims.actions.get(index)).push(claims.action(index).name);
  return actions;
}

function inState(actions: Partial<Record<ActionState, string[]>>, state: ActionState): string[] {
  const known = actions[state];
  if (known) return known;
  const names: string[] = [];
  actions[state] = names;
  return names;
}

/** What of a range is not among the runs. */
const without = (runs: readonly number[], [from, to]: readonly [number, number]): [number, number][] =>
  missing(runs, to).flatMap(([a, b]) => (b < from ? [] : [[Math.max(a, from), b] as [number, number]]));
