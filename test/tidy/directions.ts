/** Who may import whom: four rooms on three floors, and the floors of the brain. Types count: an arrow is an arrow. */
import type { Fault, Source } from "./source.ts";

/** What each room may import from, besides itself. Nobody imports from test. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  node: ["protocol"],
  sim: ["protocol"],
  cli: ["node", "sim", "protocol"],
  test: ["cli", "node", "sim", "protocol"],
};

/** The brain from its ground up: a part may import from lower floors and from itself, never from its neighbours. */
const floors: readonly (readonly string[])[] = [
  ["protocol/kernel/"],
  ["protocol/timeline/", "protocol/build/"],
  ["protocol/swarm/", "boundary"],
  ["protocol/release/"],
  ["protocol/work/"],
  ["composition"],
  ["protocol/explain/"],
];

/**
 * Files of protocol/ itself that say what goes in and out, and how: the boundary. It is made of what members say to each
 * other, and the machines of swarm/ speak through it, so these two neighbours may lean on each other (never file on file).
 * All other files of protocol/ itself compose the brain.
 */
const boundaryFiles = ["protocol/contract.ts", "protocol/ports.ts", "protocol/voice.ts"];
const leaning = ["protocol/swarm/", "boundary"];

/** Where all of a node is put together: it stands above everything in node/. */
const top = "node/daemon.ts";

export function directions(sources: readonly Source[]): Fault[] {
  const faults: Fault[] = [];
  const known = new Set(sources.map((source) => source.path));
  for (const source of sources)
    for (const { target, kind, line, specifier } of source.imports) {
      if (kind !== "file") continue;
      const fault = (text: string) => faults.push({ path: source.path, line, rule: "directions", text });
      if (!known.has(target)) {
        if (target.endsWith(".ts") || !target.includes(".")) fault(`${specifier} is not there`);
        continue;
      }
      const from = roomOf(source.path);
      const to = roomOf(target);
      if (from !== to) {
        if (!rooms[from]?.includes(to)) fault(`${from}/ must not import from ${to}/ (${target})`);
        continue;
      }
      if (from === "protocol") {
        const [here, there] = [partOf(source.path), partOf(target)];
        if (here === there || (leaning.includes(here) && leaning.includes(there))) continue;
        if (floorOf(here) < 0) fault(`${here} has no floor: give it one in test/tidy/directions.ts`);
        else if (floorOf(there) >= floorOf(here))
          fault(`${here} must not import from ${there} (${target}), which does not stand below it`);
      }
      if (from === "node" && target === top && source.path !== top)
        fault(`${top} stands above all of node/: hand in what is needed`);
    }
  return faults;
}

const roomOf = (file: string) => file.split("/")[0]!;

function partOf(file: string): string {
  if (boundaryFiles.includes(file)) return "boundary";
  const [, folder, rest] = file.split("/");
  return rest === undefined ? "composition" : `protocol/${folder}/`;
}

const floorOf = (part: string) => floors.findIndex((floor) => floor.includes(part));
