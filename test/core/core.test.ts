import fc from "fast-check";
import { expect, test } from "vitest";
import { Core } from "../../protocol/core.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { graphOf } from "../work/facts.ts";
import { Cores, type Rules } from "./cores.ts";

const diamond = graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"], e: [], f: ["e"] });
const wide = graphOf(Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`w${i}`, []])));
const three = { ann: {}, bob: {}, cy: {} };

const text = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v));

test("three cores build a graph, each action once, and agree on every fact", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", diamond);
  cores.finish(build);
  cores.runFor(100);
  expect(cores.runs()).toEqual({ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 });
  const views = cores.nodes.map((n) => n.build(build));
  expect(new Set(views.map((v) => v.claims!.digest())).size).toBe(1);
  expect(new Set(views.map((v) => v.ledger.digest())).size).toBe(1);
  expect(views.map((v) => v.claims!.sealed!.event.state)).toEqual(Array(3).fill("complete"));
});

test("a lone core builds all by itself", () => {
  const cores = new Cores({ ann: { slots: 2 } });
  const build = cores.submit("ann", diamond);
  cores.finish(build);
  expect(cores.states(build).ann).toEqual(Array(6).fill("done"));
  expect(Object.values(cores.runs())).toEqual(Array(6).fill(1));
});

test("a tick that nobody asked for gives nothing, wherever it comes", () => {
  const cores = new Cores(three);
  let spurious = 0;
  cores.rules = {
    stepped(node, _, effects) {
      // Only at rest: what was given out to be signed comes back before anything else.
      if (effects.some((e) => e.kind === "sign")) return;
      spurious++;
      expect(node.core.step({ kind: "tick" }, cores.now())).toEqual([]);
    },
  };
  const build = cores.submit("ann", diamond);
  cores.finish(build);
  expect(spurious).toBeGreaterThanOrEqual(60);
});

test("ticks in between change nothing of what is built", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ who: fc.nat(2), ms: fc.nat(60) }), { minLength: 5, maxLength: 40 }),
      (ticks) => {
        const cores = new Cores(three);
        const build = cores.submit("ann", diamond);
        for (const { who, ms } of ticks) {
          cores.runFor(ms);
          cores.tick(cores.nodes[who]!);
        }
        cores.finish(build);
        expect(Object.values(cores.runs())).toEqual(Array(6).fill(1));
      },
    ),
    { numRuns: 15 },
  );
});

test("a tick at the deadline moves the deadline on, in any state of a build", () => {
  const rules: Rules = {
    run: (request) => (request.action.startsWith("w1") ? { ms: 1, never: true } : { ms: 700 }),
    stepped(node, input) {
      if (input.kind === "tick") expect(node.core.deadline()).toBeGreaterThan(cores.nowMs);
    },
  };
  const cores: Cores = new Cores({ ann: { slots: 2 }, bob: { slots: 3 }, cy: {} });
  cores.rules = rules;
  cores.submit("ann", wide);
  cores.runFor(4000);
  cores.kill("bob", true);
  cores.runFor(10_000);
  cores.start("bob");
  cores.runFor(25_000);
});

/** What all nodes did, said once more by loading every core anew from what it saved, at the moments given. */
function story(reload: (step: number) => boolean): string {
  const told: string[] = [];
  let step = 0;
  const cores: Cores = new Cores({ ann: { slots: 2 }, bob: {}, cy: {} });
  cores.rules = {
    run: (request) =>
      request.action === "w3" ? { ms: 1, never: true } : { ms: 50 + request.action.length * 30 },
    stepped(node, input, effects) {
      told.push(`${cores.nowMs} ${node.name} ${input.kind} ${text(effects)} ${node.core.deadline()}`);
      if (reload(step++)) node.core = Core.load(node.core.save());
    },
  };
  const build = cores.submit("ann", wide);
  cores.runFor(300);
  cores.kill("cy");
  cores.runFor(1500);
  cores.start("cy");
  cores.runFor(300);
  cores.command("bob", { kind: "control", build, op: "pause" });
  cores.runFor(200);
  cores.command("bob", { kind: "control", build, op: "resume" });
  cores.runFor(1200);
  cores.command("ann", { kind: "control", build, op: "cancel" });
  cores.finish(build);
  return sha256Hex(told.join("\n"));
}

test("a core loaded from what it saved goes on as if nothing had happened, wherever that was", () => {
  const told = story(() => false);
  expect(story(() => false)).toBe(told);
  expect(story((step) => step % 7 === 3)).toBe(told);
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(600), { maxLength: 15 }), (steps) => {
      expect(story((step) => steps.includes(step))).toBe(told);
    }),
    { numRuns: 2 },
  );
});

test("a graph that nobody has is asked for again until it can be had", () => {
  let hidden = true;
  const cores = new Cores(three, {
    instead(node, effect) {
      if (!hidden || effect.kind !== "read-blob" || node.name === "ann") return false;
      cores.later(node, 2, { kind: "blob-read", digest: effect.want.digest, bytes: null });
      return true;
    },
  });
  const build = cores.submit("ann", diamond);
  cores.runFor(2500);
  expect(cores.node("bob").build(build).claims).toBeUndefined();
  const asked = cores.node("bob").of("read-blob").length;
  expect(asked).toBeGreaterThanOrEqual(2);
  expect(asked).toBeLessThanOrEqual(4);
  hidden = false;
  cores.finish(build);
});

test("what one step says in several builds is written in order, and nothing is decided between", () => {
  const cores = new Cores({ ann: { slots: 4 }, bob: { slots: 4 } });
  const ann = cores.node("ann");
  cores.rules.run = () => ({ ms: 1, never: true });
  const named = (letter: string) =>
    graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${letter}${i}`, []])));
  const builds = ["x", "y"].map((letter) => cores.submit("ann", named(letter)));
  // What ann's word makes it give back is said once all of the word is folded.
  cores.runUntil(() => builds.every((b) => (ann.build(b).claims?.openClaims.size ?? 0) > 0));
  cores.command("ann", {
    kind: "operate",
    dryRun: false,
    operation: { op: "drain", peer: ann.peer, now: true },
  });
  cores.runFor(500);
  expect(ann.running.size).toBe(0);
  const seqs = ann.of("append").map((e) => e.entry.entry.seq);
  expect(seqs).toEqual(seqs.map((_, i) => i));
});
