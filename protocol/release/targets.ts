/** What an ELF file must be to run on a target: one row for each machine. Values of the psABIs; x86_64 to armv7 seen on Debian's own files. */
import type { ElfFacts } from "../build/elf.ts";

export interface Machine {
  readonly name: string;
  readonly bits: 32 | 64;
  readonly endian: "little" | "big";
  readonly machine: number;
  /** What is wrong with `e_flags`, if anything. */
  readonly flags?: (flags: number, kind: ElfFacts["kind"]) => string | undefined;
  readonly interpreters: readonly string[];
}

const hardFloat = (flags: number, kind: ElfFacts["kind"]): string | undefined =>
  flags >>> 24 !== 5
    ? `EABI version ${flags >>> 24}, not 5`
    : (flags & 0x200) !== 0
      ? "soft float"
      : kind !== "object" && (flags & 0x400) === 0
        ? "no hard float"
        : undefined;

const doubleFloat = (flags: number): string | undefined =>
  (flags & 0x8) !== 0 ? "the reduced RVE set" : (flags & 0x6) !== 0x4 ? "no double float" : undefined;

const abi2 = (flags: number): string | undefined => ((flags & 3) === 1 ? "ABI 1, not 2" : undefined);

const machines: readonly (Machine & { readonly match: RegExp })[] = [
  {
    match: /^(x86_64|amd64)/,
    name: "x86_64",
    bits: 64,
    endian: "little",
    machine: 62,
    interpreters: ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"],
  },
  {
    match: /^(i[3-6]86|x86$)/,
    name: "i686",
    bits: 32,
    endian: "little",
    machine: 3,
    interpreters: ["/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"],
  },
  {
    match: /^(aarch64|arm64)(?!_be)/,
    name: "aarch64",
    bits: 64,
    endian: "little",
    machine: 183,
    interpreters: ["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"],
  },
  {
    match: /^(armv7|armhf|arm-.*eabihf)/,
    name: "armv7hf",
    bits: 32,
    endian: "little",
    machine: 40,
    flags: hardFloat,
    interpreters: ["/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"],
  },
  {
    match: /^riscv64/,
    name: "riscv64",
    bits: 64,
    endian: "little",
    machine: 243,
    flags: doubleFloat,
    interpreters: ["/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"],
  },
  {
    match: /^(powerpc64le|ppc64le|ppc64el)/,
    name: "ppc64le",
    bits: 64,
    endian: "little",
    machine: 21,
    flags: abi2,
    interpreters: ["/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"],
  },
  {
    match: /^s390x/,
    name: "s390x",
    bits: 64,
    endian: "big",
    machine: 22,
    interpreters: ["/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"],
  },
];

/** The machine of a target (`x86_64-linux-gnu`, `armv7a-unknown-linux-gnueabihf`, `amd64`); undefined for one that nothing is known of. */
export const machineOf = (target: string): Machine | undefined =>
  machines.find(({ match }) => match.test(target));

/** The level of x86-64 that a target allows: `x86_64_v3-…` says 3; 1 where nothing is said. */
export const isaLevelOf = (target: string): number =>
  Number(/^(?:x86_64|amd64)[-_]v([1-4])/.exec(target)?.[1] ?? 1);

/** Which files may satisfy each other's needs: a library serves programs of its own kind alone. */
export const kindredOf = ({ bits, endian, machine }: ElfFacts): string => `${machine}/${bits}/${endian}`;

/** What every machine has that runs programs of glibc and gcc. */
export const baseSonames: readonly string[] = [
  ...["ld-linux-aarch64.so.1", "ld-linux-armhf.so.3", "ld-linux-riscv64-lp64d.so.1", "ld-linux-x86-64.so.2"],
  ...["ld-linux.so.2", "ld64.so.1", "ld64.so.2", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"],
  ...["libanl.so.1", "libresolv.so.2", "librt.so.1", "libutil.so.1", "libatomic.so.1", "libgcc_s.so.1"],
  ...["libgomp.so.1", "libstdc++.so.6"],
];
