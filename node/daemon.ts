/** The daemon: the only place where all parts of a node are put together, and taken apart again. */

import { randomBytes } from "node:crypto";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Ending } from "../protocol/contract.ts";
import { Core } from "../protocol/core.ts";
import { hashOf, sizeOf } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { incarnationCounter, type PeerId } from "../protocol/kernel/ids.ts";
import { firstLogOf } from "../protocol/release/ballot.ts";
import { Runtime } from "../protocol/runtime.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import { plainWire } from "../protocol/wire.ts";
import { rootsOf } from "../protocol/work/reachable.ts";
import { Announcer } from "./announcer.ts";
import { Awake } from "./awake.ts";
import { createExecutor } from "./build/executor.ts";
import { ticksOfTree } from "./build/processes.ts";
import { openSecrets } from "./build/secrets.ts";
import { createToolchains } from "./build/toolchains.ts";
import { createClock } from "./clock.ts";
import { Closers } from "./closers.ts";
import type { Config } from "./config.ts";
import type { Control } from "./control/api.ts";
import { serveControl } from "./control/server.ts";
import { createData } from "./data.ts";
import { distributionOf } from "./distribution.ts";
import { Doctor } from "./doctor/doctor.ts";
import { endings, formerly, twins } from "./endings.ts";
import type { Gateway } from "./gateway/gateway.ts";
import { gatewayOf } from "./gateway/opening.ts";
import { Hearers } from "./hearers.ts";
import { type Home, keepName } from "./home.ts";
import { defaultBinhostPath } from "./home-places.ts";
import { nextIncarnation, obtainNextIdentity } from "./identity.ts";
import { lockHome } from "./lock.ts";
import type { Log } from "./log.ts";
import { Misdeeds } from "./misdeeds.ts";
import { Askers } from "./network/askers.ts";
import { located } from "./network/locate.ts";
import { createMesh } from "./network/mesh.ts";
import { Providing } from "./network/providing.ts";
import { createOperator } from "./operator.ts";
import { OtlpReporter } from "./otlp.ts";
import type { Mesh } from "./ports.ts";
import { Queries } from "./queries.ts";
import { Recall } from "./recall.ts";
import { recorderOf } from "./recorder.ts";
import { signStatement } from "./release/attestation.ts";
import { type Attester, attesterOf } from "./release/attester.ts";
import { knownFormats } from "./release/formats/known.ts";
import { Readings } from "./release/formats/readings.ts";
import { createInspector } from "./release/inspector.ts";
import { riskPolicyOf } from "./release/policy.ts";
import { serveBinhost } from "./release/serve.ts";
import { shelvesOf } from "./release/shelves.ts";
import { openShowcase } from "./release/showcase.ts";
import { Rounds } from "./rounds.ts";
import { schedulingOf } from "./scheduling.ts";
import { Scrubber } from "./scrubber.ts";
import { readDisk } from "./sensors/disk.ts";
import { createSensors } from "./sensors/sensors.ts";
import { createArtifacts } from "./store/artifacts.ts";
import { openBlobStore } from "./store/blobs.ts";
import { Collector } from "./store/collector.ts";
import { openEventStore } from "./store/events.ts";
import { KeptLogs } from "./store/kept-logs.ts";
import { Quarantine } from "./store/quarantine.ts";
import { Rechecks } from "./store/rechecks.ts";
import { Sources } from "./store/sources.ts";
import { differ, version } from "./version.ts";
import { WireLog } from "./wire-log.ts";
import { WrongClocks } from "./wrong-clocks.ts";

/** How often what was built is looked over for what the swarm is to be told of. */
const announceMs = 1_000;
/** On a small board, what nobody waits for is written so seldom: its card wears out by writes. */
const smallGatherMs = 1_000;
/** How often what is left of broken transfers is looked over. */
const leftoversMs = 3_600_000;

export interface DaemonOptions {
  readonly home: Home;
  readonly config: Config;
  readonly log: Log;
  /** Members to dial although the peer book does not know them yet: those of the ticket. */
  readonly know?: readonly { readonly peer: PeerId; readonly addresses: readonly string[] }[];
}

export interface Daemon {
  readonly control: Control;
  readonly addresses: readonly string[];
  /** Actions end, `node.down` is said, everything closes. Safe to call twice. */
  stop(reason: string): Promise<void>;
  /** Resolves when the daemon has stopped, with why: one that is `behind` is to be started again. */
  readonly stopped: Promise<Ending>;
}

/** Whether this node founded the swarm, as a store of an older version has it that names no log of votes. */
const founded = (entries: readonly SignedEntry[], self: PeerId): boolean =>
  entries.some(({ entry }) => entry.events.some((e) => e.kind === "swarm.founded" && e.admin === self));

/** Throws `home-locked`, `not-a-member`, `address-in-use` and what the stores refuse; nothing is left running then. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { home, config, log } = options;
  const { swarm, places, identity } = home;
  if (!swarm)
    throw new SwarmError("not-a-member", `${home.dir} belongs to no swarm yet`, {
      remedy: "found one: swarmd init; or enter one: swarmd join TICKET",
    });
  const closers = new Closers();
  const closeAll = () => closers.close((error) => log.warn({ err: error }, "not all of it could be closed"));
  try {
    const lock = await lockHome(home.dir);
    closers.push(() => lock.release());
    const resting: { isCalm?: () => boolean } = {};
    const rounds = new Rounds(() => resting.isCalm?.() ?? false);
    closers.push(() => rounds.stop());
    const quarantine = new Quarantine(places.quarantine, (what, name) =>
      log.error(
        { what, name, folder: places.quarantine, remedy: "check this disk" },
        "something on this disk was no longer what was written; it was put aside, and is had again from others",
      ),
    );
    const events = await openEventStore(places.timeline, {
      quarantine,
      ...(config.small ? { gatherMs: smallGatherMs, keepsOnly: identity.peer } : {}),
    });
    closers.push(() => events.close());
    if (events.migrated)
      log.info({ ...events.migrated }, "the event store was brought up to this version's format");
    const blobs = await openBlobStore(places.blobs);
    const restored = await events.restore();
    const toolchains = createToolchains({
      cacheFile: path.join(places.work, "toolchains.json"),
      declared: config.toolchains,
      every: rounds.every,
      log,
    });
    closers.push(() => toolchains.stop());
    const voteLog = await events.voteLog(
      founded(restored.entries, identity.peer) ? firstLogOf(swarm.id) : undefined,
    );
    const binhostPath = config.binhostPath ?? defaultBinhostPath(home.dir, process.getuid?.() ?? -1);
    const attester = Promise.withResolvers<Attester>();
    const showcase = await openShowcase({
      dir: binhostPath,
      blobs,
      formats: knownFormats({
        readings: places.readings,
        keyRing: places.keyRing,
        origin: swarm.name,
      }),
      provenance: async (...about) => (await attester.promise)(...about),
      onRefused: (at, files) => {
        for (const { path: file, reason, remedy } of files.slice(0, 100))
          log.warn({ ...at, file, remedy }, `left out of the index: ${reason}`);
      },
    });
    const starts = restored.entries
      .filter(({ entry }) => entry.author === identity.peer)
      .map(({ entry }) => incarnationCounter(entry.inc));
    const inc = await nextIncarnation(places.identity, Math.max(0, ...starts));
    const secrets = openSecrets(places.secrets);
    for (const { name, why, remedy } of secrets.unfit())
      log.warn({ secret: name, remedy }, `a secret is not offered: it ${why}`);
    const keptLogs = new KeptLogs({
      dir: places.actionLogs,
      keptMs: config.logsKeptMs,
      bytesMax: config.logsBytesMax,
    });
    const executor = await createExecutor({
      blobs,
      secrets,
      dir: places.work,
      slots: config.slots,
      sandbox: config.sandbox,
      log,
      toolchains,
      nice: config.nice,
      onLog: (digest) => keptLogs.add(digest, Date.now()),
      ...(config.memory === undefined ? {} : { memoryBytesMax: config.memory }),
    });
    closers.push(() => executor.stop());
    const clock = createClock();
    closers.push(() => clock.stop());

    const later: { mesh?: Mesh; providing?: Providing; doctor?: Doctor; gateway?: Gateway } = {};
    const mesh = (): Mesh => {
      if (!later.mesh) throw new SwarmError("peer-unreachable", "the network is not up yet");
      return later.mesh;
    };
    const askers = new Askers();
    const sources = new Sources({
      noted(peer, fault, digest) {
        log.warn(
          { peer, fault, digest },
          "a member gave away what is not what it should be; others are asked first",
        );
        later.mesh?.remoteBlobs
          .doubt(peer, digest)
          .catch((error) => log.debug({ peer, digest, err: error }, "it could not be told so"));
      },
    });
    rounds.every(leftoversMs, () => {
      try {
        blobs.clearLeftovers(Date.now());
      } catch (error) {
        log.warn({ err: error }, "leftovers of transfers cannot be removed");
      }
    });
    const rechecks = new Rechecks({
      has: (digest) => blobs.has(digest),
      recheck: (digest) => blobs.recheck(digest),
      wrong(digest) {
        log.error(
          { digest, remedy: "check this disk" },
          "a blob on this disk was no longer what its name says; it was set aside and is served no more",
        );
        void later.providing?.withdraw(digest);
      },
      pause: (ms) => pause(ms, undefined, { ref: false }),
    });
    const artifacts = createArtifacts({
      blobs,
      remote: {
        stat: (peer, digests) => mesh().remoteBlobs.stat(peer, digests),
        get: (peer, digest, offset) => mesh().remoteBlobs.get(peer, digest, offset),
        pieces: (peer, digest) => mesh().remoteBlobs.pieces(peer, digest),
        offer: (peer, digest, lack, max) => mesh().remoteBlobs.offer(peer, digest, lack, max),
        piece: (peer, digest, index, room) => mesh().remoteBlobs.piece(peer, digest, index, room),
        sizeOf: (peer, hash) => mesh().remoteBlobs.sizeOf(peer, hash),
        obtain: (peer, digest, from) => mesh().remoteBlobs.obtain(peer, digest, from),
      },
      sources,
      watchAskers: (digest, tell) => askers.watch(digest, tell),
      connected: () => later.mesh?.connected() ?? [],
      locate: (digest) => located(mesh().locator, hashOf(digest)),
      events,
      self: identity.peer,
      log,
    });
    const core = new Core(
      {
        swarm: swarm.id,
        self: identity.peer,
        name: home.name,
        inc,
        seed: new Uint8Array(randomBytes(16)),
        version,
        slots: config.slots,
        unsafeNoSandbox: config.unsafeNoSandbox,
        scheduling: schedulingOf(config),
        ...(config.small ? { small: true } : {}),
        ...(config.timelineKeptMs === 0 ? {} : { timelineKeptMs: config.timelineKeptMs }),
        voteLog,
        risk: riskPolicyOf(config),
      },
      clock.now(),
    );
    resting.isCalm = () => core.desk.peers.wakefulness.leftMs(clock.now().monoMs) === 0;
    const hearers = new Hearers();
    let saidTwice = false;
    let saidDown: (because: Ending) => void = () => {};
    const down = new Promise<Ending>((resolve) => {
      saidDown = resolve;
    });
    let { name: calledHere } = home;
    const heedName = () => {
      const name = core.desk.members.nameOf(identity.peer);
      if (name === undefined || name === calledHere) return;
      calledHere = name;
      log.info({ name }, "this node has another name");
      keepName(home, name).catch((error) => log.warn({ err: error }, "its name could not be kept"));
    };
    const wrongClocks = new WrongClocks(log);
    const misdeeds = new Misdeeds();
    const recorder = recorderOf(config, {
      dir: places.recordings,
      core,
      stretch: { program: version, node: home.name, peer: identity.peer, inc },
      log,
    });
    const wireLog = new WireLog();
    const runtime = new Runtime(
      core,
      {
        clock,
        signer: identity.signer,
        events,
        network: wireLog.network({
          send: (to, message) => later.mesh?.send(to, message) ?? false,
          gossip: (message) => later.mesh?.gossip(message),
          echo: (to, message) => later.mesh?.echo?.(to, message),
        }),
        artifacts,
        executor,
        showcase,
        inspector: createInspector({ blobs, readings: new Readings(places.readings) }),
      },
      {
        computed: (input, now, effects) => recorder?.stepped(input, now, effects),
        stepped: (input, effects) => {
          const { members, peers } = core.desk;
          const told =
            input.kind === "clock"
              ? input.peer
              : input.kind === "gossip" && input.message.kind === "vitals"
                ? input.from
                : undefined;
          if (told !== undefined) wrongClocks.heard(told, members.nameOf(told), peers.clockAheadMs(told));
          rounds.look();
          hearers.stepped(effects);
          const twice = core.desk.room.limitedBy === "clone";
          if (twice === saidTwice) return;
          saidTwice = twice;
          if (twice) log.error({ remedy: twins.remedy }, twins.what);
          else log.info("no other machine speaks under this identity any more");
        },
        refused(peer, error) {
          const fields = misdeeds.of(peer);
          if (!fields) return;
          const theirs = peer && later.mesh?.versionOf(peer);
          const skewed =
            theirs === undefined || !differ(theirs, version)
              ? {}
              : {
                  theirVersion: theirs,
                  ownVersion: version,
                  remedy: "bring both to one version: swarmd version",
                };
          log.warn({ peer, code: error.code, err: error.message, ...skewed, ...fields }, "refused");
        },
        trouble: (error) =>
          log.error(
            error,
            "a write failed; until it succeeds the node says nothing but that it lives, and takes no work",
          ),
        membersChanged: () => {
          later.mesh?.membersChanged();
          heedName();
        },
        stopped: saidDown,
      },
      wireLog.wire(recorder?.wire(plainWire()) ?? plainWire()),
    );
    closers.push(() => recorder?.close());
    closers.push(() => runtime.halt());
    runtime.start(restored);
    recorder?.begin(clock.now().wallMs);
    heedName();
    const former = core.desk.members.former(identity.peer);
    if (former?.parting.why === "rotated") saidDown("rotated");
    else if (former) throw formerly(former, core.desk.members.nameOf(former.parting.by));

    later.mesh = await createMesh({
      privateKey: identity.seed(),
      swarm: swarm.id,
      listen: config.listen,
      announce: config.announce,
      mdns: config.mdns,
      bookFile: places.peerBook,
      handlers: wireLog.handlers(runtime.handlers()),
      members: () => core.desk.members.all().map(({ peer }) => peer),
      blobs,
      askers,
      obtain: (digest, from, signal) => artifacts.obtainFor(digest, from, signal),
      doubted: (digest) => rechecks.doubt(digest),
      every: rounds.every,
      tails: executor,
      health: async () => (await later.doctor?.examine()) ?? [],
      log,
    });
    const { mesh: up } = later;
    closers.push(() => up.stop());
    for (const { peer, addresses } of options.know ?? []) up.know(peer, addresses);

    // While members find this node already; it has nothing to offer before.
    await toolchains.look();
    const sensors = createSensors({
      diskPath: config.diskPath ?? home.dir,
      toolchains: () => toolchains.offers,
      ...(await distributionOf()),
      sandbox: executor.sandbox,
      secrets: () => secrets.names(),
      target: toolchains.target,
      every: rounds.every,
      ...(config.owner === "yield"
        ? { owner: { idleMs: config.ownerIdleMs, ownTicks: () => ticksOfTree(process.pid) } }
        : {}),
      ...(config.memory === undefined ? {} : { memoryBytesMax: config.memory }),
    });
    closers.push(sensors.watch((vitals) => runtime.input({ kind: "sensed", vitals })));

    const providing = new Providing({
      locator: up.locator,
      // to look whether it is still here is no use of it
      has: (digest) => blobs.bytesHere(digest) === sizeOf(digest),
      log,
      after: (ms, callback) => {
        const timer = setTimeout(callback, ms).unref();
        return () => clearTimeout(timer);
      },
    });
    later.providing = providing;
    closers.push(() => providing.stop());
    const announcer = new Announcer(core.desk, providing, (digest) => blobs.has(digest));
    const collector = new Collector({
      blobs,
      roots: () => rootsOf(core.desk, core.releases, clock.now().wallMs - config.logsKeptMs),
      logs: keptLogs,
      disk: () => readDisk(places.blobs),
      bytesMax: config.artifactBytesMax,
      freeBytesMin: config.diskFreeBytesMin,
      gone(digests) {
        runtime.input({ kind: "collected", digests });
        for (const digest of digests)
          providing
            .withdraw(digest)
            .catch((error) => log.debug({ digest, err: error }, "its record stays until it is forgotten"));
      },
      every: rounds.every,
      log,
      nowMs: () => clock.now().wallMs,
    });
    collector.start();
    new Scrubber({
      events,
      recordings: places.recordings,
      quarantine,
      every: rounds.every,
      nowMs: () => clock.now().wallMs,
      log,
    });
    closers.push(() => collector.stop());
    const awake = new Awake((why) => {
      log.warn(
        { why, remedy: "let it sleep: suspend: abandon" },
        "this machine may fall asleep while actions run",
      );
    });
    closers.push(() => awake.stop());
    let reached = 0;
    rounds.every(announceMs, () => {
      announcer.look();
      if (config.suspend === "finish") awake.look(core.desk.running, clock.now().monoMs);
      const now = up.connected().length;
      if (now > reached) providing.retry();
      reached = now;
    });

    const queries = new Queries(core, up);
    if (config.otlpEndpoint !== undefined) {
      const nameOf = (peer: PeerId) => queries.nameOf(peer);
      const { desk } = core;
      const recall = new Recall({ desk, queries, events, artifacts });
      const reporter = new OtlpReporter({ endpoint: config.otlpEndpoint, desk, recall, nameOf, log });
      closers.push(() => reporter.close());
      rounds.every(announceMs, () => reporter.look());
    }
    const sign = (text: string) => signStatement(text, identity.peer, identity.seed());
    attester.resolve(attesterOf({ desk: core.desk, queries, events, artifacts, sign }));
    const doctor = new Doctor({
      core,
      queries,
      mesh: up,
      home: home.dir,
      announced: config.announce,
      limits: executor.limits,
      misdeeds,
      quarantine,
    });
    later.doctor = doctor;
    let stopping: Promise<void> | undefined;
    let resolveStopped: (because: Ending) => void = () => {};
    const stopped = new Promise<Ending>((resolve) => {
      resolveStopped = resolve;
    });
    const stop = (reason: string): Promise<void> => {
      stopping ??= (async () => {
        log.info({ reason }, "stopping");
        runtime.command({ kind: "stop", reason }, () => {});
        const because = await down;
        await closeAll();
        log.info("stopped");
        resolveStopped(because);
      })();
      return stopping;
    };
    const data = createData({
      desk: core.desk,
      queries,
      events,
      blobs,
      releases: () => control.releases(),
      file: places.projection,
      wireLog,
      nowMs: () => clock.now().wallMs,
    });
    closers.push(() => data.close());
    const control = createOperator({
      data,
      home: home.dir,
      recordings: places.recordings,
      runtime,
      queries,
      blobs,
      collector,
      quarantine,
      artifacts,
      events,
      sources,
      tails: executor,
      executor,
      doctor,
      mesh: up,
      ...(config.diagnosis === undefined ? {} : { diagnosis: config.diagnosis }),
      hear: hearers.hear,
      gatewayUrl: () => later.gateway?.url ?? null,
      nextIdentity: () => obtainNextIdentity(places.identity),
      signStatement: sign,
      signer: identity.signer,
      changed: hearers.changed,
      // The answer must go out before the socket goes: stopping starts, the asker sees the socket close.
      stop: async () => {
        setImmediate(() => void stop("asked to"));
      },
    });
    if (config.binhostListen !== undefined) {
      const binhost = await serveBinhost(config.binhostListen, shelvesOf(binhostPath));
      closers.push(() => binhost.close());
      log.info({ address: binhost.address }, "released files are served");
    }
    later.gateway = await gatewayOf(config, control, log);
    closers.push(() => later.gateway?.close());
    const server = await serveControl(control, places.controlSocket, {
      onFault: (fault, route) => log.error({ err: fault, route }, "a request failed by a fault of ours"),
      onLook: () => runtime.input({ kind: "looked" }),
    });
    closers.push(() => server.close());
    log.info(
      {
        node: home.name,
        peer: identity.peer,
        swarm: swarm.name,
        addresses: up.addresses(),
        sandbox: executor.sandbox,
      },
      "running",
    );
    // Only now: what is opened while everything closes would be closed by nobody, and a daemon that is over would answer on.
    void down.then((because) => {
      if (because === "asked") return;
      const { what, remedy } = endings[because];
      if (because === "left" || because === "rotated") log.info({ remedy }, what);
      else log.error({ remedy }, what);
      return stop(what);
    });
    return { control, addresses: up.addresses(), stop, stopped };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
