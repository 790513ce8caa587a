/** An epoch with every kind of bad package in it, laid out as a mirror does with a real key ring: each is refused by name, the rest is served whole. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { RefusedFile } from "../../node/release/formats/format.ts";
import { signGpkg } from "../../node/release/formats/gpkg-signing.ts";
import { knownFormats } from "../../node/release/formats/known.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { hashOf } from "../../protocol/kernel/digest.ts";
import { encodeManifest, type ReleaseItem } from "../../protocol/release/manifest.ts";
import { hasApt } from "./apt.ts";
import { atMs } from "./channel.ts";
import { readBinhost } from "./gentoo-reader.ts";
import { KeyRing } from "./keys.ts";
import { debOf, demoControl, demoFiles, demoMetadata, gpkgOf } from "./packages.ts";

const named = (PF: string, more = {}) => ({ metadata: { ...demoMetadata, PF, ...more } });
const device = { name: "image/dev/null", type: "character-device" as const };

/** A gpkg as GLEP 78 has it, signed as of a moment in 2020. */
const signedLongAgo = (ring: KeyRing, key: string) =>
  gpkgOf({ ...named("late-1"), manifest: (text) => ring.signLongAgo(text, key).toString() });

test.skipIf(!hasApt)(
  "each bad package is refused by name, and nothing of it is in the index (where gpg is installed)",
  async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "swarmd-bad-"));
    const [ring, strange, late] = [new KeyRing(), new KeyRing(), new KeyRing()];
    try {
      ring.make("garden");
      const expired = late.make("late", true);
      ring.take(late.exported(expired));
      const scratch = path.join(dir, "scratch");
      await mkdir(scratch);
      const plain = path.join(dir, "plain");
      await writeFile(plain, await gpkgOf(named("foreign-1")));
      await signGpkg(plain, path.join(dir, "foreign"), {
        gpg: strange.gpg,
        key: strange.make("eve"),
        scratch,
      });
      const whole = await gpkgOf(named("cut-1"));
      const changed = Buffer.from(await gpkgOf(named("changed-1")));
      changed[changed.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) + 9]! ^= 1;
      const packages: Readonly<Record<string, readonly [bytes: Uint8Array, why?: RegExp]>> = {
        "a-good.gpkg.tar": [await gpkgOf(named("good-1"))],
        "b-same-name.gpkg.tar": [
          await gpkgOf(named("good-1", { BUILD_TIME: "1700000001" })),
          /as is a-good.gpkg.tar, with other content/,
        ],
        "changed.gpkg.tar": [changed, /SHA512|Manifest|sum/],
        "cut.gpkg.tar": [whole.subarray(0, whole.length >> 1), /./],
        "device.gpkg.tar": [
          await gpkgOf({ ...named("device-1"), files: [...demoFiles, device] }),
          /character device/,
        ],
        "expired.gpkg.tar": [await signedLongAgo(late, expired), /has expired/],
        "foreign.gpkg.tar": [await readFile(path.join(dir, "foreign")), /not in the key ring/],
        "leads-out.gpkg.tar": [
          await gpkgOf({
            ...named("out-1"),
            files: [...demoFiles, { name: "image/../../etc/x", body: "x" }],
          }),
          /leads out/,
        ],
        "z-good.gpkg.tar": [await gpkgOf(named("zebra-2"))],
      };
      const blobs = await openBlobStore(path.join(dir, "blobs"));
      const refused: RefusedFile[] = [];
      const showcase = await openShowcase({
        dir: path.join(dir, "shown"),
        blobs,
        formats: knownFormats({ readings: path.join(dir, "readings"), keyRing: ring.dir, origin: "garden" }),
        provenance: async (item, _, servedAs) =>
          `${[item, ...servedAs].map((one) => hashOf(one.digest)).join(" ")}\n`,
        onRefused: (_, files) => refused.push(...files),
      });
      const publish = async (epoch: number, format: string, files: Readonly<Record<string, Uint8Array>>) => {
        const items: ReleaseItem[] = [];
        for (const [name, bytes] of Object.entries(files))
          items.push({
            path: name,
            digest: await blobs.put(bytes),
            build: "tool-0123456789",
            action: "all",
          } as never);
        const manifest = {
          v: 1,
          swarm: "a".repeat(64),
          channel: "stable",
          epoch,
          parent: null,
          atMs: atMs + epoch * 6000,
          format,
          items,
          builds: [],
        };
        const at = { channel: "stable", epoch };
        for (const step of [
          { step: "begin", ...at },
          { step: "fill", ...at, files: items.map(({ path: name, digest }) => ({ path: name, digest })) },
          { step: "index", ...at, manifest: await blobs.put(encodeManifest(manifest as never)) },
          { step: "keep", ...at },
          { step: "switch", ...at },
        ] as const)
          expect(await new Promise((resolve) => showcase.run(step, resolve)), step.step).toBe(undefined);
      };
      await publish(
        1,
        "gentoo",
        Object.fromEntries(Object.entries(packages).map(([name, [bytes]]) => [name, bytes])),
      );
      const bad = Object.entries(packages).filter(([, [, why]]) => why !== undefined);
      expect(refused.map((one) => one.path)).toEqual(bad.map(([name]) => name));
      for (const [index, [name, [, why]]] of bad.entries()) {
        expect(refused[index]!.reason, name).toMatch(why!);
        expect(refused[index]!.remedy, name).toBeTruthy();
      }
      const current = path.join(dir, "shown/stable/current");
      const { packages: served } = await readBinhost(async (name) => {
        const file = path.join(current, name);
        const body = await readFile(file).catch(() => undefined);
        return body && { body, lastModifiedMs: (await stat(file)).mtimeMs };
      });
      expect(served.map((one) => one.get("CPV"))).toEqual(["dev-libs/good-1", "dev-libs/zebra-2"]);
      expect((await readdir(path.join(current, "blobs"))).sort()).toEqual(
        served.map((one) => path.basename(one.get("PATH")!)).sort(),
      );

      // A client asks by the sum of what it got, which the mirror signed; the statement speaks of what was built too.
      for (const [index, one] of served.entries()) {
        const [, sha256] = /([0-9a-f]{64})/.exec(one.get("PATH")!)!;
        const built = hashOf(
          await blobs.put(packages[index === 0 ? "a-good.gpkg.tar" : "z-good.gpkg.tar"]![0]),
        );
        const text = await readFile(path.join(current, `provenance/${sha256}.intoto.jsonl`), "utf8");
        expect(text).toBe(`${built} ${sha256}\n`);
        expect(await readFile(path.join(current, `provenance/${built}.intoto.jsonl`), "utf8")).toBe(text);
      }

      refused.length = 0;
      const out = [{ name: "./../../etc/x", body: "x" }];
      await publish(2, "debian", {
        "a-good.deb": await debOf(),
        "b-same-name.deb": await debOf(demoControl.replace("shown", "otherwise")),
        "c-leads-out.deb": await debOf(demoControl.replace("demo", "out"), out),
        "d-device.deb": await debOf(demoControl.replace("demo", "device"), [
          { ...device, name: "./dev/null" },
        ]),
        "e-cut.deb": (await debOf(demoControl.replace("demo", "cut"))).subarray(0, 100),
      });
      expect(refused.map((one) => one.path)).toEqual([
        "b-same-name.deb",
        "c-leads-out.deb",
        "d-device.deb",
        "e-cut.deb",
      ]);
      const index = await readFile(path.join(current, "dists/stable/main/binary-amd64/Packages"), "utf8");
      expect(index.match(/^Package: .*/gm)).toEqual(["Package: demo"]);
      const pool = await readdir(path.join(current, "pool"), { recursive: true });
      expect(pool.filter((name) => name.endsWith(".deb"))).toHaveLength(1);
    } finally {
      for (const one of [ring, strange, late]) await one.remove();
      await rm(dir, { recursive: true, force: true });
    }
  },
);
