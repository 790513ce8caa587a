import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createWorkspaces, type Workspaces } from "../../node/build/workspace.ts";
import { blobTimeSeconds, type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import type { InputFile } from "../../protocol/build/graph.ts";

describe("workspaces", () => {
  let home: string;
  let dir: string;
  let blobs: DiskBlobs;
  let discarded: string[];
  let workspaces: Workspaces;
  beforeEach(async () => {
    home = await mkdtemp(path.join(tmpdir(), "swarmd-workspace-"));
    dir = path.join(home, "actions");
    blobs = await openBlobStore(path.join(home, "blobs"));
    discarded = [];
    workspaces = createWorkspaces(blobs, dir, (folder) => discarded.push(folder));
  });
  afterEach(() => rm(home, { recursive: true }));

  const file = async (at: string, content = at, executable = false): Promise<InputFile> => ({
    path: at,
    digest: await blobs.put(Buffer.from(content)),
    executable,
  });
  const files = (...paths: string[]) => Promise.all(paths.map((at) => file(at)));
  const output = (at: string) => ({ path: at, kind: "file" as const });

  it("stages a folder without outputs once, and binds it for every action that has it", async () => {
    const headers = await files("src/a.h", "src/in/b.h");
    const first = await workspaces.prepare({ files: headers, outputs: [output("obj/x.o")] }, true);
    const second = await workspaces.prepare({ files: headers, outputs: [output("obj/y.o")] }, true);
    expect(first.binds).toEqual(second.binds);
    expect(first.binds.map((bind) => bind.to)).toEqual(["src"]);
    expect(readFileSync(`${first.binds[0]!.from}/in/b.h`, "utf8")).toBe("src/in/b.h");
    expect(first.dir).not.toBe(second.dir);
    expect(existsSync(`${first.dir}/work/obj`)).toBe(true);
  });

  it("binds the shared parts of a large folder apart from what differs", async () => {
    const many = await files(...Array.from({ length: 150 }, (_, i) => `src/include/h${i}.h`));
    const one = await workspaces.prepare(
      { files: [...many, await file("src/one.cc")], outputs: [output("o")] },
      true,
    );
    const two = await workspaces.prepare(
      { files: [...many, await file("src/two.cc")], outputs: [output("o")] },
      true,
    );
    const shared = (binds: typeof one.binds) => binds.find((bind) => bind.to === "src/include")?.from;
    expect(shared(one.binds)).toBeDefined();
    expect(shared(one.binds)).toBe(shared(two.binds));
    expect(one.binds.map((bind) => bind.to).sort()).toEqual(["src/include", "src/one.cc"]);
    expect(readdirSync(path.join(dir, "stage"))).toHaveLength(1);
  });

  it("binds single inputs that lie beside an output, and copies them where they are many", async () => {
    const few = await workspaces.prepare(
      { files: await files("obj/a.o"), outputs: [output("obj/b.o")] },
      true,
    );
    expect(few.binds.map((bind) => bind.to)).toEqual(["obj/a.o"]);
    const names = Array.from({ length: 60 }, (_, i) => `obj/${i}.o`);
    const many = await workspaces.prepare(
      { files: await files(...names), outputs: [output("obj/b.o")] },
      true,
    );
    expect(many.binds).toEqual([]);
    const copied = lstatSync(`${many.dir}/work/obj/7.o`);
    expect(copied.nlink).toBe(1);
    expect(copied.mtimeMs).toBe(blobTimeSeconds * 1000);
  });

  it("copies what lies inside an output folder, so that it may be changed there", async () => {
    const inputs = await files("tree/in/a", "tree/b");
    const workspace = await workspaces.prepare(
      { files: inputs, outputs: [{ path: "tree", kind: "folder" }] },
      true,
    );
    expect(workspace.binds).toEqual([]);
    expect(readFileSync(`${workspace.dir}/work/tree/in/a`, "utf8")).toBe("tree/in/a");
  });

  it("links every input where there is no box, with its mode", async () => {
    const inputs = [await file("a/b"), await file("run", "#!/bin/sh", true)];
    const workspace = await workspaces.prepare({ files: inputs, outputs: [output("out/x")] }, false);
    expect(workspace.binds).toEqual([]);
    const linked = lstatSync(`${workspace.dir}/work/a/b`);
    expect(linked.ino).toBe(lstatSync(blobs.path(inputs[0]!.digest)).ino);
    expect(linked.mode & 0o777).toBe(0o444);
    expect(lstatSync(`${workspace.dir}/work/run`).mode & 0o777).toBe(0o555);
    expect(existsSync(`${workspace.dir}/work/out`)).toBe(true);
    expect(existsSync(`${workspace.dir}/tmp`)).toBe(true);
  });

  it("gives a workspace that was left empty to the next action, and discards any other", async () => {
    const first = await workspaces.prepare({ files: [], outputs: [] }, false);
    first.release();
    const second = await workspaces.prepare({ files: [], outputs: [] }, false);
    expect(second.dir).toBe(first.dir);
    writeFileSync(`${second.dir}/work/left`, "");
    second.release();
    const third = await workspaces.prepare({ files: [], outputs: [] }, false);
    expect(third.dir).not.toBe(first.dir);
    writeFileSync(`${third.dir}/tmp/left`, "");
    third.release();
    expect(discarded).toEqual([second.dir, third.dir]);
  });

  it("discards one in which the place of its output is something else", async () => {
    const odd = await workspaces.prepare({ files: [], outputs: [] }, false);
    mkdirSync(`${odd.dir}/out/in`, { recursive: true });
    odd.release();
    expect(discarded).toEqual([odd.dir]);
    const next = await workspaces.prepare({ files: [], outputs: [] }, false);
    expect(next.dir).not.toBe(odd.dir);
  });

  it("stages a folder once for actions that begin together", async () => {
    const headers = await files(...Array.from({ length: 30 }, (_, i) => `inc/${i}.h`));
    const all = await Promise.all(
      Array.from({ length: 8 }, () => workspaces.prepare({ files: headers, outputs: [output("o")] }, true)),
    );
    expect(new Set(all.map((workspace) => workspace.binds[0]!.from)).size).toBe(1);
  });

  it("refuses paths that lead out or cannot stand together, and leaves nothing behind", async () => {
    const [a] = await files("a");
    const cases: { files: InputFile[]; outputs: { path: string; kind: "file" }[] }[] = [
      ...["/abs", "../up", "a/../b", "a//b", "./a", "a/", "nul\0"].map((at) => ({
        files: [{ ...a!, path: at }],
        outputs: [],
      })),
      ...["/abs", "../up", "a/.."].map((at) => ({ files: [], outputs: [output(at)] })),
      { files: [a!, { ...a!, path: "a/b" }], outputs: [] },
      { files: [{ ...a!, path: "a/b" }, a!], outputs: [] },
      { files: [a!, a!], outputs: [] },
      { files: [a!], outputs: [output("a")] },
      { files: [a!], outputs: [output("a/b")] },
    ];
    for (const request of cases)
      for (const boxed of [true, false])
        await expect(workspaces.prepare(request, boxed), JSON.stringify(request)).rejects.toMatchObject({
          code: "malformed",
        });
    expect(readdirSync(dir)).toEqual(["stage"]);
  });

  it.each([true, false])(
    "lays out nothing that rotted on this disk since it came (boxed: %s)",
    async (boxed) => {
      const inputs = [await file("in/a"), await file("in/run", "#!/bin/sh", true), await file("beside")];
      const request = { files: inputs, outputs: [output("in/made")] };
      for (const { digest, path: at } of inputs) {
        const place = blobs.path(digest);
        const bytes = readFileSync(place);
        chmodSync(place, 0o644);
        writeFileSync(place, Buffer.from([bytes[0]! ^ 1, ...bytes.subarray(1)]));
        utimesSync(place, blobTimeSeconds, blobTimeSeconds);
        expect(blobs.has(digest)).toBe(true);
        await expect(workspaces.prepare(request, boxed), at).rejects.toMatchObject({ code: "blob-corrupt" });
        expect(blobs.has(digest)).toBe(false);
        await blobs.put(bytes);
      }
      const copy = await blobs.executablePath(inputs[1]!.digest);
      chmodSync(copy, 0o755);
      writeFileSync(copy, "#!/bin/sj");
      utimesSync(copy, blobTimeSeconds, blobTimeSeconds);
      const { dir: laid, binds } = await workspaces.prepare(request, boxed);
      const bound = binds.find(({ to }) => to === "in/run")?.from ?? `${laid}/work/in/run`;
      expect(readFileSync(bound, "utf8")).toBe("#!/bin/sh");
    },
  );

  it("says which blob is missing and can stage the folder once it is there", async () => {
    const [present] = await files("inc/a.h");
    const { digest } = await file("x", "arrives late");
    const place = blobs.path(digest);
    await rm(place);
    const late = { path: "inc/b.h", digest, executable: false };
    const request = { files: [present!, late], outputs: [] };
    await expect(workspaces.prepare(request, true)).rejects.toMatchObject({ code: "blob-missing" });
    await blobs.put(Buffer.from("arrives late"));
    const workspace = await workspaces.prepare(request, true);
    expect(readFileSync(`${workspace.binds[0]!.from}/b.h`, "utf8")).toBe("arrives late");
  });
});
