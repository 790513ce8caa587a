/** What the gateway answers of data: SQL, statistics, the log of messages. */
import { z } from "zod";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { sqlBytesMax, statisticsBy } from "../control/data.ts";
import { type Read, read, Status } from "./read.ts";

const word = z.string().min(1).max(128);
const sinceMs = z.coerce.number().int().min(0).max(1e15).optional();
const linesMax = 5000;

/** What is wrong with the query is no trouble of this daemon. */
async function answered<T>(answer: Promise<T>): Promise<T | Status> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    const { code, message, remedy } = error;
    return new Status(400, { error: { code, message, ...(remedy === undefined ? {} : { remedy }) } });
  }
}

export const dataReads: readonly Read[] = [
  read("/sql/tables", "The tables that may be asked, and how many rows they have", {}, (views) =>
    views.sqlTables(),
  ),
  read("/sql/schema", "Their columns, with units", {}, (views) => views.sqlSchema()),
  read(
    "/sql/query",
    "One SELECT over what was said: at most a thousand rows, a mebibyte and two seconds",
    { q: z.string().max(sqlBytesMax).describe("The query") },
    (views, { q }) => answered(views.sqlQuery(q)),
  ),
  read(
    "/stats",
    "Runs, failures and durations per kind of action, node or package",
    {
      by: z.enum(statisticsBy).default("kind"),
      sinceMs: sinceMs.describe("Only runs that ended since"),
    },
    (views, { by, sinceMs: since }) =>
      views.statistics({ by, ...(since === undefined ? {} : { sinceMs: since }) }),
  ),
  read(
    "/wire",
    "Messages that this node sent or got: the last so many, without what stood in them",
    {
      peer: word.optional().describe("A name or a peer id"),
      kind: word.optional().describe("As specs/messages.md names them"),
      sinceMs,
      limit: z.coerce.number().int().min(1).max(linesMax).default(500),
    },
    async (views, { peer, kind, sinceMs: since, limit }) => {
      const lines = views.wire(
        {
          ...(peer === undefined ? {} : { peer }),
          ...(kind === undefined ? {} : { kind }),
          ...(since === undefined ? {} : { sinceMs: since }),
          limit,
          follow: false,
        },
        new AbortController().signal,
      );
      return { items: await Array.fromAsync(lines) };
    },
  ),
  read(
    "/wire/snapshot",
    "All that is known of messages at this moment: sums, density, and the last hundred",
    {},
    async (views) => {
      const lines = views.wire({ limit: 100, follow: false }, new AbortController().signal);
      const [stats, density] = [await views.wireStats(), await views.wireDensity({})];
      return { atMs: stats.atMs, stats, density, items: await Array.fromAsync(lines) };
    },
  ),
  read("/wire/stats", "Messages and bytes per kind and peer since the daemon started", {}, (views) =>
    views.wireStats(),
  ),
  read(
    "/wire/density",
    "Messages and bytes over time",
    {
      sinceMs: sinceMs.describe("At most an hour back; the last ten minutes if nobody says"),
      steps: z.coerce.number().int().min(1).max(600).default(60),
    },
    (views, { sinceMs: since, steps }) =>
      views.wireDensity({ steps, ...(since === undefined ? {} : { sinceMs: since }) }),
  ),
];
