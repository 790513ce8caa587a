/** The simulated ports keep the same promises as the real ones. */
import { digestFrom, digestOf, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import { Blobs } from "../../sim/artifacts.ts";
import { HostClock } from "../../sim/clock.ts";
import { Cores } from "../../sim/cores.ts";
import { Disk } from "../../sim/disk.ts";
import { Executions } from "../../sim/executions.ts";
import { virtualExecutor } from "../../sim/executor.ts";
import { VirtualNetwork } from "../../sim/network.ts";
import { Process } from "../../sim/process.ts";
import { HostShowcase } from "../../sim/showcase.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { World } from "../../sim/world.ts";
import { artifactsContract } from "../contract/artifacts.ts";
import { madeBy } from "../contract/chain.ts";
import { clockContract } from "../contract/clock.ts";
import { eventsContract } from "../contract/events.ts";
import { executorContract } from "../contract/executor.ts";
import { type NetworkEnd, networkContract } from "../contract/network.ts";
import { showcaseContract } from "../contract/showcase.ts";
import { signerContract } from "../contract/signer.ts";

/** Virtual time passes until the condition holds. */
const settleIn = (world: World) => async (condition: () => boolean) => {
  if (!world.runUntil(condition, 60_000)) throw new Error("it never happened");
};

/** A daemon that lets everybody in and notes what it hears. */
function attach(network: VirtualNetwork, process: Process, peer: PeerId): NetworkEnd {
  const received: { from: PeerId; message: Uint8Array }[] = [];
  const gossiped: Uint8Array[] = [];
  const links: { kind: "connected" | "disconnected"; peer: PeerId }[] = [];
  const port = network.attach(process, peer, {
    admits: () => true,
    knows: () => true,
    presentation: () => new Uint8Array(),
    admission: (_peer, _request, answer) => answer(new Uint8Array()),
    connected: (other) => links.push({ kind: "connected", peer: other }),
    disconnected: (other) => links.push({ kind: "disconnected", peer: other }),
    message: (from, message) => received.push({ from, message }),
    gossip: (message) => gossiped.push(message),
  });
  return { network: port, peer, received, gossiped, links };
}

for (const options of [{}, { driftPpm: 200, offsetMs: -3_600_000 }, { driftPpm: -500_000 }])
  clockContract(`simulated, ${JSON.stringify(options)}`, () => {
    const world = new World({ seed: 1 });
    const clock = new HostClock(world, options).port(new Process(world, "ann"));
    return { clock, settle: settleIn(world) };
  });

signerContract("simulated", () => [fakeSigner(fakePeer("ann")), fakeSigner(fakePeer("bob"))]);

eventsContract("simulated", () => {
  const world = new World({ seed: 1 });
  const disk = new Disk(world, "ann");
  let process = new Process(world, "ann");
  return {
    store: disk.port(process),
    settle: settleIn(world),
    restart() {
      process.end("kill");
      process = new Process(world, "ann");
      const store = disk.port(process);
      return { store, restored: store.restore() };
    },
    stop() {},
  };
});

networkContract("the simulated network", async () => {
  const world = new World({ seed: 1 });
  const network = new VirtualNetwork(world);
  const [a, b] = ["ann", "bob"].map((name) => attach(network, new Process(world, name), fakePeer(name)));
  const settle = settleIn(world);
  await settle(() => network.reaches(a!.peer, b!.peer));
  return {
    a: a!,
    b: b!,
    settle,
    cut: () => network.cut([a!.peer], [b!.peer]),
    heal: () => network.heal(),
    async stop() {},
  };
});

executorContract("the simulated executor", async () => {
  const world = new World({ seed: 1 });
  const blobs = new Blobs(new VirtualNetwork(world));
  const self = fakePeer("ann");
  const executor = virtualExecutor(new Process(world, "ann"), {
    self,
    cores: new Cores(world, { slots: 1, speed: 1, memoryBytes: 0, memoryFreeBytes: 0 }),
    blobs,
    executions: new Executions(),
    toolchains: () => ({}),
    behaviour: ({ argv }) =>
      argv[0] === "lasts"
        ? { workMs: 3_600_000, ends: "done" }
        : { workMs: 100, ends: argv[0] === "fails" ? "fails" : "done" },
  });
  let claims = 0;
  return {
    executor,
    settle: settleIn(world),
    request: (does) => ({
      claim: `c${claims++}` as never,
      build: "demo-0123456789" as never,
      action: "act" as never,
      argv: [does],
      env: {},
      inputRoot: digestFrom(sha256Hex("root"), 80),
      files: [],
      outputs: [
        { path: "a.o", kind: "file" },
        { path: "gen", kind: "folder", promised: ["gen/a.h"] },
      ],
      timeoutMs: 7_200_000,
      silenceMs: 0,
      toolchains: {},
    }),
    async close() {},
  };
});

artifactsContract("the simulated artifacts", async () => {
  const world = new World({ seed: 1 });
  const network = new VirtualNetwork(world);
  const blobs = new Blobs(network);
  const [self, first, second] = ["ann", "bob", "cat"].map(fakePeer) as [PeerId, PeerId, PeerId];
  const process = new Process(world, "ann");
  const store = new Disk(world, "ann").port(process);
  attach(network, process, self);
  for (const peer of [first, second]) attach(network, new Process(world, world.name(peer)), peer);
  const settle = settleIn(world);
  await settle(() => network.reaches(self, first) && network.reaches(self, second));
  return {
    artifacts: blobs.port(process, self, store),
    self,
    peers: [first, second],
    hold: (peer, bytes) => blobs.add(peer, digestOf(bytes), bytes),
    know: (key, result, holders) => {
      for (const holder of holders) store.remember(key, result, madeBy(holder));
      world.runFor(10);
    },
    has: (digest) => blobs.has(self, digest),
    settle,
    async close() {},
  };
});

showcaseContract("the simulated showcase", async () => {
  const world = new World({ seed: 1 });
  const blobs = new Blobs(new VirtualNetwork(world));
  const self = fakePeer("ann");
  const showcase = new HostShowcase(blobs, self);
  const texts = new Map<Digest, string>();
  let process = new Process(world, "ann");
  const put = async (text: string) => {
    const digest = blobs.put(self, new TextEncoder().encode(text));
    texts.set(digest, text);
    return digest;
  };
  return {
    open() {
      process.end("kill");
      process = new Process(world, "ann");
      return showcase.port(process);
    },
    put,
    steps: async (epoch, text) => {
      const at = { channel: "stable", epoch };
      const files = [{ path: "bin/tool", digest: await put(text) }];
      return [
        { step: "begin", ...at },
        { step: "fill", ...at, files },
        { step: "index", ...at, manifest: await put(`manifest of ${epoch}`) },
        { step: "keep", ...at },
        { step: "switch", ...at },
      ];
    },
    read: async () => texts.get(showcase.shown("stable")?.files[0]?.digest as Digest),
    settle: settleIn(world),
    async close() {},
  };
});
