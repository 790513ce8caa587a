import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GentooFormat } from "../../node/release/formats/gentoo.ts";
import { Readings } from "../../node/release/formats/readings.ts";
import { settled } from "../../node/release/formats/use-conditions.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { atMs, layOut, released } from "./channel.ts";
import { type Fetch, readBinhost } from "./gentoo-reader.ts";
import { demoFiles, demoMetadata, gpkgOf, xpakOf } from "./packages.ts";

let dir: string;
let format: GentooFormat;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-gentoo-"));
  format = new GentooFormat(new Readings(path.join(dir, "readings")));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const from =
  (folder: string): Fetch =>
  async (name) => {
    const file = path.join(folder, name);
    const body = await readFile(file).catch(() => undefined);
    return body && { body, lastModifiedMs: (await stat(file)).mtimeMs };
  };

/** Lays out these packages and reads them as a client does. */
async function shown(files: Readonly<Record<string, Uint8Array>>, name = "one", at = atMs) {
  const folder = path.join(dir, name);
  const { refused } = await layOut(format, folder, await released(path.join(dir, "blobs"), files), {
    at,
    header: { ARCH: "amd64", ACCEPT_KEYWORDS: "amd64 ~amd64" },
  });
  return { refused, folder, ...(await readBinhost(from(folder))) };
}

const other = (change: Readonly<Record<string, string>>) => ({ metadata: { ...demoMetadata, ...change } });

describe("a Gentoo binhost", () => {
  test("has one block for each package, gpkg and xpak, by name and build id, with all that clients need", async () => {
    const { packages, header, refused } = await shown({
      "c.gpkg.tar": await gpkgOf(other({ PF: "zlib-1.3" })),
      "a.gpkg.tar": await gpkgOf(other({ BUILD_ID: "10" })),
      "b.gpkg.tar": await gpkgOf(other({ BUILD_ID: "9" })),
      "d.xpak": await xpakOf({ ...demoMetadata, PF: "old-0.1" }),
      "note.txt": Buffer.from("no package"),
    });
    expect(refused).toEqual([]);
    expect(packages.map((one) => `${one.get("CPV")} ${one.get("BUILD_ID")}`)).toEqual([
      "dev-libs/libdemo-1.2-r1 9",
      "dev-libs/libdemo-1.2-r1 10",
      "dev-libs/old-0.1 1",
      "dev-libs/zlib-1.3 1",
    ]);
    expect(packages[2]!.get("PATH")).toMatch(/^blobs\/[0-9a-f]{64}\.xpak$/);
    expect(Object.fromEntries(packages[0]!)).toMatchObject({
      BUILD_TIME: "1700000000",
      DEPEND: "dev-libs/openssl:0/3=",
      RDEPEND: "dev-libs/openssl:0/3= || ( sys-apps/a sys-apps/b )",
      DESC: "A library to show",
      EAPI: "8",
      MTIME: "1700000000",
      SLOT: "0/1",
      PROVIDES: "x86_64: libdemo.so.1",
    });
    expect(Object.fromEntries(header)).toMatchObject({
      ACCEPT_KEYWORDS: "amd64 ~amd64",
      ARCH: "amd64",
      CHOST: "x86_64-pc-linux-gnu",
      PACKAGES: "4",
      TIMESTAMP: String(atMs / 1000),
      VERSION: "0",
      repository: "demo",
    });
  });

  test("is the same to the byte on every mirror", async () => {
    const files = { "a.gpkg.tar": await gpkgOf(), "b.gpkg.tar": await gpkgOf(other({ PF: "b-1" })) };
    const [one, two] = [await shown(files, "one"), await shown(files, "two")];
    for (const name of ["Packages", "Packages.gz"])
      expect(await readFile(path.join(one.folder, name))).toEqual(
        await readFile(path.join(two.folder, name)),
      );
  });

  test("of nothing is an index of nothing", async () => {
    expect((await shown({})).packages).toEqual([]);
  });

  test("refuses broken packages by name, and goes on with the rest", async () => {
    const changed = Buffer.from(await gpkgOf(other({ PF: "changed-1" })));
    changed[changed.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) + 9]! ^= 1;
    const leadsOut = [...demoFiles, { name: "image/../../x", body: "x" }];
    const { refused, packages } = await shown({
      "changed.gpkg.tar": changed,
      "good.gpkg.tar": await gpkgOf(),
      "noise.gpkg.tar": Buffer.from("noise"),
      "out.gpkg.tar": await gpkgOf({ files: leadsOut }),
      "masked.gpkg.tar": await gpkgOf(other({ KEYWORDS: "" })),
      "odd.gpkg.tar": await gpkgOf(other({ CATEGORY: "../etc" })),
      "unbalanced.gpkg.tar": await gpkgOf(other({ RDEPEND: "ssl? ( a/b" })),
    });
    expect(packages).toHaveLength(1);
    expect(refused.map((one) => one.path)).toEqual([
      "changed.gpkg.tar",
      "masked.gpkg.tar",
      "noise.gpkg.tar",
      "odd.gpkg.tar",
      "out.gpkg.tar",
      "unbalanced.gpkg.tar",
    ]);
    expect(refused.every(({ remedy }) => remedy !== undefined)).toBe(true);
  });

  test("refuses the second of a name and build id with other content, and takes the same one twice as one", async () => {
    const [first, second] = [await gpkgOf(), await gpkgOf(other({ BUILD_TIME: "1700000001" }))];
    const { refused, packages } = await shown({
      "a.gpkg.tar": first,
      "b.gpkg.tar": second,
      "c.gpkg.tar": first,
    });
    expect(packages).toHaveLength(1);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ path: "b.gpkg.tar" });
    expect(refused[0]!.reason).toContain("as is a.gpkg.tar, with other content");
  });

  test("refuses what its judge of signatures refuses", async () => {
    const armour = (text: string) =>
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n`;
    const judge = async () => {
      throw new SwarmError("unauthentic", "its signature is by a key that is not in the key ring", {
        remedy: "x",
      });
    };
    format = new GentooFormat(new Readings(path.join(dir, "readings")), { judge });
    const { refused, packages } = await shown({
      "signed.gpkg.tar": await gpkgOf({ manifest: armour }),
      "unsigned.gpkg.tar": await gpkgOf(other({ PF: "b-1" })),
    });
    expect(packages).toHaveLength(1);
    expect(refused).toMatchObject([{ path: "signed.gpkg.tar" }]);
  });

  test("is not written where this machine lacks what it takes: a mirror lags rather than shows less", async () => {
    const judge = async () => {
      throw new SwarmError("tool-missing", "the program gpg is not there", { remedy: "install gnupg" });
    };
    format = new GentooFormat(new Readings(path.join(dir, "readings")), { judge });
    const signed = await gpkgOf({
      manifest: (text) =>
        `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}-----BEGIN PGP SIGNATURE-----\n`,
    });
    await expect(shown({ "signed.gpkg.tar": signed })).rejects.toMatchObject({ code: "tool-missing" });
    const files = await released(path.join(dir, "blobs"), { "a.gpkg.tar": await gpkgOf() });
    const other = { ...files[0]!, digest: `${"0".repeat(64)}/1` as Digest };
    const generation = { channel: "stable", epoch: 1, atMs, files: [other] };
    await expect(format.index(generation)).rejects.toMatchObject({ code: "blob-corrupt" });
  });

  test("a strict client sees each planted fault", async () => {
    const { folder } = await shown({ "a.gpkg.tar": await gpkgOf() });
    const plain = (await readFile(path.join(folder, "Packages"))).toString();
    const whole = from(folder);
    const planted: readonly (readonly [fault: string, fetch: Fetch])[] = [
      [
        "another size",
        async (name) => {
          const file = await whole(name);
          return file && name.startsWith("blobs/") ? { ...file, body: file.body.subarray(1) } : file;
        },
      ],
      ["not there", async (name) => (name.startsWith("blobs/") ? undefined : whole(name))],
      [
        "two generations",
        async (name) => {
          const file = await whole(name);
          return file && name === "Packages"
            ? { ...file, body: Buffer.from(plain.replace("EAPI: 8", "EAPI: 7")) }
            : file;
        },
      ],
      [
        "Last-Modified",
        async (name) => {
          const file = await whole(name);
          return file && { ...file, lastModifiedMs: atMs + 1000 };
        },
      ],
    ];
    for (const [fault, fetch] of planted) await expect(readBinhost(fetch), fault).rejects.toThrow(fault);
    await expect(readBinhost(whole, atMs / 1000 - 5)).rejects.toThrow("does not see");
  });
});

describe("dependencies", () => {
  const use = new Set(["ssl", "gui"]);
  test.each([
    ["a/b ssl? ( c/d doc? ( e/f ) !doc? ( g/h ) )", "a/b c/d g/h"],
    ["|| ( ssl? ( a/b ) c/d )", "|| ( a/b c/d )"],
    ["doc? ( a/b )", ""],
    ["|| ( doc? ( a/b ) )", ""],
    ["( a/b c/d ) !!<e/f-2:0=[ssl?,gui(+)]", "( a/b c/d ) !!<e/f-2:0=[ssl?,gui(+)]"],
  ])("%s hold as: %s", (text, holds) => {
    expect(settled(text, use)).toBe(holds);
  });

  test.each(["ssl? (", "a )", "|| a/b", "ssl?", "( ".repeat(100), "a/b(c", "ssl? ssl? ( a/b )"])(
    "%s are refused",
    (text) => {
      expect(() => settled(text, use)).toThrow(SwarmError);
    },
  );
});
