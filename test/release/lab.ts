/** The release machines of a few nodes, with a network and a clock that a test moves by hand: what was ever said may arrive any time, or never. */
import type { Inspection } from "../../protocol/build/content.ts";
import type { RiskPolicy } from "../../protocol/build/verdict.ts";
import type { CommandReply, Effect } from "../../protocol/contract.ts";
import { digestOf, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { Random } from "../../protocol/kernel/random.ts";
import { firstLogOf } from "../../protocol/release/ballot.ts";
import type { Bench } from "../../protocol/release/bench.ts";
import { encodeSet, type ReleaseItem } from "../../protocol/release/manifest.ts";
import { type ReleaseCommand, Releases } from "../../protocol/release/releases.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { Members } from "../../protocol/swarm/members.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { type Event, knownEvent } from "../../protocol/timeline/events.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";

const epochMs = 1_764_000_000_000;

const signed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
};

export class LabNode {
  readonly name: string;
  readonly peer: PeerId;
  releases!: Releases;
  up = true;
  /** Its wall clock is so far ahead. */
  aheadMs = 0;
  /** What its owner asks of a release. */
  policy: RiskPolicy | undefined;
  log: string;
  starts = 0;
  seq = 0;
  /** What it has on disk. */
  readonly kept = new Map<string, SignedEntry>();
  readonly blobs = new Set<Digest>();
  waiting: { event: Event; after: readonly Effect[] }[] = [];

  constructor(name: string) {
    this.name = name;
    this.peer = fakePeer(name);
    this.log = sha256Hex(`log of ${name}`).slice(0, 16);
  }
}

export class Lab {
  readonly random: Random;
  readonly nodes: LabNode[];
  readonly members: Members;
  /** Everything that was ever said. */
  readonly said: SignedEntry[] = [];
  readonly bytes = new Map<Digest, Uint8Array>();
  /** What packages hold; those that are not here hold nothing that matters. */
  readonly inspections = new Map<Digest, Inspection>();
  readonly replies = new Map<number, CommandReply>();
  /** Paths that no result brings any more that counts. */
  readonly fallen = new Set<string>();
  nowMs = 0;
  /** What happens in place of an effect; true: it was dealt with. */
  instead: ((node: LabNode, effect: Effect) => boolean) | undefined;
  private commands = 0;

  constructor(names: readonly string[], seed = 1) {
    this.random = Random.fromNumber(seed);
    const root = fakePeer("root");
    const founding = foundingEntry({
      name: "lab",
      root,
      nonce: "0".repeat(32),
      admin: fakePeer(names[0]!),
      adminName: names[0]!,
      nowMs: epochMs,
      notAfterMs: epochMs + 1e10,
    });
    const others = names.slice(1).map((name) => ({
      kind: "member.admitted",
      peer: fakePeer(name),
      name,
      roles: ["releaser", "builder", "submitter"],
      notAfterMs: epochMs + 1e10,
    }));
    this.members = new Members(founding.swarm);
    this.members.consider(signed({ ...founding, events: [...founding.events, ...others] }));
    this.nodes = names.map((name) => new LabNode(name));
    this.nodes[0]!.log = firstLogOf(founding.swarm);
    for (const node of this.nodes) this.start(node);
  }

  node(name: string): LabNode {
    return this.nodes.find((n) => n.name === name)!;
  }

  start(node: LabNode): void {
    node.up = true;
    node.starts++;
    node.seq = 0;
    node.waiting = [];
    const { members } = this;
    const lab = this;
    const bench: Bench = {
      config: {
        swarm: members.swarm,
        self: node.peer,
        name: node.name,
        inc: `${node.starts}-${sha256Hex(`${node.name} ${node.starts}`).slice(0, 8)}` as Incarnation,
        seed: new Uint8Array(16).fill(1),
        version: "0.0.0",
        slots: 1,
        unsafeNoSandbox: false,
        scheduling: defaultScheduling,
        voteLog: node.log,
        ...(node.policy ? { risk: node.policy } : {}),
      },
      get now() {
        return { monoMs: lab.nowMs, wallMs: epochMs + lab.nowMs + node.aheadMs };
      },
      random: Random.fromNumber(node.starts * 100 + this.nodes.indexOf(node)),
      members,
      stopping: false,
      say: (_, event, options) => void node.waiting.push({ event, after: options?.after ?? [] }),
      emit: (effect) => this.perform(node, effect),
      preferred: () => [],
      status: (peer) => (this.nodes.find((n) => n.peer === peer)?.up ? "alive" : "dead"),
      stands: ({ path }) => (this.fallen.has(path) ? false : undefined),
    };
    node.releases = new Releases(bench);
    for (const entry of node.kept.values()) this.fold(node, entry);
  }

  /** SIGKILL. With `disk` all it kept is gone too, its log of votes among it. */
  kill(node: LabNode, disk = false): void {
    node.up = false;
    if (!disk) return;
    node.kept.clear();
    node.blobs.clear();
    node.log = sha256Hex(`log of ${node.name} ${node.starts}`).slice(0, 16);
  }

  /** Decides, and keeps what it says before anybody can hear of it. */
  pump(node: LabNode): void {
    if (!node.up) return;
    node.releases.pump();
    for (let turn = 0; node.waiting.length > 0 && turn < 10; turn++) {
      const { waiting } = node;
      node.waiting = [];
      const entry = signed({
        v: 1,
        swarm: this.members.swarm,
        author: node.peer,
        inc: `${node.starts}-${sha256Hex(`${node.name} ${node.starts}`).slice(0, 8)}` as Incarnation,
        seq: node.seq,
        prev: null,
        hlc: [this.nowMs, 0],
        last: node.seq - 1,
        events: waiting.map((w) => w.event),
      });
      node.seq++;
      this.said.push(entry);
      this.hear(node, entry);
      for (const { after } of waiting) for (const effect of after) this.perform(node, effect);
      node.releases.pump();
    }
  }

  /** The node says this of its own accord. */
  say(node: LabNode, event: Event): void {
    node.waiting.push({ event, after: [] });
    this.pump(node);
  }

  hear(node: LabNode, entry: SignedEntry): void {
    if (!node.up || node.kept.has(entry.id)) return;
    node.kept.set(entry.id, entry);
    this.fold(node, entry);
  }

  command(node: LabNode, command: ReleaseCommand): number {
    const id = this.commands++;
    node.releases.command(id, command);
    this.pump(node);
    return id;
  }

  /** Everybody hears everything, until nothing new is said, for so long. */
  settle(ms = 20_000, among: readonly LabNode[] = this.nodes): void {
    for (const end = this.nowMs + ms; this.nowMs < end; this.nowMs += 100) {
      for (let before = -1; before !== this.said.length; ) {
        before = this.said.length;
        for (const node of among) {
          const heard = among.map((n) => n.peer);
          for (const entry of this.said) if (heard.includes(entry.entry.author)) this.hear(node, entry);
          this.pump(node);
        }
      }
    }
  }

  /** A build of this name released files; every node may hear of it. */
  stage(
    node: LabNode,
    name: string,
    files: Readonly<Record<string, string>>,
    nth = 1,
    origin: Pick<ReleaseItem, "nodes" | "dissenters"> = {},
  ): BuildId {
    const build = `${name}-${sha256Hex(`${name} ${nth}`).slice(0, 10)}` as BuildId;
    const items: ReleaseItem[] = Object.entries(files)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, text]) => {
        const bytes = new TextEncoder().encode(text);
        this.bytes.set(digestOf(bytes), bytes);
        return { path, digest: digestOf(bytes), build, action: "all" as never, ...origin };
      });
    const bytes = encodeSet({ v: 1, channel: "stable", build, format: "files", items });
    this.bytes.set(digestOf(bytes), bytes);
    node.waiting.push({
      event: {
        kind: "release.staged",
        channel: "stable",
        build,
        set: digestOf(bytes),
        items: items.length,
        bytes: 0,
        submittedAtMs: nth,
      },
      after: [],
    });
    this.pump(node);
    return build;
  }

  private fold(node: LabNode, signedEntry: SignedEntry): void {
    for (const [index, raw] of signedEntry.entry.events.entries()) {
      const event = knownEvent(raw);
      if (event) node.releases.take(signedEntry, index, event);
    }
  }

  private perform(node: LabNode, effect: Effect): void {
    if (this.instead?.(node, effect)) return;
    if (effect.kind === "reply") this.replies.set(effect.id, effect.reply);
    else if (effect.kind === "store") {
      this.bytes.set(effect.digest, effect.bytes);
      node.releases.hears({ kind: "stored", digest: effect.digest, ok: true });
    } else if (effect.kind === "inspect")
      node.releases.hears({
        kind: "inspected",
        id: effect.id,
        inspections: effect.packages.map(({ digest }) => this.inspections.get(digest) ?? {}),
      });
    else if (effect.kind === "publish") node.releases.hears({ kind: "published", id: effect.id });
    else if (effect.kind === "read-blob")
      node.releases.read(effect.want.digest, this.bytes.get(effect.want.digest) ?? null);
    else if (effect.kind === "fetch") {
      const missing = effect.wants.map((w) => w.digest).filter((d) => !this.bytes.has(d));
      node.releases.fetched(effect.id, missing);
    }
  }
}
