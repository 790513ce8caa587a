/** All of a node's part in releases, in one place: folds what was said of them, votes, coordinates, shows. Each channel stands for itself. */
import { kindOfPackage } from "../build/content.ts";
import type { Command, CommandReply, Input } from "../contract.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import { byText, type Digest } from "../kernel/ids.ts";
import type { SignedEntry } from "../timeline/entry.ts";
import { channelPattern, type Event } from "../timeline/events.ts";
import type { Bench } from "./bench.ts";
import { Epochs } from "./epochs.ts";
import { Finalizing } from "./finalizing.ts";
import { blobsOf, type StagedSet } from "./manifest.ts";
import { Mirrors } from "./mirrors.ts";
import { Papers } from "./papers.ts";
import { Pins } from "./pins.ts";
import { Publisher } from "./publisher.ts";
import { Staging } from "./staging.ts";
import { Stock } from "./stock.ts";
import { Voting } from "./voting.ts";

/** Channels of one swarm; more are not folded. */
const channelsMax = 64;

export type ReleaseCommand = Extract<
  Command,
  { kind: "mirror" | "finalize" | "verify" | "rollback" | "drop" | "pin" }
>;

/** What comes of them: the epoch that was made or judged, its risk, and what the person should know. */
export type ReleaseReply = Pick<Extract<CommandReply, { ok: true }>, "epoch" | "risk" | "word">;

export class Releases {
  readonly mirrors: Mirrors;
  readonly staging: Staging;
  readonly pins: Pins;
  readonly papers: Papers;
  readonly publisher: Publisher;
  readonly stock: Stock;
  private readonly bench: Bench;
  private readonly voting: Voting;
  private readonly finalizing: Finalizing;
  private readonly byChannel = new Map<string, Epochs>();
  /** Sets whose packages were read since the start. */
  private readonly ahead = new Set<Digest>();
  /** Its new log was told. */
  private logTold = false;

  constructor(bench: Bench) {
    this.bench = bench;
    this.mirrors = new Mirrors(bench.members);
    this.staging = new Staging(bench.members);
    this.pins = new Pins(bench.members);
    this.papers = new Papers(bench);
    this.stock = new Stock(bench);
    this.publisher = new Publisher(bench, this.papers, this.stock);
    this.voting = new Voting(bench, this.papers, this.stock, this.staging);
    this.finalizing = new Finalizing(bench, this.papers, this.staging, this.mirrors, this.stock);
  }

  /** Every channel that something was said of, by name. */
  channels(): Epochs[] {
    return [...this.byChannel.values()].sort((a, b) => byText(a.channel, b.channel));
  }

  epochs(channel: string): Epochs | undefined {
    return this.byChannel.get(channel);
  }

  /** Folds one event of the timeline, the n-th of its entry. */
  take(entry: SignedEntry, index: number, event: Event): void {
    this.mirrors.take(entry, index, event);
    if (!event.kind.startsWith("release.") || !("channel" in event)) return;
    const epochs = this.open(event.channel);
    if (!epochs) return;
    this.staging.take(entry, event);
    this.pins.take(entry, event);
    epochs.take(entry, event);
  }

  /** A blob was read, or could not be had. */
  read(digest: Digest, bytes: Uint8Array | null): void {
    this.papers.read(digest, bytes);
  }

  /** What the shell did for it. */
  hears(input: Extract<Input, { kind: "restored-epochs" | "stored" | "inspected" | "published" }>): void {
    if (input.kind === "restored-epochs") this.publisher.restored(input.channels);
    else if (input.kind === "inspected") this.finalizing.inspected(input.id, input.inspections);
    else if (input.kind === "stored") this.finalizing.stored(input.digest, input.ok);
    else this.publisher.published(input.id, input.error);
  }

  /** Whether the fetch was one of releases. */
  fetched(id: string, missing: readonly Digest[]): boolean {
    return this.stock.fetched(id, missing);
  }

  command(id: number, command: ReleaseCommand): void {
    const refuse = (code: ErrorCode, message: string, remedy: string) =>
      this.bench.emit({ kind: "reply", id, reply: { ok: false, code, message, remedy } });
    if (command.kind === "mirror") return this.mirror(id, command);
    const { channel } = command;
    const epochs = channelPattern.test(channel) ? this.open(channel) : undefined;
    if (!epochs)
      return refuse(
        "usage",
        `${channel} is no name of a channel`,
        "lower-case letters, digits, . _ -: stable",
      );
    if (command.kind === "finalize" || command.kind === "rollback") {
      const { reason } = command;
      const pin = this.pins.of(channel);
      if (pin)
        return refuse(
          "refused",
          `${channel} is pinned to epoch ${pin.epoch}${pin.reason === undefined ? "" : `: ${pin.reason}`}`,
          `let it go on: swarmd releases unpin --channel ${channel}`,
        );
      const rollback = command.kind === "rollback" ? { rollback: command.epoch } : {};
      return this.finalizing.begin(id, { channel, ...rollback, ...(reason ? { reason } : {}) }, epochs);
    }
    if (command.kind === "verify") return this.finalizing.begin(id, { channel, verify: true }, epochs);
    const { config, members } = this.bench;
    if (!members.has(config.self, "releaser"))
      return refuse(
        "role-missing",
        `${config.name} has not the role releaser`,
        "do it on a member that has it",
      );
    if (command.kind === "pin") return this.pin(id, command, epochs);
    const { build, reason } = command;
    if (!this.staging.of(channel, build))
      return refuse("not-found", `${build} staged nothing for ${channel}`, "what waits: swarmd staging");
    this.bench.say(
      undefined,
      { kind: "release.dropped", channel, build, reason: reason.slice(0, 250) },
      { urgent: true, after: [{ kind: "reply", id, reply: { ok: true } }] },
    );
  }

  private pin(
    id: number,
    { channel, epoch, reason }: Extract<ReleaseCommand, { kind: "pin" }>,
    epochs: Epochs,
  ): void {
    const refuse = (code: ErrorCode, message: string, remedy: string) =>
      this.bench.emit({ kind: "reply", id, reply: { ok: false, code, message, remedy } });
    if (epoch !== null && epoch !== epochs.current)
      return refuse(
        epoch > epochs.current ? "not-found" : "refused",
        epoch > epochs.current
          ? `${channel} has no epoch ${epoch}`
          : `the epoch of ${channel} is ${epochs.current}, not ${epoch}`,
        epoch > epochs.current
          ? "see which there are: swarmd releases list"
          : `first: swarmd rollback ${epoch} --channel ${channel}`,
      );
    if (epoch === null && !this.pins.of(channel))
      return refuse("not-found", `${channel} is not pinned`, "pin it: swarmd releases pin");
    this.bench.say(
      undefined,
      {
        kind: "release.pinned",
        channel,
        ...(epoch === null ? {} : { epoch }),
        answers: this.pins.heads(channel).slice(0, 256),
        ...(reason === undefined ? {} : { reason: reason.slice(0, 250) }),
      },
      { urgent: true, durable: true, after: [{ kind: "reply", id, reply: { ok: true } }] },
    );
  }

  /** Everything that is decided about releases, after every input. */
  pump(): void {
    this.renew();
    const mirrors = this.mirrors.get(this.bench.config.self) !== undefined;
    for (const epochs of this.byChannel.values()) {
      epochs.settle();
      this.voting.review(epochs);
      this.finalizing.pump(epochs);
      if (!mirrors) continue;
      this.publisher.pump(epochs);
      this.gather(epochs);
    }
  }

  deadline(): number {
    if (this.byChannel.size === 0) return Number.POSITIVE_INFINITY;
    return Math.min(
      this.finalizing.deadline(),
      this.publisher.deadline(),
      this.stock.deadline(),
      this.papers.deadline(),
    );
  }

  /** What waits in a channel, with what of it cannot be had here; undefined while the newest manifest is not here. */
  pending(channel: string) {
    const { tip } = this.byChannel.get(channel) ?? {};
    const manifest = tip && this.papers.manifest(tip.proposal.manifest, []);
    if (tip && !manifest) return undefined;
    return this.staging.pending(channel, new Set(manifest?.builds ?? []));
  }

  /** As `pending`, for who only looks at the core from outside: it changes nothing, and asks for nothing. */
  waiting(channel: string) {
    const { tip } = this.byChannel.get(channel) ?? {};
    const manifest = tip && this.papers.known(tip.proposal.manifest)?.manifest;
    if (tip && !manifest) return undefined;
    return this.staging.pending(channel, new Set(manifest?.builds ?? []));
  }

  /** A person looks at this node: what waits is to be told with all that is in it. */
  looked(): void {
    for (const channel of this.staging.channels())
      for (const { lists } of this.pending(channel) ?? []) this.papers.oneOf(lists);
  }

  /** A mirror has what is staged before it is released: then finalizing is a matter of words. */
  private gather(epochs: Epochs): void {
    for (const staged of this.pending(epochs.channel) ?? []) {
      const list = this.papers.oneOf(staged.lists);
      if (list && this.stock.bring(list.name, blobsOf(list.set.items), [staged.by]) === "here")
        this.readAhead(list.name, list.set);
    }
  }

  /** What packages hold is kept by the shell: whoever is to judge them need not wait. */
  private readAhead(name: Digest, { items }: StagedSet): void {
    if (this.ahead.has(name)) return;
    this.ahead.add(name);
    const packages = items
      .filter(({ path, link }) => link === undefined && kindOfPackage(path) !== undefined)
      .map(({ path, digest }) => ({ path, digest }));
    if (packages.length > 0) this.bench.emit({ kind: "inspect", id: `staged ${name}`, packages });
  }

  private mirror(id: number, { op, votes }: Extract<ReleaseCommand, { kind: "mirror" }>): void {
    const { config, members } = this.bench;
    const log = config.voteLog ?? "";
    const may = members.has(config.self, "releaser");
    const word =
      op === "remove"
        ? "what it shows stays on its disk; where it votes, it does until a release names other voters"
        : votes && !may
          ? `it serves, but is not chosen to vote: ${config.name} has not the role releaser`
          : votes && log === ""
            ? "it serves, but is not chosen to vote: its store keeps no log of votes"
            : undefined;
    const reply: CommandReply = { ok: true, ...(word ? { word } : {}) };
    this.bench.say(
      undefined,
      op === "add" ? { kind: "mirror.offered", log, votes } : { kind: "mirror.withdrawn" },
      { urgent: true, durable: true, after: [{ kind: "reply", id, reply }] },
    );
  }

  /** Its owner's consent outlasts a log that was lost: the new one is told. */
  private renew(): void {
    const { voteLog, self } = this.bench.config;
    if (this.logTold || voteLog === undefined) return;
    const own = this.mirrors.get(self);
    if (!own || own.log === voteLog) return;
    this.logTold = true;
    this.bench.say(undefined, { kind: "mirror.offered", log: voteLog, votes: own.votes }, { urgent: true });
  }

  private open(channel: string): Epochs | undefined {
    let epochs = this.byChannel.get(channel);
    if (!epochs && this.byChannel.size < channelsMax) {
      epochs = new Epochs(channel, this.bench.members);
      this.byChannel.set(channel, epochs);
    }
    return epochs;
  }
}
