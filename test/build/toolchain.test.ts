import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Demand,
  demandText,
  differenceOf,
  lackOf,
  offerText,
  parseDemand,
  pinOf,
  readOffer,
  serves,
  targetsOf,
} from "../../protocol/build/toolchain.ts";
import { compareVersions, within } from "../../protocol/build/version.ts";

const demand = (text: string): Demand => {
  const parsed = parseDemand(text);
  if ("message" in parsed) throw new Error(parsed.message);
  return parsed;
};

describe("a version", () => {
  it("is ordered by its numbers, and a part that is not there counts as 0", () => {
    const sorted = ["", "1", "1.9", "1.10", "2.0.1", "12"];
    expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
    expect(compareVersions("1", "1.0.0")).toBe(0);
  });

  it("compares the same whatever stands left", () => {
    const version = fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
      }),
    );
  });

  it.each([
    ["gcc", "12.2.0", true],
    ["gcc 12", "12.2.0", true],
    ["gcc 12", "120.1", false],
    ["gcc = 12.2", "12.2.0", true],
    ["gcc 12.2.0.1", "12.2.0", false],
    ["gcc >= 12", "12", true],
    ["gcc >= 12", "11.4.0", false],
    ["gcc >= 12, < 14", "13.3.0", true],
    ["gcc >= 12, < 14", "14.0.0", false],
    ["gcc <= 12", "12.2.0", false],
    ["gcc > 12", "12.2.0", true],
    ["gcc > 12", "12.0.0", false],
  ])("%s takes %s: %s", (text, version, takes) => {
    expect(within(version, demand(text).bounds)).toBe(takes);
  });

  it("that nobody knows lies in no range, but is no matter where none is asked for", () => {
    expect(within(undefined, demand("gcc >= 1").bounds)).toBe(false);
    expect(within(undefined, demand("gcc").bounds)).toBe(true);
  });
});

describe("a demand", () => {
  it.each([
    ["gcc", "gcc"],
    ["g++>=12", "g++ >= 12"],
    ["  gcc   >= 12 ,<14  ", "gcc >= 12, < 14"],
    ["clang 14", "clang 14"],
    ["clang == 14", "clang 14"],
    ["gcc = 12.2 exact", "gcc 12.2 exact"],
    ["gcc exact", "gcc exact"],
    ["gcc >= 12 for aarch64-linux-gnu exact", "gcc >= 12 for aarch64-linux-gnu exact"],
    ["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"],
  ])("%j is written %j", (text, written) => {
    expect(demandText(demand(text))).toBe(written);
    expect(demandText(demand(written))).toBe(written);
  });

  it.each([
    ["", /does not begin with the name/],
    [">= 12", /does not begin with the name/],
    ["gcc >= twelve", /">= twelve" is no version/],
    ["gcc >= 12 < 14", /no version/],
    ["gcc 12,", /"" is no version/],
    ["gcc for", /no version/],
    ["gcc for x", /"x" is no target/],
    ["../gcc", /does not begin/],
    [`gcc ${Array.from({ length: 9 }, (_, i) => `> ${i}`).join(", ")}`, /more than 8 ranges/],
    ["gcc 1.2.3.4.5.6.7", /no version/],
  ])("%j is refused", (text, why) => {
    expect(parseDemand(text)).toMatchObject({ message: expect.stringMatching(why) });
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        const parsed = parseDemand(text);
        if (!("message" in parsed)) expect(demandText(demand(demandText(parsed)))).toBe(demandText(parsed));
      }),
    );
  });
});

describe("what a node offers", () => {
  const plain = "12.2.0/x86_64-linux-gnu/aaaa";
  const full = `${plain}/bbbb`;

  it("says version and target in its fingerprint", () => {
    for (const offer of [
      { version: "12.2.0", target: "x86_64-linux-gnu", said: "aaaa", exact: "bbbb" },
      { version: "4.3", said: "aaaa" },
      { said: "aaaa", exact: "bbbb" },
    ])
      expect(readOffer(offerText(offer))).toEqual(offer);
    expect(readOffer("0123")).toEqual({ said: "0123" });
  });

  it("is pinned by what it says of itself, and by its files too where the demand is exact", () => {
    expect(pinOf(demand("gcc"), full)).toBe(plain);
    expect(pinOf(demand("gcc exact"), full)).toBe(full);
    expect(pinOf(demand("gcc exact"), plain)).toBeUndefined();
    expect(pinOf(demand("gcc >= 13"), full)).toBeUndefined();
    expect(pinOf(demand("gcc"), undefined)).toBeUndefined();
  });

  it("serves a pin that leaves its files open, and never another", () => {
    expect(serves(full, plain)).toBe(true);
    expect(serves(full, full)).toBe(true);
    expect(serves(plain, full)).toBe(false);
    expect(serves(`${plain}/cccc`, full)).toBe(false);
    for (const prefix of ["12.2.0", "12.2.0/x86_64-linux-gnu", "", "12.2.0/x86_64-linux-gnu/aa"])
      expect(serves(full, prefix)).toBe(false);
    expect(serves(undefined, plain)).toBe(false);
  });

  it.each([
    ["gcc", undefined, "lacks gcc"],
    ["gcc >= 12", undefined, "lacks gcc (>= 12)"],
    ["gcc >= 13", full, "has gcc 12.2.0, >= 13 is needed"],
    ["gcc >= 13", "0123", "has a gcc of unknown version, >= 13 is needed"],
    ["gcc for aarch64-linux-gnu", full, "has a gcc for x86_64-linux-gnu, not for aarch64-linux-gnu"],
    ["gcc exact", plain, "has not read the files of gcc yet"],
    ["gcc >= 12 for x86_64-linux-gnu exact", full, undefined],
  ])("%s of %s: %s", (text, offered, lack) => {
    expect(lackOf(demand(text), offered)).toBe(lack);
  });

  it.each([
    [plain, undefined, "lacks gcc 12.2.0"],
    [plain, "13.1.0/x86_64-linux-gnu/aaaa", "has gcc 13.1.0, 12.2.0 is needed"],
    [plain, "12.2.0/aarch64-linux-gnu/aaaa", "has gcc for aarch64-linux-gnu, for x86_64-linux-gnu is needed"],
    [
      plain,
      "12.2.0/x86_64-linux-gnu/cccc",
      "has another gcc 12.2.0 (or with another assembler, linker or C library)",
    ],
    [full, `${plain}/cccc`, "has another gcc 12.2.0: its files differ"],
    [full, full, undefined],
  ])("where %s is pinned and %s is there: %s", (pin, offered, difference) => {
    expect(differenceOf("gcc", offered, pin)).toBe(difference);
  });

  it("tells what the node compiles for", () => {
    expect(
      targetsOf("x86_64-linux-gnu", {
        gcc: full,
        sed: "4.9//dddd",
        "riscv64-linux-gnu-gcc": "12.2.0/riscv64-linux-gnu/eeee",
        "aarch64-linux-gnu-gcc": "12.2.0/aarch64-linux-gnu/ffff",
      }),
    ).toEqual(["x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu"]);
  });
});
