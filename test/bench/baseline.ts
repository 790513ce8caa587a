/** What swarmd is measured against, on the same machine in the same run: ninja for a build, bare bubblewrap for starts. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { type Inputs, readInputs, readSpec } from "../../node/build/inputs.ts";
import { dependenciesOf, type Graph, type GraphAction } from "../../protocol/build/graph.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { sameForAll, toolSetsOf } from "../../protocol/build/tool-sets.ts";

const run = promisify(execFile);

/** The graph of a spec as swarmd resolves it, without asking anyone for toolchains. */
async function graphOf(specFile: string): Promise<{ graph: Graph; inputs: Inputs }> {
  const spec = await readSpec(specFile);
  const inputs = await readInputs(specFile, spec);
  const toolchains = sameForAll(toolSetsOf(spec, inputs.files), "0".repeat(32));
  return { graph: resolveSpec(spec, inputs.files, toolchains), inputs };
}

/** Builds the same actions from the same sources with `ninja -j jobs` in an empty folder; milliseconds of ninja's run. */
export async function ninjaMs(specFile: string, jobs: number): Promise<number> {
  const { graph, inputs } = await graphOf(specFile);
  const folder = await mkdtemp(path.join(tmpdir(), "swarmd-ninja-"));
  try {
    for (const file of inputs.files) {
      const place = path.join(folder, file.path);
      await mkdir(path.dirname(place), { recursive: true });
      await copyFile(inputs.sources.get(file.digest)!, place);
    }
    await mkdir(path.join(folder, ".done"));
    await writeFile(path.join(folder, "build.ninja"), ninjaFile(graph));
    const startMs = performance.now();
    await run("ninja", ["-j", String(jobs), "--quiet"], { cwd: folder, maxBuffer: 64 << 20 });
    return performance.now() - startMs;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Starts `count` programs in bare bubblewrap boxes, `jobs` at a time; starts per second. */
export async function bubblewrapPerSecond(count: number, jobs: number): Promise<number> {
  const box =
    "bwrap --unshare-all --die-with-parent --new-session --uid 65534 --gid 65534 --clearenv --cap-drop ALL " +
    "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp true";
  const child = spawn("xargs", ["-P", String(jobs), "-n", "1", "sh", "-c", `exec ${box}`], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  const startMs = performance.now();
  child.stdin.end(Array.from({ length: count }, (_, n) => `${n}\n`).join(""));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`bubblewrap does not run here (${code})`);
  return (count * 1000) / (performance.now() - startMs);
}

/** A stamp per action, so that folder outputs and actions without outputs are edges like all others. */
function ninjaFile(graph: Graph): string {
  const stamps = new Map(graph.actions.map((action, n) => [action.name, `.done/${n}`]));
  const edges = graph.actions.map((action) => {
    const after = dependenciesOf(graph, action).map((name) => stamps.get(name)!);
    const command = escaped(commandOf(action, stamps.get(action.name)!));
    return `build ${stamps.get(action.name)}: run ${after.join(" ")}\n  command = ${command}\n`;
  });
  return `rule run\n  command = $command\n${edges.join("")}`;
}

function commandOf(action: GraphAction, stamp: string): string {
  const folders = [...new Set(action.outputs.map((output) => path.dirname(output.path)))];
  const env = Object.entries(action.env).map(([name, value]) => `${name}=${quoted(value)}`);
  return [
    ...(folders.length > 0 ? [`mkdir -p ${folders.map(quoted).join(" ")}`] : []),
    `env ${[...env, ...action.argv.map(quoted)].join(" ")}`,
    `touch ${stamp}`,
  ].join(" && ");
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** ninja reads a variable's value to the end of the line; a line break inside quotes becomes a word of its own. */
const escaped = (command: string) =>
  command
    .replaceAll("$", "$$$$")
    .replaceAll("\n", " ; ")
    .replace(/( ; )+'/g, "'");
