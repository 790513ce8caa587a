/** SQL over a recording: the projection that a daemon keeps, made in a folder of its own for as long as the file is open. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { EventStore } from "../../protocol/ports.ts";
import type { Data } from "../control/data.ts";
import { createData, type DataParts, type DataQueries } from "../data.ts";
import type { Queries } from "../queries.ts";
import type { Recording } from "./recording.ts";

const blobBytesMax = 1 << 30;

/** Nothing is made before the first question. What messages were exchanged no recording knows. */
export function tablesOf(
  recording: Recording,
  queries: Queries,
  events: Pick<EventStore, "range">,
): Pick<Data, "sqlTables" | "sqlSchema" | "sqlQuery" | "statistics"> {
  let made: Promise<DataQueries> | undefined;
  const make = async (): Promise<DataQueries> => {
    const folder = await mkdtemp(path.join(tmpdir(), "swarmd-recording-"));
    const data = createData({
      desk: recording.core.desk,
      queries,
      events,
      blobs: {
        has: (digest) => recording.has(digest),
        read: (digest) => recording.read(digest, blobBytesMax),
      },
      releases: async () => ({ channels: [], mirrors: [] }),
      file: path.join(folder, "timeline.sqlite"),
      nowMs: () => recording.head.atMs,
    } as Omit<DataParts, "wireLog"> as DataParts);
    recording.onClose(async () => {
      await data.close();
      await rm(folder, { recursive: true, force: true });
    });
    return data;
  };
  const data = () => {
    made ??= make();
    return made;
  };
  return {
    sqlTables: async () => (await data()).sqlTables(),
    sqlSchema: async () => (await data()).sqlSchema(),
    sqlQuery: async (sql) => (await data()).sqlQuery(sql),
    statistics: async (request) => (await data()).statistics(request),
  };
}
