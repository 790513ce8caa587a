/** Artifacts of a daemon in memory: what was put there, and what is told of it. */
import type { ArtifactView, BringEvent, Control } from "../../node/control/api.ts";
import { type Envelope, signStatement } from "../../node/release/attestation.ts";
import { createSigner } from "../../node/signer.ts";
import { cidOf, digestOf, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Digest } from "../../protocol/kernel/ids.ts";
import { MemoryPublishing } from "./memory-publishing.ts";

const seed = new Uint8Array(32).fill(7);

export class MemoryArtifacts extends MemoryPublishing {
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly trees = new Map<Digest, Awaited<ReturnType<Control["getTree"]>>>();

  async missingBlobs(digests: readonly Digest[]) {
    return digests.filter((digest) => !this.blobs.has(digest));
  }

  async putBlob(digest: Digest, bytes: AsyncIterable<Uint8Array>) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    if (digestOf(whole) !== digest)
      throw new SwarmError("blob-corrupt", `the bytes are not those of ${digest}`);
    this.blobs.set(digest, whole);
  }

  async *getBlob(digest: Digest) {
    const bytes = this.blobs.get(digest);
    if (!bytes) throw new SwarmError("blob-missing", `nobody holds ${digest}`);
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }

  async artifact(word: string): Promise<ArtifactView> {
    const digest = [...this.blobs.keys(), ...this.trees.keys()].find(
      (known) => known === word || cidOf(known) === word || known.startsWith(`${word}/`),
    );
    if (!digest) throw new SwarmError("blob-missing", `nobody knows ${word}`);
    return {
      digest,
      cid: cidOf(digest),
      sizeBytes: sizeOf(digest),
      kind: this.trees.has(digest) ? "folder" : "file",
      hereBytes: 0,
      origins: [{ build: "a-build-5feceb66ff" as BuildId, digest, path: "a/path", nodes: ["alpha"] }],
      neededBy: [],
    };
  }

  async attest(word: string): Promise<Envelope[]> {
    const { digest } = await this.artifact(word);
    const statement = { subject: [{ name: "a/path", digest: { sha256: digest.slice(0, 64) } }] };
    return [signStatement(JSON.stringify(statement), createSigner(seed).self, seed)];
  }

  async *bring(digest: Digest): AsyncGenerator<BringEvent> {
    if (!this.blobs.has(digest)) throw new SwarmError("blob-missing", `nobody holds ${digest}`);
    yield { hereBytes: 0, sizeBytes: sizeOf(digest) };
    yield { hereBytes: sizeOf(digest), sizeBytes: sizeOf(digest) };
  }

  async getTree(digest: Digest) {
    const tree = this.trees.get(digest);
    if (!tree) throw new SwarmError("blob-missing", `nobody holds ${digest}`);
    return tree;
  }
}
