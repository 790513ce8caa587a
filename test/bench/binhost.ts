/** A binhost in a process of its own: `index N` writes an index of so many packages; `serve DIR` serves a folder until its input ends. Answers in JSON lines. */

import { gentooEntry, gentooIndex, packedIndex } from "../../node/release/formats/gentoo-index.ts";
import { serveBinhost } from "../../node/release/serve.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";

export interface IndexRun {
  readonly cpuMs: number;
  readonly peakMiB: number;
  readonly bytes: number;
}

const [deed, argument = ""] = process.argv.slice(2);
const tell = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

if (deed === "index") {
  const uses = "abi_x86_64 amd64 elibc_glibc kernel_linux ssl threads zlib";
  const needs =
    "ssl? ( dev-libs/openssl:0/3= ) zlib? ( sys-libs/zlib:0/1= ) >=dev-libs/glib-2.78 || ( a/b c/d )";
  const entries = Array.from({ length: Number(argument) }, (_, i) => {
    const sha256 = sha256Hex(`package ${i}`);
    const fields: [string, string][] = [
      ["CATEGORY", `cat-${i % 100}`],
      ["PF", `package${i}-1.${i % 50}`],
      ...["SLOT", "BUILD_ID"].map((key): [string, string] => [key, "1"]),
      ["EAPI", "8"],
      ["KEYWORDS", "amd64 ~arm64"],
      ["BUILD_TIME", String(1_700_000_000 + i)],
      ["USE", uses],
      ["IUSE", "+ssl doc test zlib"],
      ...["DEPEND", "RDEPEND", "BDEPEND"].map((key): [string, string] => [key, needs]),
      ["DEFINED_PHASES", "compile configure install"],
      ["LICENSE", "GPL-2+ MIT"],
      ["REQUIRES", "x86_64: libc.so.6 libm.so.6 libglib-2.0.so.0"],
      ["DESCRIPTION", "One of many packages"],
    ];
    const hashes = { sizeBytes: i, md5: sha256.slice(0, 32), sha1: sha256.slice(0, 40), sha256 };
    return gentooEntry({ fields, hashes }, `blobs/${sha256}.gpkg.tar`);
  });
  const index = gentooIndex(entries, 1_700_000_000);
  const packed = packedIndex(index, 1_700_000_000);
  const { user, system } = process.cpuUsage();
  tell({
    cpuMs: (user + system) / 1000,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    bytes: index.length + packed.length,
  });
} else {
  const listener = await serveBinhost("127.0.0.1:0", { foldersOf: () => [argument] });
  tell({ address: listener.address });
  process.stdin.resume().on("end", () => {
    tell({ cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000 });
    void listener.close();
  });
}
