/** What the doctor looks through: files and programs of this machine, each look bounded. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { readSmallFile } from "../files.ts";

const fileBytesMax = 1 << 20;
const runMsMax = 3_000;

export interface Probe {
  /** The text of a small file; undefined when it is not there or not ours to read. */
  read(file: string): Promise<string | undefined>;
  /** Names in a folder; none when it is not there. */
  list(dir: string): Promise<string[]>;
  /** What a program prints; undefined when there is none, it fails, or takes long. */
  run(program: string, ...args: readonly string[]): Promise<string | undefined>;
}

export const thisMachine: Probe = {
  read: (file) => readSmallFile(file, fileBytesMax).catch(() => undefined),
  list: (dir) => readdir(dir).catch(() => []),
  run: (program, ...args) =>
    new Promise((resolve) => {
      execFile(
        program,
        args,
        {
          timeout: runMsMax,
          maxBuffer: fileBytesMax,
          env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: "C" },
        },
        (error, stdout) => resolve(error ? undefined : stdout),
      );
    }),
};
