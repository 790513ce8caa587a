/** Taking a build in: its graph is read, its inputs are laid on a second member, and only then is it said to be submitted. */
import { decodeGraph, type Graph } from "../build/graph.ts";
import type { Command, CommandReply } from "../contract.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { BuildId, Digest, PeerId } from "../kernel/ids.ts";
import { buildIdOf, foldVersion } from "./build.ts";
import type { Desk } from "./desk.ts";

/** A second member gets so long to fetch the inputs; then the next is asked. */
const holdMsMax = 120_000;
const secondsTriedMax = 3;

type Submit = Extract<Command, { kind: "submit" }>;

interface Submission {
  readonly command: number;
  readonly submit: Submit;
  readonly build: BuildId;
  graph: Graph | undefined;
  readonly tried: PeerId[];
  waitingFor: string | undefined;
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
      tried: [],
      waitingFor: undefined,
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

  /** A second member answered. */
  held(from: PeerId, id: string, missing: readonly Digest[]): void {
    const s = this.open.find((o) => o.waitingFor === id);
    if (!s || s.tried.at(-1) !== from) return;
    if (missing.length === 0) this.say(s, [this.desk.config.self, from]);
    else this.askSecond(s);
  }

  tick(): void {
    for (const s of [...this.open])
      if (
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
      this.say(s, [self]);
      return;
    }
    s.tried.push(second.peer);
    s.waitingFor = `${this.desk.config.inc}.${this.count++}`;
    s.untilMonoMs = this.desk.now.monoMs + holdMsMax;
    const digests = [s.submit.graph, ...new Set(s.graph!.files.map((f) => f.digest))];
    this.desk.emit({ kind: "send", to: second.peer, message: { kind: "hold", id: s.waitingFor, digests } });
  }

  private say(s: Submission, holders: PeerId[]): void {
    this.open.splice(this.open.indexOf(s), 1);
    const { name, graph, nonce, priority } = s.submit;
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
        holders,
      },
      {
        urgent: true,
        durable: true,
        after: [{ kind: "reply", id: s.command, reply: { ok: true, build: s.build } }],
      },
    );
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
