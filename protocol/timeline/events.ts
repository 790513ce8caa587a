/** The vocabulary: every kind of event a node may say, with its fields. Specified in specs/events.md. */
import { z } from "zod";
import { isDigest } from "../kernel/digest.ts";
import {
  type ActionName,
  type BuildId,
  type ClaimId,
  type Digest,
  type EntryId,
  type Incarnation,
  isBuildId,
  isHash,
  isIncarnation,
  isPeerId,
  oneOf,
  type PeerId,
} from "../kernel/ids.ts";
import type { AnyEvent } from "./entry.ts";

export const roles = ["observer", "submitter", "builder", "releaser", "admin"] as const;
export type Role = (typeof roles)[number];

const text = (max: number) => z.string().max(max);
const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v));
const hash = z.custom<EntryId>((v) => typeof v === "string" && isHash(v));
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const inc = z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v));
const action = text(512).min(1) as unknown as z.ZodType<ActionName>;
const claim = text(160).min(1) as unknown as z.ZodType<ClaimId>;
const bytes = z.custom<Uint8Array>((v) => v instanceof Uint8Array && v.length <= 64 << 10);
const ms = z.int().nonnegative();
/** What a person's word came to, as its author knew: actions that moved, runs thrown away. For people; no fold reads it. */
const moved = { moved: z.int().nonnegative().optional(), lost: z.int().nonnegative().optional() };
const role = z.enum(roles);
/** The last entries of an author that count, one for each of its starts; so many fit an entry. */
export const lastWordsMax = 360;
const lastWords = z.array(z.object({ inc, seq: z.int().nonnegative(), id: hash })).max(lastWordsMax);
/** A short sum over the results of its dependencies that an action takes; absent where it has none. */
const took = z
  .string()
  .regex(/^[0-9a-f]{16}$/)
  .optional();
/** Actions that one step lets through, and choices that one preview writes down. */
export const stepActionsMax = 64;
const nodeName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

/** One output of an action. A folder's digest is that of its root Directory (REAPI). */
const output = z.object({
  path: text(4096).min(1),
  digest,
  kind: z.enum(["file", "folder"]),
  executable: z.boolean().optional(),
});

/** What an action produced. Two results are equal when their outputs are. */
export const result = z.object({
  outputs: z.array(output).max(4096),
  stdout: digest.optional(),
  stderr: digest.optional(),
});

/** Where a result comes from: the member that ran the action, in which build, and the place in its chain where it said so. */
export const made = z.object({
  build,
  action,
  by: peer,
  at: z.object({ inc, seq: z.int().nonnegative() }).optional(),
});

/** Measured by the holder, milliseconds and bytes. */
const usage = z.object({
  fetchMs: ms,
  wallMs: ms,
  cpuMs: ms,
  maxRssBytes: z.int().nonnegative(),
  fetchedBytes: z.int().nonnegative(),
});

/** Why a holder asked for an action: the score in parts, and the view it was judged by (first 16 hex digits of its digest). */
export const why = z.object({
  score: z.number(),
  parts: z.record(text(32), z.number()).refine((parts) => Object.keys(parts).length <= 32),
  view: text(16),
  /** How many eligible nodes were seen, and whether that is less than half of the known members. */
  seen: z.int().nonnegative(),
  partial: z.boolean().optional(),
  /** How the score was made; `unified` when absent. */
  mode: text(32).optional(),
  /** The next best nodes with their scores, best first. */
  others: z
    .array(z.tuple([peer, z.number()]))
    .max(4)
    .optional(),
});

/** The name of a line of releases. */
export const channelPattern = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const channel = z.string().regex(channelPattern);
const epoch = z.int().positive().max(1e9);
const round = z
  .int()
  .positive()
  .max(2 ** 32 - 1);
/** Of one start of one coordinator, so that no lost disk makes it use one twice. A higher round first. */
const ballot = z.object({ round, by: peer, inc });
/** The log of one voter's votes, 16 hex digits: a log that was lost has another name. Empty: it keeps none. */
const voteLog = z.string().regex(/^([0-9a-f]{16})?$/);
export const votersMax = 7;
/** What is voted on: the blob of a manifest, what stands before it (null: nothing), and who votes on the next. */
const proposal = z.object({
  manifest: digest,
  parent: hash.nullable(),
  voters: z
    .array(z.object({ peer, log: voteLog }))
    .min(1)
    .max(votersMax),
  atMs: ms,
});

/** Actions that one word disputes. */
export const disputedMax = 64;

const schemas = {
  // node
  "node.up": z.object({
    kind: z.literal("node.up"),
    name: nodeName,
    version: text(32),
    folds: z.array(z.int().positive()).max(16),
    slots: z.int().nonnegative().max(4096),
  }),
  "node.down": z.object({ kind: z.literal("node.down"), reason: text(256) }),
  /** A person's word about a node: it names the controls it answers; unanswered heads count, drain beats pause beats resume. */
  "node.control": z.object({
    kind: z.literal("node.control"),
    op: z.enum(["pause", "drain", "resume", "unground"]),
    peer,
    id: text(160),
    answers: z.array(text(160)).max(256),
    reason: text(256).optional(),
    ...moved,
  }),
  /** The node failed too often by its own doing: for so long it gets no work, then one action as a probe. */
  "node.grounded": z.object({
    kind: z.literal("node.grounded"),
    peer,
    inc,
    failures: z.int().positive(),
    forMs: ms,
  }),
  /** The headers of two entries of one author that cannot both stand in one chain, as bytes, the lower id first. */
  fork: z.object({ kind: z.literal("fork"), headers: z.tuple([bytes, bytes]) }),
  // membership
  "swarm.founded": z.object({
    kind: z.literal("swarm.founded"),
    name: text(64).min(1),
    root: peer,
    nonce: text(32),
    admin: peer,
    adminName: nodeName,
  }),
  "member.admitted": z.object({
    kind: z.literal("member.admitted"),
    peer,
    name: nodeName,
    roles: z.array(role).min(1).max(5),
    /** Wall milliseconds; gates connections, never facts. */
    notAfterMs: ms,
    ticket: text(32).optional(),
  }),
  /** From here on other roles: what the member said up to `since` is judged by those it had. The highest serial holds. */
  "member.role": z.object({
    kind: z.literal("member.role"),
    peer,
    roles: z.array(role).min(1).max(5),
    serial: z.int().positive().max(1e9),
    since: lastWords,
    reason: text(256).optional(),
  }),
  /** A member no more: of all it said these are the last that count. */
  "member.revoked": z.object({
    kind: z.literal("member.revoked"),
    peer,
    last: lastWords,
    reason: text(256).optional(),
  }),
  /** What a member made from these places of its chains on counts no more, nor what was made of it; its later starts count again. */
  "member.tainted": z.object({
    kind: z.literal("member.tainted"),
    peer,
    from: z
      .array(z.object({ inc, seq: z.int().nonnegative() }))
      .min(1)
      .max(lastWordsMax),
    /** By the clocks of those chains, as whoever said it meant it; for people. */
    sinceMs: ms,
    reason: text(256).optional(),
  }),
  /** Its connections are good for longer. */
  "member.renewed": z.object({ kind: z.literal("member.renewed"), peer, notAfterMs: ms }),
  /** It is called so from here on, and so is all it ever said. The highest serial holds. */
  "member.renamed": z.object({
    kind: z.literal("member.renamed"),
    peer,
    name: nodeName,
    serial: z.int().positive().max(1e9),
  }),
  /** The author goes for good: this is its last word. */
  "member.left": z.object({ kind: z.literal("member.left"), reason: text(256).optional() }),
  /** The author goes on under another key, with its name and roles: this is the old key's last word. */
  "member.rotated": z.object({ kind: z.literal("member.rotated"), peer }),
  /** One who asked to join is not wanted: nobody need be asked again. */
  "join.denied": z.object({
    kind: z.literal("join.denied"),
    peer,
    name: nodeName,
    reason: text(256).optional(),
  }),
  "ticket.issued": z.object({
    kind: z.literal("ticket.issued"),
    ticket: text(32),
    /** The ticket's own public key, written as a peer id; the joiner proves it holds the secret. */
    key: peer,
    roles: z.array(role).min(1).max(5),
    notAfterMs: ms,
  }),
  // a build
  "build.submitted": z.object({
    kind: z.literal("build.submitted"),
    name: text(64).min(1),
    graph: digest,
    nonce: text(32),
    fold: z.int().positive(),
    actions: z.int().nonnegative(),
    priority: z.int(),
    /** Everything in it runs, also what is known of other builds: the action cache is not asked. */
    fresh: z.literal(true).optional(),
    /** It runs actions of this build again, on other members, to see whether the same comes out. */
    checks: build.optional(),
    /** The members that hold the inputs at submit, the submitter first. */
    holders: z.array(peer).min(1).max(16),
  }),
  claim: z.object({
    kind: z.literal("claim"),
    claim,
    action,
    attempt: z.int().positive(),
    /** The REAPI action digest: the key of the action cache. */
    key: digest,
    holder: peer,
    holderInc: inc,
    /** Dependency → digest of the result consumed. */
    pins: z
      .array(z.tuple([action, hash]))
      .max(100_000)
      .optional(),
    took,
    /** Place in a bundle: this claim starts when those before it have ended. */
    turn: z.int().nonnegative().optional(),
    twin: z.boolean().optional(),
    why: why.optional(),
  }),
  start: z.object({ kind: z.literal("start"), claim }),
  done: z.object({ kind: z.literal("done"), claim, key: digest, result, usage: usage.optional() }),
  /** The action's result was found in the action cache; no claim was needed. */
  cached: z.object({
    kind: z.literal("cached"),
    action,
    key: digest,
    result,
    /** Who has its outputs now. */
    from: peer,
    made: made.optional(),
    /** Another member's word for it: the author's own cache did not know. */
    told: peer.optional(),
    /** Makers of other results of the same key. */
    divergent: z.array(made).max(8).optional(),
    pins: z
      .array(z.tuple([action, hash]))
      .max(100_000)
      .optional(),
    took,
  }),
  fail: z.object({
    kind: z.literal("fail"),
    claim,
    /** deterministic: the command's own doing; infrastructure: the node's. */
    cause: z.enum(["deterministic", "infrastructure"]),
    reason: text(1024),
    exitCode: z.int().optional(),
    signal: text(16).optional(),
    stdout: digest.optional(),
    stderr: digest.optional(),
    usage: usage.optional(),
  }),
  abandon: z.object({ kind: z.literal("abandon"), claim, reason: text(256) }),
  expire: z.object({ kind: z.literal("expire"), claim, reason: text(256) }),
  /** The bytes that these results stood for can be had from nobody: claims whose `done`, or entries whose `cached`, spoke of them. */
  lost: z.object({
    kind: z.literal("lost"),
    action,
    results: z.array(text(160)).min(1).max(256),
    reason: text(256),
  }),
  control: z.object({
    kind: z.literal("control"),
    op: z.enum(["pause", "resume", "cancel"]),
    id: text(160),
    answers: z.array(text(160)).max(256),
    reason: text(256).optional(),
    ...moved,
  }),
  /** A person forgives failures: they count no more, and the action may be runnable again. */
  forgive: z.object({
    kind: z.literal("forgive"),
    action,
    claims: z.array(claim).min(1).max(256),
    reason: text(256).optional(),
    ...moved,
  }),
  /** A person takes claims back: what was not begun, or also what runs. Their holders abandon them. */
  recall: z.object({
    kind: z.literal("recall"),
    claims: z.array(claim).min(1).max(512),
    running: z.boolean(),
    reason: text(256).optional(),
    ...moved,
  }),
  /**
   * A person lets actions run that are held back: past the pauses, breakpoints and failures whose ids it names, until the action has
   * failed by its own doing more often than is said beside it.
   */
  step: z.object({
    kind: z.literal("step"),
    id: text(160),
    actions: z
      .array(z.tuple([action, z.int().nonnegative()]))
      .min(1)
      .max(stepActionsMax),
    past: z.array(text(160)).max(128),
    reason: text(256).optional(),
    ...moved,
  }),
  /** A person's breakpoint: on an action, or (without one) on failure. It names the words it answers; of unanswered ones a set holds. */
  breakpoint: z.object({
    kind: z.literal("breakpoint"),
    op: z.enum(["set", "clear"]),
    id: text(160),
    action: action.optional(),
    answers: z.array(text(160)).max(256),
    reason: text(256).optional(),
    ...moved,
  }),
  /** A person wants an action on this node; without one, wherever it suits. It names the words it answers. */
  place: z.object({
    kind: z.literal("place"),
    id: text(160),
    action,
    peer: peer.optional(),
    answers: z.array(text(160)).max(256),
    reason: text(256).optional(),
    ...moved,
  }),
  /** What the scheduler would choose next, as its author saw it: written down because a person asked. No fold reads it. */
  preview: z.object({
    kind: z.literal("preview"),
    choices: z.array(z.object({ action, peer, startMs: ms, endMs: ms })).max(stepActionsMax),
    reason: text(256).optional(),
  }),
  sealed: z.object({
    kind: z.literal("sealed"),
    state: z.enum(["complete", "failed", "cancelled"]),
    /** Wall milliseconds from submit to seal, by the sealer's clock; for people. */
    wallMs: ms,
  }),
  // releases
  /** Its owner lets the author serve releases, and with `votes` be chosen to vote on them. */
  "mirror.offered": z.object({ kind: z.literal("mirror.offered"), log: voteLog, votes: z.boolean() }),
  "mirror.withdrawn": z.object({ kind: z.literal("mirror.withdrawn"), reason: text(256).optional() }),
  /** What a build releases waits for the next epoch; `set` is the blob that lists it. */
  "release.staged": z.object({
    kind: z.literal("release.staged"),
    channel,
    build,
    set: digest,
    items: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
    /** By the submitter's clock: of two builds of one name the later holds. */
    submittedAtMs: ms,
  }),
  /** What a build staged is not to be released. */
  "release.dropped": z.object({
    kind: z.literal("release.dropped"),
    channel,
    build,
    reason: text(256),
  }),
  /** A check by rebuilding came to something else where a build that is staged had these actions: by whom. */
  "release.disputed": z.object({
    kind: z.literal("release.disputed"),
    channel,
    build,
    check: build,
    actions: z
      .array(z.object({ action, nodes: z.array(peer).min(1).max(16) }))
      .min(1)
      .max(disputedMax),
  }),
  /** The channel stays on this epoch until another word answers this one; without an epoch it goes on. */
  "release.pinned": z.object({
    kind: z.literal("release.pinned"),
    channel,
    epoch: epoch.optional(),
    answers: z.array(hash).max(256),
    reason: text(256).optional(),
  }),
  /** A coordinator takes a ballot. */
  "release.prepared": z.object({ kind: z.literal("release.prepared"), channel, epoch, round }),
  /** A voter takes part in no lower ballot any more, and what it accepted last. */
  "release.promised": z.object({
    kind: z.literal("release.promised"),
    channel,
    epoch,
    ballot,
    log: voteLog,
    accepted: z.object({ ballot, proposal }).optional(),
    /** The voter's wall clock, milliseconds. */
    wallMs: ms,
  }),
  "release.proposed": z.object({ kind: z.literal("release.proposed"), channel, epoch, round, proposal }),
  /** A vote. A majority of the epoch's voters under one ballot is the certificate of its release. */
  "release.accepted": z.object({
    kind: z.literal("release.accepted"),
    channel,
    epoch,
    ballot,
    log: voteLog,
    proposal,
  }),
  /** Why a voter does not take part, or not yet. */
  "release.declined": z.object({
    kind: z.literal("release.declined"),
    channel,
    epoch,
    ballot,
    why: z.enum(["ballot", "fetching", "missing", "clock", "invalid", "log"]),
    reason: text(256),
  }),
  /** The author serves this epoch. */
  "release.shown": z.object({ kind: z.literal("release.shown"), channel, epoch, manifest: digest }),
  /** The author is a mirror and cannot serve this epoch now; it stays with what it serves. */
  "release.lags": z.object({ kind: z.literal("release.lags"), channel, epoch, reason: text(256) }),
  // what a decision saw
  view: z.object({
    kind: z.literal("view"),
    digest: text(16),
    nodes: z.array(z.record(text(32), z.unknown())).max(1024),
    /** What else was seen: so many nodes with so many slots. */
    rest: z.object({ nodes: z.int().nonnegative(), slots: z.int().nonnegative() }).optional(),
  }),
} as const;

export type EventKind = keyof typeof schemas;
export type EventOf<K extends EventKind> = z.infer<(typeof schemas)[K]>;
export type Event = { [K in EventKind]: EventOf<K> }[EventKind];

/** Of which membership follows, by `swarm/authority.ts` alone. */
export const membershipKinds = [
  "member.admitted",
  "member.role",
  "member.revoked",
  "member.renewed",
  "member.renamed",
  "member.left",
  "member.rotated",
] as const satisfies readonly EventKind[];
export type MembershipKind = (typeof membershipKinds)[number];

/** A role; or who is meant by the event itself: the holder of the claim it names, the node it speaks of. */
export type Writer = Role | "member" | "root" | "holder" | "itself";

/** Who may write what: an event of anybody else is stored and passed on, and counts nowhere. */
export const writers: { readonly [K in EventKind]: readonly Writer[] } = {
  "node.up": ["member"],
  "node.down": ["member"],
  "node.control": ["admin", "itself"],
  "node.grounded": ["builder"],
  fork: ["member"],
  "swarm.founded": ["root"],
  "member.admitted": ["root", "admin"],
  "member.role": ["root", "admin"],
  "member.revoked": ["root", "admin"],
  "member.tainted": ["root", "admin"],
  "member.renewed": ["root", "admin"],
  "member.renamed": ["root", "admin"],
  "member.left": ["itself"],
  "member.rotated": ["itself"],
  "join.denied": ["admin"],
  "ticket.issued": ["admin"],
  "build.submitted": ["submitter"],
  claim: ["builder"],
  start: ["holder"],
  done: ["holder"],
  cached: ["builder"],
  fail: ["holder"],
  abandon: ["holder"],
  expire: ["builder"],
  lost: ["builder"],
  control: ["submitter"],
  forgive: ["submitter"],
  recall: ["submitter", "holder"],
  step: ["submitter"],
  breakpoint: ["submitter"],
  place: ["submitter"],
  preview: ["submitter"],
  sealed: ["builder"],
  view: ["builder"],
  "mirror.offered": ["member"],
  "mirror.withdrawn": ["member"],
  "release.staged": ["builder"],
  "release.dropped": ["releaser"],
  "release.disputed": ["builder"],
  "release.pinned": ["releaser"],
  "release.prepared": ["releaser"],
  "release.promised": ["member"],
  "release.proposed": ["releaser"],
  "release.accepted": ["member"],
  "release.declined": ["member"],
  "release.shown": ["member"],
  "release.lags": ["member"],
};

export type ActionResult = z.infer<typeof result>;
export type Made = z.infer<typeof made>;
export type Output = z.infer<typeof output>;
export type Usage = z.infer<typeof usage>;
export type Why = z.infer<typeof why>;

/** Events are immutable: what one is found to be holds for every fold that meets it. */
const judged = new WeakMap<AnyEvent, Event | null>();

/** The event in its type; undefined for an unknown kind or a known one with wrong fields, which is stored but never folded. */
export function knownEvent(event: AnyEvent): Event | undefined {
  let known = judged.get(event);
  if (known === undefined) {
    known = judge(event) ?? null;
    judged.set(event, known);
  }
  return known ?? undefined;
}

function judge(event: AnyEvent): Event | undefined {
  if (!Object.hasOwn(schemas, event.kind)) return undefined;
  const schema: z.ZodType = schemas[event.kind as EventKind];
  const parsed = schema.safeParse(event);
  return parsed.success ? named(parsed.data as Event) : undefined;
}

/** Every node that hears of a claim looks for it, and for its holder, in many tables. */
function named(event: Event): Event {
  switch (event.kind) {
    case "claim":
      return {
        ...event,
        claim: oneOf(event.claim),
        holder: oneOf(event.holder),
        holderInc: oneOf(event.holderInc),
      };
    case "start":
    case "done":
    case "fail":
    case "abandon":
    case "expire":
      return { ...event, claim: oneOf(event.claim) };
    default:
      return event;
  }
}
