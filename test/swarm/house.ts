/** The house that requests and the registrar live in, without a core: real members, a clock to turn, and what was said and emitted. */
import type { CommandReply, CoreConfig, Effect } from "../../protocol/contract.ts";
import type { Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { LastWords } from "../../protocol/swarm/last-words.ts";
import type { Liveness } from "../../protocol/swarm/liveness.ts";
import { Members } from "../../protocol/swarm/members.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { Event, Role } from "../../protocol/timeline/events.ts";
import { peerNamed } from "../contract/chain.ts";

const inc = "1-00000001" as Incarnation;

const sealed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
};

/** Ann founded the swarm; `self` is the node whose house it is. What it says is folded at once. */
export class TestHouse {
  readonly config: CoreConfig;
  readonly members: Members;
  readonly lastWords = new LastWords();
  now = { monoMs: 1_000_000, wallMs: 1_800_000_000_000 };
  readonly said: Event[] = [];
  readonly effects: Effect[] = [];
  /** Everybody else lives. */
  readonly gone = new Set<PeerId>();
  private seq = 0;

  constructor(self = "ann") {
    const founding = sealed(
      foundingEntry({
        name: "garden",
        root: peerNamed("root"),
        nonce: "0".repeat(32),
        admin: peerNamed("ann"),
        adminName: "ann",
        nowMs: 0,
        notAfterMs: this.now.wallMs + 1e12,
      }),
    );
    const { swarm } = founding.entry;
    this.members = new Members(swarm);
    this.members.consider(founding);
    this.config = { swarm, self: peerNamed(self), name: self, inc } as CoreConfig;
  }

  admit(name: string, roles: readonly Role[] = ["builder"], notAfterMs = this.now.wallMs + 1e12): PeerId {
    const peer = peerNamed(name);
    this.told("ann", { kind: "member.admitted", peer, name, roles: [...roles], notAfterMs });
    return peer;
  }

  /** Somebody said something in the timeline. */
  told(author: string, ...events: Event[]): void {
    const { swarm } = this.config;
    const seq = this.seq++;
    const entry = sealed({
      v: 1,
      swarm,
      author: peerNamed(author),
      inc,
      seq,
      prev: null,
      hlc: [0, 0],
      last: seq - 1,
      events,
    });
    this.lastWords.hear(entry);
    this.members.consider(entry);
  }

  status(peer: PeerId): Liveness {
    return this.gone.has(peer) ? "dead" : "alive";
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  say(_build: undefined, event: Event, options: { after?: readonly Effect[] } = {}): void {
    this.said.push(event);
    this.told(this.config.name, event);
    this.effects.push(...(options.after ?? []));
  }

  pass(ms: number): void {
    this.now = { monoMs: this.now.monoMs + ms, wallMs: this.now.wallMs + ms };
  }

  /** Replies since the last look. */
  replies(): CommandReply[] {
    return this.effects.splice(0).flatMap((e) => (e.kind === "reply" ? [e.reply] : []));
  }

  /** Requests told to others since the last look. */
  requests() {
    return this.effects
      .splice(0)
      .flatMap((e) => (e.kind === "gossip" && e.message.kind === "request" ? [e.message.request] : []));
  }
}
