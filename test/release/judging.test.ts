/** What is held against an epoch: judged before it is proposed, recorded, refused from ten points on unless somebody says why. */
import { expect, test } from "vitest";
import type { OddFile } from "../../protocol/build/content.ts";
import type { RiskPolicy } from "../../protocol/build/verdict.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import { defaultRiskPolicy } from "../../protocol/release/judging.ts";
import type { Manifest } from "../../protocol/release/manifest.ts";
import { fakePeer } from "../../sim/signer.ts";
import { Lab, type LabNode } from "./lab.ts";

const finalize = { kind: "finalize", channel: "stable" } as const;
const verify = { kind: "verify", channel: "stable" } as const;
const twoBuilders: RiskPolicy = { ...defaultRiskPolicy, builders: 2 };
const digestFor = (text: string): Digest => digestOf(new TextEncoder().encode(text));

/** Three mirrors that vote on what follows epoch 1. */
function farm(policies: Readonly<Record<string, RiskPolicy>> = {}): Lab {
  const lab = new Lab(["ann", "bob", "cat"]);
  for (const node of lab.nodes) {
    node.policy = policies[node.name];
    lab.start(node);
    lab.command(node, { kind: "mirror", op: "add", votes: true });
  }
  lab.settle(200);
  lab.stage(lab.node("ann"), "first", { "bin/first": "1" });
  ask(lab, "ann", { ...finalize, reason: "the first" });
  return lab;
}

function ask(lab: Lab, name: string, command: Parameters<Lab["command"]>[1]) {
  lab.settle(200);
  const id = lab.command(lab.node(name), command);
  lab.settle(3000);
  return lab.replies.get(id);
}

const manifestOf = (lab: Lab, epoch: number) => {
  const { releases } = lab.node("bob");
  return releases.papers.manifest(releases.epochs("stable")!.certified[epoch - 1]!.proposal.manifest, [])!;
};

/** A package in which one file may do what its owner alone should. */
function setUid(lab: Lab, text: string): void {
  const odd: OddFile[] = [{ path: "usr/bin/x", what: "set-uid" }];
  const content = { files: 1, unpackedBytes: 1, elves: [], odd, sameness: "0".repeat(64) };
  lab.inspections.set(digestFor(text), { target: "amd64", content });
}

/** From here on a coordinator proposes in spite of what it found, and records this of it. */
function propose({ releases }: LabNode, records: () => object): void {
  const { finalizing } = releases as unknown as { finalizing: Record<string, unknown> };
  finalizing.judge = function (this: { store(...args: unknown[]): void }, task: Lying) {
    const { builders: _, ...manifest } = task.draft.manifest;
    this.store(task, { ...manifest, ...records() });
  };
}

interface Lying {
  readonly draft: { readonly manifest: Manifest };
}

test("a risk of ten refuses it, and the same with a reason is released with both on record", () => {
  const lab = farm();
  setUid(lab, "two");
  lab.stage(lab.node("bob"), "second", { "x.deb": "two" });
  expect(ask(lab, "cat", verify)).toMatchObject({
    ok: true,
    epoch: 2,
    risk: {
      score: 10,
      refuses: true,
      parts: [{ kind: "set-uid", findings: [{ where: "x.deb: usr/bin/x" }] }],
    },
  });
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    code: "refused",
    message: "its risk is 10 of 100: set-uid 10",
  });
  expect(ask(lab, "cat", { ...finalize, reason: "it is su" })).toEqual({ ok: true, epoch: 2 });
  expect(manifestOf(lab, 2)).toMatchObject({
    risk: { score: 10, parts: [{ kind: "set-uid", points: 10, count: 1 }] },
    reason: "it is su",
  });
});

test("what was released is known, and a release without a risk records none", () => {
  const lab = farm();
  setUid(lab, "two");
  lab.stage(lab.node("bob"), "second", { "x.deb": "two" });
  ask(lab, "cat", { ...finalize, reason: "it is su" });
  lab.stage(lab.node("bob"), "third", { "y.deb": "three" });
  expect(ask(lab, "cat", finalize)).toEqual({ ok: true, epoch: 3 });
  expect(manifestOf(lab, 3).risk).toBeUndefined();
});

test("packages that take long to read do not count as voters that are silent", () => {
  const lab = farm();
  lab.stage(lab.node("bob"), "second", { "x.deb": "two" });
  lab.settle(200);
  const cat = lab.node("cat");
  let read = () => {};
  lab.instead = (node, effect) => {
    if (node !== cat || effect.kind !== "inspect" || !effect.id.startsWith("judged")) return false;
    read = () => node.releases.hears({ kind: "inspected", id: effect.id, inspections: [{}] });
    return true;
  };
  const id = lab.command(cat, finalize);
  lab.settle(15_000);
  expect(lab.replies.has(id)).toBe(false);
  read();
  lab.settle(3000);
  expect(lab.replies.get(id)).toEqual({ ok: true, epoch: 2 });
});

test("a package that is none is held against it by name", () => {
  const lab = farm();
  lab.inspections.set(digestFor("two"), { refused: "it ends early" });
  lab.stage(lab.node("bob"), "second", { "x.deb": "two" });
  expect(ask(lab, "cat", verify)).toMatchObject({
    risk: { score: 20, parts: [{ kind: "refused", findings: [{ where: "x.deb", what: "it ends early" }] }] },
  });
});

test("results that differ are held against it", () => {
  const lab = farm();
  const [ann, bob] = [lab.node("ann").peer, lab.node("bob").peer];
  lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 1, { nodes: [ann], dissenters: [bob] });
  expect(ask(lab, "cat", verify)).toMatchObject({ risk: { score: 30, parts: [{ kind: "divergent" }] } });
  expect(ask(lab, "cat", finalize)).toMatchObject({ ok: false, code: "refused" });
});

test("what a check by rebuilding came to otherwise is held against it after it was staged, where the check was never seen", () => {
  const lab = farm();
  const [bob, cat] = [lab.node("bob").peer, lab.node("cat").peer];
  const build = lab.stage(lab.node("bob"), "second", { "bin/x": "two", "bin/y": "two too" });
  const says = (action: string, nodes: PeerId[]) =>
    lab.say(lab.node("ann"), {
      kind: "release.disputed",
      channel: "stable",
      build,
      check: "check-second-0123456789" as BuildId,
      actions: [{ action: action as ActionName, nodes }],
    });
  says("compile", [cat]);
  says("compile", [bob, cat]);
  says("link", [fakePeer("nobody")]);
  expect(ask(lab, "cat", verify)).toMatchObject({
    risk: {
      score: 30,
      refuses: true,
      parts: [
        {
          kind: "rebuilt-otherwise",
          count: 1,
          findings: [
            {
              where: `${build} compile`,
              what: "2 members came to something else in check-second-0123456789",
            },
          ],
          remedy: expect.stringContaining("swarmd rebuild-check"),
        },
      ],
    },
  });
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    code: "refused",
    message: "its risk is 30 of 100: rebuilt-otherwise 30",
  });
  expect(ask(lab, "cat", { ...finalize, reason: "only a date" })).toEqual({ ok: true, epoch: 2 });
  expect(manifestOf(lab, 2).risk).toEqual({
    score: 30,
    parts: [{ kind: "rebuilt-otherwise", points: 30, count: 1 }],
  });
  lab.stage(lab.node("bob"), "third", { "bin/z": "three" });
  expect(ask(lab, "cat", finalize)).toEqual({ ok: true, epoch: 3 });
});

test("a builder that is no member is held against it", () => {
  const lab = farm();
  lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 1, { nodes: [fakePeer("nobody")] });
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    message: "its risk is 60 of 100: doubted-builder 50, too-few-builders 10",
  });
});

test("what was made of tainted results is held against it, whoever built it", () => {
  const lab = farm();
  const nodes = [lab.node("ann").peer, lab.node("bob").peer];
  lab.stage(lab.node("bob"), "second", { "bin/x": "two", "bin/y": "sound" }, 1, { nodes });
  lab.fallen.add("bin/x");
  const refusal = ask(lab, "cat", finalize);
  expect(refusal).toMatchObject({ ok: false, code: "refused" });
  expect(refusal).toMatchObject({
    message: expect.stringMatching(/^its risk is 100 of 100: doubted-builder 100/),
  });
  expect(ask(lab, "cat", { ...finalize, reason: "looked at" })).toMatchObject({ ok: true, epoch: 2 });
});

test("where the coordinator's owner wants two builders, one is a risk, and two are none", () => {
  const lab = farm({ cat: twoBuilders });
  const [ann, bob] = [lab.node("ann").peer, lab.node("bob").peer];
  const build = lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 1, { nodes: [ann] });
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    message: "its risk is 10 of 100: too-few-builders 10",
  });
  ask(lab, "cat", { kind: "drop", channel: "stable", build, reason: "built again" });
  lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 2, { nodes: [ann, bob] });
  expect(ask(lab, "cat", finalize)).toEqual({ ok: true, epoch: 2 });
});

test("what one epoch asks for holds for the next, whatever its coordinator wants, until somebody says why not", () => {
  const lab = farm({ ann: twoBuilders });
  const { peer } = lab.node("ann");
  const one = (name: string, nodes = [peer]) =>
    lab.stage(lab.node("bob"), name, { [`bin/${name}`]: name }, 1, { nodes });
  one("second");
  expect(ask(lab, "cat", finalize)).toMatchObject({ ok: false, code: "refused" });
  expect(ask(lab, "ann", { ...finalize, reason: "there is but one" })).toEqual({ ok: true, epoch: 2 });
  expect(manifestOf(lab, 2).builders).toBe(2);
  one("third", [peer, lab.node("bob").peer]);
  expect(ask(lab, "cat", finalize)).toEqual({ ok: true, epoch: 3 });
  expect(manifestOf(lab, 3).builders).toBe(2);
  expect(ask(lab, "cat", { kind: "rollback", channel: "stable", epoch: 2, reason: "one will do" })).toEqual({
    ok: true,
    epoch: 4,
  });
  expect(manifestOf(lab, 4).builders).toBeUndefined();
  one("fourth");
  expect(ask(lab, "cat", finalize)).toEqual({ ok: true, epoch: 5 });
});

test("a coordinator that asks nobody gets no vote for what one member built, and leaves nothing that stops the next", () => {
  const lab = farm({ ann: twoBuilders });
  const nodes = [lab.node("ann").peer];
  const build = lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 1, { nodes });
  lab.settle(200);
  propose(lab.node("cat"), () => ({ builders: 2 }));
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    message: expect.stringContaining("fewer than 2 members built bin/x alike, and nobody says why"),
  });
  propose(lab.node("cat"), () => ({}));
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    message: expect.stringContaining("it asks for fewer builders than the epoch before, 2"),
  });
  ask(lab, "bob", { kind: "drop", channel: "stable", build, reason: "built again" });
  lab.stage(lab.node("bob"), "third", { "bin/x": "two" }, 2, { nodes: [...nodes, lab.node("bob").peer] });
  expect(ask(lab, "bob", finalize)).toEqual({ ok: true, epoch: 2 });
});

test("a coordinator that hides its risk gets no vote", () => {
  const lab = farm();
  setUid(lab, "two");
  lab.stage(lab.node("bob"), "second", { "x.deb": "two" });
  lab.settle(200);
  propose(lab.node("cat"), () => ({
    risk: { score: 10, parts: [{ kind: "set-uid", points: 10, count: 1 }] },
  }));
  expect(ask(lab, "cat", finalize)).toMatchObject({
    ok: false,
    message: expect.stringContaining("its risk is 10 of 100, and nobody says why it is right"),
  });
});

test("a rollback needs no new judgement", () => {
  const lab = farm({ ann: twoBuilders });
  const nodes = [lab.node("ann").peer];
  lab.stage(lab.node("bob"), "second", { "bin/x": "two" }, 1, { nodes });
  ask(lab, "cat", { ...finalize, reason: "there is but one" });
  expect(ask(lab, "cat", { kind: "rollback", channel: "stable", epoch: 1 })).toEqual({ ok: true, epoch: 3 });
  expect(ask(lab, "cat", { kind: "rollback", channel: "stable", epoch: 2 })).toEqual({ ok: true, epoch: 4 });
});
