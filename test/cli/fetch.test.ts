import { mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkedPath, placeFile } from "../../cli/placing.ts";
import { readFetched } from "../../node/control/fetched.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { MemoryControl } from "../control/memory.ts";
import { Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
beforeEach(async () => {
  terminal = await Terminal.open();
});
afterEach(() => terminal.close());

const filesIn = async (dir: string) =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .sort();

describe("fetch", () => {
  test("brings what nobody consumes, with its mode, into out/NAME, and remembers it", async () => {
    await terminal.serve(new MemoryControl());
    await terminal.good("submit", await writeSpec(terminal));
    expect(await terminal.good("fetch", "three")).toBe("1 file, 23 B, in out/three\n");
    const file = path.join(terminal.dir, "out/three/bin/program");
    expect(await readFile(file, "utf8")).toBe("content of bin/program\n");
    expect((await stat(file)).mode & 0o111).not.toBe(0);
    expect(await filesIn(path.join(terminal.dir, "out"))).toEqual(["three/bin/program"]);
    expect(await readFetched(terminal.home)).toEqual(new Set(["three-5feceb66ff"]));
  });

  test("brings all, or what is named, and folders with what is below them", async () => {
    await terminal.serve(new MemoryControl());
    const spec = await terminal.write(
      "folder.yaml",
      "swarmd: 1\nname: folder\nactions: {make: {run: 'true', out: [tree/, a.txt]}}\n",
    );
    await terminal.good("submit", spec);
    await terminal.good("fetch", "folder", "--to", "x");
    expect(await filesIn(path.join(terminal.dir, "x"))).toEqual(["a.txt", "tree/inner/file"]);
    await terminal.good("fetch", "folder", "--to", "y", "tree/");
    expect(await filesIn(path.join(terminal.dir, "y"))).toEqual(["tree/inner/file"]);
    await terminal.good("submit", await writeSpec(terminal));
    await terminal.good("fetch", "three", "--to", "z", "--all");
    expect(await filesIn(path.join(terminal.dir, "z"))).toEqual(["bin/program", "obj/a.o", "obj/b.o"]);
  });

  test("replaces what was fetched before", async () => {
    await terminal.serve(new MemoryControl());
    await terminal.good("submit", await writeSpec(terminal));
    const file = await terminal.write("out/three/bin/program", "old");
    await terminal.good("fetch", "three");
    expect(await readFile(file, "utf8")).toBe("content of bin/program\n");
  });

  test("says so where nothing can be made", async () => {
    await terminal.serve(new MemoryControl());
    await terminal.good("submit", await writeSpec(terminal));
    const { code, stderr } = await terminal.run("fetch", "three", "--to", "/proc/nope");
    expect(code).toBe(4);
    expect(stderr).toContain("/proc/nope cannot be written to");
  });

  test("waits for what a complete build made as long as the node has not heard of it", async () => {
    let heard = false;
    class Late extends MemoryControl {
      override async build(build: BuildId) {
        const view = await super.build(build);
        return heard ? view : { ...view, awaited: 1, actionViews: [] };
      }
      override async *watch(build: BuildId, signal: AbortSignal) {
        heard ||= hears;
        yield* super.watch(build, signal);
      }
    }
    let hears = false;
    await terminal.serve(new Late());
    await terminal.good("submit", await writeSpec(terminal));
    const { code, stderr } = await terminal.run("fetch", "three");
    expect(code).toBe(2);
    expect(stderr).toContain(
      "this node has not heard yet what 1 action of three-5feceb66ff made\n→ again in a while",
    );
    hears = true;
    expect(await terminal.good("fetch", "three")).toBe("1 file, 23 B, in out/three\n");
  });

  test("says so when what a complete build made counts no more, for its makers were disowned or its bytes are lost", async () => {
    class Disowned extends MemoryControl {
      override async build(build: BuildId) {
        const view = await super.build(build);
        const actionViews = view.actionViews.map((action) => ({ ...action, state: "ready" as const }));
        return { ...view, actionViews };
      }
    }
    await terminal.serve(new Disowned());
    await terminal.good("submit", await writeSpec(terminal));
    const { code, stderr } = await terminal.run("fetch", "three");
    expect(code).toBe(2);
    expect(stderr).toContain(
      "what three-5feceb66ff made counts no more: members who made it were disowned, or all copies were lost\n→ submit its spec again",
    );
  });

  test("says what to do when there is nothing to fetch", async () => {
    await terminal.serve(new MemoryControl({ failing: ["link"] }));
    await terminal.run("submit", await writeSpec(terminal));
    const { code, stderr } = await terminal.run("fetch", "three");
    expect(code).toBe(2);
    expect(stderr).toContain("has no results\n→ how it stands: swarmd watch three-5feceb66ff");
  });
});

describe("placing a file", () => {
  const bytes = Buffer.from("hello");
  const digest = digestOf(bytes);
  async function* content(...parts: Uint8Array[]) {
    yield* parts;
  }
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => "placed",
      (thrown) => (thrown instanceof SwarmError ? thrown.code : thrown),
    );

  test.for(["../x", "/etc/x", "a/../../x", "a//x", "", ".", "a/.", "a\0b"])(
    "refuses the path %j",
    (given) => {
      expect(() => checkedPath(given)).toThrow(SwarmError);
    },
  );

  test("refuses a link on the way that leads out, and makes nothing behind it", async () => {
    const outside = path.join(terminal.dir, "outside");
    const inside = path.join(terminal.dir, "inside");
    await mkdir(outside);
    await mkdir(inside);
    await symlink(outside, path.join(inside, "link"));
    for (const place of ["link/x", "link/deep/x"])
      expect(await codeOf(placeFile(inside, place, digest, content(bytes), false))).toBe("refused");
    expect(await readdir(outside)).toEqual([]);
  });

  test("replaces a link instead of writing through it", async () => {
    const outside = await terminal.write("outside.txt", "mine");
    const inside = path.join(terminal.dir, "inside");
    await mkdir(inside);
    await symlink(outside, path.join(inside, "x"));
    await placeFile(inside, "x", digest, content(bytes), false);
    expect(await readFile(outside, "utf8")).toBe("mine");
    expect(await readFile(path.join(inside, "x"), "utf8")).toBe("hello");
  });

  test("leaves nothing and changes nothing when the bytes are others or break off", async () => {
    const inside = path.join(terminal.dir, "inside");
    await placeFile(inside, "a/x", digest, content(bytes), false);
    async function* broken() {
      yield bytes.subarray(0, 2);
      throw new SwarmError("daemon-unreachable", "gone");
    }
    expect(await codeOf(placeFile(inside, "a/x", digest, content(Buffer.from("jello")), false))).toBe(
      "blob-corrupt",
    );
    expect(await codeOf(placeFile(inside, "a/x", digest, content(bytes, bytes), false))).toBe("blob-corrupt");
    expect(await codeOf(placeFile(inside, "a/x", digest, broken(), false))).toBe("daemon-unreachable");
    expect(await filesIn(inside)).toEqual(["a/x"]);
    expect(await readFile(path.join(inside, "a/x"), "utf8")).toBe("hello");
  });

  test("does not replace a folder by a file, nor a file by a folder", async () => {
    const inside = path.join(terminal.dir, "inside");
    await placeFile(inside, "a/x", digest, content(bytes), false);
    expect(await codeOf(placeFile(inside, "a", digest, content(bytes), false))).toBe("refused");
    expect(await codeOf(placeFile(inside, "a/x/y", digest, content(bytes), false))).toBe("refused");
  });
});
