/** What a monitoring server scrapes: OpenMetrics, with as many series as there are nodes, channels and live builds, never actions. */
import {
  Counter,
  Gauge,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from "prom-client";
import { actionStates } from "../../protocol/work/actions.ts";
import type { Views } from "./views.ts";

const nodesMax = 512;
const buildsMax = 100;

/** OpenMetrics, or the older text format of Prometheus for those that know no other. */
export type Format = OpenMetricsContentType | PrometheusContentType;

/** What an asker understands best, by its Accept header. */
export const formatFor = (accept = ""): Format =>
  accept.includes("text/plain") && !accept.includes("openmetrics")
    ? Registry.PROMETHEUS_CONTENT_TYPE
    : Registry.OPENMETRICS_CONTENT_TYPE;

export class Metrics {
  private readonly views: Pick<Views, "status">;

  constructor(views: Pick<Views, "status">) {
    this.views = views;
  }

  async text(format: Format): Promise<string> {
    const registry = new Registry<Format>();
    registry.setContentType(format);
    const status = await this.views.status();
    const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
      new Gauge({
        name: `swarmd_${name}`,
        help,
        labelNames: [...labelNames],
        registers: [registry as never],
      });
    const { swarm, node, peers, builds, counts, behind, forks, waits, channels } = status;

    gauge("info", "This node", ["swarm", "node", "version"]).set(
      { swarm: swarm.name, node: node.name, version: node.version ?? "unknown" },
      1,
    );
    gauge("members", "Members of the swarm").set(swarm.members);
    gauge("gap_entries", "Entries that wait for those before them").set(behind.entries);
    gauge("gap_builds", "Ended builds that others have and this node lacks").set(behind.builds);
    gauge("forks", "Members that told two stories").set(forks.length);
    gauge("waiting_actions", "Ready actions for which there is no node").set(
      waits.reduce((sum, { actions }) => sum + actions, 0),
    );
    const actions = gauge("actions", "Of live builds, by what becomes of them", ["state"]);
    for (const state of ["needed", "building", "complete", "blocked"] as const)
      actions.set({ state }, counts[state]);
    gauge("staged_files", "Files that wait to be released").set(counts.staged);

    const up = gauge("node_up", "1: it is heard", ["node"]);
    const temperature = gauge("node_temperature_celsius", "Its hottest sensor", ["node"]);
    const load = gauge("node_load", "One-minute load average", ["node"]);
    const slots = gauge("node_slots", "Actions it would run at once now", ["node"]);
    const running = gauge("node_running", "Slots taken", ["node"]);
    const memory = gauge("node_memory_free_bytes", "Memory that is free", ["node"]);
    const disk = gauge("node_disk_free_bytes", "Disk that is free", ["node"]);
    for (const { name, state, vitals } of [node, ...peers].slice(0, nodesMax)) {
      const labels = { node: name };
      up.set(labels, state === "self" || state === "alive" ? 1 : 0);
      if (!vitals) continue;
      if (vitals.temperatureCelsius !== "unknown") temperature.set(labels, vitals.temperatureCelsius);
      if (vitals.load !== "unknown") load.set(labels, vitals.load);
      slots.set(labels, vitals.slots);
      running.set(labels, vitals.running);
      memory.set(labels, vitals.memoryFreeBytes);
      disk.set(labels, vitals.diskFreeBytes);
    }

    const ofBuild = gauge("build_actions", "Of a live build, by state", ["build", "state"]);
    for (const { build, state, counts } of builds.slice(0, buildsMax))
      if (state === "running" || state === "paused")
        for (const one of actionStates) ofBuild.set({ build, state: one }, counts[one]);

    const epoch = gauge("release_epoch", "What a channel has released last; 0: nothing", ["channel"]);
    const staged = gauge("release_staged_builds", "Builds that wait for a channel's next epoch", ["channel"]);
    for (const { channel, current, staged: waiting } of channels) {
      epoch.set({ channel }, current);
      staged.set({ channel }, waiting);
    }

    const { rss, heapUsed } = process.memoryUsage();
    gauge("process_resident_bytes", "Memory of this daemon").set(rss);
    gauge("process_heap_bytes", "Objects of this daemon").set(heapUsed);
    const { user, system } = process.cpuUsage();
    new Counter({
      name: "swarmd_process_cpu_seconds_total",
      help: "CPU time of this daemon since its start",
      registers: [registry as never],
    }).inc((user + system) / 1e6);
    return registry.metrics();
  }
}
