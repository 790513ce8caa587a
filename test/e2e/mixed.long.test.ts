/**
 * Nodes of an earlier version and of this one in one swarm: of the commit that `SWARMD_OLD_REF` names, else of the last tag, else of the one since which
 * CHANGELOG.md tells what is new. The older one runs on the packages of this one.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { MembersView } from "../../node/control/api.ts";
import { mainFile, projectDir } from "../cli/terminal.ts";
import { patient, until } from "../patience.ts";
import { Farm } from "./farm.ts";

const git = (...args: readonly string[]) =>
  execFileSync("git", ["-C", projectDir, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 1 << 28,
  });

/** The newest version that was tagged before this commit; undefined where there is none, or no clone. */
function taggedBefore(): string | undefined {
  try {
    return git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").toString().trim();
  } catch {
    return undefined;
  }
}

/** What `[Unreleased]: …/compare/COMMIT...HEAD` at the end of the changes names; undefined where this clone does not have it, as a shallow one. */
function unreleasedSince(): string | undefined {
  const changes = readFileSync(path.join(projectDir, "CHANGELOG.md"), "utf8");
  const [, commit] = /^\[Unreleased\]: \S*\/compare\/(\S+?)\.\.\.HEAD$/m.exec(changes) ?? [];
  try {
    if (commit !== undefined) git("cat-file", "-e", `${commit}^{commit}`);
    return commit;
  } catch {
    return undefined;
  }
}

const named = process.env.SWARMD_OLD_REF;
const older = named || (taggedBefore() ?? unreleasedSince());
if (older === undefined)
  console.warn(
    "skipped: there is no older version to try, neither a tag v* nor the commit that CHANGELOG.md names; name one: npm run test:mixed -- COMMIT",
  );

/** Some of its machines run the older version. */
class MixedFarm extends Farm {
  readonly old = new Set<string>();

  static override async open(): Promise<MixedFarm> {
    return new MixedFarm((await Farm.open()).terminal);
  }

  get oldDir(): string {
    return path.join(this.terminal.dir, "older");
  }

  protected override programOf(name: string): string {
    return this.old.has(name) ? path.join(this.oldDir, "cli/main.ts") : mainFile;
  }

  protected override settingsOf(name: string) {
    return { SWARMD_LABELS: name };
  }
}

/** Each of these has a part that only it may build; the first puts them together. */
function specOf(name: string, nodes: readonly string[]): string {
  const parts = nodes.map(
    (node) => `
  at-${node}:
    foreach: { n: { count: 3 } }
    requires: { labels: [${node}] }
    run: echo ${name} ${node} \${n} > \${out}
    out: ${node}/\${n}.txt`,
  );
  return `swarmd: 1
name: ${name}
actions:${parts.join("")}
  all:
    requires: { labels: [${nodes[0]}] }
    run: cat ${nodes.map((node) => `\${at-${node}.out}`).join(" ")} > \${out}
    out: all.txt
release: { include: [all] }
`;
}

interface Result {
  readonly build: string;
  readonly state: string;
  readonly executed: number;
  readonly byNode: Readonly<Record<string, number>>;
}

describe.skipIf(older === undefined)(`this version and ${older}`, () => {
  let farm: MixedFarm;

  beforeAll(async () => {
    farm = await MixedFarm.open();
    await mkdir(farm.oldDir);
    execFileSync("tar", ["-x", "-C", farm.oldDir], { input: git("archive", older!) });
    await symlink(path.join(projectDir, "node_modules"), path.join(farm.oldDir, "node_modules"));
  }, 180_000);
  afterAll(() => farm?.close());

  /** All take part in it, and its result comes to whoever submitted. */
  async function buildTogether(name: string, from: string, nodes: readonly string[]) {
    await farm.terminal.write(`${name}.yaml`, specOf(name, nodes));
    const result = await farm.json<Result>(from, "submit", `${name}.yaml`);
    expect(result).toMatchObject({ state: "complete" });
    // An older one may tell of the end before it has heard all that the others made.
    const all = Object.fromEntries(nodes.map((node, i) => [node, i === 0 ? 4 : 3]));
    await vi.waitFor(async () => {
      const heard = await farm.json<Result>(from, "watch", result.build);
      expect(heard).toMatchObject({ executed: 3 * nodes.length + 1, byNode: all });
    }, patient);
    const { files } = await farm.json<{ files: unknown[] }>(
      from,
      "fetch",
      result.build,
      "--to",
      `${name}-out`,
    );
    expect(files.length).toBeGreaterThan(0);
  }

  test("each is admitted by the other, and they finish builds together, whoever submits and puts together", {
    timeout: 180_000,
  }, async () => {
    farm.old.add("ann").add("cy");
    await farm.good("ann", "init", "--name", "ann");
    await farm.start("ann");
    await farm.admit("ben", "ann");
    await farm.meet("ann", "ben");
    await farm.good("ann", "member", "role", "ben", "+admin");
    await until(async () => {
      const { members } = await farm.json<MembersView>("ben", "member", "list");
      return members.some(({ name, roles }) => name === "ben" && roles.includes("admin"));
    }, "ben's word that it may admit others");
    await farm.admit("cy", "ben");
    await farm.meet("ann", "ben", "cy");
    await buildTogether("from-new", "ben", ["ben", "ann", "cy"]);
    await buildTogether("from-old", "cy", ["ann", "cy", "ben"]);
  });

  test("the newer one shows who lags behind", { timeout: 180_000 }, async () => {
    const { members } = await farm.json<{ members: { name: string; version: string | null }[] }>(
      "ben",
      "version",
    );
    expect(members.map(({ name }) => name).sort()).toEqual(["ann", "ben", "cy"]);
    expect(members.every(({ version }) => version !== null)).toBe(true);
  });

  test("a node that is brought up goes on in its own home, with what it knew, among one that was not", {
    timeout: 180_000,
  }, async () => {
    await farm.good("ann", "stop");
    await farm.ended("ann");
    farm.old.delete("ann");
    await farm.start("ann");
    await farm.meet("ann", "ben", "cy");
    const history = await farm.json<{ name: string }[]>("ann", "history");
    expect(history.map(({ name }) => name).sort()).toEqual(["from-new", "from-old"]);
    await buildTogether("brought-up", "cy", ["cy", "ann", "ben"]);
  });
});
