import { describe, expect, it } from "vitest";
import type { ToolSet } from "../../protocol/build/tool-sets.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { type Candidate, chooseToolchains } from "../../protocol/work/tooling.ts";
import { peerNamed } from "../contract/chain.ts";
import { vitalsOf } from "./vitals.ts";

const ann = peerNamed("ann");
const gcc12 = "12.2.0/x86_64-linux-gnu/aaaa";
const gcc13 = "13.3.0/x86_64-linux-gnu/bbbb";
const node = (
  name: string,
  slots: number,
  toolchains: Record<string, string>,
  more: Partial<Vitals> = {},
) => ({
  name,
  vitals: vitalsOf({ peer: peerNamed(name), name, slots, toolchains, ...more }),
});
const set = (action: string, ...demands: string[]): ToolSet => ({ action, demands });
const choose = (nodes: readonly Candidate[], ...sets: ToolSet[]) => chooseToolchains(sets, nodes, ann);

function refusal(nodes: readonly Candidate[], ...sets: ToolSet[]): SwarmError {
  try {
    choose(nodes, ...sets);
  } catch (error) {
    if (error instanceof SwarmError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a toolchain is resolved", () => {
  it("to what the most slots offer, in whatever order nodes are heard of", () => {
    const nodes = [
      node("pi", 4, { gcc: gcc12 }),
      node("pc", 16, { gcc: gcc13 }),
      node("nas", 8, { gcc: gcc12 }),
    ];
    expect(choose(nodes, set("a", "gcc")).fingerprints).toEqual({ gcc: gcc13 });
    expect(choose([...nodes].reverse(), set("a", "gcc"))).toEqual(choose(nodes, set("a", "gcc")));
  });

  it("to the newer one among equals, by numbers", () => {
    const nodes = [node("a", 4, { gcc: "9.4.0//x" }), node("b", 4, { gcc: "13.1.0//y" })];
    expect(choose(nodes, set("a", "gcc")).fingerprints.gcc).toBe("13.1.0//y");
  });

  it("within its range, and says who has it and what was passed over for what reason", () => {
    const nodes = [
      node("pc", 16, { gcc: gcc13 }),
      node("nas", 8, { gcc: gcc12 }),
      node("pi", 4, { gcc: `${gcc12}/cccc` }),
      node("old", 2, { gcc: "12.1.0/x86_64-linux-gnu/dddd" }),
    ];
    expect(choose(nodes, set("a", "gcc >= 12, < 13")).choices).toEqual([
      {
        demand: "gcc >= 12, < 13",
        fingerprint: gcc12,
        nodes: ["nas", "pi"],
        slots: 12,
        others: [
          { fingerprint: gcc13, nodes: ["pc"], slots: 16, why: "has gcc 13.3.0, >= 12, < 13 is needed" },
          { fingerprint: "12.1.0/x86_64-linux-gnu/dddd", nodes: ["old"], slots: 2, why: "fewer slots" },
        ],
      },
    ]);
  });

  it("together with the others of its action: one node must have them all", () => {
    const nodes = [node("pc", 16, { gcc: gcc13 }), node("pi", 4, { gcc: gcc12, ar: "2.40//e" })];
    expect(choose(nodes, set("a", "ar", "gcc")).fingerprints).toEqual({ ar: "2.40//e", gcc: gcc12 });
  });

  it("to one fingerprint in the whole build, even if another fits the first action better", () => {
    const nodes = [
      node("pc", 16, { gcc: gcc13, ar: "1//a" }),
      node("pi", 4, { gcc: gcc12, ar: "2//b", cmake: "3//c" }),
    ];
    expect(choose(nodes, set("a", "ar", "gcc"), set("b", "cmake", "gcc")).fingerprints).toEqual({
      ar: "2//b",
      cmake: "3//c",
      gcc: gcc12,
    });
  });

  it("by its files where it is exact, among nodes that have read them", () => {
    const nodes = [
      node("pc", 16, { gcc: gcc12 }),
      node("pi", 2, { gcc: `${gcc12}/1111` }),
      node("nas", 4, { gcc: `${gcc12}/2222` }),
    ];
    expect(choose(nodes, set("a", "gcc exact")).fingerprints).toEqual({ "gcc exact": `${gcc12}/2222` });
    expect(choose(nodes, set("a", "gcc")).choices[0]).toMatchObject({ fingerprint: gcc12, slots: 22 });
  });

  it("among nodes that have what else is required; if none has, the action waits for one", () => {
    const nodes = [node("pc", 16, { gcc: gcc13 }), node("pi", 4, { gcc: gcc12 }, { labels: ["gpu"] })];
    const gpu = { ...set("a", "gcc"), requires: { labels: ["gpu"] } };
    expect(choose(nodes, gpu).fingerprints.gcc).toBe(gcc12);
    const tpu = { ...set("a", "gcc"), requires: { labels: ["tpu"] } };
    expect(choose(nodes, tpu).fingerprints.gcc).toBe(gcc13);
  });
});

describe("what nobody can serve is refused", () => {
  it("with the version that is there and the one that is needed, and what to install", () => {
    const found = refusal(
      [node("pc", 8, { gcc: gcc12, ar: "2//b" }, { distribution: "debian" }), node("pi", 4, {})],
      set("compile", "aarch64-linux-gnu-gcc", "ar", "gcc >= 13"),
    );
    expect(found.code).toBe("no-eligible-node");
    expect(found.message).toBe(
      "no node can build compile, which needs aarch64-linux-gnu-gcc; ar; gcc >= 13: pc comes nearest: " +
        "it lacks aarch64-linux-gnu-gcc, has gcc 12.2.0, >= 13 is needed; 1 other lacks as much or more",
    );
    expect(found.remedy).toBe(
      "on pc: apt-get install gcc-aarch64-linux-gnu; on pc: apt-get install gcc, in a version that is asked for",
    );
  });

  it("with the compiler that is there for the target", () => {
    const nodes = [node("pc", 8, { gcc: gcc12, "aarch64-linux-gnu-gcc": "12.2.0/aarch64-linux-gnu/e" })];
    expect(refusal(nodes, set("a", "gcc for aarch64-linux-gnu")).message).toMatch(
      /it has a gcc for x86_64-linux-gnu, not for aarch64-linux-gnu/,
    );
  });

  it("with each action's nodes when no one version of each tool goes through the whole build", () => {
    const nodes = [node("pc", 8, { gcc: gcc13, ar: "1//a" }), node("pi", 4, { gcc: gcc12, cmake: "3//c" })];
    expect(refusal(nodes, set("a", "ar", "gcc"), set("b", "cmake", "gcc")).message).toMatch(
      /not with one version of each tool in the whole build: a \(ar; gcc\) on pc, pi · b \(cmake; gcc\) on pc, pi/,
    );
  });

  it("while nobody was heard", () => {
    expect(refusal([], set("a", "gcc")).message).toBe("no node has told what it offers yet");
  });

  it("in bounded time, however many sets there are", () => {
    const tools = Array.from({ length: 12 }, (_, i) => `t${i}`);
    const nodes = Array.from({ length: 24 }, (_, i) =>
      node(`n${i}`, 1 + i, Object.fromEntries(tools.map((t, at) => [t, `${(i * 7 + at) % 5}//x`]))),
    );
    const sets = tools.flatMap((a, i) => tools.slice(i + 1).map((b) => set(`${a}${b}`, a, b)));
    try {
      choose(nodes, ...sets);
    } catch (error) {
      expect(error).toMatchObject({ code: "no-eligible-node" });
    }
  });
});
