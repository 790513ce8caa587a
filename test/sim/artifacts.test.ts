import { beforeEach, describe, expect, test } from "vitest";
import { buildTree } from "../../protocol/build/reapi.ts";
import { digestFrom, digestOf, emptyDigest, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Artifacts, EventStore } from "../../protocol/ports.ts";
import { Blobs } from "../../sim/artifacts.ts";
import { Disk } from "../../sim/disk.ts";
import { VirtualNetwork } from "../../sim/network.ts";
import { Process } from "../../sim/process.ts";
import { fakePeer } from "../../sim/signer.ts";
import { World } from "../../sim/world.ts";
import { madeBy } from "../contract/chain.ts";

interface Host {
  readonly peer: PeerId;
  readonly process: Process;
  readonly events: EventStore;
  readonly artifacts: Artifacts;
}

const blob = (name: string, sizeBytes = 1000): Digest => digestFrom(sha256Hex(name), sizeBytes);
const text = (said: string) => new TextEncoder().encode(said);

describe("virtual artifacts", () => {
  let world: World;
  let network: VirtualNetwork;
  let blobs: Blobs;
  let ann: Host;
  let bob: Host;
  let cat: Host;

  beforeEach(() => {
    world = new World({ seed: 1 });
    network = new VirtualNetwork(world, { conditions: { bytesPerSecond: 1_000_000, delayMs: 1 } });
    blobs = new Blobs(network);
    const start = (name: string): Host => {
      const peer = fakePeer(name);
      const process = new Process(world, name);
      network.attach(process, peer, {
        admits: () => true,
        knows: () => true,
        presentation: () => new Uint8Array(),
        admission: (_peer, _request, answer) => answer(new Uint8Array()),
        connected() {},
        disconnected() {},
        message() {},
        gossip() {},
      });
      const events = new Disk(world, name).port(process);
      return { peer, process, events, artifacts: blobs.port(process, peer, events) };
    };
    [ann, bob, cat] = [start("ann"), start("bob"), start("cat")];
    world.runFor(100);
  });

  /** What a callback was called with, once it was. */
  const answer = <T extends unknown[]>(call: (done: (...given: T) => void) => void): T => {
    const answers: T[] = [];
    call((...given) => answers.push(given));
    expect(answers).toEqual([]);
    world.runUntil(() => answers.length > 0, 120_000);
    expect(answers).toHaveLength(1);
    return answers[0]!;
  };
  const fetch = (host: Host, digests: readonly Digest[], from: readonly Host[]) => {
    const wants = digests.map((digest) => ({ digest, from: from.map((h) => h.peer) }));
    const [missing, fetchedBytes] = answer<[Digest[], number]>((done) => host.artifacts.fetch(wants, done));
    return { missing, fetchedBytes };
  };

  test("brings what is not here, counts only that, and takes the bytes' time", () => {
    blobs.add(ann.peer, blob("here"));
    blobs.add(bob.peer, blob("there", 2_000_000));
    const beganMs = world.nowMs;
    expect(fetch(ann, [blob("here"), blob("there", 2_000_000), emptyDigest], [bob])).toEqual({
      missing: [],
      fetchedBytes: 2_000_000,
    });
    expect(world.nowMs - beganMs).toBeGreaterThan(2000);
    expect(blobs.has(ann.peer, blob("there", 2_000_000))).toBe(true);
    expect(fetch(ann, [], [])).toEqual({ missing: [], fetchedBytes: 0 });
  });

  test("passes over those who lack it, are cut off, or die while they send", () => {
    blobs.add(cat.peer, blob("a", 1_000_000));
    expect(fetch(ann, [blob("a", 1_000_000)], [bob, cat]).missing).toEqual([]);

    blobs.add(bob.peer, blob("b"));
    blobs.add(cat.peer, blob("b"));
    network.cut([ann.peer], [bob.peer]);
    expect(fetch(ann, [blob("b")], [bob, cat]).missing).toEqual([]);
    network.heal();
    world.runFor(20_000);

    blobs.add(bob.peer, blob("c", 1_000_000));
    blobs.add(cat.peer, blob("c", 1_000_000));
    world.after(500, () => bob.process.end("kill"));
    expect(fetch(ann, [blob("c", 1_000_000)], [bob, cat]).missing).toEqual([]);
    expect(blobs.has(ann.peer, blob("c", 1_000_000))).toBe(true);
  });

  test("bytes that rot or come corrupt are noticed, thrown away and had from somebody else", () => {
    blobs.add(ann.peer, blob("rotten here"));
    blobs.add(bob.peer, blob("rotten there"));
    for (const digest of [blob("rotten here"), blob("rotten there")]) blobs.add(cat.peer, digest);
    const always = world.randomFor("rot");
    expect(blobs.rot(ann.peer, 1, always)).toBeGreaterThan(0);
    blobs.rot(bob.peer, 1, always);
    expect(blobs.has(ann.peer, blob("rotten here"))).toBe(true);
    const wants = [blob("rotten here"), blob("rotten there")];
    expect(fetch(ann, wants, [bob, cat])).toEqual({ missing: [], fetchedBytes: 2000 });
    expect(blobs.refused).toBe(2);
    expect(blobs.has(bob.peer, blob("rotten there"))).toBe(false);

    for (const host of [bob, cat]) blobs.add(host.peer, blob("bent on its way"));
    const end = network.worsen({ corrupt: 1 }, [bob.peer]);
    expect(fetch(ann, [blob("bent on its way")], [bob]).missing).toHaveLength(1);
    expect(blobs.refused).toBe(3);
    expect(fetch(ann, [blob("bent on its way")], [bob, cat]).missing).toEqual([]);
    end();
  });

  test("names what nobody had, and keeps the rest", () => {
    blobs.add(bob.peer, blob("had"));
    expect(fetch(ann, [blob("had"), blob("lacked")], [bob, cat])).toEqual({
      missing: [blob("lacked")],
      fetchedBytes: 1000,
    });
    expect(blobs.has(ann.peer, blob("lacked"))).toBe(false);
  });

  test("reads a whole blob from the own disk or a peer's, null when nobody has it", () => {
    const digest = blobs.put(bob.peer, text("a graph"));
    const read = (host: Host, wanted: Digest) =>
      answer<[Uint8Array | null]>((done) =>
        host.artifacts.read({ digest: wanted, from: [bob.peer] }, done),
      )[0];
    expect(read(ann, digest)).toEqual(text("a graph"));
    bob.process.end("kill");
    world.runFor(100);
    expect(read(ann, digest)).toEqual(text("a graph"));
    expect(read(cat, digest)).toBeNull();
    expect(read(cat, emptyDigest)).toEqual(new Uint8Array());
  });

  test("reads all files below a folder, sorted, and null when a part is gone", () => {
    const files = ["z", "b/y", "b/x/w", "a/v"].map((path) => ({
      path,
      digest: digestOf(text(path)),
      executable: path === "z",
    }));
    const tree = buildTree(files);
    for (const [digest, bytes] of tree.blobs) blobs.add(bob.peer, digest, bytes);
    const want = { digest: tree.root, from: [bob.peer] };
    expect(answer((done) => ann.artifacts.readTree(want, done))).toEqual([
      [...files].sort((a, b) => (a.path < b.path ? -1 : 1)),
    ]);
    const below = [...tree.blobs.keys()].find((digest) => digest !== tree.root)!;
    blobs.remove(bob.peer, below);
    expect(answer((done) => cat.artifacts.readTree(want, done))).toEqual([null]);
  });

  test("looks up only what can all be had now: folders with what is below, holders that live", () => {
    const inside = digestOf(text("inside"));
    const tree = buildTree([{ path: "inside", digest: inside, executable: false }]);
    for (const [digest, bytes] of tree.blobs) blobs.add(bob.peer, digest, bytes);
    const keys = ["file", "folder", "gone", "unknown"].map((k) => blob(`key ${k}`));
    const output = (digest: Digest, kind: "file" | "folder" = "file") => ({
      outputs: [{ path: "out", digest, kind }],
    });
    blobs.add(bob.peer, blob("made"));
    ann.events.remember(keys[0]!, output(blob("made")), madeBy(bob.peer));
    ann.events.remember(keys[1]!, output(tree.root, "folder"), madeBy(bob.peer));
    ann.events.remember(keys[2]!, output(blob("collected")), madeBy(bob.peer));
    world.runFor(10);
    const lookUp = () => {
      const [hits] = answer<[{ key: Digest; from: PeerId }[]]>((done) => ann.artifacts.lookUp(keys, done));
      return hits.map(({ key, from }) => [keys.indexOf(key), from]);
    };
    expect(lookUp()).toEqual([[0, bob.peer]]);
    blobs.add(bob.peer, inside);
    expect(lookUp()).toEqual([
      [0, bob.peer],
      [1, bob.peer],
    ]);
    fetch(ann, [blob("made")], [bob]);
    bob.process.end("kill");
    world.runFor(100);
    expect(lookUp()).toEqual([[0, ann.peer]]);
  });
});
