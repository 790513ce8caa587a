/** A recording that was opened: every word in it judged as a node judges it, and a core that knows it, to be asked like any other. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { z } from "zod";
import { decodeGraph } from "../../protocol/build/graph.ts";
import { Core } from "../../protocol/core.ts";
import type { Ran } from "../../protocol/explain/autopsy.ts";
import type { Reading } from "../../protocol/explain/readings.ts";
import { hashOf, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Digest, PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import type { Signer } from "../../protocol/ports.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { type Header, readEntry, readHeader, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { provenBy } from "../../protocol/timeline/forks.ts";
import { IdSum } from "../../protocol/timeline/sum.ts";
import { Build } from "../../protocol/work/build.ts";
import { decodeHistory } from "../../protocol/work/history.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import { reasonOf } from "../files.ts";
import { verifySignature } from "../signer.ts";
import { Container, type Placed, type Source } from "./container.ts";
import {
  blobSchema,
  entriesSchema,
  type Head,
  headSchema,
  historySchema,
  type LeftOut,
  leftSchema,
  nodesSchema,
  readingsSchema,
  runsSchema,
  tapeSchema,
  treesSchema,
} from "./contents.ts";

/** Bytes of words, and of what else is kept in memory while a recording is open. */
const wordsBytesMax = 512 << 20;
const stretchesMax = 10_000;
const graphBytesMax = 1 << 30;

/** Who sealed a recording, and what makes that worth something. */
export interface Trust {
  readonly swarm: SwarmId;
  readonly swarmName: string;
  /** The key that founded the swarm: whoever trusts it trusts what its members said. */
  readonly root: PeerId;
  readonly by: PeerId;
  readonly node: string;
  /** It is a member no more, by what the recording itself says. */
  readonly former: boolean;
  readonly program: string;
  readonly atMs: number;
}

export interface OpenOptions {
  /** The root key, or the id, of the swarm that it must come from. */
  readonly root?: string;
  readonly verify?: Signer["verify"];
}

interface Parts {
  readonly head: Head;
  readonly entries: SignedEntry[];
  readonly blobs: Map<Digest, Placed[]>;
  readonly tapes: Map<string, Placed[]>;
  readonly nodes: Vitals[];
  readonly readings: Reading[];
  readonly trees: z.infer<typeof treesSchema>;
  readonly histories: Uint8Array[];
  readonly runs: Ran[];
  readonly left: LeftOut[];
}

/** A file on the disk. The caller closes it. */
async function sourceOf(file: string): Promise<{ source: Source; handle: FileHandle }> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (cause) {
    throw new SwarmError("not-found", `${file} cannot be read: ${reasonOf(cause)}`, {
      remedy: "name a recording: swarmd export BUILD out.swarm",
      cause,
    });
  }
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw new SwarmError("malformed", `${file} is no file`, {
      remedy: "name a recording: swarmd export BUILD out.swarm",
    });
  }
  return {
    handle,
    source: {
      name: path.basename(file),
      bytes: stats.size,
      async read(at, bytes) {
        const buffer = Buffer.alloc(bytes);
        const { bytesRead } = await handle.read(buffer, 0, bytes, at);
        return buffer.subarray(0, bytesRead);
      },
    },
  };
}

export class Recording {
  readonly head: Head;
  readonly trust: Trust;
  readonly core: Core;
  /** Every entry in it, by its place in the file. */
  readonly entries: readonly SignedEntry[];
  readonly readings: readonly Reading[];
  readonly nodes: ReadonlyMap<PeerId, Vitals>;
  readonly ran: readonly Ran[];
  readonly left: readonly LeftOut[];
  private readonly parts: Parts;
  private readonly container: Container;
  private readonly close_: () => Promise<void>;
  private readonly closers: (() => Promise<void>)[] = [];

  private constructor(
    container: Container,
    parts: Parts,
    core: Core,
    trust: Trust,
    close: () => Promise<void>,
  ) {
    this.container = container;
    this.parts = parts;
    this.core = core;
    this.trust = trust;
    this.close_ = close;
    this.head = parts.head;
    this.entries = parts.entries;
    this.readings = parts.readings;
    this.nodes = new Map(parts.nodes.map((vitals) => [vitals.peer, vitals]));
    this.ran = parts.runs;
    this.left = [...parts.left, ...gapsIn(parts.entries)];
  }

  /** Opens a file. Throws `not-found`, what `Container.open` throws, and what `over` throws. */
  static async open(file: string, options: OpenOptions = {}): Promise<Recording> {
    const { source, handle } = await sourceOf(file);
    try {
      return await Recording.over(source, options, () => handle.close());
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Of bytes. Throws as `Container.open`; `unauthentic` for words whose signatures do not hold, of strangers, or sealed by one who never was a member;
   * `wrong-swarm` for words of another swarm, or for another root than the one asked for; `malformed` for sections that are none.
   */
  static async over(
    source: Source,
    { root, verify = verifySignature }: OpenOptions = {},
    close: () => Promise<void> = async () => {},
  ): Promise<Recording> {
    const container = await Container.open(source, verify);
    const parts = await partsOf(container);
    if (parts.head.by !== container.by)
      throw new SwarmError(
        "unauthentic",
        `${source.name} was made by ${parts.head.by} and sealed by ${container.by}`,
      );
    const core = coreOf(parts, source.name, verify);
    const trust = trustOf(core, parts.head, source.name);
    if (root !== undefined && root !== trust.root && root !== trust.swarm)
      throw new SwarmError(
        "wrong-swarm",
        `${source.name} is of the swarm ${trust.swarmName} (${trust.swarm}), founded by ${trust.root}, not of ${root}`,
        { remedy: "the root of your swarm: swarmd member list --json" },
      );
    const recording = new Recording(container, parts, core, trust, close);
    for (const { build } of parts.head.builds) await recording.openBuild(build);
    return recording;
  }

  /** Of the file. */
  get name(): string {
    return this.container.name;
  }

  /** The build that it was made of. */
  get build(): BuildId {
    return this.head.builds[0]!.build;
  }

  has(digest: Digest): boolean {
    return this.parts.blobs.has(digest) || sizeOf(digest) === 0;
  }

  /** Digests of all blobs in it. */
  blobs(): Iterable<Digest> {
    return this.parts.blobs.keys();
  }

  /** Throws `blob-missing` for one that is not in it, `blob-corrupt`. */
  async *stream(digest: Digest): AsyncIterable<Uint8Array> {
    const hash = createHash("sha256");
    for (const placed of this.parts.blobs.get(digest) ?? []) {
      const { bytes } = said(blobSchema, await this.container.body(placed), this.container.name);
      hash.update(bytes);
      yield bytes;
    }
    if (hash.digest("hex") !== hashOf(digest))
      throw this.has(digest)
        ? new SwarmError("blob-corrupt", `${digest} in ${this.container.name} is not what its name says`)
        : new SwarmError("blob-missing", `${digest} is not in ${this.container.name}`, {
            remedy: "a recording has the logs that were asked for: swarmd export BUILD out.swarm --logs all",
          });
  }

  /** Throws as `stream`, and `too-large`. */
  async read(digest: Digest, maxBytes: number): Promise<Uint8Array> {
    if (sizeOf(digest) > maxBytes)
      throw new SwarmError("too-large", `${digest} is larger than ${maxBytes} bytes`);
    return Buffer.concat(await Array.fromAsync(this.stream(digest)));
  }

  /** Names of the recorded stretches in it, the oldest first. */
  stretches(): readonly string[] {
    return [...this.parts.tapes.keys()];
  }

  async stretch(name: string): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (const placed of this.parts.tapes.get(name) ?? [])
      pieces.push(said(tapeSchema, await this.container.body(placed), this.container.name).bytes);
    return Buffer.concat(pieces);
  }

  /** Runs before the file is closed. */
  onClose(run: () => Promise<void>): void {
    this.closers.push(run);
  }

  async close(): Promise<void> {
    for (const run of this.closers.splice(0)) await run();
    await this.close_();
  }

  /** Folds a build of it. One whose plan is not in it stays closed; of the one that was asked for it must be. */
  private async openBuild(id: BuildId): Promise<void> {
    const { desk } = this.core;
    const build = desk.builds.get(id)!;
    const { submission } = build;
    if (!submission)
      throw new SwarmError("malformed", `${this.container.name} does not say who submitted ${id}`);
    const { graph } = submission.event;
    if (!this.has(graph)) {
      if (id === this.build)
        throw new SwarmError("malformed", `${this.container.name} lacks the plan of ${id}`);
      desk.builds.delete(id);
      return;
    }
    build.open(decodeGraph(await this.read(graph, graphBytesMax)), desk.estimates, desk.members);
  }
}

function said<T>(schema: z.ZodType<T, unknown>, body: unknown, name: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SwarmError(
    "malformed",
    `a section of ${name} does not say what it should: ${issue?.path.join(".")}`,
  );
}

/** Reads all sections but for the bytes of blobs and tapes, whose places are kept. */
async function partsOf(container: Container): Promise<Parts> {
  const { name, sections } = container;
  const [first, ...rest] = sections;
  if (first?.kind !== "head") throw new SwarmError("malformed", `${name} does not begin with its head`);
  const head = said(headSchema, await container.body(first), name);
  const parts: Parts = {
    head,
    entries: [],
    blobs: new Map(),
    tapes: new Map(),
    nodes: [],
    readings: [],
    trees: [],
    histories: [],
    runs: [],
    left: [],
  };
  let bytes = 0;
  const blobs = new Pieces(name);
  const tapes = new Pieces(name);
  for (const section of rest) {
    const body = await container.body(section);
    if (section.kind !== "blob" && section.kind !== "tape") bytes += section.plainBytes;
    if (bytes > wordsBytesMax)
      throw new SwarmError("too-large", `${name} says more than ${wordsBytesMax} bytes`);
    switch (section.kind) {
      case "entries":
        for (const entry of said(entriesSchema, body, name)) parts.entries.push(readEntry(entry));
        break;
      case "blob": {
        const piece = said(blobSchema, body, name);
        blobs.take(piece.digest, piece.at, piece.bytes);
        push(parts.blobs, piece.digest, section);
        break;
      }
      case "tape": {
        const piece = said(tapeSchema, body, name);
        tapes.take(piece.name, piece.at, piece.bytes);
        push(parts.tapes, piece.name, section);
        if (parts.tapes.size > stretchesMax)
          throw new SwarmError("too-large", `${name} has too many recordings`);
        break;
      }
      case "nodes":
        parts.nodes.push(...said(nodesSchema, body, name));
        break;
      case "readings":
        parts.readings.push(...said(readingsSchema, body, name));
        break;
      case "trees":
        parts.trees.push(...said(treesSchema, body, name));
        break;
      case "history":
        parts.histories.push(said(historySchema, body, name));
        break;
      case "runs":
        for (const [build, action, group, key, peer, outcome] of said(runsSchema, body, name))
          parts.runs.push({ build, action, group, key, peer, outcome });
        break;
      case "left":
        parts.left.push(...said(leftSchema, body, name));
        break;
      case "head":
        throw new SwarmError("malformed", `${name} has two heads`);
    }
  }
  for (const [digest, sum] of blobs.sums())
    if (sum !== digest)
      throw new SwarmError("blob-corrupt", `a blob in ${name} is not what its name says: ${digest}`);
  return parts;
}

/** Pieces of things, one after the other, and what each adds up to. */
class Pieces {
  private readonly name: string;
  private readonly known = new Map<string, { bytes: number; readonly hash: ReturnType<typeof createHash> }>();

  constructor(name: string) {
    this.name = name;
  }

  take(of: string, at: number, bytes: Uint8Array): void {
    const known = this.known.get(of) ?? { bytes: 0, hash: createHash("sha256") };
    this.known.set(of, known);
    if (at !== known.bytes)
      throw new SwarmError("malformed", `pieces of ${of} in ${this.name} are out of order`);
    known.bytes += bytes.length;
    known.hash.update(bytes);
  }

  *sums(): Iterable<readonly [string, string]> {
    for (const [of, { bytes, hash }] of this.known) yield [of, `${hash.digest("hex")}/${bytes}`];
  }
}

const push = <K>(lists: Map<K, Placed[]>, key: K, placed: Placed): void => {
  const list = lists.get(key);
  if (list) list.push(placed);
  else lists.set(key, [placed]);
};

/** A core that has heard what the recording says, and nothing else. */
function coreOf(parts: Parts, name: string, verify: Signer["verify"]): Core {
  const { head, entries } = parts;
  const now = { monoMs: 0, wallMs: head.atMs };
  const config = {
    swarm: head.swarm,
    self: head.by,
    name: head.node,
    inc: head.inc,
    seed: new Uint8Array(16),
    version: head.program,
    slots: 0,
    unsafeNoSandbox: false,
    scheduling: defaultScheduling,
  };
  const core = new Core(config, now);
  const { desk } = core;
  for (const entry of entries) {
    const { author, swarm } = entry.entry;
    if (swarm !== head.swarm)
      throw new SwarmError(
        "wrong-swarm",
        `${name} has words of another swarm in it (${swarm}), said by ${author}`,
      );
    if (!verify(author, entry.id, entry.sig))
      throw new SwarmError(
        "unauthentic",
        `${name} has words in it that ${author} did not sign (${entry.id})`,
      );
    for (const header of provenBy(entry)) checkProof(header, name, verify);
    if (entry.entry.build === undefined) desk.members.consider(entry);
    desk.lastWords.hear(entry);
  }
  for (const [a, b] of head.forks) {
    for (const header of [a, b]) checkProof(readHeader(header), name, verify);
    desk.members.prove({ kind: "fork", headers: [a, b] });
  }
  for (const { entry } of entries)
    if (desk.members.nameOf(entry.author) === undefined && entry.author !== desk.members.root)
      throw new SwarmError(
        "unauthentic",
        `${name} has words of ${entry.author} in it, who never was a member`,
      );
  const known = parts.histories.flatMap((bytes) => decodeHistory(bytes) ?? []);
  for (const one of known) desk.estimates.know(one);
  for (const { digest, files } of parts.trees) desk.trees.set(digest, files);
  const words = Map.groupBy(entries, ({ entry }) => entry.build);
  for (const { build: id, entries: count, sum } of head.builds) {
    const own = words.get(id) ?? [];
    const total = new IdSum();
    for (const entry of own) total.mix(entry.id);
    if (own.length !== count || total.text() !== sum)
      throw new SwarmError(
        "malformed",
        `${name} has ${own.length} words of ${id}, and says that it has ${count}`,
      );
    const build = new Build(id, new Ledger(id, 0), 0);
    build.take(own, desk.members);
    desk.builds.set(id, build);
  }
  for (const id of words.keys())
    if (id !== undefined && !desk.builds.has(id))
      throw new SwarmError("malformed", `${name} has words of ${id} in it, of which its head says nothing`);
  return core;
}

function checkProof({ entry, id, sig }: Header, name: string, verify: Signer["verify"]): void {
  if (verify(entry.author, id, sig)) return;
  throw new SwarmError("unauthentic", `${name} has a proof in it that ${entry.author} did not sign (${id})`);
}

/** Each author names the one of its words in a build before this one: what is missing between two shows. */
function gapsIn(entries: readonly SignedEntry[]): LeftOut[] {
  const chains = Map.groupBy(
    entries.filter(({ entry }) => entry.build !== undefined),
    ({ entry }) => `${entry.author} ${entry.inc} ${entry.build}`,
  );
  const left: LeftOut[] = [];
  for (const chain of chains.values()) {
    let before = -1;
    for (const { entry } of chain.toSorted((a, b) => a.entry.seq - b.entry.seq)) {
      if (entry.last !== before && left.length < 100)
        left.push({
          what: `words of ${entry.author} in ${entry.build}`,
          why: `there is a gap between its places ${before} and ${entry.seq}`,
        });
      before = entry.seq;
    }
  }
  return left;
}

/** By the chain of admissions from the key that founded the swarm down to whoever sealed it. */
function trustOf({ desk: { members } }: Core, head: Head, name: string): Trust {
  const { root } = members;
  if (root === undefined)
    throw new SwarmError("unauthentic", `${name} does not say who founded the swarm ${head.swarm}`);
  const node = members.nameOf(head.by);
  if (node === undefined)
    throw new SwarmError(
      "unauthentic",
      `${name} is sealed by ${head.by}, who never was a member of the swarm`,
    );
  return {
    swarm: head.swarm,
    swarmName: members.swarmName,
    root,
    by: head.by,
    node,
    former: members.former(head.by) !== undefined,
    program: head.program,
    atMs: head.atMs,
  };
}
