/** What this node can find out of an artifact: what it is, what made it, who holds it, and how to bring it here. */
import { cidOf, digestFrom, hashOf, hashOfCid, isDigest, sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { byText, type Digest, type PeerId } from "../protocol/kernel/ids.ts";
import type { Artifacts } from "../protocol/ports.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import type { ArtifactOrigin, ArtifactView, BringEvent, HolderView } from "./control/api.ts";
import { located } from "./network/locate.ts";
import type { BlobStore, Mesh } from "./ports.ts";
import type { Queries } from "./queries.ts";
import type { Sources } from "./store/sources.ts";

/** Members asked about one artifact. */
const askedMax = 64;
const askMsMax = 2_000;
const originsMax = 64;
const progressMs = 250;

export interface ArtifactQueriesParts {
  readonly desk: Desk;
  readonly queries: Queries;
  readonly blobs: Pick<BlobStore, "has" | "sizeOfHash" | "bytesHere">;
  readonly artifacts: Pick<Artifacts, "fetch">;
  readonly mesh: Pick<Mesh, "connected" | "locator" | "remoteBlobs">;
  readonly sources: Sources;
}

interface Known {
  readonly kind: ArtifactView["kind"];
  readonly origin: ArtifactOrigin;
  readonly holders: readonly PeerId[];
  readonly live: boolean;
}

export class ArtifactQueries {
  readonly #parts: ArtifactQueriesParts;

  constructor(parts: ArtifactQueriesParts) {
    this.#parts = parts;
  }

  /** By digest, CID or sha2-256. Throws `usage` for anything else, `blob-missing` when nobody knows how large it is. */
  async describe(word: string): Promise<ArtifactView> {
    const { blobs } = this.#parts;
    const digest = await this.#digestOf(word);
    const known = this.#facts((other) => other === digest);
    return {
      digest,
      cid: cidOf(digest),
      sizeBytes: sizeOf(digest),
      kind: known[0]?.kind ?? "unknown",
      hereBytes: blobs.bytesHere(digest),
      origins: known.slice(0, originsMax).map(({ origin }) => origin),
      neededBy: [...new Set(known.filter(({ live }) => live).map(({ origin }) => origin.build))].sort(byText),
    };
  }

  /** Those said to hold it, and those that say so when asked; who holds it and is quick comes first. */
  async holders(digest: Digest): Promise<HolderView[]> {
    const { desk, mesh, blobs, sources, queries } = this.#parts;
    const { self } = desk.config;
    const facts = new Set(this.#facts((other) => other === digest).flatMap(({ holders }) => holders));
    const connected = mesh.connected();
    const [records, answers] = await Promise.all([
      located(mesh.locator, hashOf(digest)).then((found) => new Set(found)),
      Promise.all(connected.slice(0, askedMax).map((peer) => this.#ask(peer, digest))),
    ]);
    const answered = new Map(answers.map((answer) => [answer.peer, answer]));
    const views = [...new Set([self, ...facts, ...records, ...connected])].map((peer): HolderView => {
      const answer = answered.get(peer);
      const holds = peer === self ? blobs.has(digest) : answer?.holds;
      const { corrupt, lied } = sources.of(peer);
      return {
        node: queries.nameOf(peer),
        peerId: peer,
        state: peer === self ? "self" : desk.status(peer),
        by: [
          ...(facts.has(peer) ? ["fact" as const] : []),
          ...(records.has(peer) ? ["record" as const] : []),
          ...(holds ? ["answer" as const] : []),
        ],
        holds: holds === undefined ? "unknown" : holds ? "yes" : "no",
        ...(answer?.latencyMs === undefined ? {} : { latencyMs: answer.latencyMs }),
        corrupt,
        lied,
      };
    });
    const rank = { yes: 0, unknown: 1, no: 2 };
    return views
      .filter(({ by, corrupt, lied }) => by.length > 0 || corrupt + lied > 0)
      .sort(
        (a, b) =>
          rank[a.holds] - rank[b.holds] ||
          (a.latencyMs ?? 0) - (b.latencyMs ?? 0) ||
          byText(a.node, b.node) ||
          byText(a.peerId, b.peerId),
      );
  }

  /** Brings it to this disk, and says every now and then how far it is. Throws `blob-missing`. Leaving early does not stop the transfer. */
  async *bring(digest: Digest, signal: AbortSignal): AsyncGenerator<BringEvent> {
    const { artifacts, blobs, desk } = this.#parts;
    const facts = this.#facts((other) => other === digest).flatMap(({ holders }) => holders);
    const event = (): BringEvent => ({ hereBytes: blobs.bytesHere(digest), sizeBytes: sizeOf(digest) });
    let missing: boolean | undefined;
    const over = new Promise<void>((resolve) =>
      artifacts.fetch([{ digest, from: desk.preferred([...new Set(facts)]) }], (gone) => {
        missing = gone.length > 0;
        resolve();
      }),
    );
    while (missing === undefined && !signal.aborted) {
      yield event();
      await Promise.race([over, pause(progressMs, signal)]);
    }
    if (missing)
      throw new SwarmError("blob-missing", `no member that can be reached has ${digest}`, {
        remedy: `who is said to hold it: swarmd artifact where ${digest}`,
      });
    yield event();
  }

  async #ask(peer: PeerId, digest: Digest): Promise<{ peer: PeerId; holds?: boolean; latencyMs?: number }> {
    const startMs = performance.now();
    const late = pause(askMsMax, new AbortController().signal).then(() => undefined);
    const held = await Promise.race([
      this.#parts.mesh.remoteBlobs.stat(peer, [digest]).catch(() => undefined),
      late,
    ]);
    if (!held) return { peer };
    const latencyMs = Math.round((performance.now() - startMs) * 10) / 10;
    return { peer, holds: held.has(digest), latencyMs };
  }

  async #digestOf(word: string): Promise<Digest> {
    if (isDigest(word)) return word;
    const hash = hashOfCid(word) ?? (/^[0-9a-f]{64}$/.test(word) ? word : undefined);
    if (hash === undefined)
      throw new SwarmError("usage", `${JSON.stringify(word.slice(0, 200))} is no digest and no CID`, {
        remedy: "write <sha2-256>/<size>, the sha2-256 alone, or a CIDv1 of raw bytes (bafkrei…)",
      });
    const { blobs, mesh, sources } = this.#parts;
    const [known] = this.#facts((other) => hashOf(other) === hash, 1);
    const size = known ? sizeOf(known.origin.digest) : blobs.sizeOfHash(hash);
    if (size !== undefined) return digestFrom(hash, size);
    const peers = [...new Set([...(await located(mesh.locator, hash)), ...sources.order(mesh.connected())])];
    const sizes = peers.slice(0, askedMax).map((peer) => mesh.remoteBlobs.sizeOf(peer, hash));
    const late = pause(askMsMax, new AbortController().signal).then(() => undefined);
    const told = await Promise.race([Promise.any(sizes).catch(() => undefined), late]);
    if (told === undefined)
      throw new SwarmError("blob-missing", `no member that can be reached knows ${word}`, {
        remedy: "see which members are away: swarmd status",
      });
    return digestFrom(hash, told);
  }

  /** What the builds that this node knows say of such blobs, the newest build first. */
  #facts(fits: (digest: Digest) => boolean, max = Number.POSITIVE_INFINITY): Known[] {
    const found: Known[] = [];
    const builds = [...this.#parts.desk.builds.values()].filter((build) => build.submission);
    builds.sort((a, b) => b.submission!.wallMs - a.submission!.wallMs || byText(a.id, b.id));
    for (const build of builds)
      for (const known of this.#factsOf(build, fits)) {
        found.push(known);
        if (found.length >= max) return found;
      }
    return found;
  }

  *#factsOf(build: Build, fits: (digest: Digest) => boolean): Generator<Known> {
    const { queries } = this.#parts;
    const { holders } = build.submission!.event;
    const { live, claims } = build;
    const given = (kind: "graph" | "input", digest: Digest, path: string): Known => ({
      kind,
      origin: { build: build.id, digest, path, nodes: holders.map((peer) => queries.nameOf(peer)) },
      holders,
      live,
    });
    const { graph } = build.submission!.event;
    if (fits(graph)) yield given("graph", graph, "");
    if (!claims) return;
    for (let index = 0; index < claims.actions.size; index++)
      for (const result of claims.resultsOf(index)) {
        const { outputs, stdout, stderr } = result.result;
        const made: [ArtifactView["kind"], Digest, string][] = outputs.map((output) => [
          output.kind,
          output.digest,
          output.path,
        ]);
        if (stdout) made.push(["log", stdout, "stdout"]);
        if (stderr) made.push(["log", stderr, "stderr"]);
        const by = claims.holdersOf(index, result);
        for (const [kind, digest, path] of made)
          if (fits(digest))
            yield {
              kind,
              origin: {
                build: build.id,
                action: claims.action(index).name,
                digest,
                path,
                nodes: by.map((peer) => queries.nameOf(peer)),
              },
              holders: by,
              live,
            };
      }
    for (const file of claims.graph.files)
      if (fits(file.digest)) yield given("input", file.digest, file.path);
  }
}

/** Until so long has passed, or the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    signal.addEventListener("abort", end);
  });
}
