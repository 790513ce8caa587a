import { execFileSync } from "node:child_process";
import { accessSync, constants, statfsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArchiveFault, unpackArchive } from "../../node/build/archive.ts";
import { findProgram } from "../../node/build/programs.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzzSlow } from "./fuzz.ts";
import { type Member, zipOf } from "./zip.ts";

/** In memory where there is room: fifty thousand folders come and go. */
function roomyFolder(): string {
  const memory = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize > 1 << 30) accessSync(memory, constants.W_OK);
    else return tmpdir();
    return memory;
  } catch {
    return tmpdir();
  }
}

let dir: string;
let inside: string;
/** As deep as hostile paths climb. */
const deep = ["a", "b", "c", "d"];
beforeAll(async () => {
  dir = await mkdtemp(path.join(roomyFolder(), "swarmd-hostile-"));
  inside = path.join(dir, ...deep);
  await mkdir(inside, { recursive: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const kinds = ["file", "directory", "symlink", "link", "fifo", "character-device", "block-device"] as const;
const fileTypes = [0o100644, 0o100755, 0o120777, 0o020666, 0o060666, 0o010644, 0o140777, 0] as const;

function nameOf(dice: Dice): string {
  const parts = ["x", "y", "l", ".", "..", "", "é", "a\\b", "C:", " ", "n".repeat(99), "n".repeat(300), "\0"];
  const name = Array.from(
    { length: 1 + dice.below(5) },
    () => parts[dice.once(2) ? dice.below(3) : dice.below(parts.length)],
  ).join("/");
  return dice.once(15) ? path.join(dir, name) : dice.once(15) ? `/${name}` : name;
}

const targetOf = (dice: Dice): string =>
  dice.pick([dir, "..", "../..", ".", "x", "l", "x/y", "/", "", "t".repeat(5000), "../".repeat(5)]);
const bodyOf = (dice: Dice): string => (dice.once(1500) ? "\0".repeat(3 << 20) : "x".repeat(dice.size(3000)));

/** A tar of anything, by its own rules sound. */
async function tarOf(dice: Dice): Promise<Uint8Array> {
  const entries: TarEntry[] = Array.from({ length: 1 + dice.below(6) }, () => {
    const type = dice.once(2) ? dice.pick(["file", "symlink"] as const) : dice.pick(kinds);
    const body = type === "file" ? bodyOf(dice) : "";
    return {
      header: {
        name: nameOf(dice),
        type,
        size: body.length,
        linkname: dice.once(2) ? nameOf(dice) : targetOf(dice),
      },
      body,
    };
  });
  return packTar(entries);
}

function anyZip(dice: Dice): Uint8Array {
  const members: Member[] = Array.from({ length: 1 + dice.below(6) }, () => {
    const mode = dice.once(2) ? 0o100644 : dice.pick(fileTypes);
    const body = mode === 0o120777 ? targetOf(dice) : bodyOf(dice);
    const says = dice.once(8) ? dice.pick([0, 1, 2 ** 31, 2 ** 32 - 2]) : undefined;
    return { name: nameOf(dice), body: Buffer.from(body), mode, flags: dice.once(20) ? 1 : 0, says };
  });
  return zipOf(members);
}

const xz = findProgram("xz");
const tooling = xz === undefined ? [] : [xz];
/** To unpack by xz starts a program: seldom, and altered where it is packed already. */
const packedByXz = tooling.map((program) => execFileSync(program, ["-c"], { input: Buffer.alloc(1 << 20) }));

async function hostileArchive(dice: Dice): Promise<Uint8Array> {
  if (packedByXz.length > 0 && dice.once(100)) return hostileBytes(dice, packedByXz, 100_000);
  const sound = dice.once(3) ? anyZip(dice) : await tarOf(dice);
  const other = dice.once(3) ? anyZip(dice) : sound;
  const altered = dice.once(2) ? sound : hostileBytes(dice, [sound, other], 4 << 20);
  const packed = dice.below(4) === 0 ? gzipSync(altered, { level: 1 }) : altered;
  const zstd = packed === altered && dice.once(4) ? zstdCompressSync(altered) : packed;
  return dice.once(6) ? hostileBytes(dice, [zstd], 4 << 20) : zstd;
}

/** Whatever lies where nothing may be written. */
async function strayed(): Promise<string[]> {
  const found: string[] = [];
  for (let depth = 0; depth < deep.length; depth++) {
    const names = await readdir(path.join(dir, ...deep.slice(0, depth)));
    found.push(...names.filter((name) => name !== deep[depth]));
  }
  return found;
}

test("hostile archives are unpacked into their folder or refused with a remedy, and nothing is written outside", async () => {
  let number = 0;
  const { refused } = await fuzzSlow({
    make: hostileArchive,
    run: async (bytes) => {
      const place = path.join(inside, `${number++}`);
      const target = path.join(place, "t");
      await mkdir(target, { recursive: true });
      const file = path.join(place, "archive");
      await writeFile(file, bytes);
      try {
        await unpackArchive(file, target, 0);
        return undefined;
      } catch (error) {
        if (!(error instanceof ArchiveFault)) throw error;
        expect(error.trouble.hint).toBeTruthy();
        return wordFor(error.message);
      } finally {
        expect((await readdir(place)).sort()).toEqual(["archive", "t"]);
        if (number % 64 === 0) expect(await strayed()).toEqual([]);
        await rm(place, { recursive: true });
      }
    },
    // Packing and unpacking go by the byte, and so does writing.
    moreMs: (bytes) => bytes.length / 50_000,
    atOnce: 24,
    cases: 600,
  });
  expect(await strayed()).toEqual([]);
  for (const word of ["leaves", "absolute", "device or pipe", "damaged", "no archive"])
    expect(refused[word], word).toBeGreaterThan(0);
});

/** What a refusal is about, in a word. */
function wordFor(message: string): string {
  const words: [RegExp, string][] = [
    [/leads out of it/, "leaves"],
    [/is absolute/, "absolute"],
    [/is a (fifo|character|block|contiguous)|is no file, folder/, "device or pipe"],
    [/damaged/, "damaged"],
    [/no tar/, "no archive"],
    [/more than an honest/, "bomb"],
    [/both a|there twice/, "twice"],
  ];
  return words.find(([pattern]) => pattern.test(message))?.[1] ?? "other";
}

test("a zip that lies about the size of what is refused anyway is refused, and ends nobody", async () => {
  const place = path.join(inside, "lie");
  await mkdir(path.join(place, "t"), { recursive: true });
  const file = path.join(place, "archive");
  const body = Buffer.alloc(5000, "x");
  await writeFile(file, zipOf([{ name: "../x", body, mode: 0o100644, flags: 0, says: 1 }]));
  await expect(unpackArchive(file, path.join(place, "t"), 0)).rejects.toThrow(ArchiveFault);
  await rm(place, { recursive: true });
});

test("a zip whose first member is damaged is refused, however deep the folder it would go to", async () => {
  const place = path.join(inside, "damaged");
  await mkdir(path.join(place, "t"), { recursive: true });
  const file = path.join(place, "archive");
  const name = "a/b/c/d/e/f/x";
  const bytes = Buffer.from(
    zipOf([{ name, body: Buffer.alloc(500, "x"), mode: 0o100644, flags: 0, says: undefined }]),
  );
  bytes[30 + name.length] = 0xff; // a block of no known kind
  await writeFile(file, bytes);
  await expect(unpackArchive(file, path.join(place, "t"), 0)).rejects.toThrow(/damaged/);
  await rm(place, { recursive: true });
});
