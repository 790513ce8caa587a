/** The state of a whole core follows from the set of entries alone: in any order, doubled, in any parts, it adds up to one hash. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Core } from "../../protocol/core.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { firstLogOf, nameOfProposal } from "../../protocol/release/ballot.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { swarmIdOf } from "../../protocol/swarm/members.ts";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { Event } from "../../protocol/timeline/events.ts";
import { proofOf } from "../../protocol/timeline/forks.ts";
import { Build } from "../../protocol/work/build.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import { peerNamed } from "../contract/chain.ts";
import { blob, graphOf, keyOf, resultOf } from "../work/facts.ts";

const names = ["ann", "bob", "cat", "dan"] as const;
const root = peerNamed("root");
const inc = "1-00000001" as Incarnation;
const document = { name: "garden", root, nonce: "0".repeat(32) };
const swarm = swarmIdOf(document);
const graph = graphOf({ a: [], b: ["a"], c: [] });
const build = "demo-0123456789" as BuildId;
const channel = "stable";

/** One chain, with the scopes that its entries stand in. */
class Speaker {
  readonly peer: PeerId;
  private seq = 0;
  private readonly lasts = new Map<BuildId | undefined, number>();

  constructor(name: string) {
    this.peer = peerNamed(name);
  }

  say(scope: BuildId | undefined, events: readonly Event[]): SignedEntry {
    const entry = this.entry(this.seq++, this.lasts.get(scope) ?? -1, scope, events);
    this.lasts.set(scope, entry.entry.seq);
    return entry;
  }

  /** Something else in the place of an entry. */
  contradict({ entry }: SignedEntry, events: readonly Event[]): SignedEntry {
    return this.entry(entry.seq, entry.last, entry.build, events);
  }

  private entry(
    seq: number,
    last: number,
    scope: BuildId | undefined,
    events: readonly Event[],
  ): SignedEntry {
    const entry: Entry = {
      v: 1,
      swarm,
      author: this.peer,
      inc,
      seq,
      prev: null,
      hlc: [seq, 0],
      last,
      ...(scope === undefined ? {} : { build: scope }),
      events: events as unknown as Entry["events"],
    };
    const { body, id } = sealEntry(entry);
    return signedEntry(entry, body, id, new Uint8Array(64));
  }
}

const kinds = [
  ...(["admitted", "role", "revoked", "renewed", "renamed", "left", "tainted", "up", "down"] as const),
  ...(["order", "offered", "withdrawn", "staged", "dropped", "disputed", "pinned", "vote", "shown"] as const),
  ...(["submitted", "claim", "claim", "start", "done", "fail", "expire", "control", "sealed"] as const),
];
const saying = fc.record({
  kind: fc.constantFrom(...kinds),
  who: fc.nat(3),
  whom: fc.nat(3),
  variant: fc.nat(3),
  forks: fc.nat(14).map((n) => n === 7),
});
type Saying = typeof saying extends fc.Arbitrary<infer T> ? T : never;

/** What comes of a script: the founding, then what each says, and the proofs of what contradicts itself. */
function entriesOf(sayings: readonly Saying[]): SignedEntry[] {
  const speakers = names.map((name) => new Speaker(name));
  const [ann] = speakers as [Speaker];
  const founding = foundingEntry({
    ...document,
    admin: ann.peer,
    adminName: "ann",
    nowMs: 0,
    notAfterMs: 1e12,
  });
  const { body, id } = sealEntry(founding);
  const entries = [signedEntry(founding, body, id, new Uint8Array(64))];
  const orders: string[] = [];
  const claims: { claim: string; holder: Speaker; action: string }[] = [];
  let epoch = 0;
  let parent: string | null = null;
  for (const [n, { kind, who, whom, variant, forks }] of sayings.entries()) {
    const by = speakers[who]!;
    const { peer } = speakers[whom]!;
    const name = names[whom]!;
    const about = claims[variant % Math.max(1, claims.length)];
    const roles = [["builder", "submitter"], ["admin"], ["observer"], ["releaser", "builder"]] as const;
    let speaker = by;
    let scope: BuildId | undefined;
    let said: unknown;
    if (kind === "admitted")
      said = { kind: "member.admitted", peer, name, roles: roles[variant], notAfterMs: 1e12 + n };
    if (kind === "role") {
      const since = [{ inc, seq: variant }];
      said = { kind: "member.role", peer, roles: roles[variant], serial: 1 + (n % 4), since };
    }
    if (kind === "revoked") said = { kind: "member.revoked", peer, last: [{ inc, seq: variant * 2 }] };
    if (kind === "renewed") said = { kind: "member.renewed", peer, notAfterMs: 2e12 + n };
    if (kind === "renamed")
      said = { kind: "member.renamed", peer, name: `${name}-${variant}`, serial: 1 + variant };
    if (kind === "left") said = { kind: "member.left" };
    if (kind === "tainted")
      said = { kind: "member.tainted", peer, from: [{ inc, seq: variant * 2 }], sinceMs: 5 };
    if (kind === "up") said = { kind: "node.up", name, version: "1", folds: [1], slots: variant };
    if (kind === "down") said = { kind: "node.down", reason: "asked" };
    if (kind === "order") {
      const op = (["pause", "drain", "resume", "unground"] as const)[variant];
      said = { kind: "node.control", op, peer, id: `order ${n % 5}`, answers: orders.slice(0, variant) };
      orders.push(`order ${n % 5}`);
    }
    if (kind === "offered")
      said = { kind: "mirror.offered", log: `${variant}`.repeat(16), votes: variant > 1 };
    if (kind === "withdrawn") said = { kind: "mirror.withdrawn" };
    const staged = `demo-000000000${variant}` as BuildId;
    if (kind === "staged")
      said = {
        kind: "release.staged",
        channel,
        build: staged,
        set: blob(`set ${variant}`),
        items: 1,
        bytes: 1,
        submittedAtMs: n,
      };
    if (kind === "dropped") said = { kind: "release.dropped", channel, build: staged, reason: "no" };
    if (kind === "disputed")
      said = {
        kind: "release.disputed",
        channel,
        build: staged,
        check: `check-000000000${n % 3}` as BuildId,
        actions: [{ action: ["a", "b"][n % 2] as ActionName, nodes: [peer] }],
      };
    if (kind === "pinned") said = { kind: "release.pinned", channel, epoch: 1 + variant, answers: [] };
    if (kind === "shown")
      said = { kind: "release.shown", channel, epoch: 1 + variant, manifest: blob("manifest") };
    if (kind === "vote") {
      // The founder alone votes, and never two ways.
      speaker = ann;
      epoch++;
      const voters = [{ peer: ann.peer, log: firstLogOf(swarm) }];
      const proposal = { manifest: blob(`manifest ${epoch}`), parent, voters, atMs: n };
      parent = nameOfProposal(channel, epoch, proposal as never);
      const ballot = { round: 1, by: ann.peer, inc };
      said = { kind: "release.accepted", channel, epoch, ballot, log: firstLogOf(swarm), proposal };
    }
    if (kind === "submitted")
      said = {
        kind: "build.submitted",
        name: "demo",
        graph: blob("graph"),
        nonce: "n",
        fold: 1,
        actions: 3,
        priority: 0,
        holders: [by.peer],
      };
    const action = graph.actions[variant % 3]!.name;
    if (kind === "claim") {
      const claim = `${by.peer}.${inc}.${n}`;
      claims.push({ claim, holder: speakers[whom]!, action });
      said = { kind: "claim", claim, action, attempt: 1, key: keyOf(action), holder: peer, holderInc: inc };
    }
    if (kind === "control")
      said = {
        kind: "control",
        op: (["pause", "resume", "cancel"] as const)[variant % 3],
        id: `c${n % 3}`,
        answers: [],
      };
    if (kind === "sealed") said = { kind: "sealed", state: "complete", wallMs: n };
    if (about) {
      const { claim } = about;
      if (kind !== "claim" && kind !== "expire") speaker = said ? speaker : about.holder;
      if (kind === "start") said = { kind: "start", claim };
      if (kind === "done")
        said = { kind: "done", claim, key: keyOf(about.action), result: resultOf(about.action, `${whom}`) };
      if (kind === "fail") said = { kind: "fail", claim, cause: "deterministic", reason: "1", exitCode: 1 };
      if (kind === "expire") said = { kind: "expire", claim, reason: "late" };
    }
    if (said === undefined) continue;
    if (["submitted", "claim", "start", "done", "fail", "expire", "control", "sealed"].includes(kind))
      scope = build;
    entries.push(speaker.say(scope, [said as Event]));
    if (!forks || kind === "vote" || scope !== undefined) continue;
    const known = entries.at(-1)!;
    const other = speaker.contradict(known, [{ kind: "node.down", reason: `another story ${n}` }]);
    entries.push(other, speakers[(who + 1) % 4]!.say(undefined, [proofOf(known, other)!]));
  }
  return entries;
}

const reader = {
  swarm,
  self: peerNamed("reader"),
  name: "reader",
  inc,
  seed: new Uint8Array(16),
  version: "0",
  slots: 0,
  unsafeNoSandbox: false,
  scheduling: defaultScheduling,
};
const still = { monoMs: 0, wallMs: 0 };

/** Everything a core makes of these entries, given to it in these parts; the graph of the build comes with the `graphAt`-th. */
function stateOf(parts: readonly (readonly SignedEntry[])[], graphAt: number): Record<string, unknown> {
  const core = new Core(reader, still);
  const { members, orders, chains } = core.desk;
  const ledger = new Build(build, new Ledger(build, 1), 0);
  const all = parts.flat();
  for (const [n, part] of parts.entries()) {
    const timeline = part.filter(({ entry }) => entry.build === undefined);
    if (timeline.length > 0) core.step({ kind: "restored-entries", entries: timeline }, still);
    ledger.refold(members, new Estimates());
    if (n === graphAt) ledger.open(graph, new Estimates(), members);
    ledger.take(
      part.filter(({ entry }) => entry.build !== undefined),
      members,
    );
  }
  if (!ledger.claims) ledger.open(graph, new Estimates(), members);
  ledger.refold(members, new Estimates());
  const peers = names.map(peerNamed);
  const epochs = core.releases.epochs(channel);
  return {
    members: members.all().map(({ certificate, ...member }) => ({ ...member, by: certificate.id })),
    formers: members.formers().map(({ peer, name, parting }) => ({ peer, name, why: parting.why })),
    counts: [...new Map(all.map((one) => [one.id, members.counts(one)]))].sort(),
    taints: members.taints.all().map(({ said }) => said.id),
    forks: members.forks
      .all()
      .map(({ author, seq }) => `${author} ${seq}`)
      .sort(),
    orders: peers.map((peer) => `${orders.of(peer)} ${orders.ungrounded(peer)}`),
    timeline: chains.digest(),
    mirrors: core.releases.mirrors.all(),
    shows: peers.map((peer) => core.releases.mirrors.shows(peer, channel)),
    staging: core.releases.staging.pending(channel, new Set()),
    disputes: [0, 1, 2, 3].map((n) =>
      core.releases.staging.disputesOf(channel, `demo-000000000${n}` as BuildId),
    ),
    pin: core.releases.pins.of(channel),
    epochs: epochs?.certified.map(({ value }) => value) ?? [],
    build: ledger.claims!.digest(),
    seal: ledger.claims!.sealed,
  };
}

const hashOf = (state: Record<string, unknown>): string =>
  sha256Hex(encode(JSON.parse(JSON.stringify(state))));

const shuffling = fc.record({
  dice: fc.array(fc.nat(2 ** 16), { minLength: 5, maxLength: 20 }),
  size: fc.integer({ min: 1, max: 12 }),
  graphAt: fc.nat(6),
  doubled: fc.boolean(),
});

function partsOf(
  entries: readonly SignedEntry[],
  { dice, size, doubled }: { dice: readonly number[]; size: number; doubled: boolean },
): SignedEntry[][] {
  const all = (doubled ? [...entries, ...entries] : [...entries])
    .map((entry, n) => ({ entry, at: (dice[n % dice.length]! * (n + 7919) * 2_654_435_761) % 2 ** 32 }))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry);
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}

test("members, orders, taints, forks, releases, the timeline and builds are the same whatever the order, the doubles and the parts", () => {
  fc.assert(
    fc.property(fc.array(saying, { maxLength: 40 }), shuffling, (script, how) => {
      const entries = entriesOf(script);
      const expected = stateOf([entries], 0);
      const state = stateOf(partsOf(entries, how), how.graphAt);
      // The parts first: a difference is named by the fold that has it.
      expect(state).toEqual(expected);
      expect(hashOf(state)).toBe(hashOf(expected));
    }),
    { numRuns: 200 },
  );
});

test("scripts reach every fold: the property is about something", () => {
  const reached = new Set<string>();
  for (const script of fc.sample(fc.array(saying, { minLength: 30, maxLength: 40 }), {
    numRuns: 60,
    seed: 7,
  })) {
    const state = stateOf([entriesOf(script)], 0);
    for (const [fold, value] of Object.entries(state))
      if (Array.isArray(value) ? value.length > 0 : value !== undefined) reached.add(fold);
  }
  for (const fold of ["formers", "taints", "forks", "mirrors", "staging", "pin", "epochs", "seal"])
    expect(reached).toContain(fold);
});
