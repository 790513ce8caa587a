/** The timeline for reading: what all members said, merged by their clocks, read back from the disk as far as it is asked for. */
import { nearestOr } from "../protocol/build/nearest.ts";
import { familyOf, kindsNamed } from "../protocol/explain/families.ts";
import { type Names, told } from "../protocol/explain/telling.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import {
  type BuildId,
  byText,
  type ClaimId,
  chainOf,
  type Incarnation,
  type PeerId,
} from "../protocol/kernel/ids.ts";
import type { EventStore } from "../protocol/ports.ts";
import type { AnyEvent, SignedEntry } from "../protocol/timeline/entry.ts";
import { knownEvent } from "../protocol/timeline/events.ts";
import type { Desk } from "../protocol/work/desk.ts";
import type { TimelineLine, TimelineRequest } from "./control/account.ts";
import { timelineLinesMax } from "./control/routes.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

/** Entries of a chain that are read at once. */
const pageEntries = 128;
/** A reader that falls further behind than this is told so and goes on with what comes. */
const behindMax = 20_000;

export interface TimelineParts {
  readonly desk: Desk;
  readonly queries: Pick<Queries, "nameOf">;
  readonly recall: Pick<Recall, "find">;
  readonly events: Pick<EventStore, "range">;
  /** Hears of every entry that comes to this node, or leaves it, until the answer is called. */
  readonly hear: (listen: (entries: readonly SignedEntry[]) => void) => () => void;
}

interface Wanted {
  readonly author: PeerId | undefined;
  readonly kinds: ReadonlySet<string> | undefined;
  readonly sinceMs: number;
  readonly build: BuildId | undefined;
}

/**
 * The last lines that fit, oldest first; with `follow` those that come, until the signal. Throws `usage` for a kind that is none, `not-found`
 * for a build or a node that nobody knows.
 */
export async function* timelineOf(
  request: TimelineRequest,
  signal: AbortSignal,
  parts: TimelineParts,
): AsyncIterable<TimelineLine> {
  const { desk } = parts;
  const wanted: Wanted = {
    author: request.node === undefined ? undefined : authorOf(request.node, parts),
    kinds: request.kinds && request.kinds.length > 0 ? kindsNamed(request.kinds) : undefined,
    sinceMs: request.sinceMs ?? Number.NEGATIVE_INFINITY,
    build: request.build,
  };
  const max = Math.min(request.limit ?? timelineLinesMax, timelineLinesMax);
  const coming: SignedEntry[] = [];
  let isBehind = false;
  let wake: () => void = () => {};
  const heedless = request.follow
    ? parts.hear((entries) => {
        if (coming.length + entries.length > behindMax) isBehind = true;
        else coming.push(...entries);
        wake();
      })
    : () => {};
  signal.addEventListener("abort", () => wake(), { once: true });
  try {
    const claims = new Map<ClaimId, { action: string; holder: PeerId }>();
    const known = new Set<string>();
    const entries =
      wanted.build === undefined
        ? newestFirst(parts, wanted.author, wanted.sinceMs)
        : [...(await parts.recall.find(wanted.build)).facts()].sort((a, b) => inTime(b, a));
    const lines: { entry: SignedEntry; place: number }[] = [];
    for await (const entry of entries) {
      if (entry.entry.hlc[0] < wanted.sinceMs || lines.length >= max || signal.aborted) break;
      known.add(entry.id);
      note(entry, claims);
      const fitting = placesIn(entry, wanted);
      for (const place of fitting.reverse()) if (lines.length < max) lines.push({ entry, place });
    }
    const names = namesIn(parts, claims);
    for (const { entry, place } of lines.reverse()) yield lineOf(entry, place, names, desk);
    while (request.follow && !signal.aborted) {
      const batch = coming.splice(0).filter((entry) => !known.has(entry.id));
      if (isBehind)
        throw new SwarmError("timed-out", "more was said than was read", { remedy: "follow it again" });
      for (const entry of batch) {
        known.add(entry.id);
        note(entry, claims);
        if (wanted.build !== undefined && entry.entry.build !== wanted.build) continue;
        for (const place of placesIn(entry, wanted)) yield lineOf(entry, place, names, desk);
      }
      if (known.size > behindMax * 4) known.clear();
      if (claims.size > timelineLinesMax) claims.clear();
      if (coming.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted || isBehind) resolve();
        });
    }
  } finally {
    heedless();
  }
}

/** Later by the authors' clocks; what one of them said keeps its order. */
const inTime = (a: SignedEntry, b: SignedEntry): number =>
  a.entry.hlc[0] - b.entry.hlc[0] ||
  a.entry.hlc[1] - b.entry.hlc[1] ||
  byText(a.entry.author, b.entry.author) ||
  a.entry.seq - b.entry.seq;

function authorOf(word: string, { desk, queries }: TimelineParts): PeerId {
  const authors = new Set([
    ...desk.members.all().map(({ peer }) => peer),
    ...desk.chains.heads().map(({ author }) => author),
  ]);
  const found = [...authors].find((peer) => peer === word || queries.nameOf(peer) === word);
  if (found === undefined) {
    const names = [...authors].map((peer) => queries.nameOf(peer));
    throw new SwarmError("not-found", `no node ${word} ever said anything here`, {
      remedy: nearestOr(word, names, "see the nodes: swarmd node list"),
    });
  }
  return found;
}

const placesIn = (entry: SignedEntry, { author, kinds }: Wanted): number[] =>
  author !== undefined && entry.entry.author !== author
    ? []
    : entry.entry.events.flatMap(({ kind }, place) =>
        kinds === undefined || kinds.has(kind) ? [place] : [],
      );

function note(entry: SignedEntry, claims: Map<ClaimId, { action: string; holder: PeerId }>): void {
  for (const raw of entry.entry.events) {
    const event = raw.kind === "claim" ? knownEvent(raw) : undefined;
    if (event?.kind === "claim") claims.set(event.claim, { action: event.action, holder: event.holder });
  }
}

const namesIn = (
  { desk, queries }: TimelineParts,
  claims: ReadonlyMap<ClaimId, { action: string; holder: PeerId }>,
): Names => ({
  node: (peer) => queries.nameOf(peer),
  claim: (id) => {
    const noted = claims.get(id);
    if (noted) return noted;
    for (const { claims: fold } of desk.builds.values()) {
      const claim = fold?.claims.get(id);
      if (claim) return { action: fold!.action(claim.action).name, holder: claim.holder };
    }
    return undefined;
  },
});

function lineOf({ entry, id }: SignedEntry, place: number, names: Names, desk: Desk): TimelineLine {
  const raw = entry.events[place]!;
  const event = knownEvent(raw);
  const { action, text } = event
    ? told(event, names)
    : { action: undefined, text: "said by another version; not understood here" };
  return {
    atMs: entry.hlc[0],
    node: names.node(entry.author),
    peerId: entry.author,
    inc: entry.inc,
    seq: entry.seq,
    place,
    entry: id,
    ...(entry.build === undefined ? {} : { build: entry.build }),
    family: familyOf(raw.kind, entry.build !== undefined),
    kind: raw.kind,
    ...(action === undefined ? {} : { action }),
    text,
    ...(desk.members.counts({ entry }) ? {} : { counts: false as const }),
    event: plain(raw) as AnyEvent,
  };
}

/** As JSON can carry it: bytes as base64. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

interface Cursor {
  readonly author: PeerId;
  readonly inc: Incarnation;
  /** Everything above was read. */
  seq: number;
  /** Read and not yet given, in order. */
  page: SignedEntry[];
}

/** Every entry on the disk that is not older, the latest first. */
export const entriesSince = (
  parts: Pick<TimelineParts, "desk" | "events">,
  sinceMs: number,
): AsyncIterable<SignedEntry> => newestFirst(parts, undefined, sinceMs);

/** Every entry on the disk, the latest first: a page of each chain in memory at a time. */
async function* newestFirst(
  parts: Pick<TimelineParts, "desk" | "events">,
  author: PeerId | undefined,
  sinceMs: number,
): AsyncIterable<SignedEntry> {
  const cursors = chainsOf(parts.desk).filter((chain) => author === undefined || chain.author === author);
  const fill = async (cursor: Cursor): Promise<void> => {
    while (cursor.page.length === 0 && cursor.seq >= 0) {
      const from = Math.max(0, cursor.seq - pageEntries + 1);
      cursor.page = await new Promise<SignedEntry[]>((resolve) =>
        parts.events.range(cursor.author, cursor.inc, from, cursor.seq, resolve),
      );
      cursor.seq = from - 1;
      // A chain's clock never goes back: what lies before is older.
      if ((cursor.page.at(-1)?.entry.hlc[0] ?? sinceMs) < sinceMs) {
        cursor.page = [];
        cursor.seq = -1;
      }
    }
  };
  await Promise.all(cursors.map(fill));
  for (;;) {
    let latest: Cursor | undefined;
    for (const cursor of cursors) {
      const entry = cursor.page.at(-1);
      if (entry && (!latest || inTime(entry, latest.page.at(-1)!) > 0)) latest = cursor;
    }
    if (!latest) return;
    yield latest.page.pop()!;
    await fill(latest);
  }
}

/** Every chain that this node knows, and the last place of it that anybody named. */
export function chainsOf({ chains, lastWords, archive }: Desk): Cursor[] {
  const known = new Map<string, Cursor>();
  const add = (author: PeerId, inc: Incarnation, seq: number) => {
    const key = chainOf(author, inc);
    const cursor = known.get(key);
    if (cursor) cursor.seq = Math.max(cursor.seq, seq);
    else known.set(key, { author, inc, seq, page: [] });
  };
  for (const { author, inc, seq } of chains.heads()) add(author, inc, seq);
  for (const { author, inc, seq } of lastWords.all()) add(author, inc, seq);
  for (const { places } of archive.all())
    for (const { author, inc, runs } of places.values()) add(author, inc, runs.at(-1)!);
  return [...known.values()];
}
