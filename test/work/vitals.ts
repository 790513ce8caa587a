/** Vitals of a made-up node, for tests that judge nodes. */
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { peerNamed } from "../contract/chain.ts";

export const vitalsOf = (fields: Partial<Vitals> = {}): Vitals => ({
  peer: peerNamed("bob"),
  inc: "1-00000001" as Vitals["inc"],
  name: "bob",
  version: "0",
  beat: 1,
  slots: 4,
  running: 0,
  foreign: true,
  frontier: "",
  ledgers: {},
  cores: 4,
  load: 0,
  pressurePercent: "unknown",
  temperatureCelsius: "unknown",
  headroomCelsius: "unknown",
  memoryTotalBytes: 2 ** 34,
  memoryFreeBytes: 2 ** 33,
  diskTotalBytes: 2 ** 40,
  diskFreeBytes: 2 ** 39,
  labels: [],
  fenced: false,
  policy: "normal",
  reservedBytes: 0,
  sandbox: "bubblewrap",
  target: "x86_64-linux-gnu",
  toolchains: { cc: "1" },
  ...fields,
});
