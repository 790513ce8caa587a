/** How the control socket answers for data: SQL, statistics, the log of messages. */
import { z } from "zod";
import { type Data, sqlBytesMax, statisticsBy } from "./data.ts";
import { type Handler, nothing } from "./handler.ts";
import { timelineLinesMax } from "./routes.ts";

const sinceMs = z.coerce.number().int().nonnegative().max(1e15).optional();

export const dataHandlers: { readonly [K in keyof Data]: Handler<K> } = {
  sqlTables: { input: nothing, run: (control) => control.sqlTables() },
  sqlSchema: { input: nothing, run: (control) => control.sqlSchema() },
  sqlQuery: {
    input: z.strictObject({ sql: z.string().max(sqlBytesMax) }),
    run: (control, { sql }) => control.sqlQuery(sql),
  },
  statistics: {
    input: z.strictObject({
      by: z.enum(statisticsBy),
      sinceMs,
    }),
    run: (control, request) => control.statistics(request),
  },
  wire: {
    input: z.strictObject({
      peer: z.string().min(1).max(128).optional(),
      kind: z.string().min(1).max(64).optional(),
      sinceMs,
      limit: z.coerce.number().int().positive().max(timelineLinesMax).optional(),
      follow: z.enum(["true", "false"]).transform((text) => text === "true"),
    }),
    run: (control, request, { signal }) => control.wire(request, signal),
  },
  wireStats: { input: nothing, run: (control) => control.wireStats() },
  wireDensity: {
    input: z.strictObject({
      sinceMs,
      steps: z.coerce.number().int().positive().max(600).optional(),
    }),
    run: (control, request) => control.wireDensity(request),
  },
};
