/** Streams that unpack: gzip and zstd by the runtime, xz and bzip2 by the programs of that name, with a bound on their memory. */
import { PassThrough, type Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { started } from "../started.ts";
import { findProgram } from "./programs.ts";

export type Compression = "none" | "gzip" | "zstd" | "xz" | "bzip2";

/** What xz may take to unpack; its highest usual setting takes 65 MiB. bzip2 never takes more than 4 MiB. */
const xzMemoryMax = "256MiB";

const programs = {
  xz: { args: ["-dc", `--memlimit-decompress=${xzMemoryMax}`], from: "xz-utils" },
  bzip2: { args: ["-dc"], from: "bzip2" },
} as const;

/** What the first bytes (6 suffice) are packed with; `none` where they tell nothing. */
export function compressionOf(head: Uint8Array): Compression {
  const begins = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
  if (begins(0x1f, 0x8b)) return "gzip";
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return "xz";
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (begins(0x42, 0x5a, 0x68)) return "bzip2";
  return "none";
}

/** What `source` holds, unpacked. Throws `tool-missing` where a program is not there; damage is an error of the stream. */
export function decompressed(source: Readable, by: Compression): Readable {
  if (by === "none") return source;
  if (by === "xz" || by === "bzip2") return throughProgram(source, by);
  const unpacker = by === "gzip" ? createGunzip() : createZstdDecompress();
  source.on("error", (error) => unpacker.destroy(error));
  unpacker.on("close", () => source.destroy());
  return source.pipe(unpacker);
}

function throughProgram(source: Readable, name: keyof typeof programs): Readable {
  const program = findProgram(name);
  if (program === undefined)
    throw new SwarmError("tool-missing", `the program ${name} is not there`, {
      remedy: `install ${programs[name].from}, or pack it with gzip or zstd`,
    });
  const child = started(program, programs[name].args, { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: "/" });
  const out = new PassThrough();
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(0, 500);
  });
  child.stdin!.on("error", () => {}); // it ended early: its status tells
  source.on("error", (error) => out.destroy(error));
  source.pipe(child.stdin!);
  child.stdout!.pipe(out, { end: false });
  child.on("error", (error) => out.destroy(error));
  child.on("close", (status) =>
    status === 0 ? out.end() : out.destroy(new Error(said.trim() || `${name} ended with ${status}`)),
  );
  out.on("close", () => {
    child.kill("SIGKILL");
    source.destroy();
  });
  return out;
}
