/** Links inside folders that were made: they stay inside, whatever lies there. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { leadsTo, through } from "../../protocol/build/links.ts";

it("knows where a link leads, and which may leave", () => {
  expect(leadsTo("a/b/l", "c")).toBe("a/b/c");
  expect(leadsTo("a/b/l", "../../c/d/")).toBe("c/d");
  expect(leadsTo("l", "./c")).toBe("c");
  for (const [at, target] of [
    ["l", "../c"],
    ["l", "/c"],
    ["l", ""],
    ["l", "."],
    ["a/l", ".."],
    ["a/l", "c/../d"],
    ["a/l", "c//d"],
    ["l", "c\0"],
    ["l", "c".repeat(5000)],
  ] as const)
    expect(leadsTo(at, target), target).toBeUndefined();
});

it("follows links to what they stand for", () => {
  const entries = new Map<string, { link?: string; is?: string }>([
    ["lib", { link: "lib.1" }],
    ["lib.1", { link: "real/lib.1.2" }],
    ["real/lib.1.2", { is: "it" }],
    ["loop", { link: "loop" }],
    ["out", { link: "../x" }],
  ]);
  expect(through(entries, "lib")).toEqual({ is: "it" });
  for (const none of ["loop", "out", "none"]) expect(through(entries, none)).toBeUndefined();
});

it("lets no mix of links that it allows lead out of a folder", () => {
  const name = fc.constantFrom("a", "b", "c");
  const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const target = fc.array(fc.constantFrom("a", "b", "c", "..", "."), { minLength: 1, maxLength: 6 });
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), "swarmd-links-")));
  let tried = 0;
  try {
    fc.assert(
      fc.property(fc.array(fc.tuple(place, target), { minLength: 2, maxLength: 6 }), (links) => {
        const root = path.join(dir, String(tried++), "x/y/z");
        mkdirSync(root, { recursive: true });
        const made: string[] = [];
        for (const [at, to] of links) {
          const text = to.join("/");
          if (leadsTo(at, text) === undefined) continue;
          try {
            // As trees are laid out: folders are folders, and nothing is made through a link.
            const above = path.join(root, path.dirname(at));
            mkdirSync(above, { recursive: true });
            if (realpathSync(above) !== above) continue;
            symlinkSync(text, path.join(root, at));
            made.push(at);
          } catch {
            // something stands there
          }
        }
        for (const at of made)
          try {
            expect(`${realpathSync(path.join(root, at))}/`.startsWith(`${root}/`)).toBe(true);
          } catch (error) {
            if (!["ENOENT", "ELOOP", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? ""))
              throw error;
          }
      }),
      { numRuns: 300 },
    );
    expect(tried).toBeGreaterThan(100);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
