import { describe, expect, test } from "vitest";
import { cycles } from "./tidy/cycles.ts";
import { directions } from "./tidy/directions.ts";
import { doorsKept } from "./tidy/doors.ts";
import { lean } from "./tidy/lean.ts";
import { purity } from "./tidy/purity.ts";
import { citations, readmes } from "./tidy/readmes.ts";
import { shape } from "./tidy/shape.ts";
import { type Fault, sourcesOf, type Tree } from "./tidy/source.ts";
import { testManners } from "./tidy/tests.ts";
import { projectTree } from "./tidy/tree.ts";

const rules: Readonly<Record<string, (tree: Tree) => Fault[]>> = {
  directions: (tree) => directions(sourcesOf(tree)),
  cycles: (tree) => cycles(sourcesOf(tree)),
  doors: (tree) => doorsKept(sourcesOf(tree)),
  lean: (tree) => lean(sourcesOf(tree)),
  purity: (tree) => purity(sourcesOf(tree)),
  shape: (tree) => shape(tree, sourcesOf(tree)),
  tests: (tree) => testManners(sourcesOf(tree)),
  readmes,
  citations,
};

const said = (faults: readonly Fault[]) =>
  faults.map(({ path, line, text }) => `${path}:${line} ${text}`).sort();

describe("the house is tidy", () => {
  const tree = projectTree();

  test("the whole house is looked at", () => {
    for (const room of ["cli", "node", "protocol", "sim", "test"])
      expect([...tree.keys()].filter((file) => file.startsWith(`${room}/`)).length, room).toBeGreaterThan(3);
  });

  for (const [name, rule] of Object.entries(rules))
    test(`${name} are kept`, () => {
      expect(said(rule(tree))).toEqual([]);
    });
});

/** A small house in order, into which faults are planted. */
const doc = "/** A thing. */\n";
const house: Readonly<Record<string, string>> = {
  "protocol/README.md":
    "- `kernel/`\n- `timeline/`\n- `build/`\n- `swarm/`\n- `work/`\n- `explain/`\n- `contract.ts`\n- `core.ts`\n",
  "protocol/kernel/README.md": "- `ids.ts`: names\n- `digest.ts`: hashes\n",
  "protocol/kernel/ids.ts": `${doc}export type Id = string;\n`,
  "protocol/kernel/digest.ts": `${doc}import { createHash } from "node:crypto";\nexport const hash = createHash;\n`,
  "protocol/timeline/README.md": "| `entry.ts` | what a node says |\n",
  "protocol/timeline/entry.ts": `${doc}import type { Id } from "../kernel/ids.ts";\nexport const name = (id: Id) => id;\n`,
  "protocol/build/README.md": "- `graph.ts`\n",
  "protocol/build/graph.ts": `${doc}import type { Id } from "../kernel/ids.ts";\nexport type Graph = Id[];\n`,
  "protocol/swarm/README.md": "- `members.ts`\n",
  "protocol/swarm/members.ts": `${doc}import { name } from "../timeline/entry.ts";\nexport const member = name;\n`,
  "protocol/contract.ts": `${doc}import type { Graph } from "./build/graph.ts";\nexport type Input = Graph;\n`,
  "protocol/work/README.md": "- `ledger.ts`\n",
  "protocol/work/ledger.ts": `${doc}import * as Y from "yjs";\nimport type { Input } from "../contract.ts";\nexport const doc = (i: Input) => new Y.Doc({ guid: i[0] });\n`,
  "protocol/core.ts": `${doc}import { doc } from "./work/ledger.ts";\nexport const core = doc;\n`,
  "protocol/explain/README.md": "- `replay.ts`\n",
  "protocol/explain/replay.ts": `${doc}import { core } from "../core.ts";\nexport const replay = core;\n`,
  "node/README.md": "- `daemon.ts`: all of it\n- `log.ts`\n- `store/`\n",
  "node/log.ts": `${doc}import { pino } from "pino";\nexport const log = pino;\n`,
  "node/daemon.ts": `${doc}import { core } from "../protocol/core.ts";\nimport { log } from "./log.ts";\nexport const daemon = { core, log, at: Date.now() };\n`,
  "node/store/README.md": "- `events.ts`\n",
  "node/store/events.ts": `${doc}import { Level } from "level";\nexport const open = async () => new Level("");\n`,
  "sim/README.md": "- `world.ts`\n",
  "sim/world.ts": `${doc}import { core } from "../protocol/core.ts";\nexport const world = core;\n`,
  "cli/README.md": "- `main.ts`\n",
  "cli/main.ts": `#!/usr/bin/env node\n${doc}import { cac } from "cac";\nimport type { daemon } from "../node/daemon.ts";\nimport { name } from "../protocol/timeline/entry.ts";\nconst run = async () => [await import("../node/daemon.ts"), await import("../sim/world.ts")];\nexport type Run = typeof daemon;\ncac(String([name, run]));\n`,
  "test/README.md": "- `*.test.ts`: beside what they test\n",
  "test/core.test.ts": `import { test } from "vitest";\ntest("it works", () => {});\n`,
};

const treeWith = (changes: Readonly<Record<string, string | undefined>>): Tree =>
  new Map(
    Object.entries({ ...house, ...changes }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );

test("a house in order breaks no rule", () => {
  for (const [name, rule] of Object.entries(rules)) expect(said(rule(treeWith({}))), name).toEqual([]);
});

/** Appended to the file, or the file itself where it is new: rule, file, text, and how many faults it makes. */
const planted: readonly (readonly [rule: string, what: string, file: string, text: string])[] = [
  [
    "directions",
    "the brain reaches for a body",
    "protocol/core.ts",
    `import { log } from "../node/log.ts"; log;`,
  ],
  ["directions", "a type is an arrow too", "protocol/core.ts", `import type { log } from "../node/log.ts";`],
  ["directions", "the bodies meet", "node/daemon.ts", `import { world } from "../sim/world.ts"; world;`],
  ["directions", "a body reaches for the command line", "sim/world.ts", `import "../cli/main.ts";`],
  ["directions", "somebody stands on tests", "node/log.ts", `import "../test/core.test.ts";`],
  [
    "directions",
    "the ground looks up",
    "protocol/kernel/ids.ts",
    `import { name } from "../timeline/entry.ts"; name;`,
  ],
  [
    "directions",
    "neighbours lean on each other",
    "protocol/timeline/entry.ts",
    `import type { Graph } from "../build/graph.ts";`,
  ],
  [
    "directions",
    "work looks at the core",
    "protocol/work/ledger.ts",
    `import { core } from "../core.ts"; core;`,
  ],
  [
    "directions",
    "the core looks at what explains it",
    "protocol/core.ts",
    `export { replay } from "./explain/replay.ts";`,
  ],
  [
    "directions",
    "the boundary looks at the work",
    "protocol/contract.ts",
    `import type { doc } from "./work/ledger.ts";`,
  ],
  [
    "directions",
    "a later import counts",
    "protocol/core.ts",
    `export const later = () => import("../node/log.ts");`,
  ],
  [
    "directions",
    "an import type counts",
    "protocol/core.ts",
    `export type L = import("../node/log.ts").Log;`,
  ],
  [
    "directions",
    "a part of the brain without a floor",
    "protocol/dreams/a.ts",
    `${doc}import "../kernel/ids.ts";`,
  ],
  [
    "directions",
    "a part of a node takes the whole",
    "node/log.ts",
    `import type { daemon } from "./daemon.ts";`,
  ],
  ["directions", "an import of nothing", "node/log.ts", `import "./gone.ts";`],
  ["cycles", "two files import each other", "node/log.ts", `import { daemon } from "./daemon.ts"; daemon;`],
  [
    "cycles",
    "three do, for types alone",
    "protocol/kernel/ids.ts",
    `import type { member } from "../swarm/members.ts";`,
  ],
  ["cycles", "one imports itself", "node/log.ts", `import "./log.ts";`],
  ["doors", "yjs elsewhere", "protocol/core.ts", `import * as Y from "yjs"; Y;`],
  ["doors", "level elsewhere", "node/log.ts", `import { Level } from "level"; Level;`],
  ["doors", "level by its other name", "node/store/events.ts", `import "classic-level";`],
  [
    "doors",
    "libp2p's host elsewhere",
    "node/daemon.ts",
    `import { createLibp2p } from "libp2p"; createLibp2p;`,
  ],
  ["doors", "cac elsewhere", "cli/commands/run.ts", `${doc}import { cac } from "cac"; cac;`],
  ["doors", "pino in the brain", "protocol/core.ts", `import { pino } from "pino"; pino;`],
  ["doors", "ssh2 elsewhere", "node/daemon.ts", `export const later = () => import("ssh2");`],
  ["lean", "a package that a command reads", "cli/main.ts", `import * as z from "zod"; z;`],
  ["lean", "one that is read through others", "protocol/timeline/entry.ts", `import * as z from "zod"; z;`],
  ["purity", "a clock", "protocol/core.ts", "export const t = Date.now();"],
  ["purity", "a new date", "sim/world.ts", "export const t = new Date();"],
  ["purity", "a clock written out", "protocol/core.ts", "export const t = new Date().toISOString();"],
  ["purity", "a moment in local time", "protocol/core.ts", "export const t = new Date(0).toString();"],
  ["purity", "the other clock", "protocol/core.ts", "export const t = performance.now();"],
  ["purity", "chance", "protocol/core.ts", "export const r = Math.random();"],
  ["purity", "chance in brackets", "protocol/core.ts", `export const r = Math["random"]();`],
  ["purity", "a timer", "sim/world.ts", "setTimeout(() => {}, 1);"],
  ["purity", "an interval", "sim/world.ts", "setInterval(() => {}, 1);"],
  ["purity", "something for later", "protocol/core.ts", "queueMicrotask(() => {});"],
  ["purity", "the process", "protocol/core.ts", "export const e = process.env;"],
  ["purity", "the console", "sim/world.ts", "console.log(1);"],
  ["purity", "the network", "protocol/core.ts", `fetch("x");`],
  ["purity", "an async function", "protocol/core.ts", "export async function f() {}"],
  ["purity", "an async arrow", "protocol/core.ts", "export const f = async () => 1;"],
  ["purity", "an async method", "protocol/core.ts", "export class C { async f() {} }"],
  ["purity", "await at the top", "sim/world.ts", "await 1;"],
  ["purity", "a promise", "protocol/core.ts", "export const p = Promise.resolve();"],
  ["purity", "node:fs", "sim/world.ts", `import { readFileSync } from "node:fs"; readFileSync;`],
  [
    "purity",
    "node:crypto beside its door",
    "protocol/core.ts",
    `import { randomBytes } from "node:crypto"; randomBytes;`,
  ],
  ["purity", "node:fs through the door", "protocol/kernel/digest.ts", `import "node:fs";`],
  ["purity", "an unknown package", "protocol/core.ts", `import "left-pad";`],
  ["purity", "a global as a shorthand", "protocol/core.ts", "export const o = { Date };"],
  ["purity", "a global through globalThis", "protocol/core.ts", "export const d = globalThis.Date;"],
  ["shape", "no sentence at the top", "node/log.ts#", "export const a = 1;\n"],
  ["shape", "a comment that is no doc comment", "node/log.ts#", "// a thing\nexport const a = 1;\n"],
  ["shape", "too long a file", "node/log.ts", "// line\n".repeat(600)],
  ["shape", "something left for later", "node/log.ts", `// ${"TO"}${"DO"} the rest`],
  ["shape", "something left for later in prose", "node/README.md", `${"FIX"}${"ME"}`],
  ["shape", "a barrel", "node/log.ts", `export * from "./daemon.ts";`],
  ["shape", "a small barrel", "node/log.ts", `export { daemon } from "./daemon.ts";`],
  ["shape", "an index", "node/store/index.ts", doc],
  ["shape", "a drawer for everything", "node/utils.ts", doc],
  ["shape", "a name in another case", "node/myThing.ts", doc],
  ["shape", "a default export", "node/log.ts", "export default 1;"],
  ["shape", "order by locale", "node/log.ts", `export const o = "a".localeCompare("b");`],
  ["shape", "order by nothing", "protocol/core.ts", "export const o = [3, 20].sort();"],
  ["shape", "a path of one machine", "node/log.ts", `// see ${"/wo"}rk/main/x`],
  ["shape", "the name of a registry", "node/README.md", `${"registry.np"}mjs.org`],
  ["tests", "a sleep", "test/core.test.ts", "await new Promise((done) => setTimeout(done, 10));"],
  [
    "tests",
    "a sleep by import",
    "test/core.test.ts",
    `import { setTimeout as sleep } from "node:timers/promises"; sleep;`,
  ],
  [
    "tests",
    "a sleep by a whole import",
    "test/core.test.ts",
    `import timers from "timers/promises"; timers;`,
  ],
  ["tests", "a mocked module", "test/core.test.ts", `vi.mock("../node/log.ts");`],
  ["tests", "one test alone", "test/core.test.ts", `test.only("x", () => {});`],
  ["tests", "a test left out", "test/core.test.ts", `describe.skip("x", () => {});`],
  ["tests", "a retry", "test/core.test.ts", `test("x", { retry: 2 }, () => {});`],
  ["citations", "a page that nobody wrote", "node/log.ts", "// see specs/dreams.md"],
  ["readmes", "a file that nobody named", "node/store/blobs.ts", doc],
  ["readmes", "a folder that nobody named", "node/network/README.md", ""],
  ["readmes", "a folder without a word", "node/store/deep/a.ts", doc],
  ["readmes", "a name of what is gone", "sim/README.md", "- `gone.ts`: was here"],
  ["readmes", "a name twice", "sim/README.md", "- `world.ts`: again"],
];

for (const [rule, what, file, text] of planted)
  test(`${rule} sees ${what}`, () => {
    const path = file.replace("#", "");
    const before = file.endsWith("#") ? "" : (house[path] ?? "");
    const faults = rules[rule]!(treeWith({ [path]: `${before}${text}\n` }));
    expect(said(faults)).not.toEqual([]);
    expect(faults.every((fault) => fault.rule === rule)).toBe(true);
  });

test("the command that runs sweeps may touch the machine, what it runs may not", () => {
  const text = `${doc}import { argv } from "node:process";\nprocess.exitCode = argv.length;\n`;
  expect(said(purity(sourcesOf(treeWith({ "sim/main.ts": text }))))).toEqual([]);
  expect(said(purity(sourcesOf(treeWith({ "sim/trial.ts": text }))))).not.toEqual([]);
});

test("a README that is gone is missed", () => {
  expect(said(readmes(treeWith({ "node/store/README.md": undefined })))).toEqual([
    "node/store/README.md:1 the folder says nothing of itself: write one",
  ]);
});

test("names that only look like globals are not faults", () => {
  const text = `${doc}
export interface Clock { Date: number; process(): void }
export const a = { fetch: 1, console: 2 }.fetch;
export const f = (process: { pid: number }, { Date = 1 } = {}) => process.pid + Date;
export class K { async = 1; performance(): Promise<void> | undefined { return undefined; } }
export type P = Promise<Date>;
export const written = (ms: number) => new Date(ms).toISOString();
`;
  expect(said(purity(sourcesOf(treeWith({ "protocol/core.ts": text }))))).toEqual([]);
});

test("a turn of the event loop is no sleep", () => {
  const text = `import { setImmediate as turn } from "node:timers/promises";\nawait turn();\n`;
  expect(said(testManners(sourcesOf(treeWith({ "test/core.test.ts": text }))))).toEqual([]);
});

test("a file that does not parse is named", () => {
  expect(() => sourcesOf(treeWith({ "node/log.ts": "export const = 1" }))).toThrow("node/log.ts");
});
