/** A daemon that asks without end and is killed over it: says when the query runs. */
import path from "node:path";
import { Explorer } from "../../node/sql/explorer.ts";
import { bombs } from "./attacks.ts";
import { Past } from "./told.ts";

const explorer = new Explorer({
  file: path.join(process.argv[2]!, "timeline.sqlite"),
  feed: new Past().play().feed(),
  nowMs: () => 0,
  limits: { queryMsMax: 600_000, readMsMax: 600_000 },
});
await explorer.query("SELECT 1");
void explorer.query(bombs[0]!.sql);
process.stdout.write("asked\n");
