/** Which programs of this machine count as tools: well-known names, compilers by version and for other targets, and what its owner declared. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { toolPattern } from "../../protocol/build/toolchain.ts";
import { byText } from "../../protocol/kernel/ids.ts";
import { toolchainsMax } from "../../protocol/swarm/vitals.ts";
import { actionPath, executable, findProgram } from "./programs.ts";

/** A program that is offered under a name. */
export interface Tool {
  readonly name: string;
  readonly file: string;
  /** Its code ends up in the output: its fingerprint also covers target, C library, assembler and linker. */
  readonly compiler: boolean;
  /** What makes it tell its version; absent: the usual ways. */
  readonly version?: readonly string[];
  /** What is given to it before all else: `-m32` of a compiler for two targets. */
  readonly flags: readonly string[];
  /** The folder of its owner's that it lies in, and brings along into the box. */
  readonly prefix?: string;
}

/** Folders that the box has itself, or that hold what no action may see. */
const ownFolders = /^\/(tmp)?$|^\/(proc|sys|dev|work|etc|run|var\/run)(\/|$)/;

const prefix = z
  .string()
  .max(1024)
  .regex(/^\/[^\0]*[^/\0]$/, "a folder is written with its whole path, such as /opt/gcc-14")
  .refine((folder) => path.normalize(folder) === folder, "a path without . and ..")
  .refine(
    (folder) => !ownFolders.test(folder),
    "is a folder that actions have of their own, or must not see",
  );

/**
 * `toolchains:` in config.yaml: name → nothing (a program on the path), a folder (with `bin/NAME` in it), or more. `program`: below
 * the folder, else the program's name on the path; `version`: the arguments that make it tell its version.
 */
export const declaredToolsSchema = z
  .record(
    z.string().regex(toolPattern, "the name of a tool, such as ocamlc"),
    z.union([
      z.null(),
      prefix,
      z.strictObject({
        prefix: prefix.optional(),
        program: z
          .string()
          .max(1024)
          .regex(/^[A-Za-z0-9][A-Za-z0-9._+/-]*$/, "a name, or a path below the folder")
          .refine((text) => !text.split("/").includes(".."), "must not lead out of the folder")
          .optional(),
        version: z.array(z.string().max(256)).max(16).optional(),
      }),
    ]),
  )
  .refine((all) => Object.keys(all).length <= 64, "at most 64 toolchains");

export type DeclaredTools = z.infer<typeof declaredToolsSchema>;

/** Those that know no --version. */
const versionFlags: Readonly<Record<string, readonly string[]>> = {
  go: ["version"],
  java: ["-version"],
  javac: ["-version"],
  unzip: ["-v"],
  zip: ["-v"],
};

const wellKnown = [
  ...["ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strip", "lld"],
  ...["autoconf", "automake", "cmake", "libtool", "m4", "make", "meson", "ninja", "pkg-config"],
  ...["bash", "sh", "awk", "gawk", "sed", "grep", "find", "diff", "patch", "bison", "flex"],
  ...["bzip2", "cpio", "gzip", "tar", "unzip", "xz", "zip", "zstd"],
  ...["cargo", "go", "java", "javac", "node", "perl", "python3", "ruby", "rustc"],
  ...["curl", "dpkg-deb", "git", "gpg", "install", "rsync"],
] as const;

const compilerNames = ["gcc", "g++", "cc", "c++", "clang", "clang++", "gfortran"];
const triple = "[a-z0-9_]+(?:-[a-z0-9_]+){1,3}";
/** `gcc`, `gcc-12`, `aarch64-linux-gnu-g++`. */
const compilerPattern = new RegExp(
  `^(?:${triple}-)?(?:gcc|g\\+\\+|cc|c\\+\\+|clang|clang\\+\\+|gfortran)(?:-[0-9]+(?:\\.[0-9]+)?)?$`,
);
const crossToolPattern = new RegExp(`^${triple}-(?:ar|as|ld|nm|objcopy|ranlib|strip)$`);
/** gcc's own wrappers, such as x86_64-linux-gnu-gcc-ar, and names that say a target and a version too. */
const besidePattern = new RegExp(
  `-gcc-(?:ar|nm|ranlib)$|^${triple}-(?:gcc|g\\+\\+|clang|clang\\+\\+|gfortran)-[0-9.]+$`,
);

/** Whether a name is a compiler's: those have a target. */
const isCompiler = (name: string): boolean => compilerPattern.test(name);

/** The folders whose content decides what there is. */
export const toolFolders = (declared: DeclaredTools): string[] => [
  ...actionPath.split(":"),
  ...prefixesOf(declared).map((prefix) => path.join(prefix, "bin")),
];

/** The folders of declared tools, each once. */
export const prefixesOf = (declared: DeclaredTools): string[] => [
  ...new Set(Object.values(declared).flatMap((one) => (typeof one === "string" ? one : (one?.prefix ?? [])))),
];

/** All tools, what was declared first, at most as many as vitals hold, each name once. A program that is not there is left out. */
export function findTools(declared: DeclaredTools): Tool[] {
  const tools = new Map<string, Tool>();
  const add = (tool: Omit<Tool, "flags" | "file"> & { file: string | undefined }, flags: string[] = []) => {
    if (tool.file === undefined || tools.has(tool.name) || tools.size >= toolchainsMax) return;
    tools.set(tool.name, { ...tool, file: tool.file, flags });
  };
  for (const [name, one] of Object.entries(declared).sort(([a], [b]) => byText(a, b))) {
    const { prefix, program, version } = typeof one === "string" ? { prefix: one } : (one ?? {});
    const file =
      prefix === undefined
        ? findProgram(program ?? name)
        : executable(path.join(prefix, program ?? `bin/${name}`));
    add({
      name,
      file,
      compiler: isCompiler(name),
      ...(version ? { version } : {}),
      ...(prefix === undefined ? {} : { prefix }),
    });
  }
  const plain = (name: string) => {
    const version = versionFlags[name];
    add({ name, file: findProgram(name), compiler: isCompiler(name), ...(version ? { version } : {}) });
  };
  for (const name of compilerNames) plain(name);
  for (const name of wellKnown) plain(name);
  for (const name of namesOnPath()) plain(name);
  for (const name of ["gcc", "g++"])
    if (tools.has(name)) add({ name: `${name}-m32`, file: tools.get(name)!.file, compiler: true }, ["-m32"]);
  return [...tools.values()].sort((a, b) => byText(a.name, b.name));
}

/** Compilers and binary tools with a version or a target in their names, sorted. */
function namesOnPath(): string[] {
  const names = new Set<string>();
  for (const folder of actionPath.split(":"))
    try {
      for (const name of readdirSync(folder))
        if ((compilerPattern.test(name) || crossToolPattern.test(name)) && !besidePattern.test(name))
          names.add(name);
    } catch {
      // not here
    }
  return [...names].sort(byText);
}
