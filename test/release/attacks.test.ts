/** The ten attacks on updates that the TUF specification names (its section on goals), each against the code that stands in its way. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RemoteBlobs } from "../../node/ports.ts";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { createArtifacts } from "../../node/store/artifacts.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { Sources } from "../../node/store/sources.ts";
import type { PublishStep } from "../../protocol/contract.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, Incarnation } from "../../protocol/kernel/ids.ts";
import type { Proposal } from "../../protocol/release/ballot.ts";
import { decodeManifest, encodeManifest, type Manifest } from "../../protocol/release/manifest.ts";
import { sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { Event } from "../../protocol/timeline/events.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { Lab } from "./lab.ts";
import { publishSteps } from "./publishing.ts";

const finalize = { kind: "finalize", channel: "stable" } as const;
const text = (value: string) => new TextEncoder().encode(value);

/** Three mirrors that vote on epoch 2; dan has the role to release, and neither votes nor serves. */
function farm(): Lab {
  const lab = new Lab(["ann", "bob", "cat", "dan"]);
  for (const node of lab.nodes.slice(0, 3)) lab.command(node, { kind: "mirror", op: "add", votes: true });
  lab.settle(200);
  lab.stage(lab.node("ann"), "first", { "bin/first": "1" });
  lab.settle(200);
  lab.command(lab.node("ann"), finalize);
  lab.settle(2000);
  expect(current(lab)).toEqual([1, 1, 1, 1]);
  return lab;
}

const current = (lab: Lab) => lab.nodes.map((n) => n.releases.epochs("stable")?.current);
const shown = (lab: Lab) => lab.nodes.slice(0, 3).map((n) => n.releases.publisher.shown("stable"));
const tipOf = (lab: Lab) => lab.node("dan").releases.epochs("stable")!.tip!;
const manifestOf = (lab: Lab): Manifest => decodeManifest(lab.bytes.get(tipOf(lab).proposal.manifest)!);

let words = 0;
/** A node's key is in the wrong hands: it says this, and everybody hears it. */
function say(lab: Lab, name: string, ...events: Event[]): void {
  const author = fakePeer(name);
  const inc = `900-${(0xabc0000 + words++).toString(16).padStart(8, "0")}` as Incarnation;
  const { swarm } = lab.members;
  const entry = { v: 1, swarm, author, inc, seq: 0, prev: null, hlc: [0, 0], last: -1, events } as never;
  const { body, id } = sealEntry(entry);
  const signed = signedEntry(entry, body, id, fakeSigner(author).sign(id));
  lab.said.push(signed);
  for (const node of lab.nodes) lab.hear(node, signed);
}

/** A manifest as its author would like it, and the proposal that names it. */
function forged(lab: Lab, changes: Partial<Manifest>, atMs?: number): Proposal {
  const tip = tipOf(lab);
  const next = { epoch: tip.epoch + 1, parent: tip.value, atMs: atMs ?? tip.proposal.atMs + 6000 };
  const manifest: Manifest = { ...manifestOf(lab), ...next, ...changes };
  const bytes = encodeManifest(manifest);
  lab.bytes.set(digestOf(bytes), bytes);
  const { parent } = manifest;
  return { manifest: digestOf(bytes), parent, voters: tip.proposal.voters, atMs: manifest.atMs };
}

function propose(lab: Lab, name: string, proposal: Proposal, epoch = 2): void {
  const at = { channel: "stable", epoch, round: 7 };
  say(lab, name, { kind: "release.prepared", ...at }, { kind: "release.proposed", ...at, proposal });
  lab.settle(3000);
}

function vote(
  lab: Lab,
  name: string,
  proposal: Proposal,
  { epoch = 2, log = lab.node(name).log } = {},
): void {
  const ballot = { round: 7, by: fakePeer("dan"), inc: "900-0abc0000" as Incarnation };
  say(lab, name, { kind: "release.accepted", channel: "stable", epoch, ballot, log, proposal });
}

/** Whatever was tried: the next honest finalize is epoch 2, with what was staged, on all mirrors. */
function expectUnharmed(lab: Lab): void {
  expect(current(lab)).toEqual([1, 1, 1, 1]);
  expect(shown(lab)).toEqual([1, 1, 1]);
  lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
  lab.settle(200);
  const id = lab.command(lab.node("bob"), finalize);
  lab.settle(20_000);
  expect(lab.replies.get(id)).toMatchObject({ ok: true, epoch: 2 });
  expect(manifestOf(lab).items.map((item) => item.path)).toEqual(["bin/first", "bin/second"]);
  expect(shown(lab)).toEqual([2, 2, 2]);
}

const evil = (lab: Lab, path = "bin/evil") => {
  const bytes = text("evil");
  lab.bytes.set(digestOf(bytes), bytes);
  return { ...manifestOf(lab).items[0]!, path, digest: digestOf(bytes) };
};

describe("what members say", () => {
  test("arbitrary installation: a release that no voter voted for is none, whoever signs it", () => {
    const lab = farm();
    const proposal = forged(lab, { items: [evil(lab)] });
    for (const name of ["dan", "eve", "mal"]) vote(lab, name, proposal, { log: "0123456789abcdef" });
    lab.settle(1000);
    expectUnharmed(lab);
  });

  test("extraneous dependencies: voters refuse a manifest that holds what no build staged", () => {
    const lab = farm();
    propose(lab, "dan", forged(lab, { items: [...manifestOf(lab).items, evil(lab, "lib/more")] }));
    expectUnharmed(lab);
  });

  test("wrong software: voters refuse a manifest in which a path leads to other bytes than the build's", () => {
    const lab = farm();
    propose(lab, "dan", forged(lab, { items: [evil(lab, "bin/first")] }));
    expectUnharmed(lab);
  });

  test("fast-forward: an epoch far ahead is not begun, and one dated far ahead gets no vote", () => {
    const lab = farm();
    vote(lab, "ann", forged(lab, { epoch: 1000 }), { epoch: 1000 });
    vote(lab, "bob", forged(lab, { epoch: 1000 }), { epoch: 1000 });
    propose(lab, "dan", forged(lab, { epoch: 1000 }), 1000);
    propose(lab, "dan", forged(lab, {}, tipOf(lab).proposal.atMs + 10 * 365 * 86_400_000));
    expectUnharmed(lab);
  });

  test("rollback: a mirror that is told of less than it shows stays with what it shows", () => {
    const lab = farm();
    expectUnharmed(lab);
    const bob = lab.node("bob");
    const old = lab.said.filter(({ entry }) => !entry.events.some((e) => "epoch" in e && e.epoch === 2));
    lab.kill(bob, true);
    lab.start(bob);
    bob.releases.hears({
      kind: "restored-epochs",
      channels: [{ channel: "stable", epochs: [1, 2], current: 2 }],
    });
    const steps: string[] = [];
    lab.instead = (node, effect) => {
      if (node === bob && effect.kind === "publish") steps.push(effect.step.step);
      return false;
    };
    // A member that lies holds back the newest epoch.
    for (const entry of old) lab.hear(bob, entry);
    lab.settle(5000, [bob]);
    expect(bob.releases.epochs("stable")?.current).toBe(1);
    expect(bob.releases.publisher.shown("stable")).toBe(2);
    expect(steps).toEqual([]);
  });

  test("freeze: a mirror that is kept from the newest epoch is named, and catches up from any one honest member", () => {
    const lab = farm();
    const [cat, others] = [lab.node("cat"), lab.nodes.filter((n) => n.name !== "cat")];
    lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
    lab.settle(200, others);
    lab.command(lab.node("bob"), finalize);
    lab.settle(3000, others);
    expect(shown(lab)).toEqual([2, 2, 1]);
    const { mirrors } = lab.node("dan").releases;
    expect(mirrors.shows(cat.peer, "stable").epoch).toBe(1);
    lab.settle(1000, [cat, lab.node("dan")]);
    for (const entry of lab.node("dan").kept.values()) lab.hear(cat, entry);
    lab.settle(2000);
    expect(shown(lab)).toEqual([2, 2, 2]);
  });

  test("mix and match: votes for different manifests, ballots or epochs do not add up", () => {
    const lab = farm();
    vote(lab, "ann", forged(lab, { items: [evil(lab)] }));
    vote(lab, "bob", forged(lab, { items: [evil(lab, "bin/other")] }));
    lab.settle(1000);
    expect(current(lab)).toEqual([1, 1, 1, 1]);
    expect(shown(lab)).toEqual([1, 1, 1]);
  });

  test("key compromise: one voter's key makes nothing; a majority's is proof against them, and nothing more is shown", () => {
    const lab = farm();
    const bad = forged(lab, { items: [evil(lab)] });
    vote(lab, "cat", bad);
    lab.settle(500);
    expect(current(lab)).toEqual([1, 1, 1, 1]);
    lab.stage(lab.node("bob"), "second", { "bin/second": "2" });
    lab.settle(200);
    const id = lab.command(lab.node("bob"), finalize);
    lab.settle(20_000);
    expect(lab.replies.get(id)).toMatchObject({ ok: true, epoch: 2 });
    const good = manifestOf(lab);
    expect(good.items.map((item) => item.path)).toEqual(["bin/first", "bin/second"]);
    vote(lab, "bob", bad);
    lab.settle(500);
    for (const node of lab.nodes) expect([...node.releases.epochs("stable")!.conflicts]).toEqual([2]);
    lab.stage(lab.node("bob"), "third", { "bin/third": "3" });
    lab.settle(200);
    const refused = lab.command(lab.node("bob"), finalize);
    lab.settle(2000);
    expect(lab.replies.get(refused)).toMatchObject({
      ok: false,
      message: expect.stringContaining("signed two releases for epoch 2"),
    });
    expect(shown(lab)).toEqual([2, 2, 2]);
  });
});

describe("bytes", () => {
  let dir: string;
  let blobs: DiskBlobs;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "attacks-"));
    blobs = await openBlobStore(path.join(dir, "blobs"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const nothing = () => Promise.reject(new SwarmError("blob-missing", "only whole"));
  const mal = fakePeer("mal");
  /** What comes of asking a member that gives these bytes for whatever it is asked, and how many of them were taken. */
  async function fetched(digest: Digest, chunks: Iterable<Uint8Array>) {
    let takenBytes = 0;
    const artifacts = createArtifacts({
      blobs,
      remote: {
        stat: async (_, digests) => new Set(digests),
        async *get() {
          for (const chunk of chunks) {
            takenBytes += chunk.length;
            yield chunk;
          }
        },
        sizeOf: nothing,
        obtain: nothing,
        pieces: nothing,
        offer: nothing,
        piece: nothing,
      } satisfies Omit<RemoteBlobs, "doubt">,
      sources: new Sources(),
      watchAskers: () => () => {},
      connected: () => [mal],
      locate: async () => [],
      events: { results: (_, done) => done([]) },
      self: fakePeer("self"),
      log: { debug: () => {} },
    });
    const missing = await new Promise<Digest[]>((resolve) =>
      artifacts.fetch([{ digest, from: [mal] }], resolve),
    );
    return { missing, takenBytes };
  }

  test("endless data: a transfer ends with the size that the manifest says", async () => {
    const digest = digestOf(text("a tool"));
    function* endless() {
      for (;;) yield new Uint8Array(1 << 16);
    }
    const { missing, takenBytes } = await fetched(digest, endless());
    expect(missing).toEqual([digest]);
    expect(takenBytes).toBeLessThan(1 << 20);
    expect(blobs.has(digest)).toBe(false);
  });

  test("malicious mirror: other bytes of the right size are taken from nobody", async () => {
    const digest = digestOf(text("a tool"));
    expect((await fetched(digest, [text("a fool")])).missing).toEqual([digest]);
    expect(blobs.has(digest)).toBe(false);
  });

  test("malicious mirror: what changed on its disk since is not laid out, and what it shows stays", async () => {
    const options = { dir: path.join(dir, "shown"), blobs, formats: [new FilesFormat()] };
    const showcase = await openShowcase(options);
    const run = (step: PublishStep) => new Promise<unknown>((resolve) => showcase.run(step, resolve));
    for (const step of await publishSteps(blobs, 1, "bin/tool", text("one")))
      expect(await run(step)).toBe(undefined);
    const steps = await publishSteps(blobs, 2, "bin/tool", text("two"));
    const place = blobs.path(digestOf(text("two")));
    await chmod(place, 0o600);
    await writeFile(place, "owt");
    expect(await run(steps[0]!)).toBe(undefined);
    expect(await run(steps[1]!)).toMatchObject({ code: expect.stringMatching(/^blob-/) });
    expect(await readFile(path.join(dir, "shown/stable/current/bin/tool"), "utf8")).toBe("one");
    expect((await readdir(path.join(dir, "shown/stable"))).sort()).toEqual([".new-2", "1", "current"]);
  });
});
