/** How nodes were over time, as one of them heard it: what its tape has of beats, and of its own sensors. For people; no fold reads it. */
import type { PeerId } from "../kernel/ids.ts";
import { readGossip } from "../swarm/message.ts";
import type { LocalVitals, Unknown, Vitals } from "../swarm/vitals.ts";
import { readUpdate } from "../work/ledger.ts";
import { type TapeStep, untaped } from "./tape.ts";

/** One node at one moment. */
export interface Reading {
  readonly peer: PeerId;
  /** When it was heard, by the clock of whoever heard it. */
  readonly atMs: number;
  readonly load: number | Unknown;
  readonly temperatureCelsius: number | Unknown;
  readonly headroomCelsius: number | Unknown;
  /** Absent: its own sensors say nothing of it. */
  readonly slots?: number;
  readonly running?: number;
  readonly limitedBy?: string;
}

/** Of one node no more than one in so long, unless its slots change. */
const eachMs = 1000;

/** All that a stretch of a tape says, in its order. `self`: whose tape it is. */
export function* readingsIn(steps: Iterable<TapeStep>, self: PeerId): Iterable<Reading> {
  const last = new Map<PeerId, Reading>();
  for (const step of steps) {
    const reading = readingOf(step, self);
    if (!reading) continue;
    const before = last.get(reading.peer);
    const isSame = before?.slots === reading.slots && before?.limitedBy === reading.limitedBy;
    if (before && isSame && reading.atMs - before.atMs < eachMs) continue;
    last.set(reading.peer, reading);
    yield reading;
  }
}

/** The last of each node that is no older than `ageMsMax` at `atMs`. */
export function readingsAt(
  readings: Iterable<Reading>,
  atMs: number,
  ageMsMax: number,
): ReadonlyMap<PeerId, Reading> {
  const found = new Map<PeerId, Reading>();
  for (const reading of readings) {
    if (reading.atMs > atMs || reading.atMs < atMs - ageMsMax) continue;
    if ((found.get(reading.peer)?.atMs ?? 0) <= reading.atMs) found.set(reading.peer, reading);
  }
  return found;
}

function readingOf(step: TapeStep, self: PeerId): Reading | undefined {
  const [kind, , wallMs, input] = step;
  const atMs = Math.round(wallMs);
  if (kind === "sensed") {
    const sensed = untaped(step, undefined);
    return sensed.kind === "sensed" ? { peer: self, atMs, ...sensorsOf(sensed.vitals) } : undefined;
  }
  if (kind !== "gossip" || input === null || (input[0] !== "raw" && input[0] !== "all")) return undefined;
  const read = input[0] === "raw" ? readGossip(input[2], readUpdate, () => true) : messageIn(step);
  return read?.kind === "vitals" ? { peer: read.vitals.peer, atMs, ...vitalsOf(read.vitals) } : undefined;
}

function messageIn(step: TapeStep) {
  const input = untaped(step, undefined);
  return input.kind === "gossip" ? input.message : undefined;
}

const sensorsOf = ({ load, temperatureCelsius, headroomCelsius }: LocalVitals) => ({
  load,
  temperatureCelsius,
  headroomCelsius,
});

const vitalsOf = (vitals: Vitals) => ({
  ...sensorsOf(vitals),
  slots: vitals.slots,
  running: vitals.running,
  ...(vitals.limitedBy === undefined ? {} : { limitedBy: vitals.limitedBy }),
});
