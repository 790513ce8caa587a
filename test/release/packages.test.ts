import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../../node/build/programs.ts";
import { readDeb } from "../../node/release/formats/deb.ts";
import { readGpkg } from "../../node/release/formats/gpkg.ts";
import { packageLimits } from "../../node/release/formats/package-limits.ts";
import { readXpak } from "../../node/release/formats/xpak.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import {
  arOf,
  debOf,
  demoControl,
  demoFiles,
  demoMetadata,
  type File,
  type GpkgParts,
  gpkgOf,
  manifestLine,
  xpakOf,
  xpakSegment,
} from "./packages.ts";

let dir: string;
let scratch: string;
let count = 0;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-packages-"));
  scratch = path.join(dir, "scratch");
  await mkdir(scratch);
});
afterAll(async () => {
  expect(await readdir(scratch)).toEqual([]);
  await rm(dir, { recursive: true, force: true });
});

async function put(bytes: Uint8Array): Promise<string> {
  const file = path.join(dir, `package-${count++}`);
  await writeFile(file, bytes);
  return file;
}
const gpkg = async (parts?: GpkgParts) => readGpkg(await put(await gpkgOf(parts)), scratch);
const image = (...files: File[]) => gpkg({ files: [...demoFiles, ...files] });

/** The words of a refusal. */
async function refusal(read: Promise<unknown>): Promise<string> {
  const error = await read.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(SwarmError);
  expect((error as SwarmError).code).toBe("malformed");
  expect((error as SwarmError).remedy).toBeTruthy();
  return (error as SwarmError).message;
}

describe("a gpkg", () => {
  test("is read with its metadata, white space folded, and its files", async () => {
    const { kind, metadata, content, signed } = await gpkg();
    expect(kind).toBe("gpkg");
    expect(signed).toBeUndefined();
    expect(metadata.get("CATEGORY")).toBe("dev-libs");
    expect(metadata.get("DEPEND")).toBe("ssl? ( dev-libs/openssl:0/3= ) doc? ( app-doc/doxygen )");
    expect(content).toMatchObject({ files: 2, unpackedBytes: 6, elves: [], odd: [] });
  });

  for (const [ending, program] of [
    [".gz", undefined],
    ["", undefined],
    [".xz", "xz"],
    [".bz2", "bzip2"],
  ] as const)
    test.skipIf(program !== undefined && findProgram(program) === undefined)(
      `packed as tar${ending} is read too${program ? ` (where ${program} is installed)` : ""}`,
      async () => {
        const pack = (tar: Uint8Array) =>
          program ? execFileSync(program, ["-c"], { input: tar }) : ending === "" ? tar : gzipSync(tar);
        const { content } = await gpkg({ ending, pack });
        expect(content.files).toBe(2);
      },
    );

  test("built again is the same, though its bytes are others; another file makes it another", async () => {
    const [first, later, other] = await Promise.all([
      gpkg(),
      gpkg({ metadata: { ...demoMetadata, BUILD_TIME: "1700009999" } }),
      image({ name: "image/usr/share/more", body: "x" }),
    ]);
    expect(later.content.sameness).toBe(first.content.sameness);
    expect(other.content.sameness).not.toBe(first.content.sameness);
  });

  test("tells what is out of the ordinary in it", async () => {
    const { content } = await image(
      { name: "image/usr/bin/su", mode: 0o4755, body: "x" },
      { name: "image/usr/bin/wall", mode: 0o2755, body: "x" },
      { name: "image/var/open", mode: 0o666, body: "x" },
      { name: "image/tmp/", type: "directory", mode: 0o1777 },
      { name: "image/usr/lib/far", type: "symlink", to: "/opt/far" },
      { name: "image/usr/lib/near", type: "symlink", to: "../near", mode: 0o777 },
      { name: "image/usr/lib/bad.so", body: "\x7fELFno" },
    );
    expect(content.odd.map(({ path: at, what }) => `${what} ${at}`)).toEqual([
      "set-uid usr/bin/su",
      "set-gid usr/bin/wall",
      "broken-elf usr/lib/bad.so",
      "absolute-link usr/lib/far",
      "world-writable var/open",
    ]);
  });

  const flip = (name: string) => (members: File[]) =>
    members.map((file) => {
      if (!file.name.startsWith(name)) return file;
      const body = Buffer.from(file.body as Uint8Array);
      body[body.length >> 1]! ^= 1;
      return { ...file, body };
    });
  const without = (name: string) => (members: File[]) =>
    members.filter((file) => !file.name.startsWith(name));
  const extra = { name: "extra", body: "x" };
  const refused: readonly (readonly [what: string, parts: GpkgParts, says: string])[] = [
    ["whose image was changed", { change: flip("image") }, "has another SHA512"],
    ["whose metadata were changed", { change: flip("metadata") }, "has another SHA512"],
    ["without a Manifest", { change: without("Manifest") }, "has no Manifest"],
    ["without an image", { change: without("image") }, "lists image.tar.zst, which is not in it"],
    ["without gpkg-1", { change: without("gpkg-1") }, "does not begin with gpkg-1"],
    ["with something more", { change: (members) => [...members, extra] }, "does not belong into a gpkg"],
    ["with an image twice", { change: (members) => [...members, members[2]!] }, "in it twice"],
    [
      "whose Manifest leaves the image out",
      { manifest: (text) => `${text.split("\n")[0]}\n` },
      "does not list image",
    ],
    [
      "whose Manifest has a weak sum",
      { manifest: (text) => text.replaceAll(/SHA512.*/g, "MD5 0") },
      "without SHA512",
    ],
    ["whose Manifest is noise", { manifest: () => "hello\n" }, "says nothing"],
    [
      "whose Manifest ends in its signature",
      { manifest: (text) => `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}` },
      "does not end so",
    ],
    ["packed in a strange way", { ending: ".lz4" }, "nothing here reads"],
    ["that says what its ending does not", { ending: ".gz", pack: (tar) => tar }, "damaged"],
    ["whose files lie elsewhere", { files: [{ name: "usr/bin/x", body: "x" }] }, "does not lie in image/"],
    ["with a path that leads out", { files: [{ name: "image/../../etc/passwd", body: "x" }] }, "leads out"],
    ["with an absolute path", { files: [{ name: "/etc/passwd", body: "x" }] }, "is absolute"],
    ["with a device", { files: [{ name: "image/dev/sda", type: "block-device" }] }, "is a block device"],
    ["with a pipe", { files: [{ name: "image/p", type: "fifo" }] }, "is a fifo"],
    ["with a file twice", { files: [...demoFiles, demoFiles[1]!] }, "in it twice"],
    [
      "with a link to nothing before it",
      { files: [{ name: "image/a", type: "link", to: "image/b" }] },
      "another name for",
    ],
  ];
  for (const [what, parts, says] of refused)
    test(`${what} is refused`, async () => {
      expect(await refusal(gpkg(parts))).toContain(says);
    });

  test("that unpacks to more than its size allows is refused", async () => {
    const file = await put(await gpkgOf({ files: [{ name: "image/zero", body: Buffer.alloc(2 << 20) }] }));
    await readGpkg(file, scratch);
    const tight = { ...packageLimits, freeBytes: 1 << 20 };
    expect(await refusal(readGpkg(file, scratch, tight))).toContain("more than an honest");
    const few = { ...packageLimits, membersMax: 10 };
    expect(await refusal(readGpkg(file, scratch, few))).toContain("more than 10 members");
  });

  test("cut anywhere is refused", async () => {
    const whole = await gpkgOf();
    for (const share of [0, 0.1, 0.3, 0.5, 0.7])
      await refusal(put(whole.subarray(0, whole.length * share)).then((file) => readGpkg(file, scratch)));
  });

  test("that is signed keeps its Manifest for whoever judges the signature", async () => {
    const armour = (text: string) =>
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}-----BEGIN PGP SIGNATURE-----\n\nxx\n-----END PGP SIGNATURE-----\n`;
    const { signed } = await gpkg({ manifest: armour });
    expect(Buffer.from(signed!).toString()).toContain("BEGIN PGP SIGNED MESSAGE");
    const loose = { name: "image.tar.zst.sig", body: "sig" };
    const withLoose = (members: File[]) => [...members.slice(0, 3), loose, members[3]!];
    expect(await refusal(gpkg({ manifest: armour, change: withLoose }))).toContain(
      "does not list image.tar.zst.sig",
    );
    await gpkg({ manifest: (text) => armour(text + manifestLine(loose)), change: withLoose });
  });
});

describe("an xpak", () => {
  const xpak = async (bytes: Uint8Array) => readXpak(await put(bytes), scratch);

  test("says the same as the gpkg of the same files", async () => {
    const [old, young] = [await xpak(await xpakOf()), await gpkg()];
    expect(old.kind).toBe("xpak");
    expect(old.metadata).toEqual(young.metadata);
    expect(old.content.sameness).toBe(young.content.sameness);
  });

  test("that is cut, or lies about its lengths, is refused", async () => {
    const whole = Buffer.from(await xpakOf());
    expect(await refusal(xpak(whole.subarray(0, -1)))).toContain("does not end as an xpak");
    expect(await refusal(xpak(xpakSegment(demoMetadata)))).toContain("no image");
    const long = Buffer.from(whole);
    long.writeUInt32BE(0x7fffffff, long.length - 8);
    expect(await refusal(xpak(long))).toContain("longer than itself");
    const segment = xpakSegment(demoMetadata);
    segment.writeUInt32BE(0x00ffffff, 8);
    expect(await refusal(xpak(Buffer.concat([Buffer.from("x"), segment])))).toContain("do not add up");
  });
});

describe("a deb", () => {
  const deb = async (bytes: Uint8Array) => readDeb(await put(bytes), scratch);

  test("is read with the fields of its control file and its files", async () => {
    const { control, content } = await deb(await debOf());
    expect([...control.keys()]).toEqual(["Package", "Version", "Architecture", "Maintainer", "Description"]);
    expect(control.get("Description")).toBe("shown\n more");
    expect(content).toMatchObject({ files: 2, unpackedBytes: 6 });
  });

  test.skipIf(findProgram("dpkg-deb") === undefined)(
    "as dpkg-deb makes it is read, packed by xz and gzip (where dpkg-deb is installed)",
    async () => {
      const root = path.join(dir, "root");
      await mkdir(path.join(root, "DEBIAN"), { recursive: true });
      await mkdir(path.join(root, "usr/share/demo"), { recursive: true });
      await writeFile(path.join(root, "usr/share/demo/text"), "hello\n");
      await writeFile(path.join(root, "DEBIAN/control"), demoControl);
      for (const packing of ["xz", "gzip"]) {
        const file = path.join(dir, `${packing}.deb`);
        execFileSync("dpkg-deb", ["--root-owner-group", `-Z${packing}`, "-b", root, file], {
          stdio: "ignore",
        });
        const { control, content } = await readDeb(file, scratch);
        expect(control.get("Package")).toBe("demo");
        expect(content).toMatchObject({ files: 4, unpackedBytes: 6 });
      }
    },
  );

  const body = Buffer.from("x");
  const refused: readonly (readonly [
    what: string,
    bytes: () => Promise<Uint8Array> | Uint8Array,
    says: string,
  ])[] = [
    ["that is no ar archive", () => Buffer.from("hello, this is nothing"), "no ar archive"],
    ["of another make", () => arOf([{ name: "x", body }]), "does not begin with debian-binary"],
    [
      "of a later version",
      () => arOf([{ name: "debian-binary", body: Buffer.from("3.0\n") }]),
      "a deb of version 3.0",
    ],
    [
      "without data",
      () => arOf([{ name: "debian-binary", body: Buffer.from("2.0\n") }]),
      "does not hold control.tar",
    ],
    ["that is cut", async () => (await debOf()).subarray(0, -30), "is cut"],
    ["with a path that leads out", () => debOf(demoControl, [{ name: "./../x", body: "x" }]), "leads out"],
    [
      "with a device",
      () => debOf(demoControl, [{ name: "./tty", type: "character-device" }]),
      "character device",
    ],
    ["without a version", () => debOf("Package: demo\nArchitecture: all\n"), "has no Version"],
    [
      "with a name that is a path",
      () => debOf("Package: ../demo\nVersion: 1\nArchitecture: all\n"),
      "its Package is ../demo",
    ],
    ["that says a field twice", () => debOf(`${demoControl}version: 2\n`), "says version twice"],
    ["of two paragraphs", () => debOf(`${demoControl}\nPackage: more\n`), "no field"],
  ];
  for (const [what, bytes, says] of refused)
    test(`${what} is refused`, async () => {
      expect(await refusal(deb(await bytes()))).toContain(says);
    });
});
