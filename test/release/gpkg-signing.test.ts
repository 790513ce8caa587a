import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GentooFormat } from "../../node/release/formats/gentoo.ts";
import { checkSignature } from "../../node/release/formats/gpg.ts";
import { readGpkg } from "../../node/release/formats/gpkg.ts";
import { signGpkg } from "../../node/release/formats/gpkg-signing.ts";
import { knownFormats } from "../../node/release/formats/known.ts";
import { Readings } from "../../node/release/formats/readings.ts";
import { SignedPackages } from "../../node/release/formats/signed-packages.ts";
import { hasApt } from "./apt.ts";
import { atMs, layOut, released } from "./channel.ts";
import { readBinhost } from "./gentoo-reader.ts";
import { KeyRing } from "./keys.ts";
import { demoMetadata, gpkgOf, xpakOf } from "./packages.ts";

describe.skipIf(!hasApt)("signing a gpkg (where gpg is installed)", () => {
  let dir: string;
  let ring: KeyRing;
  let key: string;
  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "swarmd-signing-"));
    await mkdir(path.join(dir, "scratch"));
    ring = new KeyRing();
    key = ring.make("garden");
    await writeFile(path.join(dir, "a"), await gpkgOf());
  });
  afterAll(async () => {
    await ring.remove();
    await rm(dir, { recursive: true, force: true });
  });
  const signing = () => ({ gpg: ring.gpg, key, scratch: path.join(dir, "scratch") });

  test("changes nothing of what it holds, and can be done again", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => path.join(dir, name)) as [string, string, string];
    await signGpkg(a, b, signing());
    await signGpkg(b, c, signing());
    const plain = await readGpkg(a, path.join(dir, "scratch"));
    expect(plain.signed).toBeUndefined();
    for (const file of [b, c]) {
      const { signed, content, metadata } = await readGpkg(file, path.join(dir, "scratch"));
      expect(content).toEqual(plain.content);
      expect(metadata).toEqual(plain.metadata);
      const text = Buffer.from(signed!).toString();
      expect(text.match(/^DATA \S+/gm)).toHaveLength(4);
      await checkSignature(ring.gpg, text, [key]);
    }
  });

  test("is refused for what is no sound package, or without the key, and leaves nothing", async () => {
    const before = await readdir(dir);
    const bad = path.join(dir, "bad");
    await writeFile(bad, (await readFile(path.join(dir, "a"))).subarray(0, 3000));
    await expect(signGpkg(bad, path.join(dir, "d"), signing())).rejects.toMatchObject({ code: "malformed" });
    const stranger = { ...signing(), key: "0".repeat(40) };
    await expect(signGpkg(path.join(dir, "a"), path.join(dir, "d"), stranger)).rejects.toMatchObject({
      code: "refused",
    });
    expect((await readdir(dir)).filter((name) => name !== "bad")).toEqual(before);
  });

  test("makes a binhost that takes only what its keys signed leave out all others by name", async () => {
    const strange = new KeyRing();
    try {
      const foreign = { ...signing(), gpg: strange.gpg, key: strange.make("stranger") };
      const other = path.join(dir, "other");
      await writeFile(other, await gpkgOf({ metadata: { ...demoMetadata, PF: "other-1" } }));
      await signGpkg(path.join(dir, "a"), path.join(dir, "good"), signing());
      await signGpkg(other, path.join(dir, "foreign"), foreign);
      const files = await released(path.join(dir, "blobs"), {
        "foreign.gpkg.tar": await readFile(path.join(dir, "foreign")),
        "good.gpkg.tar": await readFile(path.join(dir, "good")),
      });
      const judge = (signed: string) => checkSignature(ring.gpg, signed, [key]);
      const format = new GentooFormat(new Readings(path.join(dir, "readings")), { judge });
      const { refused } = await format.index({ channel: "stable", epoch: 1, atMs, files });
      expect(refused).toMatchObject([{ path: "foreign.gpkg.tar" }]);
      expect(refused[0]!.reason).toContain("not in the key ring");
    } finally {
      await strange.remove();
    }
  });

  test("in a binhost happens once, and makes the same index on every mirror that has the key", async () => {
    const unsigned = await gpkgOf({ metadata: { ...demoMetadata, PF: "plain-1" } });
    await signGpkg(path.join(dir, "a"), path.join(dir, "by-hand"), signing());
    const files = await released(path.join(dir, "to-sign"), {
      "by-hand.gpkg.tar": await readFile(path.join(dir, "by-hand")),
      "old.xpak": await xpakOf({ ...demoMetadata, PF: "old-1" }),
      "plain.gpkg.tar": unsigned,
    });
    const [{ madeS } = { madeS: 0 }] = await ring.gpg.signingKeys();
    const mirror = (name: string) => {
      const kept = path.join(dir, name, "signed");
      const signed = new SignedPackages(kept);
      const judge = (text: string) => checkSignature(ring.gpg, text, [key]);
      const signer = async () => signed.by({ gpg: ring.gpg, key, madeS });
      const format = new GentooFormat(new Readings(path.join(dir, name, "readings")), { judge, signer });
      return { kept, shows: (epoch: string) => layOut(format, path.join(dir, name, epoch), files) };
    };
    const [one, two] = [mirror("one"), mirror("two")];
    const { refused } = await one.shows("1");
    expect(refused).toEqual([]);
    await two.shows("1");
    const first = await readFile(path.join(dir, "one/1/Packages"));
    expect(await readFile(path.join(dir, "two/1/Packages"))).toEqual(first);
    const { packages } = await readBinhost(async (name) => {
      const file = path.join(dir, "one/1", name);
      return { body: await readFile(file), lastModifiedMs: (await stat(file)).mtimeMs };
    });
    for (const entry of packages) {
      const file = path.join(dir, "one/1", entry.get("PATH")!);
      if (file.endsWith(".xpak")) continue;
      const { signed } = await readGpkg(file, path.join(dir, "scratch"));
      await checkSignature(ring.gpg, Buffer.from(signed!).toString(), [key]);
    }
    const [made] = (await readdir(one.kept)).filter((name) => !name.endsWith(".json"));
    const before = await stat(path.join(one.kept, made!));
    await one.shows("2");
    expect((await stat(path.join(one.kept, made!))).ino).toBe(before.ino);
    // What was kept may go at any time: it is made again as it was.
    await rm(one.kept, { recursive: true });
    await one.shows("3");
    expect(await readFile(path.join(dir, "one/3/Packages"))).toEqual(first);
  });

  test("with a key that has expired keeps a mirror at what it shows, and says why", async () => {
    const late = new KeyRing();
    try {
      const expired = late.make("late", true);
      const formats = knownFormats({
        readings: path.join(dir, "known"),
        keyRing: late.dir,
        origin: "garden",
      });
      const files = await released(path.join(dir, "to-refuse"), { "a.gpkg.tar": await gpkgOf() });
      for (const name of ["gentoo", "debian"]) {
        const format = formats.find((one) => one.name === name)!;
        await expect(format.index({ channel: "stable", epoch: 1, atMs, files })).rejects.toMatchObject({
          code: "refused",
          message: expect.stringContaining(expired),
        });
      }
    } finally {
      await late.remove();
    }
  });
});
