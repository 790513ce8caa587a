/**
 * The boundary of the brain: what goes in and what comes out, nothing else. Completions of effects come back as inputs, so
 * a log of inputs is a replay. Effects run in list order; an `append` is on disk before any later effect runs.
 */
import type { Inspection, PackageFile } from "./build/content.ts";
import type { InputFile } from "./build/graph.ts";
import type { Risk, RiskPolicy } from "./build/verdict.ts";
import type { ErrorCode } from "./kernel/errors.ts";
import type {
  ActionName,
  BuildId,
  ClaimId,
  Digest,
  EntryId,
  Incarnation,
  PeerId,
  SwarmId,
} from "./kernel/ids.ts";
import type { Ask, Presentation, Redemption } from "./swarm/admission.ts";
import type { Gossip, Message } from "./swarm/message.ts";
import type { Scheduling } from "./swarm/policy.ts";
import type { LocalVitals } from "./swarm/vitals.ts";
import type { Entry, SignedEntry } from "./timeline/entry.ts";
import type { ActionResult, Made, Role, Usage } from "./timeline/events.ts";
import type { Damage, Place } from "./timeline/places.ts";

/** A moment, as the shell reads it. Deadlines and liveness use `monoMs`; only people and certificates' expiry see `wallMs`. */
export interface Instant {
  readonly monoMs: number;
  readonly wallMs: number;
}

/** Fixed for the life of one core. */
export interface CoreConfig {
  readonly swarm: SwarmId;
  readonly self: PeerId;
  readonly name: string;
  readonly inc: Incarnation;
  /** 16 bytes for the core's own generator. */
  readonly seed: Uint8Array;
  readonly version: string;
  /** Actions this node runs at once; 0 = builds nothing. */
  readonly slots: number;
  /** Whether it runs what others submitted even without a sandbox. */
  readonly unsafeNoSandbox: boolean;
  /** How this node takes work. */
  readonly scheduling: Scheduling;
  /** Ended builds that are older are dropped, but for what releases are made of; absent: none ever is. */
  readonly timelineKeptMs?: number;
  /** Little is kept of builds that have ended. */
  readonly small?: boolean;
  /** The name of the log that keeps this node's votes, 16 hex digits; absent: it cannot vote. */
  readonly voteLog?: string;
  /** What its owner asks of a release. */
  readonly risk?: RiskPolicy;
}

/** A file that a mirror lays out. */
export interface ShownFile {
  readonly path: string;
  /** Of a link: that of nothing. */
  readonly digest: Digest;
  readonly executable?: true;
  readonly link?: string;
}

/**
 * One durable step of a mirror on its disk. An epoch is made in a folder that nobody sees (begin, fill, index), becomes whole under its number
 * (keep), and is what `current` means from the one switch on. Each step may be done again.
 */
export type PublishStep =
  | { readonly step: "begin"; readonly channel: string; readonly epoch: number }
  | {
      readonly step: "fill";
      readonly channel: string;
      readonly epoch: number;
      readonly files: readonly ShownFile[];
    }
  /** What the format of the release adds to its files. */
  | { readonly step: "index"; readonly channel: string; readonly epoch: number; readonly manifest: Digest }
  | { readonly step: "keep"; readonly channel: string; readonly epoch: number }
  | { readonly step: "switch"; readonly channel: string; readonly epoch: number }
  | { readonly step: "remove"; readonly channel: string; readonly epoch: number };

/** What a mirror found on its disk at its start. */
export interface Shelved {
  readonly channel: string;
  /** Epochs that are whole. */
  readonly epochs: readonly number[];
  /** The one that is shown; 0 = none. */
  readonly current: number;
}

/** A blob and the members that are likely to hold it, best first. */
export interface Want {
  readonly digest: Digest;
  readonly from: readonly PeerId[];
}

export interface ExecuteRequest {
  readonly claim: ClaimId;
  readonly build: BuildId;
  readonly action: ActionName;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** REAPI digest of the input root: equal roots hold equal files. */
  readonly inputRoot: Digest;
  readonly files: readonly InputFile[];
  readonly outputs: readonly {
    readonly path: string;
    readonly kind: "file" | "folder";
    readonly promised?: readonly string[];
  }[];
  readonly timeoutMs: number;
  /** 0 = no limit on silence. */
  readonly silenceMs: number;
  /** Names of secrets of this node that the action is given. */
  readonly secrets?: readonly string[];
  /** Processors it asked for; 1 when absent. */
  readonly cpus?: number;
  /** Toolchain name → fingerprint it was granted for: nothing runs with another. */
  readonly toolchains: Readonly<Record<string, string>>;
}

export type ExecuteOutcome =
  /** Exit code 0 and all outputs there. */
  | { readonly kind: "done"; readonly result: ActionResult; readonly usage: Usage }
  /** The command's own doing (exit code, signal, missing output, timeout): deterministic. The node's doing: infrastructure. */
  | {
      readonly kind: "failed";
      readonly cause: "deterministic" | "infrastructure";
      readonly reason: string;
      readonly exitCode?: number;
      readonly signal?: string;
      readonly stdout?: Digest;
      readonly stderr?: Digest;
      readonly usage?: Usage;
    }
  /** It was stopped on our own word. */
  | { readonly kind: "stopped"; readonly reason: string };

/** What a person asks of the node, through the control socket. */
export type Command =
  | {
      readonly kind: "submit";
      readonly name: string;
      readonly graph: Digest;
      readonly nonce: string;
      readonly priority: number;
      /** The action cache is not asked. */
      readonly fresh?: boolean;
      /** The build of which it runs actions again, to see whether the same comes out. */
      readonly checks?: BuildId;
    }
  | {
      readonly kind: "control";
      readonly build: BuildId;
      readonly op: "pause" | "resume" | "cancel";
      readonly reason?: string;
      /** Says only what it would do. */
      readonly dryRun?: boolean;
    }
  /** Another word of a person about a build or a node: `dryRun` says only what it would do. */
  | {
      readonly kind: "operate";
      readonly operation: Operation;
      readonly reason?: string;
      readonly dryRun: boolean;
    }
  /** A person's hand on a live build: `dryRun` says only what it would do. */
  | {
      readonly kind: "debug";
      readonly build: BuildId;
      readonly word: DebugWord;
      readonly reason?: string;
      readonly dryRun: boolean;
    }
  /** A word about a member, or of this node about itself. */
  | { readonly kind: "member"; readonly operation: MemberOperation; readonly reason?: string }
  /** The secret stays in the shell; the core hears of the ticket's public key alone. */
  | {
      readonly kind: "invite";
      readonly ticket: string;
      readonly key: PeerId;
      readonly roles: readonly Role[];
      readonly notAfterMs: number;
    }
  /** All builders, this node among them, are to read the files of these tools, for exact fingerprints. */
  | { readonly kind: "survey"; readonly tools: readonly string[] }
  /** This node serves releases from here on, or none any more; with `votes` it may be chosen to vote. */
  | { readonly kind: "mirror"; readonly op: "add" | "remove"; readonly votes: boolean }
  /** What is staged becomes the next epoch of a channel; with a reason also where its risk refuses it. */
  | { readonly kind: "finalize"; readonly channel: string; readonly reason?: string }
  /** The channel stays on its present epoch, which is this one; null: it goes on. */
  | {
      readonly kind: "pin";
      readonly channel: string;
      readonly epoch: number | null;
      readonly reason?: string;
    }
  /** What would be held against that; nothing is changed. */
  | { readonly kind: "verify"; readonly channel: string }
  /** What an epoch held becomes the next epoch. */
  | {
      readonly kind: "rollback";
      readonly channel: string;
      readonly epoch: number;
      readonly reason?: string;
    }
  /** What a build staged is not to be released. */
  | { readonly kind: "drop"; readonly channel: string; readonly build: BuildId; readonly reason: string }
  /** Builds that were kept long enough go at once. */
  | { readonly kind: "compact" }
  /** The node goes down: stop what runs, say `node.down`. */
  | { readonly kind: "stop"; readonly reason: string };

/** What an operator may do beside pausing a whole build. `action` absent: all that it may mean. */
export type Operation =
  /** Failures no longer count: of blocked actions (`unblock`), of all that failed (`retry-failures`), also of those that were done since (`clear-failures`). */
  | {
      readonly op: "retry" | "unblock" | "retry-failures" | "clear-failures";
      readonly build: BuildId;
      readonly action?: ActionName;
    }
  /** Everything that runs or waits in hands is given back and failures are forgotten; results stay. */
  | { readonly op: "reset"; readonly build: BuildId }
  /** What nodes hold and have not begun goes back to be shared out anew. */
  | { readonly op: "rebalance"; readonly build?: BuildId }
  /** pause: takes nothing new; drain: gives back too what it has not begun; resume ends both; unground: failures of the node are forgiven. */
  | { readonly op: "pause" | "resume" | "unground"; readonly peer: PeerId }
  /** `now`: what runs is stopped too. */
  | { readonly op: "drain"; readonly peer: PeerId; readonly now?: boolean };

/** How a person sees a build go step by step. */
export type DebugWord =
  /** Lets these actions run that are held back; without names those the scheduler would choose next, `count` of them (1). */
  | { readonly op: "step"; readonly actions?: readonly ActionName[]; readonly count?: number }
  /** Holds an action, or without one the whole build at its next failure; `clear` takes that back. */
  | { readonly op: "break"; readonly action?: ActionName; readonly clear?: boolean }
  /** The action runs on this node and on no other; without a node wherever it suits. */
  | { readonly op: "place"; readonly action: ActionName; readonly peer?: PeerId }
  /** Writes down what the scheduler would choose next. */
  | { readonly op: "record"; readonly count?: number };

/** What may be said of members. `force`: also where the swarm is left without an admin. */
export type MemberOperation =
  /** Lets one in who asked; without `roles` it gets those of its ticket, or those it asked for. */
  | { readonly op: "approve"; readonly peer: PeerId; readonly roles?: readonly Role[] }
  | { readonly op: "deny"; readonly peer: PeerId }
  /** All the roles it has from here on. */
  | { readonly op: "role"; readonly peer: PeerId; readonly roles: readonly Role[]; readonly force?: boolean }
  /** `disown`: nothing it ever said counts any more, not what is known of it by now either. */
  | { readonly op: "revoke"; readonly peer: PeerId; readonly force?: boolean; readonly disown?: boolean }
  /** What it made from these places of its chains on counts no more. */
  | {
      readonly op: "taint";
      readonly peer: PeerId;
      readonly from: readonly { readonly inc: Incarnation; readonly seq: number }[];
      readonly sinceMs: number;
    }
  | { readonly op: "renew"; readonly peer: PeerId }
  /** Another name for a node; what it said and built stays its own. */
  | { readonly op: "rename"; readonly peer: PeerId; readonly name: string }
  /** This node goes for good. */
  | { readonly op: "leave"; readonly force?: boolean }
  /** This node goes on under another key. */
  | { readonly op: "rotate"; readonly peer: PeerId };

export type CommandReply =
  /**
   * `moved`: so many actions changed hands or became runnable; `lost`: so many runs are (or would be) thrown away; `word`: what the
   * person should know of it.
   */
  | {
      readonly ok: true;
      readonly build?: BuildId;
      readonly moved?: number;
      readonly lost?: number;
      readonly word?: string;
      /** The actions that a step lets run, or would. */
      readonly actions?: readonly ActionName[];
      /** The epoch that was made, or would be. */
      readonly epoch?: number;
      /** Of that epoch. */
      readonly risk?: Risk;
    }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly remedy?: string };

/** Certificates for the other side (entries, the founding one first), or why not: with `because`, the entries that say so. */
export type AdmissionReply =
  | { readonly ok: true; readonly certificates: readonly SignedEntry[] }
  /** An admin must decide. */
  | { readonly ok: "pending" }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy?: string;
      readonly because?: readonly SignedEntry[];
    };

export interface CacheHit {
  readonly key: Digest;
  readonly result: ActionResult;
  /** A live member that has every output now. */
  readonly from: PeerId;
  /** Who made it where, the latest first. */
  readonly made: readonly Made[];
  /** Who made other results of this key. */
  readonly divergent?: readonly Made[];
  /** For others who ask: the entry in which one of those that made it said so. */
  readonly proof?: SignedEntry;
}

/** Another member that wants to know, and under which id. */
export interface Asker {
  readonly peer: PeerId;
  readonly id: string;
}

export type Input =
  | { readonly kind: "tick" }
  /** Boot: stored timeline entries, in any order. */
  | { readonly kind: "restored-entries"; readonly entries: readonly SignedEntry[] }
  /** Boot: stored updates of a ledger with the entries in them. */
  | {
      readonly kind: "restored-ledger";
      readonly build: BuildId;
      readonly updates: readonly Uint8Array[];
      readonly entries: readonly SignedEntry[];
    }
  /** Boot: the table of the last `keep-history`, before the ledgers. */
  | { readonly kind: "restored-history"; readonly history: Uint8Array }
  /** Boot: records of the builds that ended long ago. */
  | { readonly kind: "restored-archive"; readonly records: readonly Uint8Array[] }
  /** Boot: what the mirror's disk shows. */
  | { readonly kind: "restored-epochs"; readonly channels: readonly Shelved[] }
  /** Boot is over: the core says `node.up`. */
  | { readonly kind: "started" }
  | { readonly kind: "connected"; readonly peer: PeerId }
  | { readonly kind: "disconnected"; readonly peer: PeerId }
  | { readonly kind: "message"; readonly from: PeerId; readonly message: Message }
  | { readonly kind: "gossip"; readonly from: PeerId; readonly message: Gossip }
  | { readonly kind: "signed"; readonly entry: SignedEntry }
  | { readonly kind: "sensed"; readonly vitals: LocalVitals }
  /** A person looks at this node, and wants to see things as they are. */
  | { readonly kind: "looked" }
  /** Writing fails, and is tried again; or all is written. While it is own words that wait, only beats leave the node: they are no statement of its chain. */
  | { readonly kind: "writing"; readonly fails: boolean }
  | {
      readonly kind: "recalled";
      readonly author: PeerId;
      readonly inc: Incarnation;
      readonly seq: number;
      readonly entries: readonly SignedEntry[];
    }
  /** The own disk gave back other bytes than it was given: they were put aside, and are to be had again. */
  | { readonly kind: "damaged"; readonly damages: readonly Damage[] }
  /** The own disk no longer has these blobs: they made room. */
  | { readonly kind: "collected"; readonly digests: readonly Digest[] }
  | { readonly kind: "blob-read"; readonly digest: Digest; readonly bytes: Uint8Array | null }
  | { readonly kind: "tree-read"; readonly digest: Digest; readonly files: readonly InputFile[] | null }
  | {
      readonly kind: "looked-up";
      readonly keys: readonly Digest[];
      readonly hits: readonly CacheHit[];
      readonly asker?: Asker;
    }
  | {
      readonly kind: "fetched";
      readonly id: string;
      readonly missing: readonly Digest[];
      readonly fetchedBytes: number;
    }
  | { readonly kind: "stored"; readonly digest: Digest; readonly ok: boolean }
  /** In the order in which they were asked for; null for what is not on this disk. */
  | { readonly kind: "inspected"; readonly id: string; readonly inspections: readonly (Inspection | null)[] }
  | {
      readonly kind: "published";
      readonly id: number;
      readonly error?: { readonly code: ErrorCode; readonly message: string };
    }
  | { readonly kind: "executed"; readonly claim: ClaimId; readonly outcome: ExecuteOutcome }
  | { readonly kind: "command"; readonly id: number; readonly command: Command }
  | {
      readonly kind: "presented";
      readonly id: number;
      readonly peer: PeerId;
      readonly presentation: Presentation;
    }
  | {
      readonly kind: "redeemed";
      readonly id: number;
      readonly peer: PeerId;
      readonly redemption: Redemption;
      /** Where it comes from, as far as the network knows: requests are bounded per source. */
      readonly source: string;
    }
  | {
      readonly kind: "asked";
      readonly id: number;
      readonly peer: PeerId;
      readonly ask: Ask;
      readonly source: string;
    }
  | { readonly kind: "admitted"; readonly id: number; readonly peer: PeerId }
  /** What the wall clock of a member reads, as it said at the door: heard also of one that is not let in. */
  | { readonly kind: "clock"; readonly peer: PeerId; readonly wallMs: number };

export type Effect =
  /** Sign and answer at once with `signed`. */
  | { readonly kind: "sign"; readonly entry: Entry; readonly body: Uint8Array; readonly id: EntryId }
  /** Write the own entry (and, in a build, the ledger update that carries it) before any later effect; fsync first where `durable`. */
  | {
      readonly kind: "append";
      readonly entry: SignedEntry;
      readonly update?: Uint8Array;
      readonly durable: boolean;
    }
  /** Keep what others said. */
  | { readonly kind: "keep"; readonly entries: readonly SignedEntry[] }
  | {
      readonly kind: "keep-update";
      readonly build: BuildId;
      readonly update: Uint8Array;
      readonly entries: readonly SignedEntry[];
    }
  /** The build is sealed and its grace over: its updates may go, its entries stay, and a record of where they lie. */
  | {
      readonly kind: "archive";
      readonly build: BuildId;
      readonly record: Uint8Array;
      readonly places: readonly Place[];
    }
  /** Entries of an ended build go from the disk; its record stays in this form, or goes too. */
  | {
      readonly kind: "forget";
      readonly build: BuildId;
      readonly places: readonly Place[];
      readonly record?: Uint8Array;
    }
  | { readonly kind: "send"; readonly to: PeerId; readonly message: Message }
  /** To all; `to`: to these members also by themselves. */
  | { readonly kind: "gossip"; readonly message: Gossip; readonly to?: readonly PeerId[] }
  /** Read entries of a chain from disk and send them as `entries` messages. */
  | {
      readonly kind: "serve";
      readonly to: PeerId;
      readonly author: PeerId;
      readonly inc: Incarnation;
      /** Those of this build; absent: those of the timeline. */
      readonly build?: BuildId;
      readonly fromSeq: number;
      readonly toSeq: number;
    }
  /** → `recalled`: the own copy of what an author said at one place of its chain. */
  | { readonly kind: "recall"; readonly author: PeerId; readonly inc: Incarnation; readonly seq: number }
  /** → `blob-read`; from the own disk, else from the members named. */
  | { readonly kind: "read-blob"; readonly want: Want }
  /** → `tree-read`: every file below a Directory, paths relative to it, sorted. */
  | { readonly kind: "read-tree"; readonly want: Want }
  /** → `looked-up`: which of these action keys have a result whose outputs can all be had now. */
  | { readonly kind: "look-up"; readonly keys: readonly Digest[]; readonly asker?: Asker }
  /** A valid result for the action cache. */
  | {
      readonly kind: "remember";
      readonly key: Digest;
      readonly result: ActionResult;
      readonly made: Made;
    }
  /** What was learned of durations and speeds; it takes the place of what was kept before. Losing it costs nothing but time. */
  | { readonly kind: "keep-history"; readonly history: Uint8Array }
  /** → `fetched`: bring these to the own disk. Folders' trees come with all that is below them. */
  | { readonly kind: "fetch"; readonly id: string; readonly wants: readonly Want[] }
  /** → `stored`: put these bytes on the own disk. */
  | { readonly kind: "store"; readonly digest: Digest; readonly bytes: Uint8Array }
  /** → `inspected`: what these packages hold, all of them on the own disk. */
  | { readonly kind: "inspect"; readonly id: string; readonly packages: readonly PackageFile[] }
  /** → `published`: one step of a mirror, on disk before it is answered. */
  | { readonly kind: "publish"; readonly id: number; readonly step: PublishStep }
  /** → `executed`. */
  | { readonly kind: "execute"; readonly request: ExecuteRequest }
  /** TERM, then KILL after 5 s; `executed` still comes. */
  | { readonly kind: "kill"; readonly claim: ClaimId; readonly reason: string }
  /** Somebody wants exact fingerprints of these tools: read their files. They come with what is `sensed` next. */
  | { readonly kind: "survey"; readonly tools: readonly string[] }
  | { readonly kind: "reply"; readonly id: number; readonly reply: CommandReply }
  | { readonly kind: "admission"; readonly id: number; readonly reply: AdmissionReply }
  /** The set of members changed: the gate asks again. */
  | { readonly kind: "members-changed" }
  /** → `admitted`, at once: what was held back until an admission was on disk. */
  | { readonly kind: "admitted"; readonly id: number; readonly peer: PeerId }
  /** The last effect of a stopped core. */
  | { readonly kind: "stopped"; readonly because: Ending };

/**
 * Why a core stopped. `asked`: a person did. `cloned`: a newer start of this identity lives, on another machine; people must tell which
 * is to stay. `behind`: others know starts of this identity that it does not remember (its disk was set back): it is to be started
 * again at once, under a counter above all that its store now knows. `left`, `revoked`: it is a member no more, by its own word or an
 * admin's. `rotated`: it is to be started again under its new key.
 */
export type Ending = "asked" | "cloned" | "behind" | "left" | "revoked" | "rotated";
