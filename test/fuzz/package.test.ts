import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readControl, readDeb } from "../../node/release/formats/deb.ts";
import { readGpkg } from "../../node/release/formats/gpkg.ts";
import { readSegment, readXpak } from "../../node/release/formats/xpak.ts";
import { readElf } from "../../protocol/build/elf.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { elfOf } from "../release/elves.ts";
import {
  debOf,
  demoControl,
  demoFiles,
  demoMetadata,
  gpkgOf,
  tarOf,
  xpakOf,
  xpakSegment,
} from "../release/packages.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzz, fuzzSlow } from "./fuzz.ts";
import { hostileText } from "./text.ts";

let dir: string;
let scratch: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-fuzz-packages-"));
  scratch = path.join(dir, "scratch");
  await mkdir(scratch);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const elf = { name: "image/usr/bin/x", body: elfOf(), mode: 0o755 };
const sampleBytesMax = 1 << 20;

/** A gpkg whose sums hold though what they are of was altered. */
async function hostileGpkg(dice: Dice): Promise<Uint8Array> {
  const whole = await gpkgOf({ files: [...demoFiles, elf] });
  if (dice.once(3)) return hostileBytes(dice, [whole], sampleBytesMax);
  const image = await tarOf([...demoFiles, elf]);
  const broken = dice.once(2) ? hostileBytes(dice, [image], sampleBytesMax) : undefined;
  return gpkgOf({
    pack: (tar) =>
      dice.once(2)
        ? zstdCompressSync(broken ?? tar)
        : hostileBytes(dice, [zstdCompressSync(tar)], sampleBytesMax),
    ...(dice.once(4) && { manifest: (text: string) => hostileText(dice, [text], 4096) }),
  });
}

const readers = {
  gpkg: { read: readGpkg, make: hostileGpkg },
  xpak: { read: readXpak, make: async (dice: Dice) => hostileBytes(dice, [await xpakOf()], sampleBytesMax) },
  deb: { read: readDeb, make: async (dice: Dice) => hostileBytes(dice, [await debOf()], sampleBytesMax) },
};

for (const [kind, { read, make }] of Object.entries(readers))
  test(`hostile ${kind} files are read or refused, and leave nothing behind`, async () => {
    let number = 0;
    const { refused, taken } = await fuzzSlow({
      make,
      run: async (bytes) => {
        const file = path.join(dir, `${kind}-${number++}`);
        await writeFile(file, bytes);
        try {
          const { content } = await read(file, scratch);
          expect(content.files).toBeGreaterThanOrEqual(0);
          return undefined;
        } catch (error) {
          if (!(error instanceof SwarmError)) throw error;
          expect(error.remedy).toBeTruthy();
          return error.code;
        } finally {
          await rm(file);
        }
      },
      // Writing and reading the file, several streams for each: they go by the kilobyte.
      moreMs: (bytes) => 50 + bytes.length / 20_000,
      atOnce: 4,
      cases: 400,
    });
    expect(await readdir(scratch)).toEqual([]);
    expect(refused.malformed).toBeGreaterThan(0);
    expect(taken).toBeLessThan(1);
  });

test("hostile ELF files are read within their bounds or refused", () => {
  const samples = [elfOf(), elfOf({ bits: 32 }), elfOf({ endian: "big", machine: 22 })];
  const { refused, taken } = fuzz({
    make: (dice) => hostileBytes(dice, samples, 1 << 16),
    run: (bytes) => {
      const facts = readElf((offset, length) => {
        expect(length).toBeLessThanOrEqual(1 << 16);
        return bytes.subarray(offset, offset + length);
      }, bytes.length);
      expect(facts.needed.length).toBeLessThanOrEqual(1024);
    },
  });
  expect(refused.malformed).toBeGreaterThan(0);
  expect(taken).toBeGreaterThan(0);
});

test("hostile xpak metadata are read or refused", () => {
  const segment = xpakSegment(demoMetadata);
  const { refused } = fuzz({
    make: (dice) => hostileBytes(dice, [segment.subarray(0, -8)], 1 << 16),
    run: (bytes) => {
      readSegment(Buffer.from(bytes));
    },
  });
  expect(refused.malformed).toBeGreaterThan(0);
});

test("hostile control files are read or refused", () => {
  const { refused } = fuzz({
    make: (dice) => hostileText(dice, [demoControl], 1 << 14),
    run: (text) => {
      expect(readControl(text).get("Package")).toMatch(/^[a-z0-9]/);
    },
  });
  expect(refused.malformed).toBeGreaterThan(0);
});
