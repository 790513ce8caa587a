/** What may be asked of the benchmark. */
import { parseArgs } from "node:util";

/** Those between machines. */
export const mesh = ["cached", "idle", "transfer", "join", "ledger", "fanout", "loss"];
export const parts = [
  "leveldb",
  "nothings",
  "start",
  ...mesh,
  "schedule",
  "sim",
  "binhost",
  "release",
  "account",
  "messages",
  "gateway",
  "merge",
  "web",
];
const page = `npm run bench -- [PART...] [options]

  --rounds N    each figure is the median of N rounds, which alternate with what they are held against (3)
  --count N     actions of the part nothings (2000)
  --large       the part sim also on hundreds of hosts
  --json        figures as JSON
  --help        this page

Parts, all without a word: ${parts.join(", ")};
mesh: ${mesh.join(", ")}.

  npm run bench -- leveldb --rounds 1
  npm run bench -- gateway account

What each measures, and against what: test/bench/README.md.
`;
/** What was asked for; ends the process where that is the page, or nothing that it understands. */
export function wanted() {
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "3" },
        count: { type: "string", default: "2000" },
        json: { type: "boolean", default: false },
        large: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const unknown = parsed.positionals.find((part) => part !== "mesh" && !parts.includes(part));
    if (unknown !== undefined) throw new Error(`there is no part ${unknown}`);
    for (const name of ["rounds", "count"] as const)
      if (!/^[1-9][0-9]{0,5}$/.test(parsed.values[name]))
        throw new Error(`--${name} takes a number, not ${parsed.values[name]}`);
    if (parsed.values.help) {
      process.stdout.write(page);
      process.exit(0);
    }
    return parsed;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${page}`);
    process.exit(2);
  }
}
