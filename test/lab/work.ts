/** Builds for a farm in a lab: submitted by one, watched by others. */
import { expect } from "vitest";
import type { BuildResult, BuildSummary } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import type { LabFarm } from "./farm.ts";

/** Submits actions, as the YAML below `actions:`; returns the build. */
export async function submit(farm: LabFarm, at: string, name: string, actions: string): Promise<string> {
  const file = await farm.terminal.write(`${name}.yaml`, `swarmd: 1\nname: ${name}\nactions:\n${actions}`);
  return (await farm.json<{ build: string }>(at, "submit", file, "--detach")).build;
}

/** So many independent actions that take a while each or do something first, and one that takes all their outputs. */
export const parts = (count: number, first: number | string): string => `  part:
    foreach: { i: { count: ${count} } }
    run: ${typeof first === "number" ? `sleep ${first}` : first} && echo \${i} > \${out}
    out: parts/\${i}.txt
  whole:
    run: cat \${part.out} > \${out}
    out: whole.txt
`;

/** What a member's status says of a build. */
export async function summary(farm: LabFarm, at: string, build: string): Promise<BuildSummary> {
  const { builds } = await farm.json<{ builds: BuildSummary[] }>(at, "status");
  return builds.find((one) => one.build === build)!;
}

/** Watches a build to its end, which must be a good one. Who has not heard yet that it was submitted elsewhere hears so first. */
export async function complete(farm: LabFarm, at: string, build: string): Promise<BuildResult> {
  await until(
    async () => (await farm.control(at).builds()).some((one) => one.build === build),
    `the word of ${build} at ${at}`,
  );
  const result = await farm.json<BuildResult>(at, "watch", build);
  expect(result.state).toBe("complete");
  return result;
}
