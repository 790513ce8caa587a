/** What people ask in data: SQL and statistics over what was said, and the log of messages. */
import { nearestOr } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Digest, PeerId } from "../protocol/kernel/ids.ts";
import type { EventStore } from "../protocol/ports.ts";
import type { Desk } from "../protocol/work/desk.ts";
import type { Data } from "./control/data.ts";
import type { ReleasesView } from "./control/publishing.ts";
import type { BlobStore } from "./ports.ts";
import type { Queries } from "./queries.ts";
import type { Explorer, ExplorerOptions } from "./sql/explorer.ts";
import { chainsOf } from "./timeline.ts";
import type { WireLog } from "./wire-log.ts";

export interface DataParts {
  readonly desk: Desk;
  readonly queries: Queries;
  readonly events: Pick<EventStore, "range">;
  readonly blobs: Pick<BlobStore, "has" | "read">;
  readonly releases: () => Promise<ReleasesView>;
  /** The projection. */
  readonly file: string;
  readonly wireLog: WireLog;
  readonly nowMs: () => number;
  /** Of queries; the usual ones where nothing is said. */
  readonly limits?: ExplorerOptions["limits"];
  /** Reads the code that answers; absent: the program's own. */
  readonly load?: typeof loaded;
}

const loaded = () => Promise.all([import("./sql/explorer.ts"), import("./sql/feed.ts")]);

export interface DataQueries extends Data {
  close(): Promise<void>;
}

export function createData(parts: DataParts): DataQueries {
  const { desk, queries, events, blobs, releases, file, wireLog, nowMs, limits, load = loaded } = parts;
  // Loaded with the first question: most daemons are never asked. The program may have been replaced since the start.
  let opened: Promise<Explorer> | undefined;
  const explorer = (): Promise<Explorer> => {
    opened ??= load()
      .then(
        ([{ Explorer }, { Feed }]) =>
          new Explorer({
            file,
            nowMs,
            ...(limits === undefined ? {} : { limits }),
            feed: new Feed({
              desk,
              queries,
              events,
              releases,
              chains: () => chainsOf(desk),
              blob: async (digest: Digest) =>
                blobs.has(digest) ? blobs.read(digest).catch(() => null) : null,
            }),
          }),
      )
      .catch((fault: unknown) => {
        opened = undefined;
        throw fault;
      });
    return opened;
  };
  const nameOf = (peer: PeerId) => queries.nameOf(peer);
  return {
    sqlTables: async () => (await explorer()).tables(),
    sqlSchema: async () => [...(await explorer()).schema()],
    sqlQuery: async (sql) => (await explorer()).query(sql),
    statistics: async (request) => (await explorer()).statistics(request),
    async *wire({ peer: word, ...request }, signal) {
      const peer = word === undefined ? undefined : peerOf(word, parts);
      yield* wireLog.lines({ ...request, ...(peer === undefined ? {} : { peer }) }, signal, nameOf);
    },
    wireStats: async () => wireLog.stats(nameOf),
    wireDensity: async (request) => wireLog.density(request),
    async close() {
      await opened?.then(
        (one) => one.close(),
        () => {},
      );
    },
  };
}

function peerOf(word: string, { desk, queries }: DataParts): PeerId {
  const { members } = desk;
  const known = [...members.all(), ...members.formers()].map(({ peer }) => peer);
  const found = known.find((peer) => peer === word || queries.nameOf(peer) === word);
  if (found === undefined)
    throw new SwarmError("not-found", `there is no node ${word}`, {
      remedy: nearestOr(
        word,
        known.map((peer) => queries.nameOf(peer)),
        "see the nodes: swarmd node list",
      ),
    });
  return found;
}
