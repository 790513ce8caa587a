import { describe, expect, test } from "vitest";
import type { OddFile } from "../../protocol/build/content.ts";
import { readElf } from "../../protocol/build/elf.ts";
import type { RiskKind, RiskPolicy } from "../../protocol/build/verdict.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { type Candidate, type RiskFacts, riskOf } from "../../protocol/release/risk.ts";
import { type ElfParts, elfOf } from "./elves.ts";

const [ann, bob] = ["ann", "bob"] as PeerId[];
const policy: RiskPolicy = {
  builders: 1,
  signed: false,
  base: ["libc.so.6"],
  foreign: ["usr/lib/firmware/"],
};

const elf = (path: string, parts: ElfParts) => {
  const bytes = elfOf(parts);
  return { path, elf: readElf((offset, length) => bytes.subarray(offset, offset + length), bytes.length) };
};
const content = (elves: ReturnType<typeof elf>[] = [], odd: OddFile[] = []) => ({
  files: 1,
  unpackedBytes: 1,
  elves,
  odd,
  sameness: "0".repeat(64),
});
const sound: Candidate = {
  path: "demo.deb",
  sizeBytes: 1 << 20,
  builders: [ann!],
  dissenters: [],
  doubted: [],
};
const judge = (
  candidate: Partial<Candidate>,
  more: Partial<RiskPolicy> = {},
  facts: Partial<RiskFacts> = {},
) =>
  riskOf({ candidates: [{ ...sound, ...candidate }], lacks: [], policy: { ...policy, ...more }, ...facts });
const kinds = (...args: Parameters<typeof judge>) => judge(...args).parts.map(({ kind }) => kind);

const targets: readonly (readonly [target: string, right: ElfParts, flags?: number])[] = [
  ["x86_64-linux-gnu", { machine: 62 }],
  ["i686-linux-gnu", { bits: 32, machine: 3, interpreter: "/lib/ld-linux.so.2" }],
  ["aarch64-linux-gnu", { machine: 183, interpreter: "/lib/ld-linux-aarch64.so.1" }],
  [
    "armv7a-unknown-linux-gnueabihf",
    { bits: 32, machine: 40, flags: 0x05000400, interpreter: "/lib/ld-linux-armhf.so.3" },
    0x05000200,
  ],
  ["riscv64-linux-gnu", { machine: 243, flags: 5, interpreter: "/lib/ld-linux-riscv64-lp64d.so.1" }, 0x1],
  ["powerpc64le-linux-gnu", { machine: 21, flags: 2, interpreter: "/lib64/ld64.so.2" }, 1],
  ["s390x-linux-gnu", { endian: "big", machine: 22, interpreter: "/lib/ld64.so.1" }],
];

describe("the risk of a release", () => {
  test("is nothing where nothing is odd", () => {
    expect(judge({})).toEqual({ score: 0, refuses: false, parts: [] });
  });

  for (const [target, right, wrongFlags] of targets)
    test(`knows what runs on ${target}`, () => {
      const of = (parts: ElfParts) => kinds({ target, content: content([elf("usr/bin/x", parts)]) });
      expect(of(right)).toEqual([]);
      for (const [other, parts] of targets)
        if (other !== target) expect(of(parts), other).toEqual(["wrong-machine"]);
      expect(of({ ...right, bits: right.bits === 32 ? 64 : 32 })).toEqual(["wrong-machine"]);
      expect(of({ ...right, endian: right.endian === "big" ? "little" : "big" })).toEqual(["wrong-machine"]);
      expect(of({ ...right, interpreter: "/opt/ld.so" })).toEqual(["wrong-interpreter"]);
      if (wrongFlags !== undefined) expect(of({ ...right, flags: wrongFlags })).toEqual(["wrong-flags"]);
    });

  test("counts the level of x86-64 against the target's", () => {
    const needs = content([elf("usr/bin/x", { isaNeeded: 0b111 })]);
    expect(kinds({ target: "x86_64-linux-gnu", content: needs })).toEqual(["isa-level"]);
    expect(kinds({ target: "x86_64_v2-linux-gnu", content: needs })).toEqual(["isa-level"]);
    expect(kinds({ target: "x86_64_v3-linux-gnu", content: needs })).toEqual([]);
  });

  test("knows libraries of the release and of the base, for machines of their own kind", () => {
    const needs = { needed: ["libc.so.6", "libdemo.so.1"] };
    const program = { ...sound, target: "x86_64-linux-gnu", content: content([elf("usr/bin/x", needs)]) };
    const library = (parts: ElfParts): Candidate => ({
      ...sound,
      path: "lib.deb",
      target: parts.machine === 183 ? "aarch64-linux-gnu" : "x86_64-linux-gnu",
      content: content([
        elf("usr/lib/libdemo.so.1", { soname: "libdemo.so.1", interpreter: null, ...parts }),
      ]),
    });
    const of = (...candidates: Candidate[]) => riskOf({ candidates, lacks: [], policy });
    expect(of(program)).toMatchObject({ score: 15, refuses: true, parts: [{ kind: "soname-missing" }] });
    expect(of(program, library({})).score).toBe(0);
    expect(of(program, library({ machine: 183 })).score).toBe(15);
  });

  const odd = (what: OddFile["what"]) => content([], [{ path: "usr/bin/x", what }]);
  const cases: readonly (readonly [kind: RiskKind, ...args: Parameters<typeof judge>])[] = [
    ["divergent", { dissenters: [bob!] }],
    ["doubted-builder", { builders: [ann!, bob!], doubted: [bob!] }],
    ["too-few-builders", {}, { builders: 2 }],
    ["too-few-builders", { builders: [ann!, ann!] }, { builders: 2 }],
    ["unsigned", { signature: "none" }, { signed: true }],
    ["failed", {}, {}, { lacks: [{ name: "compile/x", why: "failed" }] }],
    ["missing", {}, {}, { lacks: [{ name: "compile/x", why: "missing" }] }],
    ["refused", {}, {}, { lacks: [{ name: "x.gpkg.tar", why: "refused", detail: "it has no Manifest" }] }],
    ["set-uid", { content: odd("set-uid") }],
    ["set-gid", { content: odd("set-gid") }],
    ["world-writable", { content: odd("world-writable") }],
    ["absolute-link", { content: odd("absolute-link") }],
    ["broken-elf", { content: odd("broken-elf") }],
    ["size-jump", { before: { sizeBytes: 1 << 10, odd: [] } }],
    ["size-jump", { before: { sizeBytes: 10 << 20, odd: [] } }],
    ["target-unknown", { content: content([elf("usr/bin/x", {})]) }],
    ["target-unknown", { target: "vax-netbsd", content: content([elf("usr/bin/x", {})]) }],
    ["search-path", { target: "amd64", content: content([elf("x", { runpath: "/home/ann/lib" })]) }],
    ["search-path", { target: "amd64", content: content([elf("x", { runpath: "lib" })]) }],
    ["executable-stack", { target: "amd64", content: content([elf("x", { executableStack: true })]) }],
    ["text-relocations", { target: "amd64", content: content([elf("x", { textRelocations: true })]) }],
  ];
  for (const [kind, ...args] of cases)
    test(`names ${kind}, with what to do: ${JSON.stringify(args).slice(0, 60)}`, () => {
      const { parts, score } = judge(...args);
      expect(parts).toHaveLength(1);
      expect(parts[0]).toMatchObject({ kind, points: score, count: 1 });
      expect(score).toBeGreaterThan(0);
      expect(parts[0]!.remedy).toBeTruthy();
    });

  test("holds nothing against what was released before, small changes, paths of its own, and firmware", () => {
    const known = { sizeBytes: 1 << 20, odd: odd("set-uid").odd };
    expect(judge({ content: odd("set-uid"), before: known }).score).toBe(0);
    expect(judge({ before: { sizeBytes: (1 << 20) - 1000, odd: [] } }).score).toBe(0);
    const near = content([elf("usr/bin/x", { runpath: "$ORIGIN/../lib:/usr/lib/demo" })]);
    expect(judge({ target: "amd64", content: near }).score).toBe(0);
    const firmware = content([elf("usr/lib/firmware/x.elf", { machine: 183 })]);
    expect(judge({ target: "amd64", content: firmware }).score).toBe(0);
  });

  test("is bounded for each kind and in all, says the heaviest first, and the same for any order of facts", () => {
    const many = Array.from({ length: 500 }, (_, i) => ({ path: `l${i}`, what: "absolute-link" as const }));
    const candidates: Candidate[] = [
      { ...sound, content: content([], many) },
      { ...sound, path: "b.deb", dissenters: [bob!] },
      ...Array.from({ length: 9 }, (_, i) => ({ ...sound, path: `c${i}.deb`, doubted: [ann!] })),
    ];
    const risk = riskOf({ candidates, lacks: [], policy });
    expect(risk.score).toBe(100);
    expect(risk.parts.map(({ points }) => points)).toEqual(
      [...risk.parts.map(({ points }) => points)].sort((a, b) => b - a),
    );
    const links = risk.parts.find(({ kind }) => kind === "absolute-link")!;
    expect(links).toMatchObject({ points: 5, count: 500 });
    expect(links.findings).toHaveLength(20);
    expect(riskOf({ candidates: [...candidates].reverse(), lacks: [], policy })).toEqual(risk);
  });
});
