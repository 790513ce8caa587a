/** The machines of a simulation: read from a file or a scenario, or counted out in kinds; and the hosts and the network they make. */
import { z } from "zod";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { checked, type Document, readDocument, refusalAt } from "./document.ts";
import { thermalSchema } from "./thermal.ts";

const clusterCharsMax = 16 << 20;
const nodesMax = 4096;
export const latencySecondsDefault = 0.002;
const bandwidthDefault = 125_000_000;
const memoryBytesDefault = 8 * 2 ** 30;
const diskBytesDefault = 100 * 2 ** 30;
const architectures = new Set(["x86_64", "aarch64", "armv7l", "riscv64", "ppc64le", "s390x"]);

const nodeId = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be small letters, digits and dashes, at most 63");
const speed = z.number().positive("must be above 0").max(1000);
const slots = z.int().nonnegative().max(1024);
const bytes = z
  .number()
  .positive()
  .max(2 ** 50);
const traits = {
  speed: speed.default(1),
  slots: slots.default(1),
  labels: z.array(z.string().min(1).max(64)).max(32).default([]),
  bandwidth_Bps: bytes.default(bandwidthDefault),
  thermal: thermalSchema.optional(),
  memory_bytes: bytes.optional(),
  disk_bytes: bytes.optional(),
};
const nodeSchema = z.strictObject({ id: nodeId, ...traits });
export type ClusterNode = z.infer<typeof nodeSchema>;

export const clusterSchema = z.strictObject({
  name: z.string().min(1).max(64).default("cluster"),
  latency_s: z.number().nonnegative().max(60).default(latencySecondsDefault),
  nodes: z.array(nodeSchema).max(nodesMax),
});
export type Cluster = z.infer<typeof clusterSchema>;

/** Nodes by kinds: `{count, speed, slots, …}`, in the order given. */
export const kindsSchema = z.strictObject({
  name: z.string().min(1).max(64).default("cluster"),
  latency_s: z.number().nonnegative().max(60).default(latencySecondsDefault),
  kinds: z.array(z.strictObject({ count: z.int().positive().max(nodesMax), ...traits })).max(64),
});

/** A cluster from the text of its file. Throws `spec-invalid` at line and column, `too-large`. */
export function readCluster(text: string, file: string): Cluster {
  const document = readDocument(text, file, "cluster", clusterCharsMax);
  const cluster = checked(document, clusterSchema);
  possible(cluster, document, []);
  return cluster;
}

/** The nodes that kinds stand for, named n0, n1 … */
export function clusterOfKinds({ name, latency_s, kinds }: z.infer<typeof kindsSchema>): Cluster {
  const nodes: Omit<ClusterNode, "id">[] = kinds.flatMap(({ count, ...node }) =>
    Array.from({ length: count }, () => node),
  );
  return { name, latency_s, nodes: nodes.map((node, i) => ({ id: `n${i}`, ...node })) };
}

/** Refuses a cluster that could build nothing, or whose nodes cannot be told apart, at its place below `path`. */
export function possible(cluster: Cluster, document: Document, path: readonly (string | number)[]): void {
  const { nodes } = cluster;
  if (nodes.length === 0)
    throw refusalAt(
      document,
      [...path, "nodes"],
      "a cluster of no nodes builds nothing",
      "name at least one",
    );
  if (nodes.every((n) => n.slots === 0))
    throw refusalAt(
      document,
      [...path, "nodes", 0, "slots"],
      "no node has a slot: nothing could ever run",
      "give at least one node slots: 1",
    );
  const seen = new Map<string, number>();
  for (const [i, { id }] of nodes.entries()) {
    const first = seen.get(id);
    if (first !== undefined)
      throw refusalAt(
        document,
        [...path, "nodes", i, "id"],
        `two nodes are named ${id}`,
        `the first stands at nodes.${first}`,
      );
    seen.set(id, i);
  }
}

export const memoryOf = (node: ClusterNode): number => node.memory_bytes ?? memoryBytesDefault;
export const diskOf = (node: ClusterNode): number => node.disk_bytes ?? diskBytesDefault;

/** What a node builds for: the first of its labels that names an architecture says. */
export function targetOf(node: ClusterNode): string {
  const architecture = node.labels.find((label) => architectures.has(label)) ?? "x86_64";
  return `${architecture}-linux-${architecture === "armv7l" ? "gnueabihf" : "gnu"}`;
}

/** The same cluster without a node, as `--without` says. Throws `not-found`, `spec-invalid`. */
export function without(cluster: Cluster, id: string): Cluster {
  const nodes = cluster.nodes.filter((n) => n.id !== id);
  if (nodes.length === cluster.nodes.length)
    throw new SwarmError("not-found", `no node of ${cluster.name} is named ${id}`, {
      remedy: `one of ${cluster.nodes
        .slice(0, 8)
        .map((n) => n.id)
        .join(", ")}`,
    });
  if (nodes.every((n) => n.slots === 0))
    throw new SwarmError("spec-invalid", `without ${id} no node has a slot`, {
      remedy: "leave another out, or ask with --nodes what more machines would make of it",
    });
  return { ...cluster, nodes };
}

/** The first `count` nodes, or all and then copies of them in turn, until there are so many. */
export function resized(cluster: Cluster, count: number): Cluster {
  const { nodes } = cluster;
  const taken = new Set(nodes.map((n) => n.id));
  const copies: ClusterNode[] = [];
  for (let n = 0; nodes.length + copies.length < count; n++) {
    const id = `copy${n}`;
    if (!taken.has(id)) copies.push({ ...nodes[copies.length % nodes.length]!, id });
  }
  const all = [...nodes, ...copies].slice(0, count);
  if (all.every((n) => n.slots === 0))
    throw new SwarmError("spec-invalid", `the first ${count} nodes have no slots`);
  return { ...cluster, nodes: all };
}

/** A machine that tends to 80 °C under full load: it throttles only in air that is warmer than usual. */
const usualThermal = { ambient: 30, heat: 2, cool: 0.04, limit: 85, factor: 0.6, hyst: 5 } as const;

/** The same cluster in air that is so much warmer; nodes without a model of heat get a usual one. */
export function hotter(cluster: Cluster, byCelsius: number): Cluster {
  return {
    ...cluster,
    nodes: cluster.nodes.map((node) => {
      const thermal = node.thermal ?? { ...usualThermal, initial: usualThermal.ambient + 10 };
      return {
        ...node,
        thermal: { ...thermal, ambient: thermal.ambient + byCelsius, initial: thermal.initial + byCelsius },
      };
    }),
  };
}
