/** Asks one tool what it is: its version, what it compiles for, and with which C library, assembler and linker. Every question is bounded. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { isVersion } from "../../protocol/build/version.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { actionPath, findProgram } from "./programs.ts";
import type { Tool } from "./tool-names.ts";

const answerBytesMax = 64 << 10;
const timeoutMs = 10_000;
const linesMax = 10;
const lineCharsMax = 500;
/** Of a program that says nothing of itself and is known by its bytes. */
const silentBytesMax = 64 << 20;
/** Enough that no two are ever alike by accident, and short: every beat of a node carries it for each tool. */
export const fingerprintChars = 20;

/** What a tool is, and the files whose change means that it must be asked again. */
export interface Answer {
  readonly version?: string;
  readonly target?: string;
  readonly said: string;
  readonly files: readonly string[];
}

/** What a tool says on either stream; undefined when it cannot be run, fails, says too much or takes too long. */
export function ask(
  file: string,
  args: readonly string[],
  maxBytes = answerBytesMax,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      {
        timeout: timeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: maxBytes,
        env: { PATH: actionPath, LANG: "C", HOME: "/" },
        cwd: "/",
      },
      (error, stdout, stderr) => resolve(error ? undefined : stdout.trim() === "" ? stderr : stdout),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end();
  });
}

/** Answers to questions that were asked already: many names lead to one program. */
export type Answers = Map<string, Promise<string | undefined>>;

type Ask = (file: string, args: readonly string[]) => Promise<string | undefined>;

/**
 * Undefined for a tool that does not answer, or a compiler that cannot compile. `native`: what the machine builds for; `answers`: of
 * one look at the machine, in which nothing is asked twice.
 */
export function probeTool(tool: Tool, native: string, answers: Answers): Promise<Answer | undefined> {
  const askOnce: Ask = (file, args) => {
    const key = JSON.stringify([file, ...args]);
    const known = answers.get(key) ?? ask(file, args);
    answers.set(key, known);
    return known;
  };
  return tool.compiler ? probeCompiler(tool, native, askOnce) : probePlain(tool, native, askOnce);
}

async function probePlain(tool: Tool, native: string, ask: Ask): Promise<Answer | undefined> {
  const { name } = tool;
  const behind = real(tool.file);
  // One program under several names is asked once; one that looks at its name (busybox) is asked by that.
  const file = path.basename(behind).endsWith(name.split("-").at(-1)!) ? behind : tool.file;
  const said = await ask(file, tool.version ?? ["--version"]);
  // Tools that say nothing of themselves (dash) are known by their bytes: the same program is the same on every node.
  const text = firstLine(said) ?? bytesOf(file);
  if (text === undefined) return undefined;
  const version = versionIn(said);
  return {
    ...(version === undefined ? {} : { version }),
    said: digestOf([name, native, text]),
    files: [real(file)],
  };
}

async function probeCompiler(tool: Tool, native: string, ask: Ask): Promise<Answer | undefined> {
  const { name, flags } = tool;
  // Under its own name and through a link it is one program, and says so.
  const file = real(tool.file);
  const about = (...args: string[]) => ask(file, [...flags, ...args]);
  const said = await ask(file, tool.version ?? ["--version"]);
  const machine = (await about("-dumpmachine"))?.trim() ?? "";
  if (said === undefined || !machinePattern.test(machine)) return undefined;
  const [as, ld, cLibrary] = [
    await helper(file, "as", ask),
    await helper(file, "ld", ask),
    await about("-print-file-name=libc.so.6"),
  ];
  const target = await targetOf(tool, file, withoutVendor(machine), ask);
  if (target === undefined) return undefined;
  const version = versionIn(said);
  const files = [file, as, ld, findProgram("ldd"), await helper(file, "cc1", ask), cLibrary?.trim()];
  return {
    ...(version === undefined ? {} : { version }),
    target,
    said: digestOf([
      name,
      native,
      target,
      firstLine(said) ?? "",
      (await cLibraryVersion(file, flags, ask)) ?? "",
      target === native ? (firstLine(await askProgram("ldd", ask)) ?? "") : "",
      as ? (firstLine(await ask(as, ["--version"])) ?? "") : "",
      ld ? (firstLine(await ask(ld, ["--version"])) ?? "") : "",
    ]),
    files: [...new Set(files.flatMap((f) => (f?.startsWith("/") && isFile(f) ? [real(f)] : [])))],
  };
}

const machinePattern = /^[a-z0-9_]+(-[a-z0-9_.]+){1,3}$/;

/** What the machine builds for without a cross compiler, as compilers name it without the vendor: `x86_64-linux-gnu`. */
export async function probeTarget(): Promise<string> {
  for (const name of ["gcc", "cc", "clang"]) {
    const file = findProgram(name);
    const machine = file && (await ask(file, ["-dumpmachine"]))?.trim();
    if (machine && machinePattern.test(machine)) return withoutVendor(machine);
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

/** With -m32 a compiler for x86_64 compiles for i686, if what that takes is installed: it must have made a program. */
async function targetOf(
  { name, flags }: Tool,
  file: string,
  machine: string,
  ask: Ask,
): Promise<string | undefined> {
  if (!flags.includes("-m32")) return machine;
  if (!machine.startsWith("x86_64-")) return undefined;
  const start = (await ask(file, [...flags, "-print-file-name=crt1.o"]))?.trim();
  if (!start?.startsWith("/")) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), "swarmd-m32-"));
  try {
    const language = name.startsWith("g++") ? "c++" : "c";
    const output = path.join(folder, "a");
    // Nothing to read is a program without main, which does not link: the symbol is made by the linker.
    const made = await ask(file, [
      ...flags,
      "-x",
      language,
      "-Wl,--defsym=main=0",
      "-o",
      output,
      "/dev/null",
    ]);
    return made !== undefined && isFile(output) ? machine.replace("x86_64", "i686") : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A program that a compiler calls. */
async function helper(compiler: string, name: string, ask: Ask): Promise<string | undefined> {
  const said = (await ask(compiler, [`-print-prog-name=${name}`]))?.trim();
  if (said?.startsWith("/")) return isFile(said) ? said : undefined;
  return findProgram(name);
}

/** `glibc 2.36` of what it compiles for, as its headers say; undefined where they do not. */
async function cLibraryVersion(
  file: string,
  flags: readonly string[],
  ask: Ask,
): Promise<string | undefined> {
  const macros = await ask(file, [...flags, "-E", "-dM", "-x", "c", "-include", "features.h", "/dev/null"]);
  const value = (name: string) => new RegExp(`^#define ${name} (\\S+)$`, "m").exec(macros ?? "")?.[1];
  const major = value("__GLIBC__");
  return major === undefined ? undefined : `glibc ${major}.${value("__GLIBC_MINOR__")}`;
}

async function askProgram(name: string, ask: Ask): Promise<string | undefined> {
  const file = findProgram(name);
  return file && ask(file, ["--version"]);
}

const digestOf = (parts: readonly string[]): string => sha256Hex(parts.join("\0")).slice(0, fingerprintChars);

const isFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** The program behind all links. */
function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function bytesOf(file: string): string | undefined {
  try {
    return statSync(file).size <= silentBytesMax ? sha256Hex(readFileSync(file)) : undefined;
  } catch {
    return undefined;
  }
}

const linesOf = (text: string): string[] =>
  text
    .slice(0, linesMax * lineCharsMax)
    .split("\n")
    .slice(0, linesMax)
    .map((line) => line.trim().slice(0, lineCharsMax))
    .filter((line) => line !== "");

const firstLine = (text: string | undefined): string | undefined => linesOf(text ?? "")[0];

/**
 * The version in what a tool says: of the first line that has one, what looks like it outside of parentheses, where distributions put
 * their own, else inside. `gcc (Debian 12.2.0-14) 12.2.0`, `go version go1.21.5`, `This is perl 5, version 36 (v5.36.0)`.
 */
export function versionIn(text: string | undefined): string | undefined {
  const lines = linesOf(text ?? "");
  for (const line of lines)
    for (const part of [line.replace(/\([^()]*\)/g, " "), line]) {
      const [, found] = /(?:^|[^0-9A-Za-z.]|\bv|\bgo)([0-9]{1,9}(?:\.[0-9]{1,9}){1,5})/.exec(part) ?? [];
      if (found !== undefined && isVersion(found)) return found;
    }
  for (const line of lines) {
    const [, found] = /(?:^|\s)(?:version |v)?([0-9]{1,9})(?:\s|$)/i.exec(line) ?? [];
    if (found !== undefined) return found;
  }
  return undefined;
}
