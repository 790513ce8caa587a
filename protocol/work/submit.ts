/**
 * Taking a build in: its graph is read, its inputs are laid on a second member, only then is it said to be submitted, and only once that
 * member has heard so is the person answered: from then on the build ends also without this node.
 */
import { decodeGraph, type Graph } from "../build/graph.ts";
import type { Command, CommandReply } from "../contract.ts";
import { sizeOf } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import { holdDigestsMax } from "../swarm/message.ts";
import { buildIdOf, foldVersion } from "./build.ts";
import type { Desk } from "./desk.ts";

/** A second member gets so long to fetch the inputs, and more by what they weigh; then the next is asked. */
const holdMs = 15_000;
const holdBytesPerMs = 4000;
const holdMsMax = 120_000;
const secondsTriedMax = 3;
const aloneWord =
  "no second member took the inputs in time: until one has them the build ends only if this node lives";

type Submit = Extract<Command, { kind: "submit" }>;

interface Submission {
  readonly command: number;
  readonly submit: Submit;
  readonly build: BuildId;
  graph: Graph | undefined;
  /** The build is in the ledger; a second member has still to hear so. */
  said: boolean;
  readonly tried: PeerId[];
  waitingFor: string | undefined;
  /** What the one who was asked has still to be told to hold, message by message. */
  parts: (readonly Digest[])[];
  untilMonoMs: number;
}

export class Submissions {
  private readonly desk: Desk;
  private readonly open: Submission[] = [];
  private count = 0;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  begin(command: number, submit: Submit): void {
    const { self } = this.desk.config;
    if (!this.desk.members.has(self, "submitter")) {
      this.refuse(
        command,
        new SwarmError("role-missing", "this node may not submit", {
          remedy: "ask an admin for the role submitter",
        }),
      );
      return;
    }
    if (!/^[a-z0-9][a-z0-9._-]{0,52}$/.test(submit.name)) {
      this.refuse(
        command,
        new SwarmError("spec-invalid", `a build cannot be named ${JSON.stringify(submit.name)}`),
      );
      return;
    }
    const build = buildIdOf(submit.name, self, submit.graph, submit.nonce);
    this.open.push({
      command,
      submit,
      build,
      graph: undefined,
      said: false,
      tried: [],
      waitingFor: undefined,
      parts: [],
      untilMonoMs: 0,
    });
    this.desk.emit({ kind: "read-blob", want: { digest: submit.graph, from: [] } });
  }

  /** The graph's bytes came (or did not). */
  blobRead(digest: Digest, bytes: Uint8Array | null): void {
    for (const s of this.open.filter((o) => o.submit.graph === digest && !o.graph)) {
      if (!bytes) {
        this.end(s, new SwarmError("blob-missing", "the graph of the build is not on this node"));
        continue;
      }
      try {
        s.graph = decodeGraph(bytes);
      } catch (error) {
        this.end(s, error);
        continue;
      }
      this.askSecond(s);
    }
  }

  /** Another has a build taken in, and this node is to be the second that holds what it starts from. */
  hold(peer: PeerId, { id, digests }: Extract<Message, { kind: "hold" }>): void {
    const wants = digests.map((digest) => ({ digest, from: [peer] }));
    this.desk.emit({ kind: "fetch", id: `hold:${peer}:${id}`, wants });
  }

  /** A second member answered. */
  held(from: PeerId, id: string, missing: readonly Digest[]): void {
    const s = this.open.find((o) => o.waitingFor === id);
    if (!s || s.tried.at(-1) !== from) return;
    if (missing.length > 0) this.askSecond(s);
    else if (s.parts.length > 0) this.askPart(s, from);
    else if (s.said) this.answer(s, true);
    else this.say(s, [this.desk.config.self, from]);
  }

  tick(): void {
    for (const s of [...this.open])
      if (s.said && s.waitingFor === undefined) this.tell(s);
      else if (
        s.waitingFor !== undefined &&
        (s.untilMonoMs <= this.desk.now.monoMs || this.desk.status(s.tried.at(-1)!) === "dead")
      )
        this.askSecond(s);
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const s of this.open)
      if (s.waitingFor !== undefined) at = Math.min(at, s.untilMonoMs, this.desk.now.monoMs + 500);
    return at;
  }

  private askSecond(s: Submission): void {
    const { self } = this.desk.config;
    const others = this.desk
      .alive()
      .filter((p) => p !== self && !s.tried.includes(p) && this.desk.peers.isConnected(p))
      .map((peer) => ({ peer, room: this.desk.peers.vitals(peer)?.diskFreeBytes ?? 0 }))
      .sort((a, b) => b.room - a.room || (a.peer < b.peer ? -1 : 1));
    const second = others[0];
    if (!second || s.tried.length >= secondsTriedMax) {
      if (s.said) this.answer(s, false);
      else this.say(s, [self]);
      return;
    }
    s.tried.push(second.peer);
    this.ask(s, second.peer);
  }

  /** A member is to hold all that the build starts from, and the word that it was submitted where that is said. */
  private ask(s: Submission, peer: PeerId): void {
    const digests = [...new Set([s.submit.graph, ...s.graph!.files.map((f) => f.digest)])];
    s.parts = [];
    for (let at = 0; at < digests.length; at += holdDigestsMax)
      s.parts.push(digests.slice(at, at + holdDigestsMax));
    if (s.said)
      for (const update of this.desk.builds.get(s.build)!.ledger.missingFor(new Uint8Array()))
        this.desk.emit({
          kind: "send",
          to: peer,
          message: { kind: "ledger", build: s.build, update, entries: [] },
        });
    this.askPart(s, peer);
  }

  private askPart(s: Submission, peer: PeerId): void {
    const digests = s.parts.shift()!;
    const bytes = digests.reduce((sum, digest) => sum + sizeOf(digest), 0);
    s.waitingFor = `${this.desk.config.inc}.${this.count++}`;
    s.untilMonoMs = this.desk.now.monoMs + Math.min(holdMsMax, holdMs + bytes / holdBytesPerMs);
    this.desk.emit({ kind: "send", to: peer, message: { kind: "hold", id: s.waitingFor, digests } });
  }

  private say(s: Submission, holders: PeerId[]): void {
    const { name, graph, nonce, priority, fresh, checks } = s.submit;
    s.said = true;
    s.waitingFor = undefined;
    this.desk.say(
      s.build,
      {
        kind: "build.submitted",
        name,
        graph,
        nonce,
        fold: foldVersion,
        actions: s.graph!.actions.length,
        priority,
        ...(fresh ? { fresh } : {}),
        ...(checks === undefined ? {} : { checks }),
        holders,
      },
      { urgent: true, durable: true },
    );
  }

  /** It is on disk: the second member hears of it by a message of its own, for gossip promises nothing. */
  private tell(s: Submission): void {
    const { submission } = this.desk.builds.get(s.build) ?? {};
    if (!submission) return;
    const second = submission.event.holders[1];
    if (second === undefined || this.desk.status(second) === "dead") this.askSecond(s);
    else this.ask(s, second);
  }

  private answer(s: Submission, held: boolean): void {
    this.open.splice(this.open.indexOf(s), 1);
    const others = this.desk.alive().some((p) => p !== this.desk.config.self);
    const word = !held && others ? { word: aloneWord } : {};
    this.desk.emit({ kind: "reply", id: s.command, reply: { ok: true, build: s.build, ...word } });
  }

  private end(s: Submission, error: unknown): void {
    this.open.splice(this.open.indexOf(s), 1);
    this.refuse(s.command, error);
  }

  private refuse(command: number, error: unknown): void {
    this.desk.emit({ kind: "reply", id: command, reply: refusal(error) });
  }
}

/** A refusal as the one who asked gets it. */
export function refusal(error: unknown): Extract<CommandReply, { ok: false }> {
  if (!(error instanceof SwarmError)) throw error;
  return {
    ok: false,
    code: error.code,
    message: error.message,
    ...(error.remedy ? { remedy: error.remedy } : {}),
  };
}
