/** A member that lies: the real core runs, and what goes out of it (or what it does) is bent. */
import type { ExecuteRequest } from "../protocol/contract.ts";
import { digestFrom, sha256Hex } from "../protocol/kernel/digest.ts";
import type { EntryId, Incarnation, PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { Executor, Network, Ports } from "../protocol/ports.ts";
import type { Runtime } from "../protocol/runtime.ts";
import {
  encodeGossip,
  encodeMessage,
  type LedgerUpdate,
  type Message,
  readMessage,
} from "../protocol/swarm/message.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";
import { inputsOf } from "../protocol/work/inputs.ts";
import { clientOf, Ledger, readUpdate } from "../protocol/work/ledger.ts";
import type { Blobs } from "./artifacts.ts";
import type { ByzantineWay } from "./faults.ts";
import type { Bend, Host } from "./host.ts";
import type { Process } from "./process.ts";

/** A flooding member says this much: one thing each. */
const floodEveryMs = 10;
const forgeEveryMs = 250;
const junk = "x".repeat(1000);

/** Bends a host so that it lies in one way. */
export function byzantine(how: ByzantineWay, random: Random, blobs: Blobs): Bend {
  switch (how) {
    case "forged-results":
      return {
        honest: false,
        ports: (host, ports, process) => ({ ...ports, executor: forger(host, process, blobs) }),
      };
    case "forged-answers": {
      let own: Ports | undefined;
      return {
        honest: false,
        ports: (host, ports) => {
          own = ports;
          return { ...ports, network: allKnowing(host, ports) };
        },
        runtime: (host, runtime, process) => answerFalsely(host, runtime, process, own!),
      };
    }
    case "never-runs":
      return { honest: false, ports: (_host, ports) => ({ ...ports, executor: idler }) };
    case "equivocation":
      return {
        honest: false,
        ports: (host, ports) => ({ ...ports, network: twoFaces(host, ports) }),
      };
    case "never-answers":
      return { honest: false, runtime: deafen };
    case "flooding":
      return {
        honest: false,
        ports: (host, ports, process) => {
          every(process, floodEveryMs, flood(host, ports, random));
          return ports;
        },
      };
    case "foreign-keys":
      return {
        honest: false,
        ports: (host, ports, process) => {
          every(process, forgeEveryMs, forge(host, ports, random));
          return ports;
        },
      };
  }
}

function every(process: Process, ms: number, act: () => void): void {
  process.after(ms, () => {
    act();
    every(process, ms, act);
  });
}

/** Says `done` after a millisecond; of every second lie it even holds the bytes. */
function forger(host: Host, process: Process, blobs: Blobs): Executor {
  let lies = 0;
  const lie = ({ claim, outputs }: ExecuteRequest) => {
    const holds = lies++ % 2 === 0;
    return outputs.map(({ path, kind }) => {
      const digest = digestFrom(sha256Hex(`forged ${claim} ${path}`), 1024);
      if (holds) blobs.add(host.place, digest);
      return { path, kind, digest };
    });
  };
  return {
    execute: (request, done) =>
      process.after(1, () => {
        process.world.record(host.name, "forges", request.action);
        const usage = { fetchMs: 0, wallMs: 1, cpuMs: 1, maxRssBytes: 0, fetchedBytes: 0 };
        done({ kind: "done", result: { outputs: lie(request) }, usage });
      }),
    kill: () => {},
    survey: () => {},
  };
}

/** Takes everything and does nothing. */
const idler: Executor = { execute: () => {}, kill: () => {}, survey: () => {} };

/** Does not hear what it is asked for. */
function deafen(_host: Host, runtime: Runtime): void {
  const input = runtime.input.bind(runtime);
  runtime.input = (heard) => {
    if (heard.kind === "message" && (heard.message.kind === "ask" || heard.message.kind === "hold")) return;
    input(heard);
  };
}

/** Says of whatever others look for that somebody made it: another in whose name it signs, nobody, or itself; of its own lies it holds no bytes. */
function answerFalsely(host: Host, runtime: Runtime, process: Process, { network, signer }: Ports): void {
  const input = runtime.input.bind(runtime);
  let lies = 0;
  runtime.input = (heard) => {
    if (heard.kind !== "message" || heard.message.kind !== "seek") return input(heard);
    const { desk } = host.core;
    const { id, keys } = heard.message;
    const wanted = new Set<string>(keys);
    const way = lies % 3;
    const [victim = host.peer] = othersOf(host);
    const author = way === 0 ? victim : host.peer;
    const hits: FoundHit[] = [];
    const events: Entry["events"][number][] = [];
    for (const { id: build, claims, inputFiles } of desk.liveBuilds())
      for (const [index, action] of claims!.graph.actions.entries()) {
        const inputs = inputsOf(claims!, index, desk.trees, inputFiles);
        if (inputs.kind !== "known" || !wanted.has(inputs.key) || events.length >= 16) continue;
        const outputs = action.outputs.map(({ path, kind }) => ({
          path,
          kind,
          digest: digestFrom(sha256Hex(`answered ${build} ${action.name} ${path}`), 1024),
        }));
        hits.push({ key: inputs.key, action: action.name, from: host.peer, proof: 0 });
        events.push({ kind: "done", claim: `${lies}`, key: inputs.key, result: { outputs } });
      }
    const build = desk.liveBuilds()[0]?.id;
    if (build === undefined || events.length === 0) return input(heard);
    lies++;
    process.world.record(host.name, "forges", `an answer, way ${way}`);
    const inc = "8888-00000008" as Incarnation;
    const proof = signedBy(signer, { ...entryOf(host, author, inc, lies), build, events });
    const proofs = way === 1 ? [] : [proof];
    network.send(heard.from, encodeMessage({ kind: "found", id, hits, proofs, last: true }));
  };
}

/** Says in each beat that it knows of builds that nobody else has seen, so that all ask it. */
function allKnowing(host: Host, { network, signer }: Ports): Network {
  return {
    ...network,
    gossip: (bytes) => {
      const vitals = isVitals(bytes) ? host.core.desk.vitals() : undefined;
      if (!vitals) return network.gossip(bytes);
      const told = { ...vitals, archive: "f".repeat(16) };
      network.gossip(encodeGossip({ kind: "vitals", vitals: told }, (text) => signer.sign(text)));
    },
  };
}

type FoundHit = Extract<Message, { kind: "found" }>["hits"][number];

/** The members beside this one, as it knows them. */
const othersOf = (host: Host): PeerId[] =>
  host.core.desk.members
    .all()
    .map((m) => m.peer)
    .filter((p) => p !== host.peer);

/** Tells one half of the members one thing, and the other half another, under the same place in its chain. */
function twoFaces(host: Host, ports: Ports): Network {
  const { network, signer } = ports;
  const shadows = new Map<string, Ledger>();
  const others = new Map<EntryId, Uint8Array>();
  const isOwn = (entries: readonly SignedEntry[]): boolean =>
    entries.length === 1 && entries[0]!.entry.author === host.peer;
  /** The other face of a message that carries one own entry. */
  const otherFace = (bytes: Uint8Array): Uint8Array | undefined => {
    const message = readMessage(bytes, readUpdate);
    if (!("entries" in message) || message.kind === "outline" || !isOwn(message.entries)) return undefined;
    const [own] = message.entries as [SignedEntry];
    const other = signedBy(signer, {
      ...own.entry,
      events: [...own.entry.events, { kind: "other.face" }],
    });
    if (message.kind === "entries") return encodeMessage({ kind: "entries", entries: [other] });
    const shadow =
      shadows.get(message.build) ?? new Ledger(message.build, clientOf(host.peer, own.entry.inc));
    shadows.set(message.build, shadow);
    const update = others.get(own.id) ?? shadow.add(other);
    others.set(own.id, update);
    return encodeMessage({ ...message, update, entries: [other] });
  };
  const half = (peer: PeerId): boolean => othersOf(host).indexOf(peer) % 2 === 1;
  return {
    send: (to, bytes) => {
      const face = half(to) && otherFace(bytes);
      if (!face) return network.send(to, bytes);
      // A third member would pass on what it is given, which is the first face: as if it had arrived.
      network.send(to, face);
      return true;
    },
    gossip: (bytes) => {
      // Own words are told one by one; what members say to each other and what they gossip reads the same.
      const face = isVitals(bytes) ? undefined : otherFace(bytes);
      if (!face) return network.gossip(bytes);
      for (const to of othersOf(host)) network.send(to, half(to) ? face : bytes);
    },
  };
}

/** Gossiped vitals are no message. */
function isVitals(bytes: Uint8Array): boolean {
  try {
    readMessage(bytes, readUpdate);
    return false;
  } catch {
    return true;
  }
}

/** One more thing said: an entry full of nothing, a wish for any work, or vitals. */
function flood(host: Host, ports: Ports, random: Random): () => void {
  const inc = `9999-${random.hex(4)}` as Incarnation;
  const asSelf = (text: string) => ports.signer.sign(text);
  let seq = 0;
  let said = 0;
  return () => {
    const { desk } = host.core;
    const others = othersOf(host);
    const live = desk.liveBuilds().filter((b) => b.claims);
    const what = said++ % 3;
    if (what === 0) {
      const events = [{ kind: "flood", junk }];
      const entry = signedBy(ports.signer, {
        ...entryOf(host, host.peer, inc, seq),
        last: seq - 1,
        events,
      });
      seq++;
      ports.network.gossip(encodeGossip({ kind: "entries", entries: [entry] }, asSelf));
    } else if (what === 1 && live.length > 0 && others.length > 0) {
      const { id, claims } = random.pick(live);
      const actions = claims!.graph.actions.slice(0, 1024).map((a) => a.name);
      const ask = { kind: "ask", id: `${said}`, build: id, count: 1024, actions } as const;
      ports.network.send(random.pick(others), encodeMessage(ask));
    } else {
      const vitals = desk.vitals();
      if (vitals)
        ports.network.gossip(
          encodeGossip({ kind: "vitals", vitals: { ...vitals, beat: 1_000_000 + said } }, asSelf),
        );
    }
  };
}

/** One more entry that is not its own to write, or not signed as it must be. */
function forge(host: Host, ports: Ports, random: Random): () => void {
  const unsigned = new Uint8Array(64);
  const asSelf = (text: string) => ports.signer.sign(text);
  let seq = 1000;
  return () => {
    const { desk } = host.core;
    const others = othersOf(host);
    if (others.length === 0) return;
    const victim = random.pick(others);
    const author = random.below(3) === 0 ? host.peer : victim;
    const inc = desk.peers.incarnationOf(author) ?? ("1-00000000" as Incarnation);
    const events = [{ kind: "node.down", reason: "forged" }];
    const plain: Entry = { ...entryOf(host, author, inc, seq++), events };
    const signature = author !== host.peer && random.below(2) === 0 ? asSelf : () => unsigned;
    const build = desk.liveBuilds()[0]?.id;
    if (build === undefined || random.below(2) === 0) {
      const entry = signedWith(signature, { ...plain, last: -1 });
      ports.network.gossip(encodeGossip({ kind: "entries", entries: [entry] }, asSelf));
      return;
    }
    const entry = signedWith(signature, { ...plain, build });
    // Under the victim's client number, or under the forger's own.
    const client = clientOf(random.below(2) === 0 ? author : host.peer, inc);
    const update = new Ledger(build, client).add(entry);
    const carried: LedgerUpdate = { build, update, entries: [entry] };
    ports.network.gossip(encodeGossip({ kind: "ledger", ...carried }, asSelf));
    ports.network.send(victim, encodeMessage({ kind: "ledger", ...carried }));
  };
}

const entryOf = (host: Host, author: PeerId, inc: Incarnation, seq: number): Omit<Entry, "events"> => ({
  v: 1,
  swarm: host.core.desk.config.swarm,
  author,
  inc,
  seq,
  prev: null,
  hlc: [0, 0],
  last: -1,
});

const signedBy = (signer: Ports["signer"], entry: Entry): SignedEntry =>
  signedWith((id) => signer.sign(id), entry);

function signedWith(sign: (id: string) => Uint8Array, entry: Entry): SignedEntry {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, sign(id));
}
