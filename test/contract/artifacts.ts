/** What every Artifacts port keeps to, real or simulated. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InputFile } from "../../protocol/build/graph.ts";
import { buildTree } from "../../protocol/build/reapi.ts";
import type { CacheHit } from "../../protocol/contract.ts";
import { digestOf, emptyDigest } from "../../protocol/kernel/digest.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Artifacts } from "../../protocol/ports.ts";
import type { ActionResult } from "../../protocol/timeline/events.ts";

export interface ArtifactsFixture {
  readonly artifacts: Artifacts;
  readonly self: PeerId;
  /** Two live peers. */
  readonly peers: readonly [PeerId, PeerId];
  /** Puts a blob on the disk of a member (`self` included). */
  hold(peer: PeerId, bytes: Uint8Array): void | Promise<void>;
  /** What the event store knows of an action key. */
  know(key: Digest, result: ActionResult, holders: readonly PeerId[]): void;
  /** Whether the own disk has it. */
  has(digest: Digest): boolean;
  settle(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

const text = (value: string) => new TextEncoder().encode(value);

export function artifactsContract(name: string, make: () => Promise<ArtifactsFixture>): void {
  describe(`${name} keeps the artifacts' contract`, () => {
    let fixture: ArtifactsFixture;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture.close());

    async function answer<T>(ask: (done: (value: T) => void) => void): Promise<T> {
      const answers: T[] = [];
      ask((value) => answers.push(value));
      await fixture.settle(() => answers.length > 0);
      expect(answers).toHaveLength(1);
      return answers[0]!;
    }
    const fetch = (wants: Parameters<Artifacts["fetch"]>[0]) =>
      answer<{ missing: Digest[]; fetchedBytes: number }>((done) =>
        fixture.artifacts.fetch(wants, (missing, fetchedBytes) => done({ missing, fetchedBytes })),
      );
    const lookUp = (keys: readonly Digest[]) =>
      answer<CacheHit[]>((done) => fixture.artifacts.lookUp(keys, done));

    it("brings what others hold to the own disk and counts its bytes", async () => {
      const [a, b] = fixture.peers;
      const [one, two] = [text("held by the first"), text("held by the second")];
      await fixture.hold(a, one);
      await fixture.hold(b, two);
      const wants = [one, two].map((bytes) => ({ digest: digestOf(bytes), from: [a, b] }));
      expect(await fetch(wants)).toEqual({ missing: [], fetchedBytes: one.length + two.length });
      expect(wants.every((want) => fixture.has(want.digest))).toBe(true);
      expect(await fetch(wants)).toEqual({ missing: [], fetchedBytes: 0 });
    });

    it("keeps a blob of the node's own making, under its digest", async () => {
      const bytes = text("made here");
      const kept = await answer<boolean>((done) => fixture.artifacts.put(bytes, done));
      expect(kept).toBe(true);
      expect(fixture.has(digestOf(bytes))).toBe(true);
      const found = await answer<Uint8Array | null>((done) =>
        fixture.artifacts.read({ digest: digestOf(bytes), from: [] }, done),
      );
      expect(new TextDecoder().decode(found!)).toBe("made here");
    });

    it("reports exactly what nobody asked could give", async () => {
      const [a] = fixture.peers;
      const held = text("held");
      const absent = digestOf(text("held by nobody"));
      await fixture.hold(a, held);
      const { missing } = await fetch([
        { digest: absent, from: [a] },
        { digest: digestOf(held), from: [a] },
      ]);
      expect(missing).toEqual([absent]);
      expect(fixture.has(digestOf(held))).toBe(true);
    });

    it("brings of a folder its Directory alone", async () => {
      const [a] = fixture.peers;
      const inner = text("below a folder");
      const tree = buildTree([{ path: "inner", digest: digestOf(inner), executable: false }]);
      await fixture.hold(a, inner);
      for (const bytes of tree.blobs.values()) await fixture.hold(a, bytes);
      expect(await fetch([{ digest: tree.root, from: [a] }])).toMatchObject({ missing: [] });
      expect(fixture.has(tree.root)).toBe(true);
      expect(fixture.has(digestOf(inner))).toBe(false);
    });

    it("counts what two want at once only once", async () => {
      const [a] = fixture.peers;
      const bytes = text("wanted twice");
      await fixture.hold(a, bytes);
      const want = { digest: digestOf(bytes), from: [a] };
      const both = await Promise.all([fetch([want]), fetch([want])]);
      expect(both.map(({ missing }) => missing)).toEqual([[], []]);
      expect(both.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0)).toBe(bytes.length);
    });

    it("reads no tree in which a link leads out", async () => {
      const [a] = fixture.peers;
      const link = { path: "sub/link", digest: emptyDigest, executable: false };
      for (const [target, whole] of [
        ["../file", true],
        ["../../file", false],
        ["/file", false],
      ] as const) {
        const tree = buildTree([{ ...link, link: target }]);
        for (const bytes of tree.blobs.values()) await fixture.hold(a, bytes);
        const files = await answer<InputFile[] | null>((done) =>
          fixture.artifacts.readTree({ digest: tree.root, from: [a] }, done),
        );
        expect(files === null).toBe(!whole);
      }
    });

    it("answers an empty fetch", async () => {
      expect(await fetch([])).toEqual({ missing: [], fetchedBytes: 0 });
    });

    it("reads a blob from here or elsewhere, null when nobody has it", async () => {
      const [a, b] = fixture.peers;
      await fixture.hold(fixture.self, text("here"));
      await fixture.hold(b, text("there"));
      const read = (bytes: Uint8Array, from: PeerId[]) =>
        answer<Uint8Array | null>((done) => fixture.artifacts.read({ digest: digestOf(bytes), from }, done));
      expect(await read(text("here"), [])).toEqual(expect.objectContaining({ length: 4 }));
      expect(Buffer.from((await read(text("there"), [a, b]))!).toString()).toBe("there");
      expect(await read(text("nowhere"), [a, b])).toBeNull();
    });

    it("reads a tree with everything below it, sorted by path", async () => {
      const [a] = fixture.peers;
      const files: InputFile[] = ["z.h", "a/b/c.cc", "a/d.h", "a/b/a.cc"].map((path, i) => ({
        path,
        digest: digestOf(text(path)),
        executable: i === 1,
      }));
      const tree = buildTree(files);
      for (const bytes of tree.blobs.values()) await fixture.hold(a, bytes);
      const read = (digest: Digest) =>
        answer<InputFile[] | null>((done) => fixture.artifacts.readTree({ digest, from: [a] }, done));
      expect(await read(tree.root)).toEqual([files[3], files[1], files[2], files[0]]);
      expect(await read(digestOf(text("no such folder")))).toBeNull();
    });

    it("finds a known result only while all it stands for can be had from one place", async () => {
      const [a, b] = fixture.peers;
      const [x, y] = [text("output x"), text("output y")];
      const result: ActionResult = {
        outputs: [
          { path: "x", digest: digestOf(x), kind: "file" },
          { path: "y", digest: digestOf(y), kind: "file" },
        ],
      };
      const [known, unknown] = [digestOf(text("key")), digestOf(text("another key"))];
      fixture.know(known, result, [a, b]);
      await fixture.hold(a, x);
      await fixture.hold(b, y);
      expect(await lookUp([known, unknown])).toEqual([]);
      await fixture.hold(b, x);
      expect(await lookUp([unknown, known])).toMatchObject([{ key: known, result, from: b }]);
      await fixture.hold(fixture.self, x);
      await fixture.hold(fixture.self, y);
      const [hit] = await lookUp([known]);
      expect(hit).toMatchObject({ key: known, result, from: fixture.self });
      expect(hit!.made.map((m) => m.by).sort()).toEqual([a, b].sort());
    });

    it("finds a folder only with all that is below it", async () => {
      const [a] = fixture.peers;
      const inner = text("inside the folder");
      const tree = buildTree([{ path: "deep/inner", digest: digestOf(inner), executable: false }]);
      const key = digestOf(text("key of a folder"));
      fixture.know(key, { outputs: [{ path: "f", digest: tree.root, kind: "folder" }] }, [a]);
      for (const bytes of tree.blobs.values()) await fixture.hold(a, bytes);
      expect(await lookUp([key])).toEqual([]);
      await fixture.hold(a, inner);
      expect(await lookUp([key])).toMatchObject([{ key, from: a }]);
    });
  });
}
