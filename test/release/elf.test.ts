import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findProgram } from "../../node/build/programs.ts";
import { readElf } from "../../protocol/build/elf.ts";
import { elfOf } from "./elves.ts";

const read = (bytes: Uint8Array) =>
  readElf((offset, length) => bytes.subarray(offset, offset + length), bytes.length);

describe("an ELF file", () => {
  for (const bits of [32, 64] as const)
    for (const endian of ["little", "big"] as const)
      test(`of ${bits} bits, ${endian} endian, says all it should`, () => {
        const bytes = elfOf({
          bits,
          endian,
          machine: 40,
          flags: 0x05000400,
          interpreter: "/lib/ld-linux-armhf.so.3",
          soname: "libdemo.so.1",
          needed: ["libc.so.6", "libm.so.6"],
          runpath: "$ORIGIN/../lib:/opt/lib",
          textRelocations: true,
          executableStack: true,
        });
        expect(read(bytes)).toEqual({
          bits,
          endian,
          machine: 40,
          flags: 0x05000400,
          kind: "shared",
          interpreter: "/lib/ld-linux-armhf.so.3",
          soname: "libdemo.so.1",
          needed: ["libc.so.6", "libm.so.6"],
          searched: ["$ORIGIN/../lib", "/opt/lib"],
          executableStack: true,
          textRelocations: true,
        });
      });

  test("tells the highest level of x86-64 that its notes need", () => {
    expect(read(elfOf()).isaLevel).toBeUndefined();
    expect(read(elfOf({ isaNeeded: 0b1 })).isaLevel).toBe(1);
    expect(read(elfOf({ isaNeeded: 0b111 })).isaLevel).toBe(3);
    expect(read(elfOf({ machine: 183, isaNeeded: 0b111 })).isaLevel).toBeUndefined();
  });

  test("that is cut anywhere is refused or says what is still there", () => {
    const whole = elfOf();
    for (let length = 0; length < whole.length; length += 7)
      expect(() => read(whole.subarray(0, length)), String(length)).toThrow("no sound ELF file");
  });
});

const compilers = [
  { program: "gcc", machine: { x64: 62, arm64: 183 }[process.arch as string], bits: 64 },
  { program: "aarch64-linux-gnu-gcc", machine: 183, bits: 64, interpreter: "/lib/ld-linux-aarch64.so.1" },
  {
    program: "riscv64-linux-gnu-gcc",
    machine: 243,
    bits: 64,
    interpreter: "/lib/ld-linux-riscv64-lp64d.so.1",
  },
];

describe("what compilers make", () => {
  const dir = mkdtempSync(path.join(tmpdir(), "swarmd-elf-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const source = path.join(dir, "x.c");
  writeFileSync(source, "int main(void) { return 0; }\n");

  for (const { program, machine, bits, interpreter } of compilers)
    test.skipIf(findProgram(program) === undefined || machine === undefined)(
      `${program}: a program, a library and an object are read (where it is installed)`,
      () => {
        const made = (name: string, ...args: string[]) => {
          const file = path.join(dir, `${program}-${name}`);
          execFileSync(program, [source, "-o", file, ...args]);
          return read(readFileSync(file));
        };
        const linked = made("x", "-Wl,-rpath,/opt/demo", "-Wl,--enable-new-dtags");
        expect(linked).toMatchObject({ machine, bits, kind: "shared", searched: ["/opt/demo"] });
        expect(linked.needed).toContain("libc.so.6");
        if (interpreter) expect(linked.interpreter).toBe(interpreter);
        const library = made("l.so", "-shared", "-fPIC", "-Wl,-soname,libx.so.3");
        expect(library).toMatchObject({
          machine,
          kind: "shared",
          soname: "libx.so.3",
          executableStack: false,
        });
        expect(made("x.o", "-c")).toMatchObject({ machine, bits, kind: "object", needed: [] });
      },
    );
});
