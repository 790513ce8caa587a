/** What cores lived through, lived again: the same effects, bit for bit, and the first difference where there is one. */
import { describe, expect, test } from "vitest";
import { Core } from "../../protocol/core.ts";
import { TapeFrame, type TapeStep, untaped } from "../../protocol/explain/tape.ts";
import { verify } from "../../protocol/explain/verify.ts";
import { decode } from "../../protocol/kernel/codec.ts";
import { Cores, type Node } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";

interface Tape {
  saved: Uint8Array;
  steps: TapeStep[];
}

const stepsOf = (frame: TapeFrame) => decode(frame.taken(), 1 << 20) as TapeStep[];

/** A swarm of three that fails, pauses, loses a node and goes on; each node's tape, begun anew every so many steps. */
function story(stretch = Number.POSITIVE_INFINITY): Map<string, Tape[]> {
  const tapes = new Map<string, Tape[]>();
  let fails = 2;
  const cores: Cores = new Cores({ ann: { slots: 2 }, bob: {}, cy: {} });
  const begin = (node: Node) =>
    tapes.set(node.name, [...(tapes.get(node.name) ?? []), { saved: node.core.save(), steps: [] }]);
  for (const node of cores.nodes) begin(node);
  cores.rules = {
    run: ({ action }) =>
      action === "t3" && fails-- > 0
        ? { ms: 20, outcome: { kind: "failed", cause: "deterministic", reason: "exit code 1", exitCode: 1 } }
        : { ms: 40 + action.length * 10 },
    stepped(node, input, effects) {
      const tape = tapes.get(node.name)!.at(-1)!;
      const frame = new TapeFrame();
      frame.add(input, cores.now(), effects, undefined);
      tape.steps.push(...stepsOf(frame));
    },
  };
  const needs = Object.fromEntries(
    Array.from({ length: 14 }, (_, i) => [`t${i}`, i < 4 ? [] : [`t${i - 4}`]]),
  );
  const build = cores.submit("ann", graphOf(needs));
  for (let moment = 0; moment < 8; moment++) {
    cores.runFor(100);
    for (const node of cores.nodes)
      if ((tapes.get(node.name)!.at(-1)?.steps.length ?? 0) > stretch) begin(node);
  }
  cores.command("bob", { kind: "control", build, op: "pause" });
  cores.runFor(200);
  cores.command("cy", { kind: "control", build, op: "resume" });
  cores.finish(build);
  return tapes;
}

describe("a life lived again", () => {
  const tapes = story();

  test("is the same on every node, in every effect and every word", () => {
    for (const [name, [tape]] of tapes) {
      const { difference, steps, decisions } = verify(tape!.saved, tape!.steps);
      expect(difference, name).toBeUndefined();
      expect(steps).toBe(tape!.steps.length);
      expect(steps).toBeGreaterThan(50);
      expect(decisions).toBeGreaterThan(0);
    }
  });

  test("is the same from any core that was saved on the way", () => {
    for (const [name, several] of story(20)) {
      expect(several.length, name).toBeGreaterThan(1);
      for (const { saved, steps } of several) expect(verify(saved, steps).difference, name).toBeUndefined();
    }
  });

  test("with one input less, another moment or another core differs, and the first difference is named", () => {
    const { saved, steps } = tapes.get("ann")![0]!;
    const at = steps.findIndex(([kind]) => kind === "executed");
    const less = verify(saved, steps.toSpliced(at, 1)).difference!;
    expect(less.step).toBeGreaterThan(at);
    expect(less.recorded).not.toBe(less.replayed);
    const told = steps.findIndex(([, , , , , effects]) => effects.includes("sign"));
    const altered = steps.with(told, [...steps[told]!.slice(0, 4), "0".repeat(16), steps[told]![5]] as never);
    expect(verify(saved, altered).difference).toMatchObject({ step: told + 1, input: steps[told]![0] });
    expect(verify(tapes.get("bob")![0]!.saved, steps).difference).toBeDefined();
  });

  test("is held as bytes from the moment it was lived: what changes afterwards changes nothing of it", () => {
    const frame = new TapeFrame();
    const input = { kind: "command", id: 1, command: { kind: "pause", names: ["a"] } };
    const effects = [{ kind: "reply", id: 1 }];
    const length = frame.add(input as never, { monoMs: 1.5, wallMs: 2 }, effects as never, undefined);
    input.command.names.push("b");
    effects.push({ kind: "reply", id: 2 });
    expect(frame.length).toBe(length);
    const [step] = stepsOf(frame);
    expect(untaped(step!, undefined)).toEqual({
      kind: "command",
      id: 1,
      command: { kind: "pause", names: ["a"] },
    });
    expect(step!.slice(0, 3)).toEqual(["command", 1.5, 2]);
    expect(step![5]).toBe("reply");
  });

  test("holds what it held where a step cannot be kept, and nothing once it is cleared", () => {
    const frame = new TapeFrame();
    const now = { monoMs: 0, wallMs: 0 };
    for (let i = 0; i < 30; i++) {
      const input = {
        kind: "blob-read",
        bytes: new Uint8Array(1000).fill(i),
        odd: i % 2 ? Symbol("odd") : i,
      };
      const add = () => frame.add(input as never, now, [], undefined);
      if (i % 2) expect(add).toThrow("symbol");
      else add();
    }
    const kept = stepsOf(frame);
    expect(kept.map((step) => (untaped(step, undefined) as unknown as { odd: number }).odd)).toEqual(
      Array.from({ length: 15 }, (_, i) => 2 * i),
    );
    frame.clear();
    expect(stepsOf(frame)).toEqual([]);
    frame.add({ kind: "tick" }, now, [], undefined);
    expect(stepsOf(frame)).toHaveLength(1);
  });

  test("asking a core, as people do, changes nothing in it", () => {
    const core = Core.load(tapes.get("ann")![0]!.saved);
    const before = Buffer.from(core.save());
    core.releases.waiting("stable");
    core.deadline();
    expect(Buffer.compare(Buffer.from(core.save()), before)).toBe(0);
  });
});
