/** Nodes as a daemon would show them, each like the other but for its name. */
import type { NodeView } from "../../node/control/api.ts";
import { type PeerId, peerIdOf } from "../../protocol/kernel/ids.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";

/** The first is the node itself. */
export function nodeView(name: string, index: number, toolchains: readonly string[]): NodeView {
  const peerId = peerIdOf(new Uint8Array(32).fill(index + 1)) as PeerId;
  return {
    name,
    peerId,
    state: index === 0 ? "self" : "alive",
    roles: index === 0 ? ["admin", "builder", "submitter"] : ["builder", "submitter"],
    addresses: [`/ip4/192.0.2.${index + 7}/tcp/4701`],
    vitals: vitalsOf(name, peerId, toolchains),
    running: [],
  };
}

const vitalsOf = (name: string, peer: PeerId, toolchains: readonly string[]): Vitals => ({
  peer,
  inc: "1-00000000" as Vitals["inc"],
  name,
  version: "0.1.0",
  beat: 1,
  slots: 4,
  running: 0,
  foreign: false,
  frontier: "",
  ledgers: {},
  cores: 4,
  load: 0.25,
  pressurePercent: "unknown",
  temperatureCelsius: "unknown",
  headroomCelsius: "unknown",
  memoryTotalBytes: 16e9,
  memoryFreeBytes: 12.5e9,
  diskTotalBytes: 500e9,
  diskFreeBytes: 210e9,
  labels: [],
  fenced: false,
  policy: "normal",
  reservedBytes: 0,
  sandbox: "bubblewrap",
  target: "x86_64-linux-gnu",
  toolchains: Object.fromEntries(toolchains.map((tool) => [tool, `${tool}-fingerprint`])),
});
