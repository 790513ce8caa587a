/**
 * What this node can build with: well-known tools on the path of actions, each with a fingerprint of what it says of itself. Asked
 * once per version of a tool: answers are kept in a file, keyed by the program's path, size and modification time.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { z } from "zod";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { byText } from "../../protocol/kernel/ids.ts";
import { readSmallFile, writeFileAtomic } from "../files.ts";
import { actionPath, findProgram } from "./sandbox.ts";

/** Tools whose code ends up in the output: their fingerprint also covers target, C library, assembler and linker. */
const compilers = ["gcc", "g++", "cc", "c++", "clang", "clang++", "gfortran"] as const;

const tools = [
  ...["ar", "as", "ld", "nm", "objcopy", "ranlib", "strip", "lld"],
  ...["autoconf", "automake", "cmake", "libtool", "m4", "make", "meson", "ninja", "pkg-config"],
  ...["bash", "sh", "awk", "gawk", "sed", "grep", "find", "diff", "patch", "bison", "flex"],
  ...["bzip2", "cpio", "gzip", "tar", "unzip", "xz", "zip", "zstd"],
  ...["cargo", "go", "java", "javac", "node", "perl", "python3", "ruby", "rustc"],
  ...["curl", "dpkg-deb", "git", "gpg", "install", "rsync"],
] as const;

/** Those that know no --version. */
const versionFlags: Readonly<Record<string, readonly string[]>> = {
  go: ["version"],
  java: ["-version"],
  javac: ["-version"],
  unzip: ["-v"],
  zip: ["-v"],
};

const parallelMax = 4;
const answerBytesMax = 64 << 10;
const timeoutMs = 10_000;
const cacheBytesMax = 1 << 20;
const cacheSchema = z.record(z.string(), z.string());

export interface ToolchainOptions {
  /** Keeps answers between starts; absent: every tool is asked. */
  readonly cacheFile?: string;
}

/** Toolchain name → fingerprint (32 hex digits), sorted by name. A tool that does not answer is left out. */
export async function probeToolchains(options: ToolchainOptions = {}): Promise<Record<string, string>> {
  const known = await readCache(options.cacheFile);
  const fresh: Record<string, string> = {};
  const found: Record<string, string> = {};
  const target = await probeTarget();
  const shared = await systemStamp();
  const names: string[] = [...compilers, ...tools];
  const probeNext = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const file = findProgram(name);
      if (file === undefined) continue;
      const key = `${name} ${stampOf(file)} ${target} ${isCompiler(name) ? shared : ""}`;
      const fingerprint = known[key] ?? (await fingerprintOf(name, file, target));
      if (fingerprint === undefined) continue;
      fresh[key] = fingerprint;
      found[name] = fingerprint;
    }
  };
  await Promise.all(Array.from({ length: parallelMax }, probeNext));
  if (options.cacheFile !== undefined && Object.keys(fresh).some((key) => !(key in known)))
    await writeFileAtomic(options.cacheFile, JSON.stringify(fresh));
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => byText(a, b)));
}

/** What the node builds for without a cross compiler, as compilers name it without the vendor: `x86_64-linux-gnu`. */
export async function probeTarget(): Promise<string> {
  for (const name of ["gcc", "cc", "clang"]) {
    const file = findProgram(name);
    const machine = file && (await ask(file, ["-dumpmachine"]))?.trim();
    if (machine && /^[a-z0-9_]+(-[a-z0-9_.]+){1,3}$/.test(machine)) return withoutVendor(machine);
  }
  const machine = { x64: "x86_64", arm64: "aarch64", arm: "arm", riscv64: "riscv64", ia32: "i686" }[
    process.arch as string
  ];
  return `${machine ?? process.arch}-linux-${isMusl() ? "musl" : "gnu"}`;
}

/** `x86_64-pc-linux-gnu` and `x86_64-redhat-linux` name the same thing as `x86_64-linux-gnu`. */
function withoutVendor(machine: string): string {
  const [cpu, ...rest] = machine.split("-");
  const at = rest.indexOf("linux");
  if (at < 0) return machine;
  return [cpu, "linux", rest[at + 1] ?? "gnu"].join("-");
}

const isMusl = () => readdirSync("/lib").some((name) => name.startsWith("ld-musl-"));

const isCompiler = (name: string) => (compilers as readonly string[]).includes(name);

/** Tools that say nothing of themselves (dash) are known by their bytes: the same program is the same on every node. */
async function fingerprintOf(name: string, file: string, target: string): Promise<string | undefined> {
  const version = await ask(file, versionFlags[name] ?? ["--version"]);
  const parts = [name, target, firstLine(version) ?? sha256Hex(readFileSync(file))];
  if (isCompiler(name)) {
    if (version === undefined) return undefined; // a compiler that does not run builds nothing
    parts.push((await ask(file, ["-dumpmachine"]))?.trim() ?? "", (await cLibrary()) ?? "");
    for (const helper of ["as", "ld"]) {
      const program = findProgram(helper);
      parts.push((program && firstLine(await ask(program, ["--version"]))) ?? "");
    }
  }
  return sha256Hex(parts.join("\0")).slice(0, 32);
}

/** `ldd (Debian GLIBC 2.36-9) 2.36`, or musl's own words. */
async function cLibrary(): Promise<string | undefined> {
  const file = findProgram("ldd");
  return file && firstLine(await ask(file, ["--version"]));
}

/** A compiler's answer is stale as soon as one of these changes. */
async function systemStamp(): Promise<string> {
  return ["as", "ld", "ldd"].map((name) => stampOf(findProgram(name) ?? "")).join(" ");
}

function firstLine(text: string | undefined): string | undefined {
  return text
    ?.split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "");
}

const statOf = (file: string) => statSync(file, { throwIfNoEntry: false });

/** The program behind all links, with size and time of change. */
function stampOf(file: string): string {
  if (!statOf(file)) return file;
  const real = realpathSync(file);
  const { size, mtimeMs } = statSync(real);
  return `${real} ${size} ${Math.round(mtimeMs)}`;
}

/** What a tool says on either stream; undefined when it cannot be run, fails or takes too long. */
function ask(file: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      {
        timeout: timeoutMs,
        maxBuffer: answerBytesMax,
        env: { PATH: actionPath, LANG: "C", HOME: "/" },
        cwd: "/",
      },
      (error, stdout, stderr) => resolve(error ? undefined : stdout.trim() === "" ? stderr : stdout),
    );
    child.stdin?.end();
  });
}

async function readCache(file: string | undefined): Promise<Record<string, string>> {
  if (file === undefined) return {};
  try {
    return cacheSchema.parse(JSON.parse((await readSmallFile(file, cacheBytesMax)) ?? "{}"));
  } catch {
    return {}; // a damaged cache costs a second of asking
  }
}
