/** What the monitor draws, as lines of text: builds, nodes, running actions, output, help. */
import type { BuildSummary, NodeView, StatusView } from "../../node/control/api.ts";
import { type Output, plain } from "../output.ts";
import { bytesText, durationText } from "../units.ts";
import { acts } from "./acts.ts";

const barChars = 16;

/** A row each, the chosen one marked. */
export function buildLines(output: Output, builds: readonly BuildSummary[], chosen: number): string[] {
  if (builds.length === 0) return [output.tone("faint", "no builds yet: swarmd submit SPEC")];
  const nameChars = Math.max(...builds.map(({ build }) => build.length));
  return builds.map((build, at) => {
    const { done, running, blocked, held } = build.counts;
    const filled = build.actions === 0 ? barChars : Math.floor((done / build.actions) * barChars);
    const bar = "█".repeat(filled) + "░".repeat(barChars - filled);
    const tone = build.state === "complete" ? "good" : build.state === "failed" ? "bad" : "note";
    const stuck = blocked + held > 0 ? `  ${output.tone("bad", `${blocked + held} blocked`)}` : "";
    const line = `${build.build.padEnd(nameChars)}  ${output.tone(tone, build.state.padEnd(9))}  ${bar} ${String(done).padStart(String(build.actions).length)}/${build.actions}  ${running} running  ${durationText(build.wallMs)}${stuck}`;
    return `${at === chosen ? output.tone("strong", "▸") : " "} ${line}`;
  });
}

/** A row each: how it is, and how much it has to do. */
export function nodeLines(output: Output, nodes: readonly NodeView[]): string[] {
  const nameChars = Math.max(...nodes.map(({ name }) => name.length));
  return nodes.map(({ name, state, vitals }) => {
    const tone = state === "self" || state === "alive" ? (vitals?.limitedBy ? "note" : "good") : "bad";
    const said = vitals?.limitedBy ? `${state}, ${vitals.limitedBy}` : state;
    const head = `  ${name.padEnd(nameChars)}  ${output.tone(tone, said.padEnd(16))}`;
    if (!vitals) return `${head}  -`;
    const { load, temperatureCelsius: heat, slots, running, memoryFreeBytes } = vitals;
    const used = "■".repeat(Math.min(running, 24)) + "□".repeat(Math.max(0, Math.min(slots, 24) - running));
    return `${head}  ${used} ${running}/${slots}  load ${load === "unknown" ? "-" : load.toFixed(1)}  ${heat === "unknown" ? "-" : Math.round(heat)} °C  ${bytesText(memoryFreeBytes)} free`;
  });
}

/** What runs now, the longest first. */
export function runningLines(status: StatusView): string[] {
  return [status.node, ...status.peers]
    .flatMap(({ name, running }) => running.map((one) => ({ node: name, ...one })))
    .sort((a, b) => b.sinceMs - a.sinceMs || (a.action < b.action ? -1 : 1))
    .map(({ node, action, sinceMs }) => `  ${durationText(sinceMs).padStart(12)}  ${node}  ${plain(action)}`);
}

export const helpLines: readonly string[] = [
  "  ↑ ↓ or j k   choose a build",
  ...acts.map(({ key, text }) => `  ${key}            ${text}`),
  "  ?            this help, and away with it",
  "  q            quit; nothing stops by that",
];
