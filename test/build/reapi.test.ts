/** Canonical encodings of folders, commands, actions and results, and the keys that follow from them. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InputFile } from "../../protocol/build/graph.ts";
import { isFileName } from "../../protocol/build/path.ts";
import {
  actionKey,
  buildTree,
  byUtf8,
  type Directory,
  decodeActionResult,
  decodeDirectory,
  encodeActionResult,
  encodeCommand,
  encodeDirectory,
  type KeyedAction,
  type KeyedResult,
  platformOf,
} from "../../protocol/build/reapi.ts";
import { digestOf, emptyDigest } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

const text = (value: string) => new TextEncoder().encode(value);
const digest = fc.string().map((s) => digestOf(text(s)));
const fileName = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter(isFileName);
const directory: fc.Arbitrary<Directory> = fc
  .uniqueArray(fc.tuple(fileName, digest, fc.boolean(), fc.constantFrom("file", "folder", "link")), {
    selector: ([name]) => name,
    maxLength: 20,
  })
  .map((entries) => ({
    files: entries
      .filter((e) => e[3] === "file")
      .map(([name, d, executable]) => ({ name, digest: d, executable })),
    directories: entries.filter((e) => e[3] === "folder").map(([name, d]) => ({ name, digest: d })),
    symlinks: entries.filter((e) => e[3] === "link").map(([name]) => ({ name, target: "../x" })),
  }));
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof SwarmError ? error.code : String(error);
  }
  return "accepted";
};
const byName = (a: { name: string }, b: { name: string }) => byUtf8(a.name, b.name);
const shuffled = <T>(list: readonly T[]) =>
  fc.shuffledSubarray([...list], { minLength: list.length, maxLength: list.length });

/** Protocol buffers by hand, so that the encoder is not checked against itself. */
function number(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...number(Math.floor(value / 128))];
}
const varint = (field: number, value: number): number[] => [...number(field * 8), ...number(value)];
function lengthy(field: number, value: string | number[]): number[] {
  const bytes = typeof value === "string" ? [...text(value)] : value;
  return [...number(field * 8 + 2), ...number(bytes.length), ...bytes];
}

const action: KeyedAction = {
  argv: ["/bin/sh", "-e", "-c", "cc -c a.c -o a.o"],
  env: { B: "2", A: "1" },
  outputs: [
    { path: "b.o", kind: "file" },
    { path: "a.o", kind: "file" },
  ],
  timeoutMs: 600_000,
  cache: true,
  platform: platformOf({ gcc: "12.2" }, "x86_64-linux-gnu"),
};

describe("a Directory", () => {
  it("decodes to what was encoded, sorted", () => {
    fc.assert(
      fc.property(directory, (d) => {
        expect(decodeDirectory(encodeDirectory(d))).toEqual({
          files: [...d.files].sort(byName),
          directories: [...d.directories].sort(byName),
          symlinks: [...d.symlinks].sort(byName),
        });
      }),
    );
  });

  it("has the same bytes in whatever order its entries are given", () => {
    const pair = directory.chain((d) =>
      fc.tuple(fc.constant(d), shuffled(d.files), shuffled(d.directories), shuffled(d.symlinks)),
    );
    fc.assert(
      fc.property(pair, ([d, files, directories, symlinks]) => {
        expect(encodeDirectory({ files, directories, symlinks })).toEqual(encodeDirectory(d));
      }),
    );
  });

  it("sorts names by their UTF-8 bytes, surrogate pairs included", () => {
    const low = "\uffee";
    const high = "\u{1f600}";
    expect([low, high].sort()).toEqual([high, low]);
    const files = [high, low].map((name) => ({ name, digest: emptyDigest, executable: false }));
    const decoded = decodeDirectory(encodeDirectory({ files, directories: [], symlinks: [] }));
    expect(decoded.files.map((f) => f.name)).toEqual([low, high]);
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 6 }),
        fc.string({ unit: "binary", maxLength: 6 }),
        (a, b) => {
          expect(Math.sign(byUtf8(a, b))).toBe(Buffer.compare(text(a), text(b)));
        },
      ),
    );
  });

  it("is encoded with the field numbers of the standard", () => {
    const node = [...lengthy(1, "n"), ...lengthy(2, lengthy(1, emptyDigest.slice(0, 64)))];
    const name = (letter: string) => node.map((b, i) => (i === 2 ? letter.charCodeAt(0) : b));
    const bytes = encodeDirectory({
      files: [
        { name: "x", digest: emptyDigest, executable: true },
        { name: "f", digest: emptyDigest, executable: false },
      ],
      directories: [{ name: "d", digest: emptyDigest }],
      symlinks: [{ name: "l", target: "f" }],
    });
    expect([...bytes]).toEqual([
      ...lengthy(1, name("f")),
      ...lengthy(1, [...name("x"), ...varint(4, 1)]),
      ...lengthy(2, name("d")),
      ...lengthy(3, [...lengthy(1, "l"), ...lengthy(2, "f")]),
    ]);
  });

  it("is empty bytes when it is empty", () => {
    expect(encodeDirectory({ files: [], directories: [], symlinks: [] })).toEqual(new Uint8Array());
    expect(buildTree([]).root).toBe(emptyDigest);
  });

  it("is refused with a name that is none, a name twice, entries out of order, or a wrong digest", () => {
    for (const name of ["", ".", "..", "a/b", "a\0", "\ud800"])
      expect(
        code(() =>
          encodeDirectory({
            files: [{ name, digest: emptyDigest, executable: false }],
            directories: [],
            symlinks: [],
          }),
        ),
      ).toBe("malformed");
    const twice = {
      files: [{ name: "a", digest: emptyDigest, executable: false }],
      directories: [{ name: "a", digest: emptyDigest }],
      symlinks: [],
    };
    expect(code(() => encodeDirectory(twice))).toBe("malformed");
    const node = (name: string) => [0x0a, 2 + name.length, 0x0a, name.length, ...text(name)];
    expect(code(() => decodeDirectory(new Uint8Array(node("a"))))).toBe("malformed");
    const one = (name: string) =>
      encodeDirectory({
        files: [{ name, digest: emptyDigest, executable: false }],
        directories: [],
        symlinks: [],
      });
    expect(code(() => decodeDirectory(Buffer.concat([one("a"), one("b")])))).toBe("accepted");
    expect(code(() => decodeDirectory(Buffer.concat([one("b"), one("a")])))).toBe("malformed");
    expect(code(() => decodeDirectory(Buffer.concat([one("a"), one("a")])))).toBe("malformed");
    expect(code(() => decodeDirectory(new Uint8Array((16 << 20) + 1)))).toBe("too-large");
  });

  it("never answers hostile bytes with anything but a refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(["accepted", "malformed"]).toContain(code(() => decodeDirectory(bytes)));
        expect(["accepted", "malformed"]).toContain(code(() => decodeActionResult(bytes)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a tree", () => {
  const file = (path: string): InputFile => ({
    path,
    digest: digestOf(text(path)),
    executable: path.endsWith("x"),
  });
  const paths = fc.uniqueArray(fc.stringMatching(/^[a-c]{1,2}(\/[a-c]{1,2}){0,3}\.f$/), { maxLength: 30 });

  function flatten(root: Digest, blobs: Map<Digest, Uint8Array>, prefix = ""): InputFile[] {
    const d = decodeDirectory(blobs.get(root)!);
    return [
      ...d.files.map((f) => ({ path: prefix + f.name, digest: f.digest, executable: f.executable })),
      ...d.directories.flatMap((sub) => flatten(sub.digest, blobs, `${prefix}${sub.name}/`)),
    ];
  }

  it("holds exactly the files it was built of, in whatever order they came", () => {
    fc.assert(
      fc.property(
        paths.chain((p) => fc.tuple(fc.constant(p), shuffled(p))),
        ([given, other]) => {
          const tree = buildTree(given.map(file));
          expect(buildTree(other.map(file)).root).toBe(tree.root);
          const byPath = (a: InputFile, b: InputFile) => byUtf8(a.path, b.path);
          expect(flatten(tree.root, tree.blobs).sort(byPath)).toEqual(given.map(file).sort(byPath));
          for (const [digest, bytes] of tree.blobs) expect(digestOf(bytes)).toBe(digest);
        },
      ),
    );
  });

  it("refuses paths that are absolute, climb, repeat, or lie below a file", () => {
    for (const bad of [
      ["/a"],
      ["//a"],
      ["a//b"],
      ["a/"],
      ["../a"],
      ["a/./b"],
      ["a", "a"],
      ["a", "a/b"],
      ["a/b", "a"],
    ])
      expect(code(() => buildTree(bad.map(file)))).toBe("malformed");
  });
});

describe("an action key", () => {
  it("does not depend on the order of environment, outputs or platform", () => {
    const other = {
      ...action,
      env: { A: "1", B: "2" },
      outputs: [...action.outputs].reverse(),
      platform: { target: "x86_64-linux-gnu", "toolchain:gcc": "12.2" },
    };
    expect(actionKey(other, emptyDigest)).toEqual(actionKey(action, emptyDigest));
  });

  it("depends on everything that can change the result", () => {
    const others: KeyedAction[] = [
      { ...action, argv: [...action.argv, ""] },
      { ...action, env: { ...action.env, C: "" } },
      { ...action, outputs: action.outputs.slice(1) },
      { ...action, timeoutMs: 600_001 },
      { ...action, cache: false },
      { ...action, platform: platformOf({ gcc: "12.3" }, "x86_64-linux-gnu") },
      { ...action, platform: platformOf({ gcc: "12.2" }) },
      { ...action, outputs: [{ path: "b.o", kind: "folder" }, action.outputs[1]!] },
      { ...action, outputs: [{ path: "b.o", kind: "folder", promised: ["b.o/x"] }, action.outputs[1]!] },
    ];
    const keys = [action, ...others].map((a) => actionKey(a, emptyDigest).key);
    keys.push(actionKey(action, digestOf(text("other"))).key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("is the digest of the Action, which names the Command by digest", () => {
    const { key, command, action: bytes } = actionKey(action, emptyDigest);
    expect(digestOf(bytes)).toBe(key);
    expect(command).toEqual(encodeCommand(action));
    expect(Buffer.from(bytes).includes(digestOf(command).slice(0, 64))).toBe(true);
  });

  it("is encoded with the field numbers of the standard, in tag order and without defaults", () => {
    const bytesOf = (d: Digest) => [...lengthy(1, d.slice(0, 64)), ...varint(2, Number(d.slice(65)))];
    const pair = (name: string, value: string) => [...lengthy(1, name), ...lengthy(2, value)];
    const command = [
      ...action.argv.flatMap((arg) => lengthy(1, arg)),
      ...lengthy(2, pair("A", "1")),
      ...lengthy(2, pair("B", "2")),
      ...lengthy(7, "a.o"),
      ...lengthy(7, "b.o"),
    ];
    expect([...encodeCommand(action)]).toEqual(command);
    const inputRoot = digestOf(text("root"));
    const encoded = actionKey({ ...action, cache: false, timeoutMs: 600_500 }, inputRoot).action;
    expect([...encoded]).toEqual([
      ...lengthy(1, bytesOf(digestOf(new Uint8Array(command)))),
      ...lengthy(2, bytesOf(inputRoot)),
      ...lengthy(6, [...varint(1, 600), ...varint(2, 500_000_000)]),
      ...varint(7, 1),
      ...lengthy(10, [
        ...lengthy(1, pair("target", "x86_64-linux-gnu")),
        ...lengthy(1, pair("toolchain:gcc", "12.2")),
      ]),
    ]);
  });
});

describe("an ActionResult", () => {
  const result: fc.Arbitrary<KeyedResult> = fc.record(
    {
      outputs: fc.uniqueArray(
        fc.oneof(
          fc.record({ path: fileName, digest, kind: fc.constant("file" as const) }),
          fc.record({
            path: fileName,
            digest,
            kind: fc.constant("file" as const),
            executable: fc.constant(true),
          }),
          fc.record({ path: fileName, digest, kind: fc.constant("folder" as const) }),
        ),
        { selector: (o) => o.path },
      ),
      stdout: digest,
      stderr: digest,
    },
    { requiredKeys: ["outputs"] },
  );

  it("decodes to what was encoded, outputs sorted by path", () => {
    fc.assert(
      fc.property(result, (r) => {
        const outputs = [...r.outputs].sort((a, b) => byUtf8(a.path, b.path));
        expect(decodeActionResult(encodeActionResult(r))).toEqual({ ...r, outputs });
      }),
    );
  });

  it("is encoded with the field numbers of the standard", () => {
    const d = lengthy(1, emptyDigest.slice(0, 64));
    const bytes = encodeActionResult({
      outputs: [
        { path: "lib", digest: emptyDigest, kind: "folder" },
        { path: "a", digest: emptyDigest, kind: "file", executable: true },
      ],
      stdout: emptyDigest,
      stderr: emptyDigest,
    });
    expect([...bytes]).toEqual([
      ...lengthy(2, [...lengthy(1, "a"), ...lengthy(2, d), ...varint(4, 1)]),
      ...lengthy(3, [...lengthy(1, "lib"), ...lengthy(5, d)]),
      ...lengthy(6, d),
      ...lengthy(8, d),
    ]);
  });

  it("of a failed action is refused", () => {
    expect(code(() => decodeActionResult(new Uint8Array([0x20, 0x01])))).toBe("malformed");
  });
});

const protoc = spawnSync("protoc", ["--version"]).status === 0;

it.skipIf(!protoc)("the generated code is what the .proto generates (needs protoc)", () => {
  const dir = mkdtempSync(join(tmpdir(), "swarmd-gen-"));
  try {
    execFileSync(
      "protoc",
      [
        "-I",
        "protocol/build",
        `--es_out=${dir}`,
        "--es_opt=target=ts,import_extension=ts,erasable_syntax=true",
        "reapi.proto",
      ],
      { env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` } },
    );
    expect(readFileSync(join(dir, "reapi_pb.ts"), "utf8")).toBe(
      readFileSync("protocol/build/gen/reapi_pb.ts", "utf8"),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
