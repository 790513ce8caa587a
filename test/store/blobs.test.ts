import {
  chmod,
  link,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobTimeSeconds, type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { ListMaker, pieceAt } from "../../node/store/pieces.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { blobContract } from "../contract/blobs.ts";

const text = (value: string) => new TextEncoder().encode(value);

blobContract("the store on disk", async () => {
  const home = await mkdtemp(path.join(tmpdir(), "swarmd-blobs-"));
  return {
    blobs: await openBlobStore(path.join(home, "blobs")),
    scratch: home,
    close: () => rm(home, { recursive: true }),
  };
});

blobContract("the store on disk with fsync", async () => {
  const home = await mkdtemp(path.join(tmpdir(), "swarmd-blobs-"));
  return {
    blobs: await openBlobStore(path.join(home, "blobs"), { fsync: true }),
    scratch: home,
    close: () => rm(home, { recursive: true }),
  };
});

describe("the blob store on disk", () => {
  let home: string;
  let dir: string;
  let blobs: DiskBlobs;
  beforeEach(async () => {
    home = await mkdtemp(path.join(tmpdir(), "swarmd-blobs-"));
    dir = path.join(home, "blobs");
    blobs = await openBlobStore(dir);
  });
  afterEach(() => rm(home, { recursive: true }));

  /** Root may write anywhere; everybody else must take the mode off first. */
  async function overwrite(file: string, content: string) {
    await chmod(file, 0o644);
    await writeFile(file, content);
  }

  it("keeps blobs read-only, at one fixed time, under two and sixty-two digits", async () => {
    const digest = await blobs.put(text("one"));
    expect(blobs.path(digest)).toBe(path.join(dir, digest.slice(0, 2), digest.slice(2, 64)));
    const found = await stat(blobs.path(digest));
    expect(found.mode & 0o777).toBe(0o444);
    expect(found.mtimeMs).toBe(blobTimeSeconds * 1000);
  });

  it("gives an executable as a second file of mode 0555", async () => {
    const digest = await blobs.put(text("#!/bin/sh\n"));
    const file = await blobs.executablePath(digest);
    expect((await stat(file)).mode & 0o777).toBe(0o555);
    expect((await stat(blobs.path(digest))).mode & 0o777).toBe(0o444);
    expect(await readFile(file, "utf8")).toBe("#!/bin/sh\n");
    expect(await blobs.executablePath(digest)).toBe(file);
  });

  it("makes an executable anew when somebody wrote into it", async () => {
    const digest = await blobs.put(text("#!/bin/sh\n"));
    await overwrite(await blobs.executablePath(digest), "#!/bin/no\n");
    expect(await readFile(await blobs.executablePath(digest), "utf8")).toBe("#!/bin/sh\n");
  });

  it("notices that a blob was written to, sets it aside, and takes it again", async () => {
    const digest = await blobs.put(text("true words"));
    await overwrite(blobs.path(digest), "fake words");
    expect(blobs.has(digest)).toBe(false);
    expect(() => blobs.path(digest)).toThrow(expect.objectContaining({ code: "blob-missing" }));
    await blobs.put(text("true words"));
    expect(Buffer.from(await blobs.read(digest)).toString()).toBe("true words");
  });

  it("notices on reading what the file's time does not tell", async () => {
    const digest = await blobs.put(text("true words"));
    const file = blobs.path(digest);
    await overwrite(file, "fake words");
    await utimes(file, blobTimeSeconds, blobTimeSeconds);
    await expect(blobs.read(digest)).rejects.toMatchObject({ code: "blob-corrupt" });
    expect(blobs.has(digest)).toBe(false);
  });

  it("keeps good blobs whose times were lost", async () => {
    const digest = await blobs.put(text("copied home"));
    await utimes(blobs.path(digest), 1_700_000_000, 1_700_000_000);
    expect(blobs.has(digest)).toBe(true);
    expect((await stat(blobs.path(digest))).mtimeMs).toBe(blobTimeSeconds * 1000);
  });

  it("finds everything again after a restart, and clears what an interrupted write left", async () => {
    const digest = await blobs.put(text("lasting"));
    await writeFile(path.join(dir, "tmp", "torn"), "half");
    const again = await openBlobStore(dir);
    expect(again.has(digest)).toBe(true);
    expect(await readdir(path.join(dir, "tmp"))).toEqual([]);
  });

  it("resumes a partial transfer after a restart", async () => {
    const bytes = new Uint8Array(200_000).fill(7);
    const digest = digestOf(bytes);
    await expect(
      blobs.putStream(
        digest,
        (async function* () {
          yield bytes.subarray(0, 50_000);
          throw new Error("power cut");
        })(),
      ),
    ).rejects.toThrow("power cut");
    const again = await openBlobStore(dir);
    expect(again.resumeAt(digest)).toBe(50_000);
    await again.putStream(
      digest,
      (async function* () {
        yield bytes.subarray(50_000);
      })(),
      50_000,
    );
    expect(again.has(digest)).toBe(true);
  });

  it("moves a finished file in, and copies one that has a second name", async () => {
    const [moved, named, second] = ["moved", "named", "second"].map((name) => path.join(home, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(moved, "moved");
    const digest = await blobs.takeFile(moved);
    await expect(stat(moved)).rejects.toMatchObject({ code: "ENOENT" });
    expect(Buffer.from(await blobs.read(digest)).toString()).toBe("moved");
    await writeFile(named, "named");
    await link(named, second);
    const other = await blobs.takeFile(named);
    await writeFile(second, "changed");
    expect(Buffer.from(await blobs.read(other)).toString()).toBe("named");
  });

  it("takes nothing but regular files", async () => {
    const target = path.join(home, "target");
    await writeFile(target, "secret");
    await symlink(target, path.join(home, "link"));
    for (const take of [blobs.takeFile, blobs.putFile])
      for (const file of ["link", "blobs", "absent"])
        await expect(take(path.join(home, file))).rejects.toMatchObject({ code: "refused" });
  });

  it("sets aside what rotted unnoticed, with what was made of it", async () => {
    const bytes = new Uint8Array(5 << 20).fill(7);
    const digest = await blobs.put(bytes);
    expect(await blobs.recheck(digest)).toBe(true);
    await blobs.pieced(digest);
    const copy = await blobs.executablePath(digest);
    const file = blobs.path(digest);
    bytes[1_000_000] = 8;
    await chmod(file, 0o644);
    await writeFile(file, bytes);
    await utimes(file, blobTimeSeconds, blobTimeSeconds);
    expect(blobs.has(digest)).toBe(true);
    expect(await blobs.recheck(digest)).toBe(false);
    expect(blobs.has(digest)).toBe(false);
    expect(await blobs.pieced(digest)).toBeUndefined();
    await expect(stat(copy)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readdir(path.join(dir, "bad"))).toHaveLength(1);
    expect(await readdir(path.join(dir, "lists"))).toEqual([]);
    expect(await blobs.recheck(digest)).toBe(false);
  });

  it("counts what is kept of a blob in pieces, and forgets it after a week", async () => {
    const bytes = new Uint8Array(5 << 20).fill(9);
    const digest = digestOf(bytes);
    const maker = new ListMaker(digest);
    maker.update(bytes);
    const { bytes: each } = pieceAt(digest, 3);
    const brokenOff = blobs.gather(digest, maker.list(), async (gathering) => {
      await gathering.put(3, bytes.subarray(3 * each, 4 * each));
      expect(blobs.bytesHere(digest)).toBe(each);
      expect(blobs.clearLeftovers(Date.now() + 8 * 86_400_000)).toBe(0);
    });
    await expect(brokenOff).rejects.toMatchObject({ code: "blob-missing" });
    expect(blobs.bytesHere(digest)).toBe(each);
    expect(blobs.clearLeftovers(Date.now() + 6 * 86_400_000)).toBe(0);
    expect(blobs.clearLeftovers(Date.now() + 8 * 86_400_000)).toBe(2);
    expect(blobs.bytesHere(digest)).toBe(0);
    expect(await readdir(path.join(dir, "partial"))).toEqual([]);
  });

  it("says so when the disk is full, and leaves nothing torn", async () => {
    const bytes = new Uint8Array(100_000);
    const digest = digestOf(bytes);
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    const failing = (async function* () {
      yield bytes.subarray(0, 10_000);
      throw full;
    })();
    await expect(blobs.putStream(digest, failing)).rejects.toMatchObject({ code: "disk-full" });
    expect(blobs.has(digest)).toBe(false);
    expect(blobs.resumeAt(digest)).toBe(0);
  });

  it("stores any bytes in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), async (pieces) => {
        const whole = Buffer.concat(pieces);
        await blobs.putStream(
          digestOf(whole),
          (async function* () {
            yield* pieces;
          })(),
        );
        expect(Buffer.compare(await blobs.read(digestOf(whole)), whole)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
