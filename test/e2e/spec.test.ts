/** A spec with everything in it, on a real daemon: parameters, archives, folders with links, secrets. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { packTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Farm } from "./farm.ts";

const value = "tok3n-very-s3cret-value";
const spec = `swarmd: 1
name: full
inputs: {z: {archive: z.tar, strip: 1}}
vars: {docs: "no"}
actions:
  tree:
    run: mkdir -p o/empty o/bin && cp z/a.txt o/bin/tool && chmod +x o/bin/tool && ln -s bin/tool o/tool
    in: z/
    out: o/
  use:
    matrix: {v: [a, b]}
    run: test -d o/empty && test -L o/tool && test -x o/tool && cat o/tool > \${out}
    in: o/
    out: used-\${v}.txt
  gate:
    run: cat "$SECRETS/token"; wc -c < "$SECRETS/token" > \${out}
    secrets: token
    out: size.txt
  manual: {run: "echo > \${out}", out: m.txt, when: {docs: "yes"}}
`;

/** Following no link: the skeleton of a box's root has some that lead out of the home. */
const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(place) : entry.isFile() ? [place] : [];
  });

describe("a spec in full", () => {
  let farm: Farm;
  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann");
    await writeFile(
      path.join(farm.terminal.dir, "z.tar"),
      await packTar([{ header: { name: "z-1/a.txt", size: 3, type: "file" }, body: "hi\n" }]),
    );
  }, 120_000);
  afterAll(() => farm.close());

  it("is built, its folders as they were made, and its secret stays where it was given", async () => {
    const file = await farm.terminal.write("full.yaml", spec);
    const before = await farm.json<{ unfit: { why: string }[]; leftOut: unknown[] }>("ann", "plan", file);
    expect(before.leftOut).toEqual([{ name: "manual", why: "docs is no, not yes" }]);
    expect(before.unfit[0]?.why).toContain("was not given the secret token");
    const given = farm.homeOf("ann");
    await mkdir(path.join(given, "secrets"), { mode: 0o700 });
    await writeFile(path.join(given, "secrets/token"), `${value}\n`, { mode: 0o600 });
    await farm.good("ann", "submit", file);
    expect(await farm.good("ann", "logs", "full", "gate")).toContain("[secret token]");
    const to = path.join(farm.terminal.dir, "got");
    await farm.good("ann", "fetch", "full", "--all", "--to", to);
    expect(readlinkSync(path.join(to, "o/tool"))).toBe("bin/tool");
    expect(lstatSync(path.join(to, "o/empty")).isDirectory()).toBe(true);
    expect(readFileSync(path.join(to, "used-b.txt"), "utf8")).toBe("hi\n");
    // While it runs its files come and go.
    await farm.good("ann", "stop");
    await farm.ended("ann");
    const leaks = filesBelow(given).filter((one) => readFileSync(one).includes(value));
    expect(leaks).toEqual([path.join(given, "secrets/token")]);
  }, 120_000);
});
