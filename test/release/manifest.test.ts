/** What an epoch holds once builds were added, and what is refused as a list. */
import { describe, expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import {
  decodeSet,
  differenceOf,
  encodeSet,
  merged,
  mergedHeader,
  type ReleaseItem,
  type StagedSet,
} from "../../protocol/release/manifest.ts";

const item = (path: string, text: string, build = "tool-0000000001"): ReleaseItem => ({
  path,
  digest: digestOf(new TextEncoder().encode(text)),
  build: build as BuildId,
  action: "all" as ActionName,
});
const setOf = (build: string, items: ReleaseItem[]): StagedSet => ({
  v: 1,
  channel: "stable",
  build: build as BuildId,
  format: "files",
  items,
});

describe("a channel", () => {
  test("holds the latest build of each name, and of a path what came last", () => {
    const base = [item("bin/a", "1"), item("bin/gone", "1"), item("lib/b", "1", "other-0000000001")];
    const again = "tool-0000000002";
    const sets = [
      setOf(again, [item("bin/a", "2", again), item("lib/b", "2", again)]),
      setOf("third-0000000001", [item("share/c", "1", "third-0000000001")]),
    ];
    expect(merged(base, sets).map((i) => `${i.path} ${i.build}`)).toEqual([
      `bin/a ${again}`,
      `lib/b ${again}`,
      "share/c third-0000000001",
    ]);
  });

  test("says at the head of its index what the last build says that says it", () => {
    const says = (header?: Readonly<Record<string, string>>) => ({
      ...setOf("tool-0000000002", []),
      ...(header && { header }),
    });
    expect(mergedHeader(undefined, [says(), says()])).toBe(undefined);
    expect(
      mergedHeader({ ARCH: "amd64", USE: "a" }, [says({ USE: "b" }), says({ PROFILE: "p" }), says()]),
    ).toEqual({ ARCH: "amd64", USE: "b", PROFILE: "p" });
  });

  test("differs from before by what was added, removed and changed; who built it does not count", () => {
    const from = [item("a", "1"), item("b", "1"), item("c", "1")];
    const to = [item("b", "1", "tool-0000000002"), item("c", "2"), item("d", "1")];
    const { added, removed, changed } = differenceOf(from, to);
    expect([added, removed, changed.map((c) => c.to)].map((list) => list.map((i) => i.path))).toEqual([
      ["d"],
      ["a"],
      ["c"],
    ]);
  });
});

test("a list is read as it was written", () => {
  const set = setOf("tool-0000000001", [item("a", "1"), { ...item("b", ""), link: "a" }]);
  expect(decodeSet(encodeSet(set))).toEqual(set);
});

test.each([
  ["out of order", [item("b", "1"), item("a", "1")]],
  ["the same path twice", [item("a", "1"), item("a", "2")]],
  ["a file below a file", [item("a", "1"), item("a/b", "1")]],
  ["a path that leads out", [item("../a", "1")]],
  ["an absolute path", [item("/a", "1")]],
  ["a link that leads out", [{ ...item("a", ""), link: "../../etc/shadow" }]],
  ["an absolute link", [{ ...item("a", ""), link: "/etc/shadow" }]],
  ["a field that nobody knows", [{ ...item("a", "1"), mode: 4755 }]],
])("a list with %s is refused", (_, items) => {
  const bytes = encode(setOf("tool-0000000001", items as ReleaseItem[]));
  expect(() => decodeSet(bytes)).toThrow(expect.objectContaining({ code: "malformed" }));
});
