import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { readInputs, readSpec } from "../../node/build/inputs.ts";
import { createToolchains } from "../../node/build/toolchains.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { chooseToolchains } from "../../protocol/work/tooling.ts";
import { peerNamed } from "../contract/chain.ts";
import { vitalsOf } from "../work/vitals.ts";
import { boxWorks, openExecution } from "./execution.ts";

const needed = ["x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc", "riscv64-linux-gnu-gcc", "readelf"];
const missing = needed.filter((program) => spawnSync(program, ["--version"]).status !== 0);
if (missing.length > 0)
  console.warn(`the build for three targets is skipped: ${missing.join(", ")} is not installed`);

it.skipIf(missing.length > 0)("one machine builds the same program for three kinds of machines", async () => {
  const file = "specs/examples/cross.yaml";
  const toolchains = createToolchains({ pollMs: 3_600_000 });
  await toolchains.look();
  const execution = await openExecution(boxWorks ? "bubblewrap" : "none", { toolchains });
  try {
    const spec = await readSpec(file);
    const { files, sources } = await readInputs(file, spec);
    const own = { name: "here", vitals: vitalsOf({ toolchains: toolchains.offers }) };
    const { fingerprints } = chooseToolchains(toolSetsOf(spec, files), [own], peerNamed("bob"));
    const graph = resolveSpec(spec, files, fingerprints);
    expect(new Set(Object.values(fingerprints)).size).toBe(3);
    const store = await openBlobStore(`${execution.home}/blobs`);
    for (const source of sources.values()) await store.putFile(source);
    const machines: Record<string, string | undefined> = {};
    for (const { argv, env, outputs, toolchains, name } of graph.actions) {
      const ended = await execution.run("", { argv, env, outputs, toolchains, files });
      if (ended.kind !== "done") throw new Error(JSON.stringify(ended));
      const { digest } = ended.result.outputs[0]!;
      const program = `${execution.home}/blobs/${digest.slice(0, 2)}/${digest.slice(2, 64)}`;
      const { stdout } = spawnSync("readelf", ["-h", program], { encoding: "utf8" });
      machines[name] = /Machine:\s+(.*)/.exec(stdout)?.[1];
    }
    expect(machines).toEqual({
      "hello/x86_64-linux-gnu": "Advanced Micro Devices X86-64",
      "hello/aarch64-linux-gnu": "AArch64",
      "hello/riscv64-linux-gnu": "RISC-V",
    });
  } finally {
    await execution.close();
    toolchains.stop();
  }
});
