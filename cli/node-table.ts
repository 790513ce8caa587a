/** Nodes as rows: what status and `node list` show of each. */
import type { NodeView } from "../node/control/api.ts";
import type { Column, Output, Tone } from "./output.ts";
import { bytesText, durationText } from "./units.ts";

export const nodeColumns: readonly Column[] = [
  { title: "NODE" },
  { title: "STATE" },
  { title: "RUNNING", right: true },
  { title: "LOAD", right: true },
  { title: "TEMP", right: true },
  { title: "MEMORY FREE", right: true },
  { title: "DISK FREE", right: true },
];

const tones: Record<NodeView["state"], Tone> = {
  self: "good",
  alive: "good",
  suspect: "note",
  dead: "bad",
  unseen: "faint",
};

/** A dash stands for what is not known. */
export function nodeRow(output: Output, { name, state, vitals }: NodeView): string[] {
  return [
    name,
    output.tone(
      vitals?.limitedBy ? "note" : tones[state],
      vitals?.limitedBy ? `${state}, ${vitals.limitedBy}` : state,
    ),
    vitals ? `${vitals.running}/${vitals.slots}` : "-",
    vitals && vitals.load !== "unknown" ? vitals.load.toFixed(2) : "-",
    vitals && vitals.temperatureCelsius !== "unknown" ? `${Math.round(vitals.temperatureCelsius)} °C` : "-",
    vitals ? bytesText(vitals.memoryFreeBytes) : "-",
    vitals ? bytesText(vitals.diskFreeBytes) : "-",
  ];
}

/** In words, of a node that its disk keeps from work; undefined for any other. `makeRoom`: the command that shows what may go. */
export function diskText({ name, vitals }: NodeView, makeRoom: string): string | undefined {
  if (vitals?.limitedBy === "space")
    return `${name} has only ${bytesText(vitals.diskFreeBytes)} of disk free: it takes no work and serves on; free some space there (what artifacts take of it: ${makeRoom})`;
  if (vitals?.limitedBy === "disk")
    return `${name} cannot write to its disk: it takes no work and hands out none; its log says why, mostly the disk is full`;
  return undefined;
}

/** In words, of a node whose wall clock differs from this one's. */
export const clockText = ({ name, clockAheadMs: ms = 0 }: Pick<NodeView, "name" | "clockAheadMs">): string =>
  `the clock of ${name} is ${durationText(Math.abs(ms))} ${ms < 0 ? "behind" : "ahead of"} this node's: set the wrong one right (timedatectl)`;
