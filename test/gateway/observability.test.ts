import { execFileSync, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { formatFor, Metrics } from "../../node/gateway/metrics.ts";
import { MemoryControl } from "../control/memory.ts";

const dir = path.resolve(import.meta.dirname, "../../specs/observability");
const missing =
  spawnSync("promtool", ["--version"]).error && "promtool is not installed (Debian: prometheus)";

const channel = { channel: "stable", current: 3, staged: 1, atRisk: null, hindered: null };
const memory = new MemoryControl({ nodes: ["alpha", "beta"] });
const metrics = new Metrics({ status: async () => ({ ...(await memory.status()), channels: [channel] }) });
let text: string;
beforeAll(async () => {
  text = await metrics.text(formatFor());
});

describe("what monitoring reads", () => {
  test.each(["alerts.yaml", "alerts.test.yaml", "grafana.json"])(
    "%s names nothing that is not said",
    async (file) => {
      const said = new Set([...text.matchAll(/^(swarmd_\w+)/gm)].map(([, name]) => name));
      const named = [...(await readFile(path.join(dir, file), "utf8")).matchAll(/\bswarmd_\w+/g)].map(
        ([name]) => name,
      );
      expect(named.length).toBeGreaterThan(5);
      // Temperatures are said by those that have a sensor, actions of a build while one is live.
      expect(named.filter((name) => !said.has(name) && name !== "swarmd_node_temperature_celsius")).toEqual(
        [],
      );
    },
  );

  test("has as many series for a swarm, whatever it builds", () => {
    const series = text.split("\n").filter((line) => /^swarmd_node_\w+\{/.test(line));
    expect(series.every((line) => /\{node="(alpha|beta)"\}/.test(line))).toBe(true);
    expect(text).not.toMatch(/action="/);
  });
});

describe.skipIf(missing !== undefined)(`promtool${missing ? `: skipped, ${missing}` : ""}`, () => {
  const promtool = (...args: readonly string[]) =>
    execFileSync("promtool", args, { cwd: dir, encoding: "utf8", stdio: "pipe" });

  test("finds nothing wrong with the rules, and they say what they should", () => {
    expect(promtool("check", "config", "prometheus.yaml")).toContain("SUCCESS");
    expect(promtool("check", "rules", "alerts.yaml")).toContain("SUCCESS");
    expect(promtool("test", "rules", "alerts.test.yaml")).toContain("SUCCESS");
  });

  test("finds nothing odd in the names", async () => {
    const input = await metrics.text(formatFor("text/plain;version=0.0.4"));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input,
      encoding: "utf8",
    });
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
  });
});
