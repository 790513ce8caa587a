/** Two contents held against each other: what differs is named, wherever in archives, programs or texts it lies. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { compare, type Difference } from "../../node/compare/compare.ts";
import { zipOf } from "../fuzz/zip.ts";
import { arOf, debOf, demoControl, tarOf } from "../release/packages.ts";

const scratch = mkdtempSync(path.join(tmpdir(), "swarmd-compare-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Every machine that builds has one. */
const compiler = "cc";
const bytes = (text: string) => Buffer.from(text);
/** Names from the outermost part to each innermost one. */
const places = (difference: Difference | undefined): string[] =>
  (difference?.inside ?? []).flatMap((part) => {
    const below = places(part);
    return below.length > 0 ? below.map((one) => `${part.name} > ${one}`) : [part.name];
  });

/** What the compiler makes of a source. */
function compiled(name: string, source: string): Buffer {
  const from = path.join(scratch, `${name}.c`);
  writeFileSync(from, source);
  execFileSync(compiler, ["-c", from, "-o", path.join(scratch, `${name}.o`)]);
  return readFileSync(path.join(scratch, `${name}.o`));
}

describe("where two contents differ", () => {
  test("equal ones do not", async () => {
    expect(await compare(bytes("a"), bytes("a"))).toBeUndefined();
  });

  test("texts show the lines, bytes the first that differs, with size and digest", async () => {
    const text = await compare(bytes("one\ntwo\nthree\n"), bytes("one\n2\nthree\n"));
    expect(text?.text).toEqual(["@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"]);
    expect(text).toMatchObject({ before: { bytes: 14 }, after: { bytes: 12 }, offset: 4 });
    const odd = await compare(Uint8Array.of(0, 1, 2, 3), Uint8Array.of(0, 1, 9, 3));
    expect(odd).toMatchObject({ offset: 2 });
    expect(odd?.text).toBeUndefined();
    expect(odd?.after?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test("of a static library the member is named, and of an object the section", async () => {
    const library = (words: string) => {
      const object = compiled("words", `const char words[] = "${words}"; int same(void) { return 1; }`);
      const same = compiled("same", "int other(void) { return 2; }");
      return arOf([
        { name: "same.o/", body: same },
        { name: "words.o/", body: object },
      ]);
    };
    const found = await compare(library("made at noon"), library("made at nine"));
    expect(found).toMatchObject({ kind: "ar", inside: [{ name: "words.o", kind: "elf" }] });
    expect(places(found)).toEqual(["words.o > .rodata"]);
    expect(found?.inside?.[0]?.inside?.[0]).toMatchObject({ offset: 9, before: { bytes: 13 } });
  });

  test("of a tar the member, what is in it and what is said of it; of a packed one as well", async () => {
    const tar = (body: string, mode: number) =>
      tarOf([
        { name: "a.txt", body: "same" },
        { name: "b.txt", body, mode },
        { name: "c.sh", body: "same", mode },
      ]);
    const [old, fresh] = await Promise.all([tar("x\n", 0o644), tar("y\n", 0o755)]);
    const found = await compare(gzipSync(old), gzipSync(fresh));
    expect(places(found)).toEqual(["(unpacked) > b.txt", "(unpacked) > c.sh"]);
    expect(found?.inside?.[0]?.inside).toMatchObject([
      { name: "b.txt", facts: { mode: ["644", "755"] }, text: ["@@ -1,1 +1,1 @@", "-x", "+y"] },
      { name: "c.sh", facts: { mode: ["644", "755"] } },
    ]);
  });

  test("members that one alone has, and the same ones in another order", async () => {
    const members = (...names: string[]) => tarOf(names.map((name) => ({ name, body: name })));
    const found = await compare(await members("a", "b", "c"), await members("c", "a", "d"));
    expect(found).toMatchObject({ kind: "tar", reordered: true });
    expect(found?.inside?.map(({ name, before, after }) => [name, before?.bytes, after?.bytes])).toEqual([
      ["b", 1, undefined],
      ["d", undefined, 1],
    ]);
  });

  test("of a deb the file in its data, of a zip its member", async () => {
    const deb = (body: string) => debOf(demoControl, [{ name: "./usr/demo", body }]);
    expect(places(await compare(await deb("1\n"), await deb("2\n")))).toEqual([
      "data.tar.zst > (unpacked) > ./usr/demo",
    ]);
    const zip = (body: string) =>
      zipOf([{ name: "in/a", body: bytes(body), mode: 0o100644, flags: 0, says: undefined }]);
    expect(places(await compare(zip("1"), zip("2")))).toEqual(["in/a"]);
  });

  test("whatever is damaged is held against the other byte by byte", async () => {
    const sound = [
      arOf([{ name: "a", body: bytes("body") }]),
      Buffer.from(await tarOf([{ name: "a", body: "body" }])),
      compiled("damaged", "int a = 1;"),
      gzipSync("body"),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...sound),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (one, changes) => {
          const other = Buffer.from(one);
          for (const [at, byte] of changes) other[at % other.length] = byte;
          const found = await compare(one, other);
          expect(found === undefined).toBe(one.equals(other));
        },
      ),
      { numRuns: 200 },
    );
  });
});
