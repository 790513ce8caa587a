import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readInputs, readSpec } from "../../node/build/inputs.ts";
import { createToolchains } from "../../node/build/toolchains.ts";
import { DebianFormat } from "../../node/release/formats/debian.ts";
import type { Format } from "../../node/release/formats/format.ts";
import { GentooFormat } from "../../node/release/formats/gentoo.ts";
import { Readings } from "../../node/release/formats/readings.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { riskOf } from "../../protocol/release/risk.ts";
import { chooseToolchains } from "../../protocol/work/tooling.ts";
import { boxWorks, openExecution } from "../build/execution.ts";
import { peerNamed } from "../contract/chain.ts";
import { vitalsOf } from "../work/vitals.ts";
import { Apt, hasApt } from "./apt.ts";
import { layOut, released } from "./channel.ts";
import { readBinhost } from "./gentoo-reader.ts";
import { KeyRing } from "./keys.ts";

const machine =
  process.arch === "x64" &&
  ["gcc", "tar", "b2sum"].every((program) => spawnSync(program, ["--version"]).status === 0);
if (!machine)
  console.warn(
    "the packages of the examples are not built: they need an x86_64 machine with gcc, tar and b2sum",
  );

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-examples-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs all actions of an example as a node does, twice, and gives what they made. */
async function built(name: string): Promise<Record<string, Uint8Array>> {
  const file = `specs/examples/${name}.yaml`;
  const toolchains = createToolchains({ pollMs: 3_600_000 });
  await toolchains.look();
  const execution = await openExecution(boxWorks ? "bubblewrap" : "none", { toolchains });
  try {
    const spec = await readSpec(file);
    const { files, sources } = await readInputs(file, spec);
    const own = { name: "here", vitals: vitalsOf({ toolchains: toolchains.offers }) };
    const { fingerprints } = chooseToolchains(toolSetsOf(spec, files), [own], peerNamed("bob"));
    const graph = resolveSpec(spec, files, fingerprints);
    const store = await openBlobStore(`${execution.home}/blobs`);
    for (const source of sources.values()) await store.putFile(source);
    const made: Record<string, Uint8Array> = {};
    for (const { argv, env, outputs, toolchains: tools } of graph.actions) {
      const run = () => execution.run("", { argv, env, outputs, toolchains: tools, files });
      const [first, again] = [await run(), await run()];
      if (first.kind !== "done" || again.kind !== "done") throw new Error(JSON.stringify([first, again]));
      const [output] = first.result.outputs;
      expect(again.result.outputs).toEqual(first.result.outputs);
      made[output!.path] = await readFile(store.path(output!.digest));
    }
    return made;
  } finally {
    await execution.close();
    toolchains.stop();
  }
}

async function shown(format: Format, name: string) {
  const files = await released(path.join(dir, `${name}-blobs`), await built(name));
  const folder = path.join(dir, name);
  const { refused } = await layOut(format, folder, files);
  expect(refused).toEqual([]);
  const readings = new Readings(path.join(dir, "readings"));
  const policy = { builders: 0, signed: false, base: ["libc.so.6"], foreign: [] };
  const candidates = await Promise.all(
    files.map(async (file) => ({
      path: file.path,
      sizeBytes: 1,
      target: "x86_64-linux-gnu",
      content: (await readings.of(file)).content,
      builders: [],
      dissenters: [],
      doubted: [],
    })),
  );
  expect(riskOf({ candidates, lacks: [], policy })).toMatchObject({ score: 0 });
  return folder;
}

describe.skipIf(!machine)("the packages of the examples (on x86_64 machines with gcc, tar and b2sum)", () => {
  test("of Gentoo are a binhost by all rules, and are built the same twice", async () => {
    const folder = await shown(new GentooFormat(new Readings(path.join(dir, "readings"))), "gentoo");
    const { packages } = await readBinhost(async (name) => {
      const file = path.join(folder, name);
      return { body: await readFile(file), lastModifiedMs: (await stat(file)).mtimeMs };
    });
    expect(packages.map((one) => one.get("CPV"))).toEqual(["app-doc/greet-doc-1.0", "app-misc/greet-1.0"]);
    expect(packages[1]!.get("RDEPEND")).toBe("app-doc/greet-doc");
    expect(packages[1]!.get("REQUIRES")).toBe("x86_64: libc.so.6");
  }, 120_000);

  test.skipIf(!hasApt)(
    "of Debian are installed by apt-get (where it, dpkg-deb, gpg and gpgv are installed)",
    async () => {
      const ring = new KeyRing();
      try {
        const key = ring.make("garden");
        const signing = async () => ({ gpg: ring.gpg, key });
        const settings = { origin: "garden", architectures: ["amd64"], signing };
        const folder = await shown(
          new DebianFormat(new Readings(path.join(dir, "readings")), settings),
          "debian",
        );
        const source = `deb [signed-by=${ring.exported(key)}] copy:${folder} stable main`;
        const apt = await Apt.at(path.join(dir, "apt"), source);
        await apt.run("update");
        const planned = await apt.run("install", "--simulate", "greet");
        expect(planned).toMatch(/^Inst greet-doc \(1\.0-1/m);
        expect(planned).toMatch(/^Inst greet \(1\.0-1/m);
        await apt.run("download", "greet", "greet-doc");
        const root = path.join(dir, "installed");
        for (const name of ["greet_1.0-1_amd64.deb", "greet-doc_1.0-1_all.deb"])
          expect(spawnSync("dpkg-deb", ["-x", path.join(dir, "apt", name), root]).status).toBe(0);
        expect(spawnSync(path.join(root, "usr/bin/greet"), { encoding: "utf8" }).stdout).toBe(
          "hello from a package\n",
        );
      } finally {
        await ring.remove();
      }
    },
    120_000,
  );
});
