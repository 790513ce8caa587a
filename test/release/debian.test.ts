import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DebianFormat } from "../../node/release/formats/debian.ts";
import { checkSignature } from "../../node/release/formats/gpg.ts";
import { Readings } from "../../node/release/formats/readings.ts";
import { Apt, hasApt } from "./apt.ts";
import { atMs, layOut, released } from "./channel.ts";
import { KeyRing } from "./keys.ts";
import { debOf } from "./packages.ts";

const control = (name: string, version: string, more = "") =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: A <a@example.org>\n${more}Description: shown\n`;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-debian-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const readings = () => new Readings(path.join(dir, "readings"));

describe("a Debian archive", () => {
  const settings = { origin: "garden", architectures: ["amd64", "arm64"] };

  test("names each package by its content, and its indices by their sums", async () => {
    const folder = path.join(dir, "plain");
    const files = {
      "a.deb": await debOf(control("demo", "1:1.0")),
      "b.deb": await debOf(control("apple", "2")),
    };
    const { refused } = await layOut(
      new DebianFormat(readings(), settings),
      folder,
      await released(path.join(dir, "blobs"), files),
    );
    expect(refused).toEqual([]);
    const packages = (
      await readFile(path.join(folder, "dists/stable/main/binary-amd64/Packages"))
    ).toString();
    expect(packages.match(/^Package: .*/gm)).toEqual(["Package: apple", "Package: demo"]);
    expect(packages).toMatch(/^Filename: pool\/[0-9a-f]{2}\/[0-9a-f]{64}\/demo_1.0_amd64.deb$/m);
    const release = (await readFile(path.join(folder, "dists/stable/Release"))).toString();
    expect(release).toContain("Date: Fri, 02 Jan 2026 03:04:05 UTC\n");
    expect(release).toContain("Acquire-By-Hash: yes\n");
    const [, hash] = /^ ([0-9a-f]{64}) \d+ main\/binary-amd64\/Packages$/m.exec(release)!;
    const byHash = path.join(folder, "dists/stable/main/binary-amd64/by-hash/SHA256", hash!);
    expect((await readFile(byHash)).toString()).toBe(packages);
  });

  test("refuses what is broken, a double with other content, and a package that says what only the archive may", async () => {
    const files = {
      "a.deb": await debOf(control("demo", "1")),
      "b.deb": await debOf(control("demo", "1", "Homepage: https://example.org\n")),
      "c.deb": Buffer.from("noise"),
      "d.deb": await debOf(control("liar", "1", "Filename: /etc/passwd\n")),
    };
    const { refused } = await layOut(
      new DebianFormat(readings(), settings),
      path.join(dir, "refusing"),
      await released(path.join(dir, "blobs"), files),
    );
    expect(refused.map((one) => one.path)).toEqual(["b.deb", "c.deb", "d.deb"]);
    expect(refused.every(({ remedy }) => remedy !== undefined)).toBe(true);
  });
});

describe.skipIf(!hasApt)("apt-get (where apt-get, dpkg-deb, gpg and gpgv are installed)", () => {
  let ring: KeyRing;
  let key: string;
  let format: DebianFormat;
  beforeAll(() => {
    ring = new KeyRing();
    key = ring.make("garden");
    format = new DebianFormat(readings(), {
      origin: "garden",
      architectures: ["amd64"],
      signing: async () => ({ gpg: ring.gpg, key }),
    });
  });
  afterAll(() => ring.remove());

  async function deb(name: string, version: string, text: string, more = ""): Promise<Uint8Array> {
    const root = path.join(dir, `root-${name}-${version}`);
    await mkdir(path.join(root, "DEBIAN"), { recursive: true });
    await mkdir(path.join(root, "usr/share/doc", name), { recursive: true });
    await writeFile(path.join(root, "usr/share/doc", name, "text"), text);
    await writeFile(path.join(root, "DEBIAN/control"), control(name, version, more));
    const file = path.join(dir, `${name}-${version}.deb`);
    execFileSync("dpkg-deb", ["--root-owner-group", "-b", root, file], { stdio: "ignore" });
    return readFile(file);
  }

  /** What `current` of the channel shows. */
  async function show(epoch: number, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
    const folder = path.join(dir, `epoch-${epoch}`);
    await layOut(format, folder, await released(path.join(dir, "blobs"), files), {
      epoch,
      at: atMs + epoch * 6000,
    });
    const current = path.join(dir, "current");
    await unlink(current).catch(() => {});
    await symlink(folder, current);
    return current;
  }

  test("installs from it, sees the next epoch and the return to the one before, and refuses what was changed", async () => {
    const [old, young] = [
      await deb("demo", "1.0", "one\n", "Depends: demo-data\n"),
      await deb("demo", "2.0", "two\n"),
    ];
    const data = await deb("demo-data", "1.0", "data\n");
    const current = await show(1, { "demo.deb": old, "data.deb": data });
    const signedBy = `[signed-by=${ring.exported(key)}]`;
    const apt = await Apt.at(path.join(dir, "apt"), `deb ${signedBy} copy:${current} stable main`);
    await apt.run("update");
    const planned = await apt.run("install", "--simulate", "demo");
    expect(planned).toMatch(/^Inst demo-data \(1\.0/m);
    expect(planned).toMatch(/^Inst demo \(1\.0/m);
    await apt.run("download", "demo");
    expect(await readFile(path.join(dir, "apt/demo_1.0_amd64.deb"))).toEqual(Buffer.from(old));
    await show(2, { "demo.deb": young, "data.deb": data });
    await apt.run("update");
    expect(await apt.run("install", "--simulate", "demo")).toMatch(/^Inst demo \(2\.0/m);
    await show(3, { "demo.deb": old, "data.deb": data });
    await apt.run("update");
    expect(await apt.run("install", "--simulate", "demo")).toMatch(/^Inst demo \(1\.0/m);
    const inRelease = path.join(dir, "epoch-3/dists/stable/InRelease");
    await writeFile(
      inRelease,
      (await readFile(inRelease)).toString().replace("Suite: stable", "Suite: stabler"),
    );
    await expect(apt.run("update")).rejects.toThrow("BADSIG");
  });

  test("a signature is judged by its key: good, of another ring, expired, or of none that is trusted", async () => {
    const [strange, late] = [new KeyRing(), new KeyRing()];
    try {
      const foreign = strange.make("stranger");
      const expired = late.make("late", true);
      ring.take(late.exported(expired));
      const text = Buffer.from("DATA x 0\n");
      const good = (await ring.gpg.clearsigned(text, key)).toString();
      await checkSignature(ring.gpg, good, [key]);
      await checkSignature(ring.gpg, good, []);
      const refused: readonly (readonly [signed: string, says: string, trusted?: string])[] = [
        [(await strange.gpg.clearsigned(text, foreign)).toString(), "not in the key ring"],
        [good, "not trusted here", foreign],
        [late.signLongAgo("DATA x 0\n", expired).toString(), "has expired"],
        [good.replace("DATA x", "DATA y"), "not good"],
        ["DATA x 0\n", "not good"],
      ];
      for (const [signed, says, trusted] of refused)
        await expect(checkSignature(ring.gpg, signed, [trusted ?? key]), says).rejects.toThrow(says);
      await expect(late.gpg.clearsigned(text, expired)).rejects.toThrow("cannot sign");
      expect(await late.gpg.signingKeys()).toMatchObject([{ key: expired, usable: false }]);
      expect(await strange.gpg.signingKeys()).toMatchObject([{ key: foreign, usable: true }]);
    } finally {
      await strange.remove();
      await late.remove();
    }
  });
});
